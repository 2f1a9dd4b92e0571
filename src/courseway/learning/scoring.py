"""Work and its grade: saving, handing in, grading, completing and releasing.

Every change is one transaction, which also holds the wish to send the grade (`grades.outbox`): a grade without its
delivery cannot exist. The submission's row is locked first, so that two clicks, or a student and a teacher, take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course
from courseway.learning.attempts import (
    AlreadyHandedInError,
    CompletedError,
    WorkError,
    add_attempt,
    change_in_batches,
    complete_work,
    hand_in,
    keep_answers,
    lock_or_make,
    open_again,
    open_attempt,
    owe_grades,
    questions_of,
    release_if_automatic,
    save_all,
    set_all,
    submissions_of,
)
from courseway.learning.lateness import weigh_handed_in
from courseway.learning.models import Attempt, Submission, new_feedback_token
from courseway.learning.uploads import StoredFile, keep_file, store_file
from courseway.orgs.models import Person

__all__ = [
    "AlreadyHandedInError",
    "CompletedError",
    "GradeError",
    "NoAttemptLeftError",
    "WorkError",
    "begin_next_attempt",
    "has_attempt_left",
    "mark_completed",
    "release",
    "release_completed",
    "renew_feedback_link",
    "reopen",
    "save_answers",
    "set_grade",
    "start_work",
    "submit_attempt",
]

# Completed and graded, and the student was not told yet.
WAITS_FOR_RELEASE = Q(completed_at__isnull=False, released_at__isnull=True) & (
    Q(score__isnull=False) | Q(override_percent__isnull=False)
)
# A teacher has to give points, or a grade: nothing was graded by itself.
WAITS_FOR_GRADE = Q(completed_at__isnull=False) & (
    Q(awaits_grading=True) | Q(score__isnull=True, override_percent__isnull=True)
)

_COMPLETED_FIELDS = (
    "score",
    "maximum",
    "submitted_at",
    "awaits_grading",
    "handed_in_at",
    "late_deduction",
    "completed_at",
    "released_at",
)


class NoAttemptLeftError(WorkError):
    """The assignment allows no further attempt."""


class GradeError(WorkError):
    """A grade that cannot be: not between 0 and 100 %."""


# What students do


def start_work(*, assignment: Assignment, person: Person, now: datetime) -> Submission:
    """Begin, unless it was begun already. Work that was completed is not begun again by this."""
    with transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        if submission.completed_at is None and not submission.attempts.exists():
            add_attempt(submission, None, now)
        return submission


def save_answers(
    *,
    assignment: Assignment,
    person: Person,
    answers: Mapping[str, str],
    files: Mapping[str, UploadedFile[Any]] | None = None,
    number: int | None = None,
    now: datetime,
) -> Attempt:
    """Keep the answers as typed; answers that are not named stay. `number` is the attempt they were typed into."""
    with _stored(files) as stored, transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        attempt = open_attempt(submission, number, now)
        keep_answers(attempt, answers)
        _keep_files(attempt, submission, stored, now)
        attempt.save(update_fields=["answers"])
        return attempt


def submit_attempt(
    *, assignment: Assignment, person: Person, answers: Mapping[str, str], number: int | None = None, now: datetime
) -> Attempt:
    """Hand in: mark the answers, complete the work, release where the course does so by itself, owe the grade.

    Handing in the same attempt again changes nothing and raises `AlreadyHandedInError`.
    """
    with transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        attempt = open_attempt(submission, number, now)
        keep_answers(attempt, answers)
        hand_in(attempt, submission, questions_of(assignment), now)
        attempt.is_handed_in_by_student = True
        if not submission.awaits_grading:
            weigh_handed_in(submission, assignment, now)
        attempt.save()
        submission.completed_at = submission.completed_at or now
        release_if_automatic(submission, assignment, now)
        submission.save()
        owe_grades(assignment, [submission], now)
        return attempt


@contextmanager
def _stored(files: Mapping[str, UploadedFile[Any]] | None) -> Iterator[dict[str, StoredFile]]:
    """The files written before any row is locked, and taken away again when nothing comes of it."""
    stored: dict[str, StoredFile] = {}
    try:
        for key, file in (files or {}).items():
            stored[key] = store_file(file)
        yield stored
    except BaseException:
        for one in stored.values():
            one.discard()
        raise


def _keep_files(attempt: Attempt, submission: Submission, stored: Mapping[str, StoredFile], now: datetime) -> None:
    keep_answers(attempt, {key: keep_file(submission, file, now).public_id for key, file in stored.items()})


def begin_next_attempt(*, assignment: Assignment, person: Person, now: datetime) -> Attempt:
    """A further attempt, where the assignment allows one; asking twice gives the same one."""
    with transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        last = submission.attempts.order_by("number").last()
        if last is not None and last.submitted_at is None:
            return last
        if last is not None and not has_attempt_left(assignment, last.number):
            raise NoAttemptLeftError(_("You have used all attempts of this assignment. The last one counts."))
        return add_attempt(submission, last, now)


def has_attempt_left(assignment: Assignment, used: int) -> bool:
    return assignment.attempts == 0 or used < assignment.attempts


# What teachers do


def set_grade(
    *,
    assignment: Assignment,
    person: Person,
    percent: Decimal | None,
    complete: bool = False,
    release: bool = False,
    comment: str | None = None,
    extra: Decimal | None = None,
    forget_override: bool = False,
    now: datetime,
) -> Submission:
    """A teacher's own grade, which wins over the marks. What is not asked for does not change.

    `percent` None leaves the grade, `comment` None the comment, `extra` None the extra credit, which no LMS is told; a
    released grade stays released.
    `forget_override` goes back to what the answers earned.
    """
    if percent is not None and not (percent.is_finite() and 0 <= percent <= 100):
        raise GradeError(_("A grade is a percentage between 0 and 100."))
    with transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        if forget_override or percent is not None:
            submission.override_percent = percent
            submission.awaits_grading = submission.awaits_grading and percent is None
        if comment is not None:
            submission.comment = comment
        if extra is not None:
            submission.extra_percent = extra
        if complete and submission.completed_at is None:
            complete_work(assignment, [submission], now)
        if release and submission.released_at is None:
            submission.released_at = now
        release_if_automatic(submission, assignment, now)
        submission.save()
        owe_grades(assignment, [submission], now)
        return submission


def renew_feedback_link(assignment: Assignment, person: Person, *, now: datetime) -> None:
    """The link to this one submission stops working for everybody who has it; the LMS is told the new one."""
    with transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        submission.feedback_token = new_feedback_token()
        submission.save(update_fields=["feedback_token"])
        owe_grades(assignment, [submission], now)


def mark_completed(assignment: Assignment, persons: Iterable[Person] | None = None, *, now: datetime) -> int:
    """Complete all work that was begun, handing in what was saved of it. Returns how many were completed."""

    def change(submissions: list[Submission]) -> None:
        complete_work(assignment, submissions, now)
        save_all(submissions, _COMPLETED_FIELDS, now)
        owe_grades(assignment, submissions, now)

    return change_in_batches(submissions_of(assignment, persons).filter(completed_at=None), change)


def reopen(assignment: Assignment, persons: Iterable[Person], *, now: datetime) -> int:
    """Let people go on with work that was completed: one attempt more, beginning with their answers.

    The grade stays as it is, also in the LMS, until they hand in again.
    """

    def change(submissions: list[Submission]) -> None:
        set_all(submissions, now, completed_at=None, reopened_at=now)
        open_again(submissions, now)
        owe_grades(assignment, submissions, now)

    return change_in_batches(submissions_of(assignment, persons).exclude(completed_at=None), change)


def release(assignment: Assignment, persons: Iterable[Person] | None = None, *, now: datetime) -> int:
    """Show and send every completed grade at once. Returns how many were released."""

    def change(submissions: list[Submission]) -> None:
        set_all(submissions, now, released_at=now)
        owe_grades(assignment, submissions, now)

    return change_in_batches(submissions_of(assignment, persons).filter(WAITS_FOR_RELEASE), change)


def release_completed(course: Course, *, now: datetime) -> int:
    """Release what is completed in the whole course: what turning automatic release on means for the work so far."""
    waiting = Submission.objects.filter(WAITS_FOR_RELEASE).values("assignment")
    assignments = Assignment.objects.filter(course=course, pk__in=waiting).select_related("course")
    return sum(release(assignment, now=now) for assignment in assignments)
