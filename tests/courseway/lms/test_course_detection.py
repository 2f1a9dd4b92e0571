"""Which course a launch means (D5, E1 to E4): each rule, their order, and copies under races and strange input."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from courseway.courses.copying import copy_course
from courseway.courses.models import Assignment, Course, Enrollment
from courseway.lms import platforms
from courseway.lms.models import CourseContext, CourseIdentity, Launch, LmsIdentity, ParentReplacement, ResourceLink
from tests.cast import Cast, make_cast
from tests.visits import CLAIM, Lms11, Lms13, make_lms11, make_lms13


@pytest.fixture(autouse=True)
def _forget_platforms() -> None:
    platforms.forget_all()


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    switch_on(cast.course)
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    switch_on(cast.course)
    return make_lms13(cast.acme)


def switch_on(course: Course, *, course_copy: bool = False) -> None:
    course.constant_urls = True
    course.course_copy = course_copy
    course.save()


def constant(assignment: Assignment) -> str:
    return f"/lti/c/{assignment.content_id}"


def opened(response: Any) -> tuple[Assignment, str]:
    """The assignment that the launch landed on, and the rule that the log names."""
    assert response.status_code == 303, response.content.decode()
    launch = Launch.objects.latest("pk")
    assert launch.assignment is not None
    return launch.assignment, launch.rule


def is_asked(response: Any) -> bool:
    """A student gets the notice at once, a teacher is led to the picker."""
    if response.status_code == 303:
        return str(response["Location"]).endswith("/choose/")
    return response.status_code == 200 and 'data-launch="waiting"' in response.content.decode()


def copy_of(cast: Cast, assignment: Assignment) -> Assignment:
    child = Course.objects.get(parent=cast.course)
    return Assignment.objects.get(course=child, content_id=assignment.content_id)


def test_a_constant_url_finds_the_course_by_its_target(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The same URL with two targets opens the assignment in two different courses."""
    child = copy_course(cast.course, now=cast.course.created_at)
    first = lms11.launch(client, constant(cast.loops), custom_course_target_id=cast.course.public_id)
    assert opened(first) == (cast.loops, "course_target")
    second = lms11.launch(
        client,
        constant(cast.loops),
        custom_codio_course_target_id=f'"{child.public_id}"',
        context_id="course-2",
        resource_link_id="link-2",
    )
    assignment, _ = opened(second)
    assert assignment.course == child


