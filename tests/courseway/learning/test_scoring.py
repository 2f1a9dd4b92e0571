"""Handing in, grading, completing and releasing, and what the LMS is owed for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from courseway.courses.models import Assignment, Enrollment, Role
from courseway.grades.models import Delivery
from courseway.learning import attempts
from courseway.learning.due import complete_overdue, release_waiting, settle
from courseway.learning.models import Attempt, Submission
from courseway.learning.progress import work_state
from courseway.learning.scoring import (
    AlreadyHandedInError,
    CompletedError,
    GradeError,
    NoAttemptLeftError,
    begin_next_attempt,
    mark_completed,
    release,
    release_completed,
    reopen,
    save_answers,
    set_grade,
    start_work,
    submit_attempt,
)
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import PlacedLink, place_v11

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RIGHT = {"sum": "4", "quotient": "2,5", "maker": "guido"}
# SQLite takes a thousand values in one statement: so many rows of up to fifty columns still fit.
# Both above the handful up to which an event asks for its endpoints by itself (`events.recording`).
FEW, MANY = 5, 20
HALF = {"sum": "4", "quotient": "9", "maker": "?"}


def hand_in(cast: Cast, answers: dict[str, str], person: Person | None = None, now: datetime = NOW) -> Attempt:
    return submit_attempt(assignment=cast.operators, person=person or cast.sam, answers=answers, now=now)


def submission_of(person: Person, assignment: Assignment) -> Submission:
    return Submission.objects.get(person=person, assignment=assignment)


def release_by_hand(cast: Cast) -> None:
    cast.course.release_grades_automatically = False
    cast.course.save()
    cast.operators.refresh_from_db()


def owed(link: PlacedLink, person: Person) -> Decimal | None:
    """The points that the LMS is owed through the link; None where nothing is."""
    delivery = Delivery.objects.filter(resource_link=link.link, person=person).first()
    return None if delivery is None else delivery.wanted_score


def test_handing_in_completes_releases_and_owes(cast: Cast) -> None:
    """In a course that releases by itself, handing in is all that it takes until the LMS is owed the grade."""
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    attempt = hand_in(cast, HALF)
    submission = submission_of(cast.sam, cast.operators)
    assert attempt.score == submission.score == Decimal(4)
    assert submission.completed_at == submission.released_at == submission.submitted_at == NOW
    assert attempt.results["sum"] == {"points": "4.00", "of": "4.00", "correct": True, "answered": True}
    assert owed(link, cast.sam) == Decimal(4)
    assert Delivery.objects.get().wanted_maximum == Decimal(10)


def test_without_automatic_release_nothing_is_owed(cast: Cast) -> None:
    """Where a teacher releases, a completed grade is neither shown nor owed before that."""
    release_by_hand(cast)
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    hand_in(cast, RIGHT)
    submission = submission_of(cast.sam, cast.operators)
    assert submission.completed_at == NOW
    assert submission.released_at is None
    assert not submission.is_grade_visible
    assert owed(link, cast.sam) is None
    assert release(cast.operators, now=LATER) == 1
    assert owed(link, cast.sam) == Decimal(10)


def test_saved_answers_stay_as_typed(cast: Cast) -> None:
    """Saving keeps each answer as typed and does not touch answers that it does not name."""
    save_answers(assignment=cast.operators, person=cast.sam, answers={"sum": "3", "maker": " Gu "}, now=NOW)
    attempt = save_answers(assignment=cast.operators, person=cast.sam, answers={"sum": "4"}, now=LATER)
    assert attempt.answers == {"sum": "4", "maker": " Gu "}
    assert attempt.submitted_at is None
    assert submission_of(cast.sam, cast.operators).started_at == NOW


def test_saved_answers_count_when_handing_in(cast: Cast) -> None:
    """What was saved before counts, although the form that hands in does not repeat it."""
    save_answers(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    assert hand_in(cast, {}).score == Decimal(10)


def test_starting_twice_is_starting_once(cast: Cast) -> None:
    """Opening the page again neither begins anew nor moves the start."""
    start_work(assignment=cast.operators, person=cast.sam, now=NOW)
    start_work(assignment=cast.operators, person=cast.sam, now=LATER)
    assert Attempt.objects.get().started_at == NOW


def test_handing_in_twice_counts_once(cast: Cast) -> None:
    """A second click on the button changes neither the answers nor the grade."""
    hand_in(cast, HALF)
    with pytest.raises(AlreadyHandedInError) as refused:
        submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, number=1, now=LATER)
    assert refused.value.attempt.number == 1
    assert submission_of(cast.sam, cast.operators).score == Decimal(4)
    assert Attempt.objects.count() == 1
    with pytest.raises(AlreadyHandedInError):
        save_answers(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=LATER)


def test_attempts_are_limited(cast: Cast) -> None:
    """After the last attempt another one is refused."""
    hand_in(cast, HALF)
    with pytest.raises(NoAttemptLeftError):
        begin_next_attempt(assignment=cast.operators, person=cast.sam, now=LATER)


@pytest.mark.parametrize("allowed", [2, 0])
def test_last_attempt_counts(cast: Cast, allowed: int) -> None:
    """A further attempt begins with the last answers, and its score replaces the earlier one, be it lower."""
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    cast.operators.attempts = allowed
    hand_in(cast, RIGHT)
    second = begin_next_attempt(assignment=cast.operators, person=cast.sam, now=LATER)
    assert begin_next_attempt(assignment=cast.operators, person=cast.sam, now=LATER) == second
    assert second.number == 2
    assert second.answers == RIGHT
    hand_in(cast, HALF, now=LATER)
    assert submission_of(cast.sam, cast.operators).score == Decimal(4)
    assert owed(link, cast.sam) == Decimal(4)


def test_a_late_answer_of_the_first_attempt_is_not_taken_for_the_second(cast: Cast) -> None:
    """Answers that were typed into an earlier attempt never land in the one that is open now."""
    cast.operators.attempts = 0
    hand_in(cast, HALF)
    begin_next_attempt(assignment=cast.operators, person=cast.sam, now=LATER)
    with pytest.raises(AlreadyHandedInError) as refused:
        save_answers(assignment=cast.operators, person=cast.sam, answers=RIGHT, number=1, now=LATER)
    assert refused.value.attempt.number == 1
    assert Attempt.objects.get(number=2).answers == HALF


def test_override_wins_and_follows_into_the_lms(cast: Cast) -> None:
    """A teacher's grade wins over the marks, is owed at once, and gives way again when it is taken back."""
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    hand_in(cast, HALF)
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal("87.5"), now=LATER)
    assert owed(link, cast.sam) == Decimal("8.75")
    assert Delivery.objects.get().wanted_version == 2
    set_grade(assignment=cast.operators, person=cast.sam, percent=None, forget_override=True, now=LATER)
    assert owed(link, cast.sam) == Decimal(4)


