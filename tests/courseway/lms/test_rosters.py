"""Rosters from a practice LMS over real HTTP: who is made, who comes back, who is inactive, and when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from courseway.courses.models import Enrollment, Role
from courseway.lms.models import Context, ContextMembership, ContextRoster, LmsIdentity, Section, SectionMember
from courseway.lms.platform_trust_views import change_trust
from courseway.lms.rosters import read_due_rosters, want_rosters
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school11, make_school13
from tests.practice_lms.running import PracticeLms


@pytest.fixture
def plain_school(practice_lms: PracticeLms, cast: Cast) -> Iterator[School]:
    """One without groups, whose lists of differences are enough."""
    with make_school13(practice_lms, cast.acme, shares_groups=False) as made:
        yield made


def come_as_teacher(client: Client, school: School, cast: Cast, **values: Any) -> str:
    """A teacher opens a link of the course; returns their LMS user id."""
    teacher = school.add_person("Tea Cher", "teacher", **values)
    link = school.place(cast.operators)
    assert school.launch(client, teacher, link).status_code == 303
    return teacher


def read_now() -> int:
    """What the worker does, after the time in which an LMS is left in peace."""
    want_rosters(now=datetime.now(UTC))
    ContextRoster.objects.filter(next_try_at__isnull=False).update(next_try_at=datetime.now(UTC))
    return read_due_rosters()


def enrolled(cast: Cast, school: School) -> dict[str, tuple[str, bool]]:
    """Role and activity by LMS user id."""
    identities = LmsIdentity.objects.filter(platform=school.platform)
    rows = Enrollment.objects.filter(course=cast.course).values_list("person", "role", "active")
    by_person = {person: (role, active) for person, role, active in rows}
    return {one.lms_user_id: by_person[one.person_id] for one in identities if one.person_id in by_person}


def test_the_roster_is_known_after_a_teachers_launch(client: Client, cast: Cast, school: School) -> None:
    """Once a teacher came, everybody of the LMS course is enrolled, with LMS identity, name and role."""
    ada, bob = school.add_person("Ada One"), school.add_person("Bob Two", "observer", mentor_for=[])
    teacher = come_as_teacher(client, school, cast)
    assert set(enrolled(cast, school)) == {teacher}
    assert read_now() == 1
    assert enrolled(cast, school) == {teacher: ("teacher", True), ada: ("student", True), bob: ("mentor", True)}
    assert school.find_person(ada).name == "Ada One"
    roster = ContextRoster.objects.get(context=school.context)
    assert (roster.members, roster.came, roster.left, roster.error_code) == (3, 2, 0, "")


def test_no_roster_without_a_teacher(client: Client, cast: Cast, school: School) -> None:
    """A student's launch asks for no roster, and no launch ever waits for one."""
    ada = school.add_person("Ada One")
    before = len(school.lms.get("messages", service="roster"))
    assert school.launch(client, ada, school.place(cast.operators)).status_code == 303
    assert read_now() == 0
    come_as_teacher(client, school, cast)
    assert len(school.lms.get("messages", service="roster")) == before


@pytest.mark.quirk("B15")
def test_several_pages(client: Client, cast: Cast, school: School) -> None:
    """All pages are read, each at the address that the page before named."""
    school.lms.post("people", count=450, course=school.course)
    come_as_teacher(client, school, cast)
    assert read_now() == 1
    assert len(enrolled(cast, school)) == 451
    roster = ContextRoster.objects.get(context=school.context)
    assert (roster.pages_read, roster.members) == (3, 451)


@pytest.mark.quirk("C31")
def test_a_list_cut_short_changes_nobody(client: Client, cast: Cast, school: School) -> None:
    """When a later page fails nobody comes and nobody goes; it is tried again by itself."""
    ada = school.add_person("Ada One")
    come_as_teacher(client, school, cast)
    read_now()
    before = enrolled(cast, school)
    school.change(ada, leaves=True)
    school.lms.post("people", count=300, course=school.course)
    ContextRoster.objects.update(differences_url="", next_try_at=datetime.now(UTC))
    calls = iter(range(100))

    def interrupt() -> datetime:
        """Each page asks for the time once it is read: from the first one on the LMS is down."""
        if next(calls) == 2:
            school.lms.post("faults", service="roster", kind="status", status=503)
        return datetime.now(UTC)

    assert read_due_rosters(clock=interrupt) == 1
    roster = ContextRoster.objects.get(context=school.context)
    assert (roster.pages_read, roster.members_read, roster.error_code) == (1, 200, "service_unavailable")
    assert enrolled(cast, school) == before
    assert roster.next_try_at is not None
    school.lms.post("faults", clear=True)
    assert read_now() == 1
    assert enrolled(cast, school)[ada] == ("student", False)
    assert len(enrolled(cast, school)) == len(before) + 300