def test_a_constant_url_without_a_course_asks(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Nothing says which course: a teacher is asked, and nothing is made."""
    assert is_asked(lms11.launch(client, constant(cast.loops)))
    assert is_asked(lms11.launch(client, constant(cast.loops), roles="Instructor"))
    assert not CourseContext.objects.exists()


def test_of_several_targets_the_one_with_the_assignment(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A tool may name several courses, one a line: the one that contains the assignment is opened."""
    other = Course.objects.create(organization=cast.acme, title="Other", lti_enabled=True)
    targets = f"{other.public_id}\n{cast.course.public_id}"
    assert opened(lms11.launch(client, constant(cast.loops), custom_course_target_id=targets))[0] == cast.loops


@pytest.mark.quirk("G38")
def test_addresses_made_before_the_switch_never_die(client: Client, cast: Cast, lms11: Lms11) -> None:
    """An address with an assignment opens exactly that one, with constant URLs on, and whatever else is said."""
    child = copy_course(cast.course, now=cast.course.created_at)
    path = f"/lti/a/{cast.loops.public_id}"
    response = lms11.launch(client, path, custom_course_target_id=child.public_id)
    assert opened(response) == (cast.loops, "assignment_address")


def test_a_connected_lms_course_needs_no_target(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Another link of an LMS course that opened the course before finds it by that (rule known_context)."""
    lms11.launch(client, f"/lti/a/{cast.operators.public_id}")
    response = lms11.launch(client, constant(cast.loops), resource_link_id="link-2")
    assert opened(response) == (cast.loops, "known_context")


@pytest.mark.quirk("M7")
def test_a_link_whose_target_changes_is_resolved_anew(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The same link with another course_target_id opens the other course."""
    child = copy_course(cast.course, now=cast.course.created_at)
    lms11.launch(client, constant(cast.loops), custom_course_target_id=cast.course.public_id)
    CourseContext.objects.all().delete()
    response = lms11.launch(client, constant(cast.loops), custom_course_target_id=child.public_id)
    assert opened(response)[0].course == child


def test_another_organizations_target_is_not_seen(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A target of another organization names nothing here."""
    foreign = cast.foreign_course.public_id
    assert is_asked(lms11.launch(client, constant(cast.loops), custom_course_target_id=foreign))
    assert is_asked(lms11.launch(client, constant(cast.foreign_assignment), custom_course_target_id=foreign))


@pytest.mark.parametrize(
    "names",
    [
        {"lis_course_offering_sourcedid": "sis-1"},
        {"lis_course_section_sourcedid": "sis-1"},
        {"custom_codio_course_offering_sourcedid": "sis-1"},
    ],
)
def test_a_source_id_finds_the_course(client: Client, cast: Cast, lms11: Lms11, names: dict[str, str]) -> None:
    """A course that was opened with a source id is found by it from another LMS course (a section, say)."""
    lms11.launch(client, constant(cast.loops), custom_course_target_id=cast.course.public_id, **names)
    response = lms11.launch(client, constant(cast.loops), context_id="section-2", resource_link_id="l2", **names)
    assert opened(response) == (cast.loops, "course_identity")


def test_the_offering_beats_the_section(client: Client, cast: Cast, lms11: Lms11) -> None:
    """With both ids the offering's counts."""
    child = copy_course(cast.course, now=cast.course.created_at)
    for identity, course in (("offering", cast.course), ("section", child)):
        CourseIdentity.objects.create(platform=lms11.platform, identity=identity, course=course, rule="chosen")
    response = lms11.launch(
        client,
        constant(cast.loops),
        lis_course_offering_sourcedid="offering",
        lis_course_section_sourcedid="section",
    )
    assert opened(response)[0] == cast.loops


@pytest.mark.quirk("C4")
def test_an_unexpanded_variable_is_no_identity(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A literal $CourseOffering.sourcedId counts as absent: it never copies and never binds."""
    switch_on(cast.course, course_copy=True)
    response = lms11.launch(
        client,
        constant(cast.loops),
        custom_course_offering_sourcedid="$CourseOffering.sourcedId",
        custom_parent_course_id=cast.course.public_id,
    )
    assert is_asked(response)
    assert Course.objects.filter(parent=cast.course).count() == 0


def test_an_unseen_identity_with_a_parent_makes_one_child(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The first launch makes the child with everything in it, the second finds it; a master stays as it is."""
    switch_on(cast.course, course_copy=True)
    parameters = {
        "lis_course_offering_sourcedid": "2027-spring",
        "custom_parent_course_id": cast.course.public_id,
        "context_id": "copied",
    }
    assignment, rule = opened(lms11.launch(client, constant(cast.loops), **parameters))
    child = assignment.course
    assert rule == "course_copy"
    assert (child.parent, child.course_copy, child.lms_url, child.constant_urls) == (cast.course, False, "", True)
    assert child.assignments.count() == cast.course.assignments.count()
    again, rule = opened(lms11.launch(client, constant(cast.operators), resource_link_id="l2", **parameters))
    assert (again.course, rule) == (child, "course_identity")
    assert Course.objects.filter(parent=cast.course).count() == 1
    assert not Enrollment.objects.filter(course=child, person=cast.sam).exists()


def test_the_recipe_of_lti_11(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Without source ids: a unique string as target and the parent's id make the child, and find it again."""
    switch_on(cast.course, course_copy=True)
    parameters = {"custom_course_target_id": "Fall 2026, A", "custom_parent_course_id": cast.course.public_id}
    child = opened(lms11.launch(client, constant(cast.loops), **parameters))[0].course
    assert child.parent == cast.course
    second = lms11.launch(client, constant(cast.loops), context_id="c2", resource_link_id="l2", **parameters)
    assert opened(second)[0].course == child


def test_a_source_id_beats_an_explicit_target(client: Client, cast: Cast, lms11: Lms11) -> None:
    """In a copied LMS course the target still names the master; the new source id makes the child all the same."""
    switch_on(cast.course, course_copy=True)
    both = {
        "custom_course_target_id": cast.course.public_id,
        "custom_parent_course_id": cast.course.public_id,
    }
    master = lms11.launch(client, constant(cast.loops), lis_course_offering_sourcedid="master", **both)
    assert opened(master)[0] == cast.loops
    copied = lms11.launch(
        client,
        constant(cast.loops),
        lis_course_offering_sourcedid="copy",
        context_id="c2",
        resource_link_id="l2",
        **both,
    )
    assert opened(copied)[0].course.parent == cast.course


def test_a_master_never_copies_itself(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The master's own LMS course opens the master, also when its source id appears only later."""
    lms11.launch(client, f"/lti/a/{cast.loops.public_id}")
    switch_on(cast.course, course_copy=True)
    response = lms11.launch(
        client,
        constant(cast.operators),
        lis_course_offering_sourcedid="late-sis",
        custom_parent_course_id=cast.course.public_id,
        resource_link_id="l2",
    )
    assert opened(response) == (cast.operators, "known_context")
    assert not Course.objects.filter(parent=cast.course).exists()
    # The identity was stored: a second section of the same offering opens the master too.
    section = lms11.launch(
        client,
        constant(cast.operators),
        lis_course_offering_sourcedid="late-sis",
        custom_parent_course_id=cast.course.public_id,
        context_id="section-2",
        resource_link_id="l3",
    )
    assert opened(section) == (cast.operators, "course_identity")


@pytest.mark.parametrize("blank", ["", " ", "$CourseSection.sourcedId"])
def test_blank_ids_make_no_stray_copies(client: Client, cast: Cast, lms11: Lms11, blank: str) -> None:
    """A parent and no identity is not enough for a copy."""
    switch_on(cast.course, course_copy=True)
    response = lms11.launch(
        client,
        constant(cast.loops),
        lis_course_offering_sourcedid=blank,
        custom_course_target_id=blank,
        custom_parent_course_id=cast.course.public_id,
    )
    assert is_asked(response)
    assert not Course.objects.filter(parent=cast.course).exists()


def test_a_parent_that_does_not_allow_copying(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Without the switch nothing is copied and a teacher is asked."""
    response = lms11.launch(
        client,
        constant(cast.loops),
        lis_course_offering_sourcedid="new",
        custom_parent_course_id=cast.course.public_id,
    )
    assert is_asked(response)


def test_a_parent_of_another_organization_is_refused(client: Client, cast: Cast, lms11: Lms11) -> None:
    """It cannot be copied, and the answer does not tell that it exists."""
    switch_on(cast.foreign_course, course_copy=True)
    response = lms11.launch(
        client,
        constant(cast.foreign_assignment),
        lis_course_offering_sourcedid="new",
        custom_parent_course_id=cast.foreign_course.public_id,
    )
    assert (response.status_code, 'data-code="unknown_parent"' in response.content.decode()) == (404, True)
    assert not Course.objects.filter(parent=cast.foreign_course).exists()


def test_a_student_may_be_first_and_stays_a_student(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The child is made by a student's launch, who is enrolled as a student and nothing more."""
    switch_on(cast.course, course_copy=True)
    response = lms11.launch(
        client,
        constant(cast.loops),
        lis_course_offering_sourcedid="new",
        custom_parent_course_id=cast.course.public_id,
    )
    child = opened(response)[0].course
    person = LmsIdentity.objects.get(platform=lms11.platform).person
    enrollment = Enrollment.objects.get(course=child, person=person)
    assert (enrollment.role, enrollment.covers_whole_course) == ("student", False)
    assert Enrollment.objects.filter(course=child).count() == 1


def test_an_owner_replaces_the_parent(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Links that name the old master make copies of the one that took its place; existing children stay."""
    switch_on(cast.course, course_copy=True)
    successor = copy_course(cast.course, title="New master", now=cast.course.created_at)
    switch_on(successor, course_copy=True)
    ParentReplacement.objects.create(organization=cast.acme, old_parent=cast.course, new_parent=successor)
    response = lms11.launch(
        client,
        constant(cast.loops),
        lis_course_offering_sourcedid="new",
        custom_parent_course_id=cast.course.public_id,
    )
    assert opened(response)[0].course.parent == successor


def test_the_whole_link_history_is_walked(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A copy of a copy finds the link that is known, though the nearer ancestor was never launched."""
    lms11.launch(client, f"/lti/a/{cast.loops.public_id}")
    response = lms11.launch(
        client, "/lti/launch", context_id="c3", resource_link_id="l3", resource_link_id_history="never-seen,link-1"
    )
    assert opened(response) == (cast.loops, "link_history")


@pytest.mark.quirk("C37")
def test_a_copied_link_opens_the_child(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Where the parent allows copying, a link history makes the child, and all links of the copy lead there."""
    switch_on(cast.course, course_copy=True)
    lms11.launch(client, f"/lti/a/{cast.loops.public_id}", lis_course_offering_sourcedid="old")
    copied = {"context_id": "c2", "lis_course_offering_sourcedid": "new"}
    first = lms11.launch(client, "/lti/launch", resource_link_id="l2", resource_link_id_history="link-1", **copied)
    assert opened(first) == (copy_of(cast, cast.loops), "course_copy")
    second = lms11.launch(client, constant(cast.operators), resource_link_id="l4", **copied)
    assert opened(second) == (copy_of(cast, cast.operators), "course_identity")


def test_a_context_history_is_identity_enough(client: Client, cast: Cast, lms13: Lms13) -> None:
    """An LMS that sends no source ids but says that its course is a copy: a child appears by itself, once (Moodle)."""
    switch_on(cast.course, course_copy=True)
    lms13.launch(client, cast.loops)
    copied = {
        CLAIM + "context": {"id": "course-2", "title": "Next term"},
        CLAIM + "resource_link": {"id": "l2"},
        CLAIM + "custom": {"context_id_history": "course-1"},
        CLAIM + "target_link_uri": f"https://tool.example{constant(cast.loops)}",
    }
    assert opened(lms13.launch(client, None, **copied)) == (copy_of(cast, cast.loops), "course_copy")
    another = {
        **copied,
        CLAIM + "resource_link": {"id": "l3"},
        CLAIM + "target_link_uri": f"https://tool.example{constant(cast.operators)}",
    }
    assert opened(lms13.launch(client, None, **another)) == (copy_of(cast, cast.operators), "known_context")
    assert Course.objects.filter(parent=cast.course).count() == 1


def test_a_copied_course_without_permission_to_copy(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Where copying is off the copied LMS course opens the same course as before."""
    lms13.launch(client, cast.loops)
    copied = {
        CLAIM + "context": {"id": "course-2"},
        CLAIM + "resource_link": {"id": "l2"},
        CLAIM + "custom": {"context_id_history": "course-1"},
        CLAIM + "target_link_uri": f"https://tool.example{constant(cast.loops)}",
    }
    assert opened(lms13.launch(client, None, **copied)) == (cast.loops, "context_history")


def test_enroll_only_opens_its_course_while_the_switch_is_on(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The link enrolls and lands on the course; nothing of a grade service is stored; off, it is refused (F4)."""
    path = f"/lti/e/{cast.course.public_id}"
    refused = lms11.launch(client, path)
    assert 'data-code="enroll_only_disabled"' in refused.content.decode()
    cast.course.enroll_only = True
    cast.course.save()
    for _ in range(2):
        response = lms11.launch(client, path)
        assert response.status_code == 303
        page = client.get(response["Location"], secure=True, HTTP_HOST="tool.example")
        assert page.status_code == 200
        assert cast.loops.title in page.content.decode()
    link = ResourceLink.objects.get()
    assert (link.assignment, link.lineitem_url, link.lineitems_url, link.ags_scopes) == (None, "", "", "")
    assert Enrollment.objects.get(course=cast.course, person__lms_identities__isnull=False).role == "student"
    cast.course.enroll_only = False
    cast.course.save()
    assert 'data-code="enroll_only_disabled"' in lms11.launch(client, path).content.decode()


@pytest.mark.parametrize(("roles", "role"), [("Instructor", "teacher"), ("Mentor", "mentor")])
def test_enroll_only_lands_by_role(client: Client, cast: Cast, lms11: Lms11, roles: str, role: str) -> None:
    """Teachers land on the overview, mentors on the gradebook."""
    cast.course.enroll_only = True
    cast.course.save()
    response = lms11.launch(client, f"/lti/e/{cast.course.public_id}", roles=roles)
    page = client.get(response["Location"], secure=True, HTTP_HOST="tool.example")
    assert page.status_code == 200
    assert f'data-role="{role}"' in page.content.decode()


def test_course_navigation_opens_the_connected_course(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The navigation link of an LMS course leads to the course it is connected with."""
    lms11.launch(client, f"/lti/a/{cast.loops.public_id}")
    response = lms11.launch(client, "/lti/course_navigation", resource_link_id="course-1", lis_result_sourcedid=None)
    assert response.status_code == 303
    assert Launch.objects.latest("pk").course == cast.course


@pytest.mark.django_db(transaction=True)
def test_twenty_first_launches_make_one_child() -> None:
    """Twenty people of a copied LMS course who click at the same moment get one child course."""
    platforms.forget_all()
    cast = make_cast()
    switch_on(cast.course, course_copy=True)
    lms = make_lms11(cast.acme)
    barrier = Barrier(20)

    def run(number: int) -> int:
        barrier.wait()
        try:
            response = lms.launch(
                Client(raise_request_exception=False),
                constant(cast.loops),
                user_id=f"u{number}",
                context_id="copied",
                lis_course_offering_sourcedid="new",
                custom_parent_course_id=cast.course.public_id,
            )
            return int(response.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(run, range(20))) == {303}
    child = Course.objects.get(parent=cast.course)
    assert child.assignments.count() == cast.course.assignments.count()
    assert Enrollment.objects.filter(course=child).count() == 20