def test_flags_that_are_absent_change_nothing(cast: Cast) -> None:
    """Grading alone neither completes nor releases nor touches the comment, and a released grade stays released."""
    release_by_hand(cast)
    first = set_grade(
        assignment=cast.operators,
        person=cast.sue,
        percent=Decimal(50),
        complete=True,
        release=True,
        comment="Good",
        now=NOW,
    )
    assert (first.completed_at, first.released_at, first.comment) == (NOW, NOW, "Good")
    second = set_grade(assignment=cast.operators, person=cast.sue, percent=Decimal(60), now=LATER)
    assert (second.completed_at, second.released_at, second.comment) == (NOW, NOW, "Good")
    assert second.final_percent() == Decimal(60)
    third = set_grade(assignment=cast.operators, person=cast.sue, percent=None, complete=True, release=True, now=LATER)
    assert (third.completed_at, third.released_at, third.final_percent()) == (NOW, NOW, Decimal(60))


def test_grading_alone_is_not_handed_to_the_student(cast: Cast) -> None:
    """A grade for work that is not completed waits, in a course that releases by itself too."""
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    submission = set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(80), now=NOW)
    assert submission.released_at is None
    assert owed(link, cast.sam) is None
    set_grade(assignment=cast.operators, person=cast.sam, percent=None, complete=True, now=LATER)
    assert owed(link, cast.sam) == Decimal(8)


