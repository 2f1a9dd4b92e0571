"""Copies made by launches where something is odd: what was deleted, shared link ids, targets that change (E1 to E3)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from courseway.courses.copying import copy_course
from courseway.courses.models import Assignment, Course
from courseway.lms import platforms
from courseway.lms.parent_replacement import replace_parent
from tests.cast import Cast
from tests.courseway.lms.test_course_detection import constant, is_asked, opened, switch_on
from tests.visits import CLAIM, Lms11, Lms13, make_lms11, make_lms13


@pytest.fixture(autouse=True)
def _forget_platforms() -> None:
    platforms.forget_all()


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    switch_on(cast.course, course_copy=True)
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    switch_on(cast.course, course_copy=True)
    return make_lms13(cast.acme)


def copied(cast: Cast, **changes: Any) -> dict[str, Any]:
    """What a link of a copied LMS course sends."""
    return {
        "context_id": "course-2",
        "resource_link_id": "link-2",
        "lis_course_offering_sourcedid": "2027",
        "custom_parent_course_id": cast.course.public_id,
        **changes,
    }


def test_a_deleted_assignment_makes_no_copy(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A copied link to what the master deleted is refused with words, and no child is left behind."""
    Assignment.objects.filter(pk=cast.loops.pk).update(deleted_at=cast.course.created_at)
    response = lms11.launch(client, constant(cast.loops), **copied(cast))
    assert (response.status_code, 'data-code="deleted_target"' in response.content.decode()) == (410, True)
    assert not Course.objects.filter(parent=cast.course).exists()


def test_a_link_id_that_two_lms_courses_share(client: Client, cast: Cast, lms11: Lms11) -> None:
    """An LMS that keeps a link's id in the copy: the copy gets its child all the same, and the old one the master."""
    master = {"lis_course_offering_sourcedid": "2026", "custom_parent_course_id": cast.course.public_id}
    lms11.launch(client, constant(cast.loops), custom_course_target_id=cast.course.public_id, **master)
    new = copied(cast, resource_link_id="link-1", custom_course_target_id=cast.course.public_id, user_id="new")
    assignment, rule = opened(lms11.launch(client, constant(cast.loops), **new))
    assert (assignment.course.parent, rule) == (cast.course, "course_copy")
    old = lms11.launch(client, constant(cast.loops), custom_course_target_id=cast.course.public_id, **master)
    assert opened(old)[0] == cast.loops
    assert opened(lms11.launch(client, constant(cast.loops), **new))[0] == assignment
    assert Course.objects.filter(parent=cast.course).count() == 1


