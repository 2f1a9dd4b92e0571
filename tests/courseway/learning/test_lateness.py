"""Late penalties, more time for single students, extra credit: what counts and what the LMS is told (H7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from courseway.courses.models import Assignment, Enrollment, LatePer, Role
from courseway.grades.models import Delivery
from courseway.learning.due import settle
from courseway.learning.lateness import deduct, set_extension, weigh_again
from courseway.learning.models import Extension, Submission
from courseway.learning.scoring import (
    begin_next_attempt,
    mark_completed,
    reopen,
    save_answers,
    set_grade,
    submit_attempt,
)
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import place_v11
from tests.visits import open_launch

DUE = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
RIGHT = {"sum": "4", "quotient": "2.5", "maker": "guido"}
HALF = {"sum": "4", "quotient": "0", "maker": "nobody"}  # 4 of 10 points


@pytest.fixture
def strict(cast: Cast) -> Assignment:
    """Due at DUE; each day late costs 10 %, down to 50 %. Sam's grades go to an LMS."""
    assignment = cast.operators
    assignment.due_at, assignment.late_percent, assignment.late_floor = DUE, Decimal(10), Decimal(50)
    assignment.save()
    place_v11(assignment).let_in(cast.sam)
    return Assignment.objects.select_related("course").get(pk=assignment.pk)


def hand_in(assignment: Assignment, person: Person, at: datetime, answers: dict[str, str] = RIGHT) -> Submission:
    submit_attempt(assignment=assignment, person=person, answers=answers, now=at)
    return Submission.objects.get(assignment=assignment, person=person)


def owed(person: Person) -> Decimal | None:
    return Delivery.objects.get(person=person).wanted_percent


@pytest.mark.parametrize(
    ("late_by", "percent"),
    [
        (-HOUR, 100),
        (timedelta(0), 100),
        (timedelta(seconds=1), 90),
        (DAY, 90),
        (DAY + HOUR, 80),
        (3 * DAY, 70),
        (30 * DAY, 50),
    ],
)
def test_each_day_begun_costs_down_to_the_floor(
    cast: Cast, strict: Assignment, late_by: timedelta, percent: int
) -> None:
    """The grade that counts, and that the LMS is owed, is what is left after the penalty."""
    submission = hand_in(strict, cast.sam, DUE + late_by)
    assert submission.final_percent() == percent
    assert submission.final_score(strict.points) == Decimal(percent) / 10
    assert owed(cast.sam) == percent


def test_hours_count_where_the_assignment_says_so(cast: Cast, strict: Assignment) -> None:
    """With a penalty for each hour, two hours and a minute cost three times."""
    strict.late_per = LatePer.HOUR
    strict.save()
    assert hand_in(strict, cast.sam, DUE + 2 * HOUR + timedelta(minutes=1)).final_percent() == 70


def test_a_grade_below_the_floor_stays_as_it_is(cast: Cast, strict: Assignment) -> None:
    """The floor gives nobody more than they earned."""
    assert hand_in(strict, cast.sam, DUE + 3 * DAY, HALF).final_percent() == 40


@given(
    percent=st.decimals(0, 100, places=2),
    points=st.decimals(0, 100, places=2),
    floor=st.decimals(0, 100, places=2),
    minutes=st.integers(-10_000, 1_000_000),
)
def test_a_penalty_never_gives_and_never_goes_below_the_floor(
    percent: Decimal, points: Decimal, floor: Decimal, minutes: int
) -> None:
    """Whatever the figures, the grade stays between min(itself, floor) and itself, and later is never better."""

    def grade(late: int) -> Decimal:
        return percent - deduct(percent, timedelta(minutes=late), points=points, unit=DAY, floor=floor)

    assert min(percent, floor) <= grade(minutes) <= percent
    assert grade(minutes + 600) <= grade(minutes)
    assert minutes > 0 or grade(minutes) == percent


def test_what_a_due_date_or_a_teacher_completes_is_not_late(cast: Cast, strict: Assignment) -> None:
    """Answers saved in time and completed by the due date lose nothing, though that happens a moment later."""
    save_answers(assignment=strict, person=cast.sam, answers=RIGHT, now=DUE - HOUR)
    assert settle(now=DUE + timedelta(seconds=5)) >= 1
    submission = Submission.objects.get(person=cast.sam)
    assert (submission.final_percent(), submission.handed_in_at) == (100, None)
    save_answers(assignment=strict, person=cast.sue, answers=RIGHT, now=DUE + 2 * DAY)
    mark_completed(strict, now=DUE + 3 * DAY)
    assert Submission.objects.get(person=cast.sue).final_percent() == 100


