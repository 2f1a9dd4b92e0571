"""Links that no rule resolves (D7): a teacher chooses once, the choice is remembered and lands right there."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from courseway.courses.models import Assignment, Course, Enrollment, Module
from courseway.lms import platforms
from courseway.lms.keys import revoke_platform
from courseway.lms.models import Arrival, ContextRoster, CourseContext, Launch, PendingSelection, ResourceLink
from courseway.lms.rosters import want_rosters
from courseway.orgs.models import Person
from tests.cast import Cast, make_assignment
from tests.courseway.lms.selections import AS_TEACHER, HOST, context_of, know_teacher, open_picker, press
from tests.visits import CLAIM, MEMBERSHIP, TOOL, Lms11, Lms13, make_lms11, make_lms13


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    lms = make_lms11(cast.acme)
    know_teacher(cast, lms)
    return lms


def land(client: Client, response: Any) -> str:
    assert response.status_code == 303, response.content.decode()
    page = client.get(response["Location"], **HOST)
    assert page.status_code == 200
    return str(page.content.decode())


def is_notice(response: Any) -> bool:
    return response.status_code == 200 and 'data-launch="waiting"' in response.content.decode()


@pytest.mark.parametrize("path", ["/lti/link", "/lti/launch", "/lti/resource_selection"])
def test_a_teacher_chooses_and_lands(client: Client, cast: Cast, lms11: Lms11, path: str) -> None:
    """The chosen assignment opens at once, in the session of that launch, which the log then shows as opened."""
    picker, page = open_picker(client, lms11.launch(client, path, **AS_TEACHER))
    assert 'data-launch="waiting"' in page
    waiting = Launch.objects.get()
    assert waiting.outcome == "waiting"
    html = land(client, press(client, picker, f"take:{cast.loops.public_id}"))
    assert 'data-launch="ok"' in html
    assert f'data-assignment="{cast.loops.public_id}"' in html
    assert 'data-role="teacher"' in html
    row = Launch.objects.get()
    assert (row.reference, row.outcome, row.rule) == (waiting.reference, "ok", "chosen")
    assert row.landed_on == f"assignment/{cast.loops.public_id}"
    assert row.person == cast.tom_person
    assert PendingSelection.objects.get().launch_encrypted == ""


def test_the_choice_is_remembered_for_everybody(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A student who clicks the same link later lands in the chosen assignment; another link still asks."""
    assert is_notice(lms11.launch(client, "/lti/link"))
    picker, _page = open_picker(client, lms11.launch(client, "/lti/link", **AS_TEACHER))
    press(client, picker, f"take:{cast.loops.public_id}")
    html = land(client, lms11.launch(client, "/lti/link"))
    assert f'data-assignment="{cast.loops.public_id}"' in html
    assert 'data-role="student"' in html
    link = ResourceLink.objects.get()
    assert (link.assignment, link.lineitem_url) == (cast.loops, "")
    assert Arrival.objects.filter(person__lms_identities__lms_user_id="user-1", role="student").count() == 1
    assert CourseContext.objects.get(context=context_of(lms11)).course == cast.course
    assert is_notice(lms11.launch(client, "/lti/link", resource_link_id="another"))


def test_the_facts_of_the_launch_are_kept(client: Client, cast: Cast) -> None:
    """By LTI 1.3 too: the grade services of the message that waited are stored, and its roster is read."""
    lms = make_lms13(cast.acme)
    know_teacher(cast, lms)
    claims = {
        CLAIM + "target_link_uri": f"{TOOL}/lti/link",
        CLAIM + "roles": [MEMBERSHIP + "Instructor"],
        "sub": "teacher-1",
        "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
            "context_memberships_url": "https://lms.example/members"
        },
        "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice": {
            "context_groups_url": "https://lms.example/groups"
        },
    }
    picker, _page = open_picker(client, lms.launch(client, None, **claims))
    want_rosters(now=timezone.now())  # the worker has been through the log meanwhile
    assert not ContextRoster.objects.exists()
    land(client, press(client, picker, f"take:{cast.loops.public_id}"))
    link = ResourceLink.objects.get()
    assert link.lineitem_url == "https://lms.example/lineitems/1?type_id=1"
    assert link.title == "Operators"
    assert ContextRoster.objects.get().next_try_at is not None


