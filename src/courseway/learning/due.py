"""What time alone brings about: work is completed at its due date, and automatic release reaches earlier work.

The worker calls `settle` again and again. Nothing else may have to remember to: whoever turns a switch on, be it a
page, a command or a program, changes one column, and this follows.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from courseway.courses.models import Assignment
from courseway.learning.models import Attempt, Extension, Submission
from courseway.learning.scoring import WAITS_FOR_RELEASE, mark_completed, release
from courseway.orgs.models import Person

ASSIGNMENTS_AT_ONCE = 50


def settle(*, now: datetime) -> int:
    """Complete what is due and release what waits for nobody. Returns how many submissions changed."""
    return complete_overdue(now=now) + release_waiting(now=now)


def complete_overdue(*, now: datetime) -> int:
    """Hand in, with the answers saved so far, work that was begun before a due date that has passed.

    Work without any answer stays open, and so does work begun or reopened after the date: it is late, not lost. A
    student who has more time is waited for.
    """
    more_time = Extension.objects.filter(assignment=OuterRef("assignment"), person=OuterRef("person"))
    due_at = F("assignment__due_at")
    overdue = Submission.objects.filter(
        ~Exists(more_time.filter(due_at__gt=now)),
        completed_at=None,
        reopened_at=None,
        assignment__due_at__lte=now,
        started_at__lt=Greatest(due_at, Coalesce(Subquery(more_time.values("due_at")[:1]), due_at)),
    ).filter(Exists(Attempt.objects.filter(submission=OuterRef("pk"), submitted_at=None).exclude(answers={})))
    changed = 0
    for assignment in _assignments_of(overdue):
        persons = Person.objects.filter(pk__in=overdue.filter(assignment=assignment).values("person"))
        changed += mark_completed(assignment, persons, now=now)
    return changed


def release_waiting(*, now: datetime) -> int:
    """Release completed grades of courses that release by themselves."""
    waiting = Submission.objects.filter(WAITS_FOR_RELEASE, assignment__course__release_grades_automatically=True)
    return sum(release(assignment, now=now) for assignment in _assignments_of(waiting))


def _assignments_of(submissions: QuerySet[Submission]) -> list[Assignment]:
    chosen = Assignment.objects.filter(pk__in=submissions.values("assignment")).select_related("course")
    return list(chosen.order_by("pk")[:ASSIGNMENTS_AT_ONCE])