def test_a_teachers_own_grade_loses_nothing(cast: Cast, strict: Assignment) -> None:
    """An override wins over the penalty too; taken away again, the penalty counts again."""
    hand_in(strict, cast.sam, DUE + DAY)
    set_grade(assignment=strict, person=cast.sam, percent=Decimal(95), now=DUE + 2 * DAY)
    assert Submission.objects.get(person=cast.sam).final_percent() == 95
    assert owed(cast.sam) == 95
    set_grade(assignment=strict, person=cast.sam, percent=None, forget_override=True, now=DUE + 2 * DAY)
    assert owed(cast.sam) == 90


def test_an_extension_moves_the_penalty_for_that_student_only(cast: Cast, strict: Assignment) -> None:
    """More time given afterwards takes the penalty back, here and in the LMS, and helps nobody else."""
    hand_in(strict, cast.sam, DUE + 2 * DAY)
    hand_in(strict, cast.sue, DUE + 2 * DAY)
    assert owed(cast.sam) == 80
    set_extension(strict, cast.sam, DUE + DAY, now=DUE + 3 * DAY)
    assert owed(cast.sam) == 90
    set_extension(strict, cast.sam, DUE + 2 * DAY, now=DUE + 3 * DAY)
    assert owed(cast.sam) == 100
    assert Submission.objects.get(person=cast.sue).final_percent() == 80
    set_extension(strict, cast.sam, None, now=DUE + 3 * DAY)
    assert owed(cast.sam) == 80
    assert not Extension.objects.exists()


def test_an_extension_given_before_counts_when_handing_in(cast: Cast, strict: Assignment) -> None:
    """Handing in before the own due date is in time."""
    set_extension(strict, cast.sam, DUE + 5 * DAY, now=DUE - DAY)
    assert hand_in(strict, cast.sam, DUE + 4 * DAY).final_percent() == 100


def test_the_due_date_waits_for_a_student_who_has_more_time(cast: Cast, strict: Assignment) -> None:
    """Others' work is completed at the due date, theirs at their own one, also if it was begun in between."""
    set_extension(strict, cast.sam, DUE + DAY, now=DUE - DAY)
    save_answers(assignment=strict, person=cast.sue, answers=RIGHT, now=DUE - HOUR)
    save_answers(assignment=strict, person=cast.sam, answers=RIGHT, now=DUE + HOUR)
    settle(now=DUE + 2 * HOUR)
    assert Submission.objects.get(person=cast.sue).completed_at is not None
    assert Submission.objects.get(person=cast.sam).completed_at is None
    settle(now=DUE + DAY + HOUR)
    assert Submission.objects.get(person=cast.sam).completed_at == DUE + DAY + HOUR


def test_the_attempt_that_counts_is_the_one_that_is_late(cast: Cast, strict: Assignment) -> None:
    """A second attempt after the due date is late, and a reopened one is; each is weighed when it is handed in."""
    strict.attempts = 0
    strict.save()
    assert hand_in(strict, cast.sam, DUE - HOUR, HALF).final_percent() == 40
    begin_next_attempt(assignment=strict, person=cast.sam, now=DUE + HOUR)
    assert hand_in(strict, cast.sam, DUE + HOUR).final_percent() == 90
    reopen(strict, [cast.sam], now=DUE + DAY)
    assert hand_in(strict, cast.sam, DUE + 2 * DAY).final_percent() == 80


def test_a_changed_due_date_or_penalty_changes_the_grades(cast: Cast, strict: Assignment) -> None:
    """All late work of the assignment is weighed anew, in a fixed number of statements, and the LMS is told."""
    people = [cast.sam, cast.sue]
    for number in range(8):
        person = Person.objects.create(organization=cast.acme, name=f"Late {number}")
        Enrollment.objects.create(course=cast.course, person=person, role=Role.STUDENT)
        people.append(person)
    for person in people:
        hand_in(strict, person, DUE + DAY)
    strict.late_percent = Decimal(25)
    strict.save()
    with CaptureQueriesContext(connection) as statements:
        weigh_again(strict, now=DUE + 2 * DAY)
    assert {submission.final_percent() for submission in Submission.objects.all()} == {75}
    assert owed(cast.sam) == 75
    assert len(statements) < 20
    strict.due_at = None
    strict.save()
    weigh_again(strict, now=DUE + 2 * DAY)
    assert owed(cast.sam) == 100


# Pages


@pytest.fixture
def tom(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.tom)
    return client