def test_an_assignment_parameter_needs_no_choice(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The link endpoint with assignment_id opens that assignment, also for a student."""
    html = land(client, lms11.launch(client, "/lti/link", custom_assignment_id=cast.loops.public_id))
    assert f'data-assignment="{cast.loops.public_id}"' in html


def test_a_link_that_names_its_content_asks_for_the_course(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A constant URL without a course: the teacher sees that content in each own course, and nothing else."""
    other = Course.objects.create(organization=cast.acme, title="Second course", lti_enabled=True, constant_urls=True)
    copied = make_assignment(Module.objects.create(course=other, title="One"), "Loops", "loops")
    Assignment.objects.filter(pk=copied.pk).update(content_id=cast.loops.content_id)
    Enrollment.objects.create(course=other, person=cast.tom_person, role="teacher", covers_whole_course=True)
    constant = f"/lti/c/{cast.loops.content_id}"
    picker, page = open_picker(client, lms11.launch(client, constant, **AS_TEACHER))
    assert f"take:{cast.loops.public_id}" in page
    assert f"take:{copied.public_id}" in page
    assert f"take:{cast.operators.public_id}" not in page
    html = land(client, press(client, picker, f"take:{copied.public_id}"))
    assert f'data-assignment="{copied.public_id}"' in html
    # The LMS course is bound: a student's other constant link finds the same course by itself.
    html = land(client, lms11.launch(client, constant, resource_link_id="l2"))
    assert f'data-assignment="{copied.public_id}"' in html


def test_course_navigation_asks_for_a_course(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The menu of an LMS course that is connected with nothing: the teacher chooses a course and lands on it."""
    own = {"resource_link_id": "course-1", "lis_result_sourcedid": None}
    picker, page = open_picker(client, lms11.launch(client, "/lti/course_navigation", **AS_TEACHER, **own))
    assert f"take-course:{cast.course.public_id}" in page
    html = land(client, press(client, picker, f"take-course:{cast.course.public_id}"))
    assert cast.course.title in html
    response = lms11.launch(client, "/lti/course_navigation", **own)
    assert response.status_code == 303
    assert Launch.objects.latest("pk").course == cast.course


@pytest.mark.parametrize("go", ["take", "take-course"])
def test_rows_of_others_cannot_be_chosen(client: Client, cast: Cast, lms11: Lms11, go: str) -> None:
    """Posting the id of another organization, an unpublished or a made-up one opens nothing and stores nothing."""
    path = "/lti/course_navigation" if go == "take-course" else "/lti/link"
    picker, _page = open_picker(client, lms11.launch(client, path, **AS_TEACHER))
    hidden = make_assignment(Module.objects.get(course=cast.course), "Hidden", "hidden", published=False)
    foreign = (cast.foreign_assignment.public_id, cast.foreign_course.public_id, hidden.public_id, "x" * 20, "")
    for public_id in foreign:
        assert press(client, picker, f"{go}:{public_id}").status_code == 403
    assert client.get(f"{picker}preview/{cast.foreign_assignment.public_id}", **HOST).status_code == 403
    assert "Secrets of Umbrella" not in client.get(f"{picker}?q=secrets", **HOST).content.decode()
    marks = [cast.foreign_assignment.public_id]
    press(client, picker, "add", shown=marks, mark=marks)
    assert not CourseContext.objects.exists()
    assert not ResourceLink.objects.exists()


@pytest.mark.parametrize("role", ["Mentor", "Learner"])
def test_the_role_of_the_launch_counts(client: Client, cast: Cast, lms11: Lms11, role: str) -> None:
    """Also somebody who teaches here gets the notice where the LMS says 'student' or 'mentor'."""
    assert is_notice(lms11.launch(client, "/lti/link", **{**AS_TEACHER, "roles": role}))
    assert not PendingSelection.objects.exists()


def test_cancel_goes_back_to_the_lms(client: Client, lms11: Lms11) -> None:
    """Without a choice the way leads back to where the LMS said, and the link asks again."""
    picker, _page = open_picker(client, lms11.launch(client, "/lti/link", **AS_TEACHER))
    response = client.post(picker + "cancel", **HOST)
    assert (response.status_code, response["Location"]) == (303, "https://lms.example/course/1?tab=2")
    asked = lms11.launch(client, "/lti/link", **AS_TEACHER, launch_presentation_return_url=None)
    nowhere = client.post(open_picker(client, asked)[0] + "cancel", **HOST)
    assert "You can close this window" in nowhere.content.decode()
    assert not ResourceLink.objects.exists()


def test_two_windows_choose_once(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Of two presses for one launch the first counts; the second changes nothing."""
    picker, _page = open_picker(client, lms11.launch(client, "/lti/link", **AS_TEACHER))
    other = Client()
    for name, morsel in client.cookies.items():
        other.cookies[name] = morsel.value
    assert press(client, picker, f"take:{cast.loops.public_id}").status_code == 303
    assert press(other, picker, f"take:{cast.operators.public_id}").status_code == 410
    assert ResourceLink.objects.get().assignment == cast.loops


def test_a_revoked_platform_opens_nothing(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Between message and choice an owner revoked the key: the choice is refused and stores nothing."""
    picker, _page = open_picker(client, lms11.launch(client, "/lti/link", **AS_TEACHER))
    revoke_platform(lms11.platform)
    platforms.forget_all()
    assert press(client, picker, f"take:{cast.loops.public_id}").status_code == 403
    assert not ResourceLink.objects.exists()


def test_a_teacher_who_is_new_here_stays_limited(client: Client, cast: Cast) -> None:
    """An Instructor who teaches nothing here sees no course, and choosing by hand what exists is refused."""
    lms = make_lms11(cast.acme)
    picker, page = open_picker(client, lms.launch(client, "/lti/link", **AS_TEACHER))
    assert "No course of yours is known yet" in page
    assert cast.course.title not in page
    assert press(client, picker, f"take:{cast.loops.public_id}").status_code == 403
    assert not Person.objects.filter(lms_identities__platform=lms.platform).exists()


def test_a_link_whose_choice_was_undone_asks_again(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A link whose choice was undone asks the teacher again."""
    picker, _page = open_picker(client, lms11.launch(client, "/lti/link", **AS_TEACHER))
    press(client, picker, f"take:{cast.loops.public_id}")
    ResourceLink.objects.update(assignment=None, rule="", target="")
    again, _page = open_picker(client, lms11.launch(client, "/lti/link", **AS_TEACHER))
    land(client, press(client, again, f"take:{cast.operators.public_id}"))
    assert ResourceLink.objects.get().assignment == cast.operators


def test_lti_13_link_of_a_launch_without_course(client: Client, cast: Cast) -> None:
    """Outside any LMS course a teacher chooses as well; nothing is connected by that."""
    lms: Lms13 = make_lms13(cast.acme)
    know_teacher(cast, lms)
    claims = {
        CLAIM + "target_link_uri": f"{TOOL}/lti/link",
        CLAIM + "roles": [MEMBERSHIP + "Instructor"],
        CLAIM + "context": None,
        "sub": "teacher-1",
    }
    picker, _page = open_picker(client, lms.launch(client, None, **claims))
    land(client, press(client, picker, f"take:{cast.loops.public_id}"))
    assert not CourseContext.objects.filter(is_first=True).exists()
