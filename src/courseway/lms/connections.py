"""What a course has to do with LMSs: since when, through which LMS courses, and when somebody last came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.lms.models import Context, CourseContext, Launch, ResourceLink
from courseway.lms.resolve import COPY
from courseway.lms.rule_words import CERTAIN_RULES
from courseway.orgs.models import Person

PROPOSALS = 3


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
    links = (
        ResourceLink.objects.filter(context=OuterRef("context"), assignment__course=OuterRef("course"))
        .order_by()
        .values("context")
    )
    return (
        with_last_launch(CourseContext.objects.filter(course=course))
        .annotate(
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


def with_last_launch(connections: QuerySet[CourseContext]) -> QuerySet[CourseContext]:
    """With `launched_at` and all that is shown of an LMS course."""
    launches = Launch.objects.filter(
        context=OuterRef("context"), course=OuterRef("course"), outcome=Launch.Outcome.OK
    ).order_by("-pk")
    return connections.select_related("course", "context__deployment__platform").annotate(
        launched_at=Subquery(launches.values("at")[:1])
    )


def needs_review(connection: CourseContext) -> bool:
    """True for what was matched by what the LMS sends, and nobody looked at yet."""
    return connection.accepted_at is None and connection.rule not in CERTAIN_RULES


def list_to_review(connections: QuerySet[CourseContext]) -> QuerySet[CourseContext]:
    return connections.filter(accepted_at=None).exclude(rule__in=CERTAIN_RULES)


def count_to_review(course: Course) -> int:
    return list_to_review(CourseContext.objects.filter(course=course)).count()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a copied course comes from; `context` is the LMS course whose launch made it, if one did."""

    parent: Course
    context: Context | None


def describe_origin(course: Course) -> Origin | None:
    """The parent and the launch that made this course; None for a course that is no copy."""
    if course.parent is None:
        return None
    made = CourseContext.objects.filter(course=course, rule=COPY).select_related("context__deployment__platform")
    connection = made.order_by("pk").first()
    return Origin(course.parent, connection.context if connection else None)


def list_own_lms_urls(persons: Iterable[int], courses: Iterable[int]) -> dict[tuple[int, int], str]:
    """The address of the LMS course by which each person comes to each course, where it has one of its own (D2).

    By (course, person), in one statement; everybody else is led to the course's `lms_url`.
    """
    connections = CourseContext.objects.filter(
        course__in=courses, context__memberships__person__in=persons, context__memberships__active=True
    ).exclude(lms_url="")
    found = connections.order_by("pk").values_list("course", "context__memberships__person", "lms_url")
    return {(course, person): url for course, person, url in found}


def list_proposed_urls(course: Course) -> list[str]:
    """What the launches of its LMS courses suggest as the Course LMS URL, the first LMS course's at the front."""
    guessed = CourseContext.objects.filter(course=course).exclude(context__guessed_url="")
    found = guessed.order_by("-is_first", "pk").values_list("context__guessed_url", flat=True)
    return list(dict.fromkeys(found[:PROPOSALS]))


def find_lms_url(course: Course, person: Person | None) -> str:
    """Where this person starts new work of the course; empty if nobody said where."""
    own = list_own_lms_urls([person.pk], [course.pk]) if person else {}
    return next(iter(own.values()), course.lms_url)


def _count(rows: QuerySet[CourseContext] | QuerySet[Assignment] | QuerySet[Enrollment]) -> Coalesce:
    counted = rows.filter(course=OuterRef("pk")).order_by().values("course").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
