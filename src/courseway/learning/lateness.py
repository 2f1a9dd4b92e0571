"""What handing in late costs, and more time for single students (H7).

Only what a student hands in is late. Work that a due date or a teacher completed holds the answers of whoever did not
come back in time; and a teacher's own grade is as it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from courseway.courses.models import Assignment, LatePer
from courseway.learning.attempts import BATCH, owe_grades, save_all, submissions_of
from courseway.learning.happenings import note_standing
from courseway.learning.marking import percent_of
from courseway.learning.models import Extension, Submission
from courseway.orgs.models import Person

_UNITS = {LatePer.DAY: timedelta(days=1), LatePer.HOUR: timedelta(hours=1)}


def deduct(percent: Decimal, late_by: timedelta, *, points: Decimal, unit: timedelta, floor: Decimal) -> Decimal:
    """The percentage points that `percent` loses: `points` for each unit begun, never below the floor.

    What is below the floor by itself stays as it is.
    """
    if late_by <= timedelta(0) or points <= 0:
        return Decimal(0)
    units_begun = -(-late_by // unit)
    return percent - max(percent - units_begun * points, min(percent, floor))


def due_of(assignment: Assignment, extended_to: datetime | None) -> datetime | None:
    """When the work of a student is due."""
    if assignment.due_at is None or extended_to is None:
        return assignment.due_at
    return max(assignment.due_at, extended_to)


def find_extensions(assignments: Iterable[Assignment], persons: Iterable[int]) -> dict[tuple[int, int], datetime]:
    """By (assignment, person), in one statement."""
    found = Extension.objects.filter(assignment__in=[a.pk for a in assignments], person__in=persons)
    return {(assignment, person): due_at for assignment, person, due_at in found.values_list(*_KEY, "due_at")}


_KEY = ("assignment", "person")


def weigh(submission: Submission, assignment: Assignment, extended_to: datetime | None) -> None:
    """Set what the score loses. The caller saves the row."""
    submission.late_deduction = Decimal(0)
    due_at, percent = due_of(assignment, extended_to), percent_of(submission.score, submission.maximum)
    if submission.handed_in_at is not None and due_at is not None and percent is not None:
        submission.late_deduction = deduct(
            percent,
            submission.handed_in_at - due_at,
            points=assignment.late_percent,
            unit=_UNITS[LatePer(assignment.late_per)],
            floor=assignment.late_floor,
        )


def weigh_handed_in(submission: Submission, assignment: Assignment, now: datetime) -> None:
    """What the student hands in now counts with what it loses by being late."""
    submission.handed_in_at = now
    extended_to = None
    if assignment.late_percent and assignment.due_at is not None and assignment.due_at < now:
        extended_to = find_extensions([assignment], [submission.person_id]).get((assignment.pk, submission.person_id))
    weigh(submission, assignment, extended_to)


def weigh_again(assignment: Assignment, persons: Iterable[Person] | None = None, *, now: datetime) -> None:
    """After a change of due date, penalty or extensions: the grades that follow from it, here and in the LMS."""
    last = 0
    while True:
        with transaction.atomic():
            work = submissions_of(assignment, persons).filter(pk__gt=last)
            batch = list(work.select_for_update().order_by("pk")[:BATCH])
            _weigh_batch(assignment, batch, now)
        if len(batch) < BATCH:
            return
        last = batch[-1].pk


def _weigh_batch(assignment: Assignment, submissions: Sequence[Submission], now: datetime) -> None:
    extensions = find_extensions([assignment], [submission.person_id for submission in submissions])
    changed = []
    for submission in submissions:
        note_standing(submission)
        before = submission.late_deduction
        weigh(submission, assignment, extensions.get((assignment.pk, submission.person_id)))
        if submission.late_deduction != before:
            changed.append(submission)
    save_all(changed, ["late_deduction"], now)
    owe_grades(assignment, changed, now)


def set_extension(assignment: Assignment, person: Person, due_at: datetime | None, *, now: datetime) -> None:
    """More time for one student, or with None no more than the others have."""
    with transaction.atomic():
        if due_at is None:
            Extension.objects.filter(assignment=assignment, person=person).delete()
        else:
            Extension.objects.update_or_create(assignment=assignment, person=person, defaults={"due_at": due_at})
        weigh_again(assignment, [person], now=now)
