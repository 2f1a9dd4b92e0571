"""What handing in late costs, and more time for single students (H7).

Only what a student hands in is late. Work that a due date or a teacher completed holds the answers of whoever did not
come back in time; and a teacher's own grade is as it was given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from courseway.courses.models import Assignment, LatePer
from courseway.learning.attempts import BATCH, owe_grades, save_all, submissions_of
from courseway.learning.happenings import note_standing
from courseway.learning.marking import percent_of
from courseway.learning.models import Extension, Submission
from courseway.lms.due_dates import LmsDate, find_lms_dates
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


@dataclass(frozen=True, slots=True)
class Due:
    """When the work of one student is due: by the assignment or by the LMS (`lms`), later with an extension."""

    at: datetime | None
    others_at: datetime | None = None  # without the extension
    lms: LmsDate | None = None
    extended_to: datetime | None = None


class Dues:
    """The due dates of some assignments and people, read in two statements."""

    def __init__(self, assignments: Collection[Assignment], persons: Collection[int]) -> None:
        found = Extension.objects.filter(assignment__in=[a.pk for a in assignments], person__in=persons)
        self._extensions = {(a, p): due_at for a, p, due_at in found.values_list("assignment", "person", "due_at")}
        self._lms = find_lms_dates(assignments, persons)

    def of(self, assignment: Assignment, person_id: int) -> Due:
        """When the work of a student is due."""
        key = (assignment.pk, person_id)
        return find_due(assignment, self._lms.get(key), self._extensions.get(key))


def find_due(assignment: Assignment, lms: LmsDate | None, extended_to: datetime | None) -> Due:
    """When work is due by the LMS's date, or else the assignment's own, and by an extension."""
    at = others_at = lms.at if lms is not None else assignment.due_at
    if at is not None and extended_to is not None:
        at = max(at, extended_to)
    return Due(at, others_at, lms, extended_to)


def weigh(submission: Submission, assignment: Assignment, due_at: datetime | None) -> None:
    """Set what the score loses. The caller saves the row."""
    submission.late_deduction = Decimal(0)
    percent = percent_of(submission.score, submission.maximum)
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
    due_at = None
    if assignment.late_percent:
        due_at = Dues([assignment], [submission.person_id]).of(assignment, submission.person_id).at
    weigh(submission, assignment, due_at)


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
    dues = Dues([assignment], [submission.person_id for submission in submissions])
    changed = []
    for submission in submissions:
        note_standing(submission)
        before = submission.late_deduction
        weigh(submission, assignment, dues.of(assignment, submission.person_id).at)
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
