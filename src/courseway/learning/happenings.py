"""What a change of work means to others: the events of it, found by comparing what was with what is.

Every change of a grade ends in `attempts.owe_grades`, so that none of them can forget its events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from courseway.courses.models import Assignment
from courseway.events.kinds import Kind
from courseway.events.recording import Happening, as_number, describe_row, record, record_all
from courseway.learning.models import Standing, Submission


def note_standing(submission: Submission) -> None:
    """To be called once the row is locked, before anything of it changes."""
    submission.before = _standing_of(submission)


def record_start(submission: Submission, now: datetime) -> None:
    assignment = submission.assignment
    happening = Happening(Kind.STARTED, _describe(assignment), submission.person_id)
    record(assignment.course.organization_id, happening, now=now)


def record_changes(assignment: Assignment, submissions: Iterable[Submission], now: datetime) -> None:
    """The events of what changed since `note_standing`; in one statement for each hundred of them."""
    happenings = [happening for submission in submissions for happening in _list_changes(assignment, submission)]
    if happenings:
        record_all(assignment.course.organization_id, happenings, now=now)


def _list_changes(assignment: Assignment, submission: Submission) -> Iterator[Happening]:
    before, after = submission.before, _standing_of(submission)
    if before is None or before == after:
        return
    submission.before = after
    data = {**_describe(assignment), "percent": as_number(after.percent)}
    if after.completed_at is not None and before.completed_at is None:
        yield Happening(Kind.COMPLETED, data, submission.person_id)
    if after.percent != before.percent:
        yield Happening(Kind.GRADED, data, submission.person_id)
    if after.is_visible and not before.is_visible:
        yield Happening(Kind.RELEASED, data, submission.person_id)


def _standing_of(submission: Submission) -> Standing:
    return Standing(submission.completed_at, submission.final_percent(), submission.is_grade_visible)


def _describe(assignment: Assignment) -> dict[str, Any]:
    points = as_number(assignment.points)
    return {"course": describe_row(assignment.course), "assignment": {**describe_row(assignment), "points": points}}
