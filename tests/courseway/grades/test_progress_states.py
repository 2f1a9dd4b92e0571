"""How far somebody is, as AGS says it beside a score: in progress, handed in, waiting for a person, graded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from courseway.grades.report import drain
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.practice_school import School

STARTED = datetime(2026, 11, 2, 12, tzinfo=UTC)
SUBMITTED = STARTED + timedelta(minutes=30)


def arrive(client: Client, school: School, cast: Cast, send_grade: str) -> Person:
    student = school.add_person("Ada One")
    link = school.place(cast.operators, custom={"send_grade": send_grade})
    assert school.launch(client, student, link).status_code == 303
    return school.find_person(student)


def tell(cast: Cast, person: Person, score: int | None, **values: Any) -> None:
    grade = Grade(
        None if score is None else Decimal(score),
        Decimal(10),
        **{"is_completed": False, "is_released": False, "started_at": STARTED, **values},
    )
    owe(person, cast.operators, grade, now=datetime.now(UTC))
    drain(until_empty=True, timeout=10)


def heard(school: School) -> list[tuple[str, str, str | None]]:
    """Activity, grading and score of everything that the LMS was told, in order."""
    messages = school.lms.get("scores", course=school.course)
    return [(one["activity_progress"], one["grading_progress"], one["score"]) for one in messages]


def test_every_state_on_the_way(client: Client, cast: Cast, school: School) -> None:
    """With `always` the LMS hears of work that waits for a person, and of each grade; times go along."""
    person = arrive(client, school, cast, "always")
    tell(cast, person, None)
    assert heard(school) == []
    tell(cast, person, None, submitted_at=SUBMITTED)
    tell(cast, person, 4, submitted_at=SUBMITTED)
    tell(cast, person, 8, submitted_at=SUBMITTED, is_completed=True, is_released=True)
    assert heard(school) == [
        ("Submitted", "PendingManual", None),
        ("Submitted", "FullyGraded", "4"),
        ("Completed", "FullyGraded", "8"),
    ]
    (held,) = school.lms.get("gradebook", course=school.course)["grades"]
    assert held["submission"] == {
        "startedAt": "2026-11-02T12:00:00.000000Z",
        "submittedAt": "2026-11-02T12:30:00.000000Z",
    }


def test_work_in_progress(client: Client, cast: Cast, school: School) -> None:
    """A score of work that was not handed in says that it is in progress."""
    person = arrive(client, school, cast, "changed")
    tell(cast, person, 3)
    assert heard(school) == [("InProgress", "FullyGraded", "3")]


def test_a_grade_that_is_taken_back(client: Client, cast: Cast, school: School) -> None:
    """A grade that the LMS holds and that is taken back is cleared, and not said to wait for anybody."""
    person = arrive(client, school, cast, "always")
    tell(cast, person, 8, submitted_at=SUBMITTED, is_completed=True)
    tell(cast, person, None, submitted_at=SUBMITTED, is_completed=True)
    assert heard(school)[-1] == ("Initialized", "NotReady", None)


@pytest.mark.parametrize("mode", ["grade_release", "changed"])
def test_nobody_hears_of_waiting_work_by_default(client: Client, cast: Cast, school: School, mode: str) -> None:
    """Where grades go when they are released or change, work without a grade is not told."""
    person = arrive(client, school, cast, mode)
    tell(cast, person, None, submitted_at=SUBMITTED, is_completed=True, is_released=True)
    assert heard(school) == []
    assert not Delivery.objects.exists()


def test_timestamps_rise(client: Client, cast: Cast, school: School) -> None:
    """Each score of a person has a later time than the one before, with fractions of a second (AGS 2.0 §3.4.6)."""
    person = arrive(client, school, cast, "always")
    for score in (1, 2, 3, 4):
        tell(cast, person, score)
    stamps = [one["timestamp"] for one in school.lms.get("scores", course=school.course)]
    assert len(stamps) == 4
    assert stamps == sorted(set(stamps))
    assert all("." in stamp and stamp.endswith("Z") for stamp in stamps)
