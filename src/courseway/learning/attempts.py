"""The rows behind `scoring`: locking a submission, its attempts, and what the LMS is owed for it.

Everything here but `change_in_batches` runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Question
from courseway.grades import outbox
from courseway.learning.feedback_links import feedback_url
from courseway.learning.happenings import note_standing, record_changes, record_start
from courseway.learning.marking import clean_answer, mark_answers
from courseway.learning.models import Attempt, Submission
from courseway.orgs.models import Person

_Row = TypeVar("_Row", bound=Model)
BATCH = 500  # submissions in one transaction of a bulk action


class WorkError(Exception):
    """A refusal that says what to do; its text is shown as it is."""


class AlreadyHandedInError(WorkError):
    """The answers belong to an attempt that was handed in before; `attempt` is that one."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(
            _("Attempt %(number)s was already handed in. What was handed in then counts.") % {"number": attempt.number}
        )
        self.attempt = attempt


class CompletedError(WorkError):
    """A teacher completed the work without an attempt; the student may begin one where attempts are left."""


def lock_or_make(assignment: Assignment, person: Person, now: datetime) -> Submission:
    """The submission's row, locked. Of two makers the unique constraint lets one through, the other gets its row."""
    submission, _made = Submission.objects.select_for_update().get_or_create(
        assignment=assignment, person=person, defaults={"started_at": now}
    )
    submission.assignment = assignment
    note_standing(submission)
    return submission


def change_in_batches(submissions: QuerySet[Submission], change: Callable[[list[Submission]], None]) -> int:
    """Run `change` on all rows, some hundred in each transaction; returns how many there were.

    The change must take its rows out of `submissions`. On SQLite one long transaction would keep everybody else from
    writing; broken off in the middle, the same action just goes on. Rows are locked in one order everywhere, so that
    two bulk actions cannot wait for each other.
    """
    total = 0
    while True:
        with transaction.atomic():
            batch = list(submissions.select_for_update().order_by("pk")[:BATCH])
            for submission in batch:
                note_standing(submission)
            if batch:
                change(batch)
        total += len(batch)
        if len(batch) < BATCH:
            return total


def submissions_of(assignment: Assignment, persons: Iterable[Person] | None) -> QuerySet[Submission]:
    submissions = Submission.objects.filter(assignment=assignment)
    return submissions if persons is None else submissions.filter(person__in=persons)


def open_attempt(submission: Submission, number: int | None, now: datetime) -> Attempt:
    """The attempt that is being worked on, made for the first answer. `number` is the one that the page showed."""
    attempts = list(submission.attempts.order_by("number"))
    if not attempts:
        if submission.completed_at is not None:
            raise CompletedError(_("A teacher completed this work. Begin an attempt to work on it."))
        return add_attempt(submission, None, now)
    current = attempts[-1]
    if current.submitted_at is None and number in (None, current.number):
        return current
    meant = next((attempt for attempt in attempts if attempt.number == number and attempt.submitted_at), None)
    raise AlreadyHandedInError(meant or next(a for a in reversed(attempts) if a.submitted_at or a is attempts[0]))


def add_attempt(submission: Submission, last: Attempt | None, now: datetime) -> Attempt:
    """One attempt more after the last one."""
    attempt = _next_attempt(submission, last, now)
    attempt.save()
    if last is None:
        record_start(submission, now)
    return attempt


def open_again(submissions: Sequence[Submission], now: datetime) -> None:
    """Give each an open attempt, however many were used, in two statements."""
    last = {attempt.submission_id: attempt for attempt in _attempts_of(submissions).order_by("number")}
    made = []
    for submission in submissions:
        previous = last.get(submission.pk)
        if previous is None or previous.submitted_at is not None:
            made.append(_next_attempt(submission, previous, now))
    Attempt.objects.bulk_create(made)


def _next_attempt(submission: Submission, last: Attempt | None, now: datetime) -> Attempt:
    """It begins with the last answers: nobody types again what was right."""
    return Attempt(
        submission=submission,
        number=last.number + 1 if last else 1,
        answers=last.answers if last else {},
        started_at=now,
    )


def _attempts_of(submissions: Sequence[Submission]) -> QuerySet[Attempt]:
    return Attempt.objects.filter(submission__in=[submission.pk for submission in submissions])


