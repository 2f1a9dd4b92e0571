"""What goes to an LMS besides the score by LTI 1.1: Canvas's extensions, and nothing to anybody else."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from courseway.grades.models import Delivery
from courseway.grades.report import drain
from courseway.learning.feedback_links import feedback_url
from courseway.learning.models import Submission
from courseway.learning.scoring import set_grade, submit_attempt
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school11
from tests.practice_lms.running import PracticeLms

RIGHT = {"sum": "4", "quotient": "2,5", "maker": "guido"}
SUBMITTED_AT = datetime(2026, 11, 2, 12, 30, 15, 250_000, tzinfo=UTC)


def hand_in(client: Client, school: School, cast: Cast, **overrides: Any) -> Person:
    student = school.add_person("Ada One")
    link = school.place(cast.operators)
    assert school.launch(client, student, link, overrides=overrides).status_code == 303
    person = school.find_person(student)
    submit_attempt(assignment=cast.operators, person=person, answers=RIGHT, now=SUBMITTED_AT)
    assert drain(until_empty=True, timeout=10)["sent"] == 1
    return person


def held_by(school: School) -> dict[str, Any]:
    (grade,) = school.lms.get("gradebook", course=school.course)["grades"]
    return dict(grade)


def test_canvas_shows_the_work_and_when_it_was_handed_in(client: Client, practice_lms: PracticeLms, cast: Cast) -> None:
    """The address of the feedback and the time of handing in go with the grade, as the launch offered to take them."""
    school = make_school11(practice_lms, cast.acme, profile="canvas")
    person = hand_in(client, school, cast)
    submission = Submission.objects.get(person=person)
    held = held_by(school)
    assert held["score"] == "10"
    assert held["submission"] == {
        "url": feedback_url(submission, cast.course),
        "submittedAt": "2026-11-02T12:30:15.250+00:00",
    }


def test_text_where_no_address_is_taken(client: Client, practice_lms: PracticeLms, cast: Cast) -> None:
    """An LMS that takes text alone gets the teacher's words, with the address; new words alone are sent too."""
    school = make_school11(practice_lms, cast.acme, profile="canvas")
    person = hand_in(client, school, cast, set={"ext_outcome_data_values_accepted": "text"})
    now = datetime.now(UTC)
    set_grade(assignment=cast.operators, person=person, percent=None, comment="Well <done> & so on", now=now)
    assert drain(until_empty=True, timeout=40)["sent"] == 1
    submission = Submission.objects.get(person=person)
    assert held_by(school)["submission"]["text"] == f"Well <done> & so on\n\n{feedback_url(submission, cast.course)}"


@pytest.mark.parametrize("profile", ["practice", "moodle"])
def test_other_platforms_get_the_score_alone(
    client: Client, practice_lms: PracticeLms, cast: Cast, profile: str
) -> None:
    """What a launch did not offer to take is not sent: the grade arrives, and nothing is refused."""
    school = make_school11(practice_lms, cast.acme, profile=profile)
    person = hand_in(client, school, cast)
    assert held_by(school)["submission"] == {}
    assert Delivery.objects.get(person=person).sent_percent == Decimal(100)
