"""What follows from a context's list of members: people and enrollments are made, come back, or become inactive.

Nothing is ever deleted: whoever is gone from the list is shown as gone, with all work and grades. A launch knows
better than a list that was begun before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from courseway.courses.models import Enrollment, Role
from courseway.lms.instructors import list_approved
from courseway.lms.launch_details import EMAIL, NAME, SOURCEDID, USER_ID
from courseway.lms.models import Context, ContextMembership, CourseContext, Launch, LmsIdentity, Platform
from courseway.lms.trusted_emails import find_trusted_person
from courseway.lms.upgrades import find_former_people
from courseway.orgs.models import Person
from ltikit.members import Member, MemberStatus

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Changes:
    """How many became active in the context, and how many are not any more."""

    came: int = 0
    left: int = 0


def apply_roster(
    context: Context, members: Sequence[Member], *, is_whole: bool, began_at: datetime, now: datetime
) -> Changes:
    """Make the context's people those of the list. `is_whole` says that whoever is not in it has left.

    `began_at` is when reading began: who launched since then is there, whatever the list says.
    """
    platform = context.deployment.platform
    present: set[int] = set()
    came = 0
    active = [member for member in members if member.status is MemberStatus.ACTIVE]
    if platform.asks_about_instructors:
        may_teach = list_approved(platform)
        active = [one for one in active if one.role.value != Role.TEACHER or one.user_id in may_teach]
    for start in range(0, len(active), CHUNK):
        chunk = active[start : start + CHUNK]
        with transaction.atomic():
            people = _store_people(context, chunk, now)
            roles = {people[member.user_id]: Role(member.role.value) for member in chunk}
            came += _let_in(context, roles, now)
        present |= roles.keys()
    gone = [member.user_id for member in members if member.status is not MemberStatus.ACTIVE]
    return Changes(came, _let_out(context, platform, gone, present, is_whole=is_whole, began_at=began_at))


def _store_people(context: Context, members: Sequence[Member], now: datetime) -> dict[str, int]:
    """The person of each member by LMS user id: found by identity, else made. Names and e-mails follow the LMS (C3)."""
    platform = context.deployment.platform
    ids = [member.user_id for member in members]
    known = {one.lms_user_id: one for one in _identities(platform, ids).select_related("person")}
    _rename((known[member.user_id], member) for member in members if member.user_id in known)
    new = [member for member in members if member.user_id not in known]
    if not new:
        return {user_id: one.person_id for user_id, one in known.items()}
    then = {member.user_id: member.legacy_user_id or member.user_id for member in new}
    former = find_former_people(platform, context.deployment.deployment_id, then)
    assumed = former | _make_people(platform, [member for member in new if member.user_id not in former], now)
    field = platform.tenant.lti_id_field
    LmsIdentity.objects.bulk_create(
        (
            LmsIdentity(
                platform=platform,
                lms_user_id=member.user_id,
                person_id=assumed[member.user_id],
                name=member.full_name[:255],
                email=member.email[:255],
                folded_email=member.email[:255].casefold(),
                is_test_user=member.is_test_user,
                lti_id=_lti_id(member, field),
                created_at=now,
            )
            for member in new
        ),
        ignore_conflicts=True,  # a first launch of the same person at this moment was quicker
    )
    stored = dict(_identities(platform, ids).values_list("lms_user_id", "person"))
    _forget_people({assumed[member.user_id] for member in new} - set(stored.values()))
    return stored


def _identities(platform: Platform, user_ids: Collection[str]) -> QuerySet[LmsIdentity]:
    return LmsIdentity.objects.filter(platform=platform, lms_user_id__in=user_ids)


def _make_people(platform: Platform, members: Sequence[Member], now: datetime) -> dict[str, int]:
    """A person for each: one who is known by a trusted address, else a new one."""
    found: dict[str, int] = {}
    new: list[tuple[str, Person]] = []
    for member in members:
        trusted = None
        if platform.trusts_emails and not member.is_test_user:
            trusted = find_trusted_person(platform.tenant_id, member.email)
        if trusted is not None:
            found[member.user_id] = trusted
            continue
        name, email = member.full_name[:255], member.email[:255]
        person = Person(
            organization_id=platform.tenant_id,
            name=name,
            email=email,
            folded_email=email.casefold(),
            created_at=now,
        )
        new.append((member.user_id, person))
    Person.objects.bulk_create([person for _, person in new])
    return found | {user_id: person.pk for user_id, person in new}


def _forget_people(persons: set[int]) -> None:
    """People made for nothing. Those found by a trusted address have identities of their own and stay."""
    if persons:
        Person.objects.filter(pk__in=persons, lms_identities=None, enrollments=None, account=None).delete()


def _rename(pairs: Iterable[tuple[LmsIdentity, Member]]) -> None:
    identities, people = [], []
    for identity, member in pairs:
        # What the list withholds stays as a launch said it.
        name, email = member.full_name[:255] or identity.name, member.email[:255] or identity.email
        if (name, email) == (identity.name, identity.email):
            continue
        identity.name, identity.email, identity.folded_email = name, email, email.casefold()
        identities.append(identity)
        if identity.person.account_id is None:  # a joined account keeps the name it has here
            person = identity.person
            person.name, person.email, person.folded_email = name, email, email.casefold()
            people.append(person)
    fields = ["name", "email", "folded_email"]
    LmsIdentity.objects.bulk_update(identities, fields, batch_size=200)
    Person.objects.bulk_update(people, fields, batch_size=200)


def _lti_id(member: Member, field: str) -> str:
    """The field that the organization chose for its exports, where a list has it; else the first launch brings it."""
    values = {USER_ID: member.user_id, SOURCEDID: member.sourcedid, EMAIL: member.email, NAME: member.full_name}
    return values.get(field, "")[:255]


def _let_in(context: Context, roles: dict[int, Role], now: datetime) -> int:
    """These people are in the context, and so in its courses. Returns how many were not active there before."""
    before = dict(
        ContextMembership.objects.filter(context=context, person__in=roles, active=True).values_list("person", "role")
    )
    changed = {person: role for person, role in roles.items() if before.get(person) != role.value}
    ContextMembership.objects.bulk_create(
        (
            ContextMembership(context=context, person_id=person, role=role, active=True)
            for person, role in changed.items()
        ),
        update_conflicts=True,
        unique_fields=["context", "person"],
        update_fields=["role", "active"],
    )
    for course in _courses_of(context):
        _enroll(context, course, roles, now)
    return len(roles.keys() - before.keys())


def _courses_of(context: Context) -> list[int]:
    connected = CourseContext.objects.filter(context=context, course__lti_enabled=True, course__archived_at=None)
    return list(connected.values_list("course", flat=True))


def _enroll(context: Context, course_pk: int, roles: dict[int, Role], now: datetime) -> None:
    enrolled = {
        one.person_id: one for one in Enrollment.objects.filter(course=course_pk, person__in=roles).select_for_update()
    }
    Enrollment.objects.bulk_create(
        (
            Enrollment(course_id=course_pk, person_id=person, role=role, created_at=now)
            for person, role in roles.items()
            if person not in enrolled
        ),
        ignore_conflicts=True,
    )
    different = [one for one in enrolled.values() if not one.active or one.role != roles[one.person_id]]
    elsewhere = _active_elsewhere(context, course_pk, [one.person_id for one in different])
    changed = []
    for one in different:
        # In several LMS courses of this one the newest launch decides what somebody is.
        if one.active and one.person_id in elsewhere:
            continue
        role = roles[one.person_id]
        if one.covers_whole_course and one.active and one.role == Role.TEACHER:
            continue  # a right that was given here is not taken by a list
        one.active, one.role = True, role
        changed.append(one)
    Enrollment.objects.bulk_update(changed, ["active", "role"], batch_size=200)


def _active_elsewhere(context: Context, course_pk: int, persons: Collection[int]) -> set[int]:
    others = ContextMembership.objects.filter(
        context__course_contexts__course=course_pk, person__in=persons, active=True
    ).exclude(context=context)
    return set(others.values_list("person", flat=True))


def _let_out(
    context: Context,
    platform: Platform,
    user_ids: Sequence[str],
    present: set[int],
    *,
    is_whole: bool,
    began_at: datetime,
) -> int:
    """Whoever the LMS says is gone, or, if the list is whole, does not name any more. Returns how many left now."""
    rows = ContextMembership.objects.filter(context=context, active=True)
    there = {person: pk for pk, person in rows.values_list("pk", "person")}
    gone: set[int] = set()
    for start in range(0, len(user_ids), CHUNK):
        found = _identities(platform, user_ids[start : start + CHUNK])
        gone |= set(found.values_list("person", flat=True))
    if is_whole:
        # LMSs do not list their preview students.
        tests = LmsIdentity.objects.filter(platform=platform, is_test_user=True, person__in=rows.values("person"))
        gone |= there.keys() - set(tests.values_list("person", flat=True))
    gone &= there.keys()
    gone -= present
    if gone:
        launches = Launch.objects.filter(context=context, outcome=Launch.Outcome.OK, at__gte=began_at)
        gone -= set(launches.values_list("person", flat=True))
    leaving = sorted(gone)
    for start in range(0, len(leaving), CHUNK):
        chunk = leaving[start : start + CHUNK]
        with transaction.atomic():
            ContextMembership.objects.filter(pk__in=[there[person] for person in chunk]).update(active=False)
            for course_pk in _courses_of(context):
                _leave(context, course_pk, chunk)
    return len(leaving)


def _leave(context: Context, course_pk: int, persons: Sequence[int]) -> None:
    """Inactive in the course too, unless another LMS course of it still has them."""
    staying = _active_elsewhere(context, course_pk, persons)
    connected = CourseContext.objects.filter(course=course_pk, context=context).first()
    if connected is not None:
        Enrollment.objects.filter(
            course=course_pk,
            person__in=set(persons) - staying,
            active=True,
            # Whoever was here before the LMS course was connected did not come with it.
            created_at__gte=connected.created_at,
        ).update(active=False)