def keep_answers(attempt: Attempt, answers: Mapping[str, str]) -> None:
    attempt.answers = {**attempt.answers, **{key: clean_answer(text) for key, text in answers.items()}}


def questions_of(assignment: Assignment) -> list[Question]:
    """All questions in the order of the pages."""
    questions = Question.objects.filter(page__assignment=assignment)
    return list(questions.order_by("page__position", "page", "position", "pk"))


def hand_in(attempt: Attempt, submission: Submission, questions: Sequence[Question], now: datetime) -> None:
    """Mark the attempt and let the submission take its score: the last attempt counts.

    What the student hands in is weighed afterwards (`lateness.weigh_handed_in`); nobody else is late.
    """
    assignment = submission.assignment
    marks = mark_answers(questions, attempt.answers, assignment.points)
    attempt.results = marks.as_json()
    attempt.score, attempt.maximum = marks.score, assignment.points
    attempt.submitted_at = submission.submitted_at = now
    submission.awaits_grading = marks.waits
    if marks.waits and submission.score is not None:
        return  # an earlier attempt's grade stays until a teacher has graded this one
    take_score(submission, attempt)


def take_score(submission: Submission, attempt: Attempt) -> None:
    """What the attempt earned is what counts; `lateness` says afterwards what it loses."""
    submission.score, submission.maximum = attempt.score, attempt.maximum
    submission.handed_in_at, submission.late_deduction = None, Decimal(0)


def complete_work(assignment: Assignment, submissions: Sequence[Submission], now: datetime) -> None:
    """Complete work, handing in what was saved. Writes the attempts; the caller saves the submissions."""
    by_pk = {submission.pk: submission for submission in submissions}
    handed_in = []
    questions = questions_of(assignment)
    for attempt in _attempts_of(submissions).filter(submitted_at=None):
        submission = by_pk[attempt.submission_id]
        submission.assignment = assignment
        hand_in(attempt, submission, questions, now)
        handed_in.append(attempt)
    _write(Attempt, handed_in, ["results", "score", "maximum", "submitted_at"])
    for submission in submissions:
        submission.completed_at = now
        release_if_automatic(submission, assignment, now)


def release_if_automatic(submission: Submission, assignment: Assignment, now: datetime) -> None:
    """In a course that releases by itself, what is completed and graded is released at once."""
    if (
        assignment.course.release_grades_automatically
        and submission.released_at is None
        and submission.completed_at is not None
        and submission.is_graded
    ):
        submission.released_at = now


def save_all(submissions: Sequence[Submission], fields: Sequence[str], now: datetime) -> None:
    """Each row with values of its own."""
    for submission in submissions:
        submission.updated_at = now
    _write(Submission, submissions, [*fields, "updated_at"])


def set_all(submissions: Sequence[Submission], now: datetime, **values: datetime | None) -> None:
    """The same values for every row."""
    for submission in submissions:
        for name, value in values.items():
            setattr(submission, name, value)
    pks = [submission.pk for submission in submissions]
    Submission.objects.filter(pk__in=pks).update(**values, updated_at=now)


def _write(model: type[_Row], rows: Sequence[_Row], fields: Sequence[str]) -> None:
    """Write rows that exist and are locked. As an upsert: many times faster than `bulk_update`, which sends a CASE."""
    model._default_manager.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def grade_of(submission: Submission, assignment: Assignment) -> outbox.Grade:
    """What the LMS is told about a submission."""
    return outbox.Grade(
        score=submission.final_score(assignment.points),
        maximum=assignment.points,
        is_completed=submission.completed_at is not None,
        is_released=submission.released_at is not None,
        comment="\n\n".join(filter(None, (submission.comment, feedback_url(submission, assignment.course)))),
        started_at=submission.started_at,
        submitted_at=submission.submitted_at,
    )


def owe_grades(assignment: Assignment, submissions: Collection[Submission], now: datetime) -> None:
    """Store what the LMSs have to be told, and the events of what changed."""
    record_changes(assignment, submissions, now)
    grades = {submission.person_id: grade_of(submission, assignment) for submission in submissions}
    if grades:
        outbox.owe_many(assignment, grades, now=now)
