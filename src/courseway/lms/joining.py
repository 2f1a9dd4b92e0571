"""An LMS user and the account of the same human: joined by a proof, never by an equal e-mail (C1)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Protocol

from django.db import transaction

from courseway.courses.teachers import person_of_account
from courseway.lms.models import LmsIdentity, Platform
from courseway.orgs.models import Account, Person
from ltikit.launch import Launch


class JoinPeople(Protocol):
    """`learning.joining.join_if_possible`, handed in from above: this room knows no work, which joins along."""

    def __call__(self, person: Person, account: Account, *, now: datetime) -> bool: ...


def join_lms_user(
    platform: Platform, launch: Launch, account: Account, *, join_people: JoinPeople, now: datetime
) -> None:
    """From now on the launching LMS user is the person of the account, which was proven to be the same human's.

    Somebody whom the LMS brought before is joined with all there is; where that needs an owner's decision, the two
    stay apart.
    """
    sent = launch.person
    # Made only for a user who is new here.
    person: Any = partial(person_of_account, platform.tenant, account)
    with transaction.atomic():
        identity, is_new = LmsIdentity.objects.select_related("person").get_or_create(
            platform=platform,
            lms_user_id=sent.user_id or "",
            defaults={
                "person": person,
                "name": (sent.name or f"{sent.given_name} {sent.family_name}".strip())[:255],
                "email": sent.email[:255],
                "is_test_user": sent.is_test_user,
                "created_at": now,
            },
        )
        if not is_new and identity.person.account_id != account.pk:
            join_people(identity.person, account, now=now)