@pytest.mark.quirk("M17")
def test_who_left_is_inactive_and_comes_back(client: Client, cast: Cast, school: School) -> None:
    """Absent from the list or inactive in it means inactive here, never deleted; whoever comes back is active again."""
    ada, bob = school.add_person("Ada One"), school.add_person("Bob Two")
    teacher = come_as_teacher(client, school, cast)
    read_now()
    people = Person.objects.count()
    school.change(ada, leaves=True)
    school.change(bob, role="learner", is_active=False)
    read_now()
    assert enrolled(cast, school) == {teacher: ("teacher", True), ada: ("student", False), bob: ("student", False)}
    assert Person.objects.count() == people
    assert ContextRoster.objects.get(context=school.context).left == 2
    school.change(ada, role="learner")
    school.change(bob, role="learner", is_active=True)
    read_now()
    assert enrolled(cast, school)[ada] == enrolled(cast, school)[bob] == ("student", True)


def test_a_launch_knows_better(client: Client, cast: Cast, school: School) -> None:
    """Whoever was inactive and launches is active at once, and a list that was begun before does not take it back."""
    ada = school.add_person("Ada One")
    come_as_teacher(client, school, cast)
    read_now()
    school.change(ada, leaves=True)
    read_now()
    assert enrolled(cast, school)[ada] == ("student", False)
    school.change(ada, role="learner")
    assert school.launch(client, ada, school.links[cast.operators.pk]).status_code == 303
    assert enrolled(cast, school)[ada] == ("student", True)
    school.change(ada, leaves=True)
    past = datetime.now(UTC) - timedelta(minutes=1)
    ContextRoster.objects.update(next_try_at=past, differences_url="")
    assert read_due_rosters(clock=lambda: past) == 1
    assert ContextRoster.objects.get(context=school.context).error_code == ""
    assert enrolled(cast, school)[ada] == ("student", True)


def test_differences(client: Client, cast: Cast, plain_school: School) -> None:
    """Where the LMS lists what changed, only that is read; who is not in it stays as they were."""
    ada, bob = plain_school.add_person("Ada One"), plain_school.add_person("Bob Two")
    come_as_teacher(client, plain_school, cast)
    read_now()
    assert "since=" in ContextRoster.objects.get(context=plain_school.context).differences_url
    plain_school.change(bob, leaves=True)
    eve = plain_school.add_person("Eve Three")
    read_now()
    paths = [one["path"] for one in plain_school.lms.get("messages", service="roster")]
    assert "since=" in paths[0]
    assert enrolled(cast, plain_school)[ada] == ("student", True)
    assert enrolled(cast, plain_school)[bob] == ("student", False)
    assert enrolled(cast, plain_school)[eve] == ("student", True)


def test_differences_that_the_lms_forgot(client: Client, cast: Cast, plain_school: School) -> None:
    """An address of differences that is refused is given up for the whole list."""
    ada = plain_school.add_person("Ada One")
    come_as_teacher(client, plain_school, cast)
    read_now()
    url = ContextRoster.objects.get(context=plain_school.context).differences_url
    ContextRoster.objects.update(differences_url=url.partition("since=")[0] + "since=999999999")
    plain_school.change(ada, leaves=True)
    read_now()
    assert enrolled(cast, plain_school)[ada] == ("student", False)
    assert ContextRoster.objects.get(context=plain_school.context).error_code == ""


def test_an_empty_list_deactivates_nobody(client: Client, cast: Cast, school: School) -> None:
    """A list without anybody on it, and one of which entries cannot be read, do not say who left."""
    ada = school.add_person("Ada One")
    teacher = come_as_teacher(client, school, cast)
    read_now()
    ContextRoster.objects.update(differences_url="")
    school.change(ada, leaves=True)
    school.change(teacher, leaves=True)
    read_now()
    assert enrolled(cast, school) == {ada: ("student", True), teacher: ("teacher", True)}