def test_a_shared_link_id_alone_changes_nothing(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Where nothing says that the second LMS course is another course, the link opens what it opened."""
    lms11.launch(client, "/lti/link", custom_assignment_id=cast.loops.public_id)
    response = lms11.launch(client, "/lti/link", context_id="course-2", user_id="other")
    assert opened(response)[0] == cast.loops


def test_the_target_of_a_chosen_link_changes(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A link at /lti/link opens the same content in the other course once its tool names that course."""
    child = copy_course(cast.course, now=cast.course.created_at)
    lms11.launch(client, "/lti/link", custom_assignment_id=cast.loops.public_id)
    response = lms11.launch(client, "/lti/link", custom_course_target_id=child.public_id)
    assignment, _rule = opened(response)
    assert (assignment.course, assignment.content_id) == (child, cast.loops.content_id)


@pytest.mark.quirk("C14")
def test_a_second_deployment_copies_once_too(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A copy in another account of the same LMS comes with another deployment: one child, found again."""
    lms13.launch(client, cast.loops)
    changes = {
        CLAIM + "deployment_id": "2",
        CLAIM + "context": {"id": "course-2", "title": "2027"},
        CLAIM + "resource_link": {"id": "link-2"},
        CLAIM + "custom": {"context_id_history": "course-1"},
        CLAIM + "target_link_uri": f"https://tool.example{constant(cast.loops)}",
    }
    first, rule = opened(lms13.launch(client, **changes))
    assert (first.course.parent, rule) == (cast.course, "course_copy")
    again, _rule = opened(lms13.launch(client, **{**changes, "sub": "user-2"}))
    assert again == first


def test_what_the_parent_got_later_is_asked_for(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A child lacks what its parent got after the copy: nobody is sent to the parent, a teacher is asked."""
    child = opened(lms11.launch(client, constant(cast.loops), **copied(cast)))[0].course
    Assignment.objects.filter(course=child, content_id=cast.operators.content_id).delete()
    assert is_asked(lms11.launch(client, constant(cast.operators), **copied(cast, resource_link_id="link-3")))


def test_a_changed_target_beats_the_connection(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A tool that names another course from now on opens that one, in the very LMS course that opened the old one."""
    other = copy_course(cast.course, now=cast.course.created_at)
    lms11.launch(client, constant(cast.loops), custom_course_target_id=cast.course.public_id)
    changed = lms11.launch(client, constant(cast.loops), custom_course_target_id=other.public_id)
    assert opened(changed)[0].course == other
    new_link = {"resource_link_id": "link-9", "custom_course_target_id": other.public_id}
    assert opened(lms11.launch(client, constant(cast.operators), **new_link))[0].course == other


@pytest.mark.quirk("C37")
def test_a_masters_target_in_a_copy_opens_the_copy(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Without source ids the copied LMS course still names the master as target: each of its links opens the child,
    also after a link by the master's own address was opened there."""

    def changes(link: str, assignment: Assignment, user: str) -> dict[str, Any]:
        ids = {"course_target_id": cast.course.public_id, "parent_course_id": cast.course.public_id}
        return {
            "sub": user,
            CLAIM + "context": {"id": "course-2", "title": "2027"},
            CLAIM + "resource_link": {"id": link},
            CLAIM + "custom": {**ids, "context_id_history": "course-1"},
            CLAIM + "target_link_uri": f"https://tool.example{constant(assignment)}",
        }

    lms13.launch(client, cast.loops)
    child = opened(lms13.launch(client, **changes("copied-1", cast.loops, "new-1")))[0].course
    assert child.parent == cast.course
    old_address = changes("copied-2", cast.operators, "new-1")
    old_address[CLAIM + "target_link_uri"] = f"https://tool.example/lti/a/{cast.operators.public_id}"
    assert opened(lms13.launch(client, **old_address))[0].course == cast.course
    assert opened(lms13.launch(client, **changes("copied-3", cast.operators, "new-2")))[0].course == child


def copied_from(room: str, history: str, assignment: Assignment, user: str = "new") -> dict[str, Any]:
    """What a link of an LMS course sends that says what it was copied from, and nothing else."""
    return {
        "sub": user,
        CLAIM + "context": {"id": room, "title": f"Term of {room}"},
        CLAIM + "resource_link": {"id": f"link of {room}"},
        CLAIM + "custom": {"context_id_history": history},
        CLAIM + "target_link_uri": f"https://tool.example{constant(assignment)}",
    }


@pytest.mark.parametrize("history", ["course-2", "course-2,course-1"])
def test_a_copy_of_last_terms_copy_is_a_child_of_the_master(
    client: Client, cast: Cast, lms13: Lms13, history: str
) -> None:
    """Each term copies the LMS course of the last one: each gets a child of its own, none the last term's course."""
    lms13.launch(client, cast.loops)
    second = opened(lms13.launch(client, **copied_from("course-2", "course-1", cast.loops)))[0].course
    assignment, rule = opened(lms13.launch(client, **copied_from("course-3", history, cast.loops)))
    assert rule == "course_copy"
    assert assignment.course != second
    assert (second.parent, assignment.course.parent) == (cast.course, cast.course)
    again = lms13.launch(client, **copied_from("course-3", history, cast.loops, "other"))
    assert opened(again)[0] == assignment


def test_a_replaced_parent_counts_for_histories_too(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Where only the LMS's history names the old parent, the new one is copied all the same."""
    lms13.launch(client, cast.loops)
    successor = copy_course(cast.course, title="New master", now=cast.course.created_at)
    switch_on(successor, course_copy=True)
    replace_parent(cast.course, successor, now=cast.course.created_at)
    first = opened(lms13.launch(client, **copied_from("course-2", "course-1", cast.loops)))[0].course
    assert first.parent == successor
    second = opened(lms13.launch(client, **copied_from("course-3", "course-2", cast.loops)))[0].course
    assert (second.parent, second != first) == (successor, True)


def test_a_copy_of_a_course_whose_master_allows_none(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Once the master is closed for copies, a copied LMS course opens what its original opens."""
    lms13.launch(client, cast.loops)
    second = opened(lms13.launch(client, **copied_from("course-2", "course-1", cast.loops)))[0].course
    switch_on(cast.course, course_copy=False)
    assignment, rule = opened(lms13.launch(client, **copied_from("course-3", "course-2", cast.loops)))
    assert (assignment.course, rule) == (second, "context_history")
