"""What happens is recorded where it happens: each event once, in the same transaction, with what a receiver needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from courseway.courses.announcing import announce_enrollments
from courseway.courses.copying import copy_course
from courseway.courses.models import Enrollment
from courseway.events.kinds import Kind
from courseway.events.models import Event
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe, resend
from courseway.grades.report import drain
from courseway.learning.due import settle
from courseway.learning.scoring import (
    begin_next_attempt,
    mark_completed,
    release,
    reopen,
    save_answers,
    set_grade,
    start_work,
    submit_attempt,
)
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.fake_lms import Misbehaviour, run_fake_lms
from tests.courseway.grades.links import place_v13
from tests.visits import make_lms11

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
RIGHT = {"sum": "4", "quotient": "2.5", "maker": "Guido"}
WORK = (Kind.STARTED, Kind.COMPLETED, Kind.GRADED, Kind.RELEASED)


def happened(*kinds: Kind) -> list[str]:
    """The kinds of events so far, in their order; those of enrollments only when asked for."""
    found = Event.objects.order_by("pk").values_list("kind", flat=True)
    return [kind.partition(".")[2] for kind in found if not kinds or kind in kinds]


def newest(kind: Kind) -> dict[str, Any]:
    return Event.objects.filter(kind=kind).latest("pk").data


def test_handing_in_says_all_that_it_means(cast: Cast) -> None:
    """Begun, completed, graded and, in a course that releases by itself, released: each once, with the grade."""
    start_work(assignment=cast.operators, person=cast.sam, now=NOW)
    save_answers(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers={}, now=NOW)
    assert happened() == ["started", "completed", "graded", "released"]
    event = Event.objects.get(kind=Kind.RELEASED)
    assert (event.person, event.organization, event.at) == (cast.sam, cast.acme, NOW)
    assert event.data == {
        "course": {"id": cast.course.public_id, "title": "Python basics"},
        "assignment": {"id": cast.operators.public_id, "title": "Operators", "points": 10.0},
        "percent": 100.0,
    }


def test_work_begins_once(cast: Cast) -> None:
    """Starting twice, saving, and a further attempt are no new beginnings."""
    cast.operators.attempts = 0
    cast.operators.save()
    for _ in range(2):
        start_work(assignment=cast.operators, person=cast.sam, now=NOW)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    begin_next_attempt(assignment=cast.operators, person=cast.sam, now=NOW)
    assert happened(Kind.STARTED) == ["started"]


def test_a_teacher_grades_and_releases(cast: Cast) -> None:
    """Each step of a teacher is an event of its own, and what changes nothing is none."""
    cast.course.release_grades_automatically = False
    cast.course.save()
    grade = {"assignment": cast.operators, "person": cast.sam, "now": NOW}
    set_grade(percent=Decimal(70), **grade)
    set_grade(percent=Decimal(70), **grade)
    assert happened() == ["graded"]
    set_grade(percent=None, complete=True, **grade)
    assert release(cast.operators, now=NOW) == 1
    release(cast.operators, now=NOW)
    assert happened() == ["graded", "completed", "released"]
    set_grade(percent=Decimal("66.6666666"), **grade)
    assert happened()[-1] == "graded"
    assert newest(Kind.GRADED)["percent"] == 66.6667


def test_many_at_once_are_as_many_events(cast: Cast) -> None:
    """Completing everybody's work is an event for each person, in few statements; reopened work completes anew."""
    for number in range(120):
        person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
        save_answers(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
    with CaptureQueriesContext(connection) as queries:
        assert mark_completed(cast.operators, now=NOW) == 120
    assert sum("events_event" in query["sql"] for query in queries) <= 4
    assert Event.objects.filter(kind=Kind.COMPLETED).values("person").distinct().count() == 120
    assert len(happened(Kind.COMPLETED, Kind.GRADED, Kind.RELEASED)) == 3 * 120
    reopen(cast.operators, [person], now=NOW)
    assert Event.objects.count() == 120 * 4
    submit_attempt(assignment=cast.operators, person=person, answers={}, now=NOW)
    assert Event.objects.filter(kind=Kind.COMPLETED, person=person).count() == 2


def test_a_due_date_completes_with_events(cast: Cast) -> None:
    """What time alone brings about is told like everything else."""
    cast.operators.due_at = NOW + timedelta(hours=1)
    cast.operators.save()
    save_answers(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    settle(now=NOW + timedelta(hours=2))
    assert happened() == ["started", "completed", "graded", "released"]


def test_what_is_rolled_back_did_not_happen(cast: Cast) -> None:
    """An event cannot exist without what it tells of."""

    def fail() -> None:
        with transaction.atomic():
            submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
            raise RuntimeError("the request failed")

    with pytest.raises(RuntimeError, match="the request failed"):
        fail()
    assert happened() == []


def test_a_launch_enrolls_once(client: Client, cast: Cast) -> None:
    """The first launch of a person is told after it, at its own time; later launches and turns tell nothing more."""
    announce_enrollments(now=NOW)
    Event.objects.all().delete()
    lms = make_lms11(cast.acme)
    for user in ("user-1", "user-2", "user-1"):
        assert lms.launch(client, f"/lti/a/{cast.operators.public_id}", user_id=user).status_code == 303
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert [announce_enrollments(now=later) for _ in range(2)] == [2, 0]
    events = list(Event.objects.filter(kind=Kind.ENROLLED))
    assert len(events) == 2
    enrolled = Enrollment.objects.get(person=events[0].person)
    assert events[0].at == enrolled.created_at
    assert events[0].data == {"course": {"id": cast.course.public_id, "title": "Python basics"}, "role": "student"}


def test_a_copy_names_its_parent(cast: Cast) -> None:
    """Who copies which course into which is told, also when a launch does it."""
    with transaction.atomic():
        child = copy_course(cast.course, title="Spring", now=NOW)
    assert newest(Kind.COURSE_COPIED) == {
        "course": {"id": child.public_id, "title": "Spring"},
        "parent": {"id": cast.course.public_id, "title": "Python basics"},
    }


def test_grades_that_arrive_and_grades_that_do_not(cast: Cast) -> None:
    """Taken by the LMS: sent. Stuck: failed, once, however often it is tried; sent again it may fail again."""
    with run_fake_lms() as lms:
        placed = place_v13(cast.operators, lms.url)
        placed.let_in(cast.sam)
        grade = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)
        lms.fault = lambda service, key: Misbehaviour(403) if service == "score" else None
        owe(cast.sam, cast.operators, grade, now=datetime.now(UTC))
        for _ in range(3):
            drain()
            Delivery.objects.update(next_try_at=datetime.now(UTC))
        assert happened() == ["failed"]
        data = newest(Kind.GRADE_FAILED)
        assert data["platform"] == {"id": placed.platform.public_id, "name": str(placed.platform)}
        assert (data["state"], data["code"], data["percent"]) == ("failed", "service_forbidden", 80.0)
        resend(Delivery.objects.all(), now=datetime.now(UTC))
        drain()
        assert happened() == ["failed", "failed"]
        lms.fault = lambda service, key: None
        resend(Delivery.objects.all(), now=datetime.now(UTC))
        drain()
        assert happened() == ["failed", "failed", "sent"]
        assert newest(Kind.GRADE_SENT)["percent"] == 80.0
        assert Event.objects.latest("pk").person == cast.sam