@pytest.mark.parametrize("percent", ["-0.1", "100.000001", "NaN", "Infinity"])
def test_impossible_grades_are_refused(cast: Cast, percent: str) -> None:
    """A percentage outside 0 to 100 is refused, and nothing is written."""
    with pytest.raises(GradeError):
        set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(percent), now=NOW)
    assert not Submission.objects.exists()


def test_percent_outlives_changed_points(cast: Cast) -> None:
    """When the points of an assignment change, an earlier grade keeps its percentage."""
    hand_in(cast, HALF)
    cast.operators.points = Decimal(50)
    submission = submission_of(cast.sam, cast.operators)
    assert submission.final_percent() == Decimal(40)
    assert submission.final_score(cast.operators.points) == Decimal(20)


def test_mark_all_as_completed_hands_in_what_was_saved(cast: Cast) -> None:
    """Completing for everybody grades the answers saved so far; who never began stays not started."""
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    link.let_in(cast.sue)
    save_answers(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    assert mark_completed(cast.operators, now=LATER) == 1
    assert owed(link, cast.sam) == Decimal(4)
    assert Attempt.objects.get().submitted_at == LATER
    assert not Submission.objects.filter(person=cast.sue).exists()
    assert mark_completed(cast.operators, now=LATER) == 0


def test_reopened_work_goes_on_with_its_answers(cast: Cast) -> None:
    """Reopening gives one attempt more, beyond the limit, and keeps the released grade until it is handed in."""
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    hand_in(cast, HALF)
    assert reopen(cast.operators, [cast.sam], now=LATER) == 1
    submission = submission_of(cast.sam, cast.operators)
    assert work_state(submission, for_student=True) == "in_progress"
    assert submission.is_grade_visible
    assert owed(link, cast.sam) == Decimal(4)
    assert hand_in(cast, {"quotient": "2.5"}, now=LATER).number == 2
    assert owed(link, cast.sam) == Decimal(7)


def test_work_completed_by_the_teacher_is_read_only(cast: Cast) -> None:
    """A grade given without any attempt is not overwritten by somebody who then hands in; they may begin an attempt."""
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(70), complete=True, now=NOW)
    start_work(assignment=cast.operators, person=cast.sam, now=LATER)
    assert not Attempt.objects.exists()
    with pytest.raises(CompletedError):
        hand_in(cast, RIGHT, now=LATER)
    assert begin_next_attempt(assignment=cast.operators, person=cast.sam, now=LATER).number == 1


def enroll(cast: Cast, count: int) -> list[Person]:
    people = Person.objects.bulk_create(
        Person(organization=cast.acme, name=f"Student {n:03}", email=f"s{n}@acme.example") for n in range(count)
    )
    Enrollment.objects.bulk_create(Enrollment(course=cast.course, person=p, role=Role.STUDENT) for p in people)
    return people