def test_names_follow_and_identities_are_never_doubled(client: Client, cast: Cast, school: School) -> None:
    """A name that changed in the LMS changes here; whoever launches later is the person whom the list made."""
    ada = school.add_person("Ada One", email="ada@school.example")
    come_as_teacher(client, school, cast)
    read_now()
    person = school.find_person(ada)
    assert (person.name, person.email) == ("Ada One", "ada@school.example")
    assert school.launch(Client(), ada, school.links[cast.operators.pk]).status_code == 303
    assert school.find_person(ada) == person
    assert LmsIdentity.objects.filter(platform=school.platform, lms_user_id=ada).count() == 1


def test_an_email_proves_nothing_unless_trusted(client: Client, cast: Cast, school: School) -> None:
    """A listed address joins nobody; only where the owner trusts the LMS's addresses it finds the one person (C1)."""
    sam = school.add_person("Sam S", email=cast.sam.email.upper())
    come_as_teacher(client, school, cast)
    read_now()
    assert school.find_person(sam) != cast.sam
    school.platform.trusts_emails = True
    school.platform.save()
    sue = school.add_person("Sue S", email=cast.sue.email.upper())
    read_now()
    assert school.find_person(sue) == cast.sue


def test_people_of_another_lms_course_stay(client: Client, cast: Cast, school: School) -> None:
    """Somebody who left one LMS course of the course, and is still in another, stays active; and so do people who were
    here before."""
    ada = school.add_person("Ada One")
    come_as_teacher(client, school, cast)
    read_now()
    person = school.find_person(ada)
    other = Context.objects.create(deployment=school.context.deployment, context_id="another")
    other.course_contexts.create(course=cast.course, rule="test")
    ContextMembership.objects.create(context=other, person=person, role=Role.STUDENT)
    school.change(ada, leaves=True)
    read_now()
    assert not ContextMembership.objects.get(context=school.context, person=person).active
    assert enrolled(cast, school)[ada] == ("student", True)
    assert Enrollment.objects.get(course=cast.course, person=cast.sam).active


@pytest.mark.parametrize("profile", ["canvas", "moodle", "blackboard", "brightspace", "sakai"])
def test_other_platforms(client: Client, practice_lms: PracticeLms, cast: Cast, profile: str) -> None:
    """The rosters of other LMSs, with short roles, null names or an `rlid` in the address, are read as well."""
    with make_school13(practice_lms, cast.acme, profile=profile) as school:
        ada, bob = school.add_person("Ada One"), school.add_person("Bob Two")
        come_as_teacher(client, school, cast)
        read_now()
        assert enrolled(cast, school)[ada] == ("student", True)
        school.change(bob, leaves=True)
        read_now()
        assert enrolled(cast, school)[ada] == ("student", True)
        assert enrolled(cast, school)[bob] == ("student", False)


@pytest.mark.parametrize(("profile", "kind"), [("practice", "nrps"), ("moodle", "nrps"), ("sakai", "pox")])
def test_memberships_of_lti_11(client: Client, practice_lms: PracticeLms, cast: Cast, profile: str, kind: str) -> None:
    """An LTI 1.1 platform that lists its members is read by the best service that the launch names."""
    school = make_school11(practice_lms, cast.acme, profile=profile)
    ada, bob = school.add_person("Ada One"), school.add_person("Bob Two")
    teacher = come_as_teacher(client, school, cast)
    assert school.context.roster_kind == kind
    assert read_now() == 1
    assert ContextRoster.objects.get(context=school.context).error_words == ""
    assert enrolled(cast, school) == {teacher: ("teacher", True), ada: ("student", True), bob: ("student", True)}
    school.change(bob, role="learner", is_active=False)
    read_now()
    assert enrolled(cast, school)[bob] == ("student", False)


