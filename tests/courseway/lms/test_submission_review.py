"""The LMS's gradebook opens a student's work: LtiSubmissionReviewRequest (B9)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from courseway.courses.models import Course
from courseway.learning.scoring import submit_attempt
from courseway.lms import platforms
from courseway.lms.models import Launch, LmsIdentity, ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.lms.test_launch import land
from tests.visits import CLAIM, MEMBERSHIP, TOOL, Lms13, make_lms13, post_form

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    platforms.forget_all()
    return make_lms13(cast.acme)


@pytest.fixture
def sally(cast: Cast, lms13: Lms13) -> Person:
    """The student user-1, who came and handed in; the teacher of the course came before."""
    launch(lms13, cast, sub="teacher-1", name="Tina Teacher", email="", **roles("Instructor"))
    launch(lms13, cast)
    person = LmsIdentity.objects.get(platform=lms13.platform, lms_user_id="user-1").person
    submit_attempt(assignment=cast.operators, person=person, answers={"maker": "Guido van R."}, now=NOW)
    return person


def roles(*names: str) -> dict[str, Any]:
    return {CLAIM + "roles": [MEMBERSHIP + name for name in names]}


def launch(lms13: Lms13, cast: Cast, **changes: Any) -> Any:
    response = lms13.launch(Client(), cast.operators, **changes)
    assert response.status_code == 303, response.content
    return response


def review(client: Client, lms13: Lms13, cast: Cast, of: str = "user-1", **changes: Any) -> Any:
    """Tina Teacher opens somebody's work, unless `changes` say otherwise; the address is a general one."""
    claims = {
        CLAIM + "message_type": "LtiSubmissionReviewRequest",
        CLAIM + "for_user": {"user_id": of, "name": "Sally Learner", "roles": [MEMBERSHIP + "Learner"]},
        CLAIM + "target_link_uri": TOOL + "/lti/launch",
        "sub": "teacher-1",
        "name": "Tina Teacher",
        "email": None,
        **roles("Instructor"),
        **changes,
    }
    return lms13.launch(client, None, **claims)


def test_a_teacher_sees_the_students_work_as_themselves(cast: Cast, lms13: Lms13, sally: Person) -> None:
    """The page of that student's work opens in the teacher's own role, and the link asks for what it asked before."""
    before = ResourceLink.objects.values_list("target", "assignment").get()
    client = Client()
    page = land(client, review(client, lms13, cast))
    html = page.content.decode()
    assert page.status_code == 200
    assert "Guido van R." in html
    assert 'data-role="teacher"' in html
    assert f'data-assignment="{cast.operators.public_id}"' in html
    row = Launch.objects.latest("pk")
    tina = LmsIdentity.objects.get(lms_user_id="teacher-1").person
    assert (row.outcome, row.person, row.landed_on) == ("ok", tina, f"review/{cast.operators.public_id}")
    assert ResourceLink.objects.values_list("target", "assignment").get() == before
    assert lms13.launch(Client(), cast.operators).status_code == 303


@pytest.mark.parametrize("given", [["Learner"], [], ["Learner", "Guest"]])
def test_others_do_not_see_it(cast: Cast, lms13: Lms13, sally: Person, given: list[str]) -> None:
    """A student-like role and a missing one are refused, and nothing is stored but the line in the log."""
    people = Person.objects.count()
    client = Client()
    response = review(client, lms13, cast, sub="nosy", **roles(*given))
    assert response.status_code == 403
    assert 'data-code="review_refused"' in response.content.decode()
    assert not [name for name in client.cookies if not name.startswith("cw-login")]
    assert Person.objects.count() == people


def test_a_student_sees_the_own_work(cast: Cast, lms13: Lms13, sally: Person) -> None:
    """Named as the one to be reviewed, a student comes as always, as themselves."""
    client = Client()
    page = land(client, review(client, lms13, cast, sub="user-1", name="Sally Learner", **roles("Learner")))
    assert 'data-role="student"' in page.content.decode()


def test_a_mentor_sees_only_learners_named_for_them(cast: Cast, lms13: Lms13, sally: Person) -> None:
    """A mentor reads the work; in a course that filters learners, only of those named in the message."""
    client = Client()
    page = land(client, review(client, lms13, cast, sub="mum", **roles("Mentor")))
    assert "Guido van R." in page.content.decode()
    assert 'data-role="mentor"' in page.content.decode()
    Course.objects.filter(pk=cast.course.pk).update(filter_learners_for_mentors=True)
    for named, status in (((), 403), (("user-1",), 200)):
        client = Client()
        scope = {CLAIM + "role_scope_mentor": list(named)}
        page = land(client, review(client, lms13, cast, sub="mum", **roles("Mentor"), **scope))
        assert page.status_code == status


@pytest.mark.parametrize("who", ["stranger", "of another LMS course"])
def test_only_people_of_the_lms_course_are_found(cast: Cast, lms13: Lms13, sally: Person, who: str) -> None:
    """Whoever never came, or came from another LMS course, is not opened, and the launch leaves nothing."""
    context = {CLAIM + "context": {"id": "course-2"}, CLAIM + "resource_link": {"id": "link-2"}}
    if who == "stranger":
        response = review(Client(), lms13, cast, of="stranger")
    else:
        launch(lms13, cast, sub="user-9", name="Nina", **context)
        response = review(Client(), lms13, cast, of="user-9")
    assert response.status_code == 404
    assert 'data-code="nothing_to_review"' in response.content.decode()


def test_the_column_alone_tells_the_work(cast: Cast, lms13: Lms13, sally: Person) -> None:
    """A platform that names the line item and no link of ours is understood too."""
    client = Client()
    page = land(client, review(client, lms13, cast, **{CLAIM + "resource_link": {"id": "column-7"}}))
    assert "Guido van R." in page.content.decode()


def test_a_review_counts_once(cast: Cast, lms13: Lms13, sally: Person) -> None:
    """The same message a second time is refused."""
    client = Client()
    asked = lms13.begin(client)
    claims = lms13.claims(
        None,
        asked["nonce"],
        sub="teacher-1",
        **roles("Instructor"),
        **{CLAIM + "message_type": "LtiSubmissionReviewRequest", CLAIM + "for_user": {"user_id": "user-1"}},
    )
    form = [("id_token", lms13.token(claims)), ("state", asked["state"])]
    assert post_form(client, "/lti/launch", form).status_code == 303
    assert post_form(client, "/lti/launch", form).status_code >= 400
