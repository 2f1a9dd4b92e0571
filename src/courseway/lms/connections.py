"""What a course has to do with LMSs: since when, through which LMS courses, and when somebody last came."""

from __future__ import annotations

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.lms.models import CourseContext, Launch, ResourceLink


def list_with_activity(courses: QuerySet[Course]) -> QuerySet[Course]:
    """The courses with `launched_at`, `active_at`, `connection_count`, `assignment_count` and `student_count`.

    Counted in subqueries: joins would multiply each other.
    """
    launches = Launch.objects.filter(course=OuterRef("pk"), outcome=Launch.Outcome.OK).order_by("-pk")
    students = Enrollment.objects.filter(role=Role.STUDENT, active=True)
    return courses.annotate(
        launched_at=Subquery(launches.values("at")[:1]),
        connection_count=_count(CourseContext.objects.all()),
        assignment_count=_count(Assignment.objects.filter(deleted_at=None)),
        student_count=_count(students),
    ).annotate(active_at=Coalesce("launched_at", "created_at"))


def list_connections(course: Course) -> QuerySet[CourseContext]:
    """The LMS courses through which the course was opened, newest launch first, with their links and line items."""
    launches = Launch.objects.filter(
        context=OuterRef("context"), course=OuterRef("course"), outcome=Launch.Outcome.OK
    ).order_by("-pk")
    links = (
        ResourceLink.objects.filter(context=OuterRef("context"), assignment__course=OuterRef("course"))
        .order_by()
        .values("context")
    )
    return (
        CourseContext.objects.filter(course=course)
        .select_related("context__deployment__platform")
        .annotate(
            launched_at=Subquery(launches.values("at")[:1]),
            link_count=Coalesce(Subquery(links.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0),
            line_item_count=Coalesce(
                Subquery(
                    links.annotate(n=Count("pk", filter=~Q(lineitem_url=""))).values("n"), output_field=IntegerField()
                ),
                0,
            ),
        )
        .order_by("-is_first", "-pk")
    )


def say_rule(rule: str) -> str:
    """How a launch found its course, in a teacher's words."""
    words = {
        "assignment_address": _("by the LTI integration URL of an assignment"),
        "assignment_parameter": _("by the parameter assignment_id of the link"),
        "known_link": _("by a link that was known already"),
    }
    return words.get(rule) or rule.replace("_", " ")


def _count(rows: QuerySet[CourseContext] | QuerySet[Assignment] | QuerySet[Enrollment]) -> Coalesce:
    counted = rows.filter(course=OuterRef("pk")).order_by().values("course").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
