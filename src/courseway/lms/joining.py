"""A person whom an LMS brought, and the account of the same human: joined by a proof, never by an equal e-mail (C1)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from courseway.courses.models import Enrollment, Role
from courseway.courses.teachers import person_of_account
from courseway.lms.models import Arrival, ContextMembership, LmsIdentity, Platform
from courseway.lms.models import Launch as LaunchRow
from courseway.orgs.models import Account, Person
from ltikit.launch import Launch


def join_account(platform: Platform, launch: Launch, account: Account, *, now: datetime) -> Person:
    """The person that the launching LMS user is from now on. `account` was proven to be the same human's.

    A person who came from the LMS before takes the account; if the account has a person here already, the LMS user
    moves over to that one with the teacher's roles. Somebody with work as a student stays apart, since grades hang on
    it: an owner may merge the two.
    """
    with transaction.atomic():
        Platform.objects.select_for_update(no_key=True).get(pk=platform.pk)
        own = Person.objects.filter(organization=platform.organization_id, account=account).first()
        identities = LmsIdentity.objects.select_related("person").filter(platform=platform)
        identity = identities.filter(lms_user_id=launch.person.user_id or "").first()
        if identity is None:
            own = own or person_of_account(platform.organization, account)
            sent = launch.person
            LmsIdentity.objects.create(
                platform=platform,
                lms_user_id=sent.user_id or "",
                person=own,
                name=(sent.name or f"{sent.given_name} {sent.family_name}".strip())[:255],
                email=sent.email[:255],
                is_test_user=sent.is_test_user,
                created_at=now,
            )
            return own
        person = identity.person
        if person.account_id is not None:
            return person
        if own is None:
            person.account = account
            person.save(update_fields=["account"])
            return person
        if person.enrollments.filter(role=Role.STUDENT).exists():
            return person
        _move_teacher(person, own)
        return own


def _move_teacher(person: Person, to: Person) -> None:
    """All that the LMS knows of `person` becomes that of `to`; a role that both have in one place stays as it is."""
    ContextMembership.objects.filter(person=person).exclude(context__memberships__person=to).update(person=to)
    for enrollment in Enrollment.objects.filter(person=person, active=True):
        known = Enrollment.objects.filter(course=enrollment.course_id, person=to).first()
        if known is None:
            Enrollment.objects.filter(pk=enrollment.pk).update(person=to)
        elif enrollment.covers_whole_course and known.role == enrollment.role:
            Enrollment.objects.filter(pk=known.pk).update(active=True, covers_whole_course=True)
    Arrival.objects.filter(person=person).update(person=to, fingerprint="")
    LaunchRow.objects.filter(person=person).update(person=to)
    LmsIdentity.objects.filter(person=person).update(person=to)