def test_lis_memberships_by_a_variable(client: Client, practice_lms: PracticeLms, cast: Cast) -> None:
    """A link that asks for `$ToolProxyBinding.memberships.url` is read by LIS memberships, page by page."""
    school = make_school11(practice_lms, cast.acme, profile="canvas")
    practice_lms.post(
        "tools",
        id=school.tool["id"],
        custom={"tool_proxy_binding_memberships_url": "$ToolProxyBinding.memberships.url"},
    )
    school.lms.post("people", count=210, course=school.course)
    come_as_teacher(client, school, cast)
    assert school.context.roster_kind == "lis"
    assert read_now() == 1
    assert ContextRoster.objects.get(context=school.context).pages_read == 2
    assert len(enrolled(cast, school)) == 211


def test_groups(client: Client, cast: Cast, school: School) -> None:
    """The groups of the LMS course and who is in them are known with the roster, and follow it."""
    ada, bob = school.add_person("Ada One"), school.add_person("Bob Two")
    red = school.lms.post("groups", course=school.course, name="Red", set="Teams", people=[ada])
    school.lms.post("groups", course=school.course, name="Secret", hidden=True, people=[bob])
    come_as_teacher(client, school, cast)
    read_now()
    section = Section.objects.get(context=school.context)
    assert (str(section), section.kind) == ("Teams · Red", "group")
    assert [one.person for one in SectionMember.objects.filter(section=section)] == [school.find_person(ada)]
    school.lms.post("groups", id=red["id"], course=school.course, name="Crimson", set="Teams", people=[bob])
    ContextRoster.objects.update(differences_url="")
    read_now()
    section.refresh_from_db()
    assert section.name == "Crimson"
    assert [one.person for one in SectionMember.objects.filter(section=section)] == [school.find_person(bob)]
    school.lms.post("delete", kind="group", id=red["id"])
    read_now()
    assert not Section.objects.filter(context=school.context).exists()


def test_groups_that_fail_leave_the_roster(client: Client, cast: Cast, school: School) -> None:
    """An LMS that cannot list its groups has listed its members nevertheless."""
    ada = school.add_person("Ada One")
    school.lms.post("faults", service="groups", kind="status", status=500, count=5)
    come_as_teacher(client, school, cast)
    read_now()
    assert enrolled(cast, school)[ada] == ("student", True)
    assert ContextRoster.objects.get(context=school.context).error_code == ""


@pytest.mark.quirk("C31")
def test_refused_rosters_rest(client: Client, cast: Cast, school: School) -> None:
    """An LMS that refuses is asked again more and more seldom, and at once when a teacher comes again."""
    teacher = come_as_teacher(client, school, cast)
    school.lms.post("faults", service="roster", kind="status", status=403, count=100)
    read_now()
    waits = []
    for _ in range(5):
        roster = ContextRoster.objects.get(context=school.context)
        assert roster.next_try_at is not None
        waits.append((roster.next_try_at - datetime.now(UTC)).total_seconds())
        assert read_due_rosters() == 0
        assert read_now() == 1
    assert waits[-1] > 4 * waits[0] > 0
    assert ContextRoster.objects.get(context=school.context).error_code == "service_forbidden"
    school.lms.post("faults", clear=True)
    assert school.launch(client, teacher, school.links[cast.operators.pk]).status_code == 303
    want_rosters(now=datetime.now(UTC))
    assert ContextRoster.objects.get(context=school.context).tries == 0
    read_now()
    assert ContextRoster.objects.get(context=school.context).error_code == ""


def test_an_lms_that_was_revoked_is_not_asked(client: Client, cast: Cast, school: School) -> None:
    """No request leaves for a platform whose key or registration was revoked."""
    come_as_teacher(client, school, cast)
    school.platform.revoked_at = datetime.now(UTC)
    school.platform.save()
    assert read_now() == 0


def test_a_roster_makes_no_teacher_whom_nobody_approved(client: Client, cast: Cast, school: School) -> None:
    """Where owners are asked about instructors, those without their yes are not let in by the LMS's list either."""
    ada, other = school.add_person("Ada One"), school.add_person("Ott Her", "teacher")
    teacher = come_as_teacher(client, school, cast)
    change_trust(school.platform, trusts_emails=False, accepts_actual_user=False, asks_about_instructors=True)
    assert read_now() == 1
    assert enrolled(cast, school) == {teacher: ("teacher", True), ada: ("student", True)}
    assert not LmsIdentity.objects.filter(lms_user_id=other).exists()
