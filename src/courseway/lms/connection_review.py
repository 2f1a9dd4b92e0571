"""What a teacher or owner may do about the match of an LMS course: accept it, change it, undo it.

Links that name an assignment by its own URL are beyond this: they open that assignment for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from courseway.courses.models import Assignment, Course, Enrollment
from courseway.lms.models import (
    Arrival,
    ContextMembership,
    CourseContext,
    CourseIdentity,
    Platform,
    ResourceLink,
)
from courseway.lms.resolve import CHOSEN, NAMES_ASSIGNMENT, name_context
from courseway.orgs.models import Person


class MoveError(ValueError):
    """The LMS course cannot be led there."""


@dataclass(frozen=True, slots=True)
class Change:
    """How much was changed. `people` came from nowhere else and are inactive in the course now."""

    connections: int
    links: int
    people: int


def list_same_identity(connection: CourseContext) -> QuerySet[CourseContext]:
    """The connection and those that the LMS says are the same course: sections with one source id."""
    same = Q(pk=connection.pk)
    if connection.identity:
        same |= Q(
            course=connection.course_id,
            identity=connection.identity,
            context__deployment__platform=connection.context.deployment.platform_id,
        )
    return CourseContext.objects.filter(same).select_related("context__deployment").order_by("pk")


def accept(connection: CourseContext, *, now: datetime) -> None:
    """Somebody looked at the match and agrees."""
    if connection.accepted_at is None:
        connection.accepted_at = now
        connection.save(update_fields=["accepted_at"])


@transaction.atomic
def forget(connection: CourseContext, *, by: Person | None) -> Change:
    """Undo the match: the next launch is resolved as if the LMS course had never been seen.

    All sections of the same identity go together, since any of them would lead the next launch here again. Work and
    grades stay; `by` keeps the own rights.
    """
    _take_turns(connection)
    gone = list(list_same_identity(connection))
    contexts = [one.context_id for one in gone]
    links = ResourceLink.objects.filter(context__in=contexts, assignment__course=connection.course_id)
    count = links.update(assignment=None, rule="", target="")
    _forget_arrivals(connection.course_id, contexts)
    people = _withdraw_people(gone, by)
    _forget_identities(connection, gone)
    _let_another_be_first(connection.course_id, [one.pk for one in gone])
    return Change(len(gone), count, people)


@transaction.atomic
def move(connection: CourseContext, course: Course, *, by: Person | None, now: datetime) -> Change:
    """Lead the LMS course, and all sections of its identity, to another course of the same organization.

    Its links open the same content there; those whose content it does not have are resolved anew.
    """
    if course.pk == connection.course_id:
        raise MoveError("the same course")
    if course.organization_id != connection.course.organization_id:
        raise MoveError("another organization")
    _take_turns(connection)
    gone = list(list_same_identity(connection))
    contexts = [one.context_id for one in gone]
    count = _lead_links(connection.course_id, contexts, course)
    _forget_arrivals(connection.course_id, contexts)
    people = _withdraw_people(gone, by)
    _forget_identities(connection, gone)
    _let_another_be_first(connection.course_id, [one.pk for one in gone])
    for one in gone:
        _connect(one, course, now)
    if connection.identity:
        CourseIdentity.objects.update_or_create(
            platform_id=connection.context.deployment.platform_id,
            identity=connection.identity,
            defaults={"course": course, "rule": CHOSEN, "created_at": now},
        )
    return Change(len(gone), count, people)


def _take_turns(connection: CourseContext) -> None:
    """Launches that make copies lock their platform too (`copies.make_child`)."""
    Platform.objects.select_for_update(no_key=True).get(pk=connection.context.deployment.platform_id)


def _forget_arrivals(course: int, contexts: list[int]) -> None:
    """No later launch is taken for the same as the last one (`arrivals.repeat_arrival`)."""
    Arrival.objects.filter(course=course, context__in=contexts).update(fingerprint="")


def _withdraw_people(gone: list[CourseContext], by: Person | None) -> int:
    """People whom only these LMS courses brought are inactive in the course, with the rights that came with them."""
    course, contexts = gone[0].course_id, [one.context_id for one in gone]
    elsewhere = ContextMembership.objects.filter(context__course_contexts__course=course, active=True).exclude(
        context__in=contexts
    )
    return (
        Enrollment.objects.filter(
            course=course,
            active=True,
            person__context_memberships__context__in=contexts,
            # Whoever was here before the LMS course was connected did not come with it.
            created_at__gte=min(one.created_at for one in gone),
            pk__in=Enrollment.objects.filter(course=course)
            .exclude(person__in=elsewhere.values("person"))
            .exclude(person=by.pk if by else None)
            .values("pk"),
        )
        .order_by()
        .update(active=False, covers_whole_course=False)
    )


def _forget_identities(connection: CourseContext, gone: list[CourseContext]) -> None:
    platform = connection.context.deployment.platform_id
    stored = CourseIdentity.objects.filter(platform=platform, course=connection.course_id)
    names = {one.identity for one in gone} | {
        name_context(one.context.deployment.deployment_id, one.context.context_id) for one in gone
    }
    CourseContext.objects.filter(pk__in=[one.pk for one in gone]).delete()
    if CourseContext.objects.filter(course=connection.course_id, context__deployment__platform=platform).exists():
        stored = stored.filter(identity__in=names)
    stored.delete()


def _let_another_be_first(course: int, gone: list[int]) -> None:
    """Else the next LMS course, whichever it is, would get the rights of the first one (C5)."""
    connections = CourseContext.objects.filter(course=course).exclude(pk__in=gone)
    if not connections.filter(is_first=True).exists():
        oldest = connections.exclude(context__context_id="").order_by("pk").values("pk")[:1]
        CourseContext.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).update(is_first=True)


def _lead_links(course: int, contexts: list[int], target: Course) -> int:
    links = list(
        ResourceLink.objects.filter(context__in=contexts, assignment__course=course)
        .exclude(target__startswith=NAMES_ASSIGNMENT)
        .select_related("assignment")
        .order_by("pk")
    )
    there = dict(Assignment.objects.filter(course=target).values_list("content_id", "pk"))
    for link in links:
        link.assignment_id = there.get(link.assignment.content_id) if link.assignment else None
        if link.assignment_id is None:
            link.rule = link.target = ""
    ResourceLink.objects.bulk_update(links, ["assignment", "rule", "target"], batch_size=200)
    return len(links)


def _connect(gone: CourseContext, course: Course, now: datetime) -> None:
    has_first = CourseContext.objects.filter(course=course, is_first=True).exists()
    CourseContext.objects.update_or_create(
        course=course,
        context=gone.context,
        defaults={"identity": gone.identity, "rule": CHOSEN, "accepted_at": now, "lms_url": gone.lms_url},
        create_defaults={
            "identity": gone.identity,
            "rule": CHOSEN,
            "accepted_at": now,
            "lms_url": gone.lms_url,
            "created_at": now,
            "is_first": not has_first and bool(gone.context.context_id),
        },
    )