def test_release_owes_every_completed_grade_at_once(cast: Cast) -> None:
    """Releasing takes as many statements for twenty students as for five, and leaves unfinished work alone."""
    release_by_hand(cast)
    link = place_v11(cast.operators)
    counts = []
    for count in (FEW, MANY):
        people = enroll(cast, count)
        for person in people:
            link.let_in(person)
            hand_in(cast, RIGHT, person)
        save_answers(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert release(cast.operators, people, now=LATER) == count
        counts.append(len(queries))
        assert Delivery.objects.filter(person__in=people, state="waiting").count() == count
    assert counts[0] == counts[1]
    assert submission_of(cast.sam, cast.operators).released_at is None


def test_marking_all_takes_a_fixed_number_of_statements(cast: Cast) -> None:
    """Completing twenty students takes as many statements as completing five."""
    link = place_v11(cast.operators)
    counts = []
    for count in (FEW, MANY):
        people = enroll(cast, count)
        for person in people:
            link.let_in(person)
            save_answers(assignment=cast.operators, person=person, answers=HALF, now=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert mark_completed(cast.operators, people, now=LATER) == count
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_bulk_actions_go_on_batch_by_batch(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """More students than fit in one transaction are all completed, released and reopened, each once."""
    monkeypatch.setattr(attempts, "BATCH", 3)
    release_by_hand(cast)
    link = place_v11(cast.operators)
    people = enroll(cast, 7)
    for person in people:
        link.let_in(person)
        save_answers(assignment=cast.operators, person=person, answers=HALF, now=NOW)
    assert mark_completed(cast.operators, now=LATER) == 7
    assert release(cast.operators, now=LATER) == 7
    assert Delivery.objects.filter(wanted_score=4, wanted_version=1).count() == 7
    assert reopen(cast.operators, people, now=LATER) == 7
    assert Attempt.objects.filter(number=2, submitted_at=None, answers=HALF).count() == 7


def test_turning_automatic_release_on_reaches_earlier_work(cast: Cast) -> None:
    """Once a course releases by itself, what was completed before is released: by hand, or by the worker's look."""
    release_by_hand(cast)
    hand_in(cast, RIGHT)
    assert release_waiting(now=LATER) == 0
    cast.course.release_grades_automatically = True
    cast.course.save()
    assert settle(now=LATER) == 1
    assert submission_of(cast.sam, cast.operators).released_at == LATER
    hand_in_again = submit_attempt(assignment=cast.loops, person=cast.sue, answers=RIGHT, now=NOW)
    Submission.objects.filter(pk=hand_in_again.submission_id).update(released_at=None)
    assert release_completed(cast.course, now=LATER) == 1


def test_due_date_completes_what_was_begun_before_it(cast: Cast) -> None:
    """At the due date saved answers are handed in; work without answers, begun later or reopened stays open."""
    due_at = NOW + timedelta(minutes=30)
    cast.operators.due_at = due_at
    cast.operators.save()
    save_answers(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    start_work(assignment=cast.operators, person=cast.sue, now=NOW)
    save_answers(assignment=cast.operators, person=cast.mia, answers=HALF, now=due_at + timedelta(minutes=1))
    assert complete_overdue(now=due_at - timedelta(seconds=1)) == 0
    assert complete_overdue(now=LATER) == 1
    assert submission_of(cast.sam, cast.operators).completed_at == LATER
    assert submission_of(cast.sue, cast.operators).completed_at is None
    assert submission_of(cast.mia, cast.operators).completed_at is None
    reopen(cast.operators, [cast.sam], now=LATER)
    assert complete_overdue(now=LATER) == 0


@pytest.mark.parametrize(
    ("fields", "to_student", "to_teacher"),
    [
        (None, "not_started", "not_started"),
        ({}, "in_progress", "in_progress"),
        ({"override_percent": Decimal(5)}, "in_progress", "in_progress"),
        ({"completed_at": NOW}, "completed", "completed"),
        ({"completed_at": NOW, "score": Decimal(5), "maximum": Decimal(10)}, "completed", "graded"),
        ({"completed_at": NOW, "score": Decimal(0), "maximum": Decimal(10), "released_at": NOW}, "graded", "graded"),
        ({"completed_at": NOW, "released_at": NOW}, "completed", "completed"),
    ],
)
def test_state_of_work(fields: dict[str, object] | None, to_student: str, to_teacher: str) -> None:
    """The state of work follows from its row; a student hears 'graded' only once the grade is released."""
    submission = None if fields is None else Submission(**fields)
    assert work_state(submission, for_student=True) == to_student
    assert work_state(submission, for_student=False) == to_teacher
