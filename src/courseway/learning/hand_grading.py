"""Points that a teacher gives for what no program can mark; with the last of them the attempt has its score."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from courseway.courses.models import Assignment
from courseway.learning.attempts import lock_or_make, owe_grades, questions_of, release_if_automatic, take_score
from courseway.learning.lateness import Dues, weigh
from courseway.learning.marking import mark_answers
from courseway.learning.models import Attempt, Submission
from courseway.orgs.models import Person


def grade_by_hand(
    *, assignment: Assignment, person: Person, number: int, points: Mapping[str, Decimal | None], now: datetime
) -> Submission:
    """Give points for questions of an attempt that was handed in; None takes them back.

    Where it is the attempt that counts, its score counts from now on and is owed to the LMS.
    """
    with transaction.atomic():
        submission = lock_or_make(assignment, person, now)
        attempt = submission.attempts.exclude(submitted_at=None).get(number=number)
        _mark_anew(attempt, assignment, points)
        counts = submission.attempts.exclude(submitted_at=None).order_by("number").last()
        if counts == attempt:
            _let_count(submission, assignment, attempt)
            release_if_automatic(submission, assignment, now)
            submission.save()
            owe_grades(assignment, [submission], now)
        return submission


def _mark_anew(attempt: Attempt, assignment: Assignment, points: Mapping[str, Decimal | None]) -> None:
    given: dict[str, Decimal | None] = {
        key: Decimal(result["points"])
        for key, result in attempt.results.items()
        if result.get("by_hand") and not result.get("waits")
    }
    given.update(points)
    by_hand = {key: value for key, value in given.items() if value is not None}
    maximum = attempt.maximum or assignment.points
    marks = mark_answers(questions_of(assignment), attempt.answers, maximum, by_hand)
    attempt.results, attempt.score = marks.as_json(), marks.score
    attempt.save(update_fields=["results", "score"])


def _let_count(submission: Submission, assignment: Assignment, attempt: Attempt) -> None:
    submission.awaits_grading = any(result.get("waits") for result in attempt.results.values())
    take_score(submission, attempt)
    if attempt.is_handed_in_by_student:
        submission.handed_in_at = attempt.submitted_at
    due = Dues([assignment], [submission.person_id]).of(assignment, submission.person_id)
    weigh(submission, assignment, due.at)
