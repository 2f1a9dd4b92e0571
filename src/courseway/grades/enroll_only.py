"""Courses that only enroll: what is on its way when the switch is turned (F4)."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from courseway.courses.models import Assignment, Course
from courseway.grades.models import Delivery
from courseway.lms.settings_questions import GradeCounts

_ON_THE_WAY = (Delivery.State.WAITING, Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)


def count_grades(course: Course) -> GradeCounts:
    """The grades of the course that an LMS has not got yet, and those that it has; one statement."""
    deliveries = Delivery.objects.filter(assignment__course=course, platform__revoked_at=None)
    counted = deliveries.aggregate(
        waiting=Count("pk", filter=Q(state__in=_ON_THE_WAY)),
        sent=Count("pk", filter=~Q(state__in=_ON_THE_WAY)),
    )
    return GradeCounts(counted["waiting"], counted["sent"])


def without_enroll_only(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Those that may leave. As a subquery, so that whoever locks deliveries locks no course."""
    withheld = Assignment.objects.filter(pk=OuterRef("assignment"), course__enroll_only=True)
    return deliveries.exclude(Exists(withheld))