def test_a_teacher_sets_due_date_and_penalty(cast: Cast, tom: Client) -> None:
    """The page saves what was typed, with comma or point, works late grades out anew and shows the rule."""
    hand_in(cast.operators, cast.sam, datetime(2026, 11, 22, 12, tzinfo=UTC))
    address = f"/courses/{cast.course.public_id}/assignments/{cast.operators.public_id}/dates/"
    assert "Time zone: UTC" in tom.get(address).content.decode()
    form = {"due_at": "2026-11-20T12:00", "late_percent": "2,5 %", "late_per": "day", "late_floor": "20"}
    page = tom.post(address, form, follow=True).content.decode()
    assert "each day late costs 2.5" in page
    assignment = Assignment.objects.get(pk=cast.operators.pk)
    assert (assignment.due_at, assignment.late_percent, assignment.late_floor) == (DUE, Decimal("2.5"), 20)
    assert Submission.objects.get().final_percent() == 95
    assert 'value="2026-11-20T12:00"' in tom.get(address).content.decode()
    refused = tom.post(address, {**form, "late_percent": "150"})
    assert refused.status_code == 422
    assert 'value="150"' in refused.content.decode()


def test_a_teacher_gives_one_student_more_time(cast: Cast, tom: Client, strict: Assignment) -> None:
    """On the student's own page; a time before the due date is refused with the reason."""
    hand_in(strict, cast.sam, DUE + 2 * DAY)
    base = f"/courses/{cast.course.public_id}/assignments/{strict.public_id}/results/{cast.sam.public_id}/"
    assert "Handed in late: 20" in tom.get(base).content.decode()
    refused = tom.post(base + "extension/", {"due_at": "2026-11-19T12:00"})
    assert refused.status_code == 422
    assert "after the due date of the others" in refused.content.decode()
    page = tom.post(base + "extension/", {"due_at": "2026-11-25T12:00"}, follow=True).content.decode()
    assert "own due date" in page
    assert "Handed in late" not in page
    assert Submission.objects.get().final_percent() == 100
    tom.post(base + "extension/", {"remove": "yes"})
    assert Submission.objects.get().final_percent() == 80


def test_the_student_sees_the_own_due_date_and_the_penalty(cast: Cast, strict: Assignment) -> None:
    """Dashboard and assignment show the student's own due date; the result says what being late cost."""
    client = Client()
    set_extension(strict, cast.sam, datetime(2031, 5, 17, 12, tzinfo=UTC), now=DUE)
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, strict)
    for path in ("/learn/", f"/learn/assignments/{strict.public_id}/"):
        page = client.get(prefix + path).content.decode()
        assert "2031-05-17" in page
        assert not re.search(r'class="late"', page)
    assert "each day late costs 10" in page
    set_extension(strict, cast.sam, None, now=DUE)
    hand_in(strict, cast.sam, DUE + DAY)
    result = client.get(f"{prefix}/learn/assignments/{strict.public_id}/").content.decode()
    assert "Handed in late: 10" in result
    assert "90" in result


def test_extra_credit_is_shown_and_never_sent(cast: Cast, tom: Client, strict: Assignment) -> None:
    """Extra credit stands beside the grade for teacher and student; the LMS is owed the grade without it."""
    hand_in(strict, cast.sam, DUE - HOUR)
    base = f"/courses/{cast.course.public_id}/assignments/{strict.public_id}/results/{cast.sam.public_id}/"
    page = tom.post(base + "grade/", {"percent": "95", "comment": "", "extra": "10"}, follow=True).content.decode()
    assert "Extra credit: 10" in page
    assert owed(cast.sam) == 95
    client = Client()
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, strict)
    assert "Extra credit: 10" in client.get(f"{prefix}/learn/assignments/{strict.public_id}/").content.decode()
    assert Submission.objects.get().extra_percent == 10


def test_only_teachers_of_the_course_set_dates(cast: Cast, strict: Assignment) -> None:
    """Students, mentors and outsiders get 403; so does a teacher of one LMS course for the due date of all."""
    address = f"/courses/{cast.course.public_id}/assignments/{strict.public_id}/dates/"
    extension = address.replace("dates/", f"results/{cast.sam.public_id}/extension/")
    outsider = Client()
    outsider.force_login(cast.oscar)
    assert outsider.get(address).status_code == outsider.post(extension).status_code == 403
    for person, role in ((cast.sam, Role.STUDENT), (cast.mia, Role.MENTOR), (cast.sue, Role.TEACHER)):
        client = Client()
        prefix = open_launch(client, person, cast.course, role, strict)
        assert client.post(prefix + address, {"due_at": ""}).status_code == 403
        assert client.post(prefix + extension, {"remove": "yes"}).status_code == 403
    assert Assignment.objects.get(pk=strict.pk).due_at == DUE
