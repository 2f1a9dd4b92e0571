"""A person whom an LMS sent and the account of the same human, once an e-mailed code has proven that they are (C1)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from courseway.courses.models import Enrollment
from courseway.learning.merging import merge_people
from courseway.lms.models import LmsIdentity
from courseway.orgs.models import Account, Person
from courseway.orgs.organizations import get_or_create_account


class JoinError(Exception):
    """The two cannot be joined; the text says what to do."""


def find_lms_address(person: Person, context_pk: int) -> str:
    """The address that the LMS of this LMS course sent for the person; "" for anonymous people and test users."""
    identities = LmsIdentity.objects.filter(
        person=person, platform__deployments__contexts=context_pk, is_test_user=False
    )
    return identities.exclude(email="").order_by("-pk").values_list("email", flat=True).first() or ""


def join_account(person: Person, email: str, *, now: datetime) -> Account:
    """The account of a proven address, made on first need, which opens the person's work from now on.

    Somebody whom the account is here already becomes part of this person: the code proved that they are one.
    """
    with transaction.atomic():
        account = get_or_create_account(email)
        if not account.is_active:
            raise JoinError(_("This account is closed. Ask the organization."))
        locked = Person.objects.select_for_update().get(pk=person.pk)
        if locked.account_id not in (None, account.pk):
            raise JoinError(_("Your work opens with another account already."))
        other = (
            Person.objects.filter(organization=locked.organization_id, account=account).exclude(pk=locked.pk).first()
        )
        if other is not None:
            _check_roles(locked, other)
            merge_people(locked, other, now=now)
        elif locked.account_id is None:
            Person.objects.filter(pk=locked.pk).update(account=account)
    return account


def join_if_possible(person: Person, account: Account, *, now: datetime) -> bool:
    """The same for somebody who goes on either way; False where an owner has to join the two."""
    try:
        join_account(person, account.email, now=now)
    except JoinError:
        return False
    return True


def _check_roles(person: Person, other: Person) -> None:
    """The next launch would overwrite the role that the account has in the same course."""
    roles = dict(Enrollment.objects.filter(person=person, active=True).values_list("course", "role"))
    for course, role in Enrollment.objects.filter(person=other, active=True).values_list("course", "role"):
        if roles.get(course, role) != role:
            raise JoinError(
                _("With the account of this address you have another role in this course. An owner can join the two.")
            )
