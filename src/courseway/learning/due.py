"""What time alone brings about: work is completed at its due date, and automatic release reaches earlier work.

The worker calls `settle` again and again. Nothing else may have to remember to: whoever turns a switch on, be it a
page, a command or a program, changes one column, and this follows.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from courseway.courses.models import Assignment
from courseway.learning.lateness import weigh_again
from courseway.learning.models import Attempt, Extension, Submission
from courseway.learning.scoring import WAITS_FOR_RELEASE, mark_completed, release
from courseway.lms.due_dates import common_date, list_to_weigh, own_date
from courseway.lms.models import LmsDueDate
from courseway.orgs.models import Person

ASSIGNMENTS_AT_ONCE = 50


def settle(*, now: datetime) -> int:
    """Complete what is due and release what waits for nobody. Returns how many submissions changed."""
    weigh_by_lms_dates(now=now)
    return complete_overdue(now=now) + release_waiting(now=now)


def weigh_by_lms_dates(*, now: datetime) -> int:
    """Weigh anew the late work of assignments whose due dates the LMS changed, or whose course takes them or does not
    take them any more. Returns how many dates there were."""
    dates = list(list_to_weigh().select_related("resource_link__assignment__course", "person")[:ASSIGNMENTS_AT_ONCE])
    for date in dates:
        assignment = date.resource_link.assignment
        if assignment is not None and assignment.late_percent:
            weigh_again(assignment, None if date.person is None else [date.person], now=now)
        is_counted = assignment is not None and not assignment.course.ignore_lms_due_dates
        LmsDueDate.objects.filter(pk=date.pk, due_at=date.due_at, source=date.source).update(counted=is_counted)
    return len(dates)


def complete_overdue(*, now: datetime) -> int:
    """Hand in, with the answers saved so far, work that was begun before a due date that has passed.

    Work without any answer stays open, and so does work begun or reopened after the date: it is late, not lost. A
    student who has more time is waited for.
    """
    more_time = Extension.objects.filter(assignment=OuterRef("assignment"), person=OuterRef("person"))
    due_at = Coalesce(own_date(), common_date(), F("assignment__due_at"))
    passed = LmsDueDate.objects.filter(resource_link__assignment=OuterRef("assignment"), due_at__lte=now)
    overdue = Submission.objects.filter(
        Q(assignment__due_at__lte=now) | Exists(passed),  # few enough to look at each closely
        ~Exists(more_time.filter(due_at__gt=now)),
        completed_at=None,
        reopened_at=None,
    )
    overdue = (
        overdue.annotate(due_at=due_at)
        .filter(
            due_at__lte=now,
            started_at__lt=Greatest(F("due_at"), Coalesce(Subquery(more_time.values("due_at")[:1]), F("due_at"))),
        )
        .filter(Exists(Attempt.objects.filter(submission=OuterRef("pk"), submitted_at=None).exclude(answers={})))
    )
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
