"""Due dates that the LMS sends (I3): with a launch, or with a line item; shown with their source.

A course may ignore them; then the assignments' own dates count. A student's own date of the LMS comes before that of
everybody. Where an assignment is linked in several LMS courses, each student has the date of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from courseway.courses.models import Assignment
from courseway.lms.models import ContextMembership, LmsDueDate
from ltikit.dates import DueDate

LINE_ITEM = "line item"


@dataclass(frozen=True, slots=True)
class LmsDate:
    """A due date and where it comes from: the LMS's name, and the variable."""

    at: datetime
    platform: str
    source: str


def store_due_dates(dates: Iterable[DueDate], *, link_pk: int, person_pk: int, now: datetime) -> None:
    """What a launch says about the due date of its link, in the place of what an earlier one said."""
    for date in dates:
        store_due_date(link_pk, person_pk if date.is_personal else None, date.at, source=date.source, now=now)


def store_due_date(link_pk: int, person_pk: int | None, at: datetime | None, *, source: str, now: datetime) -> None:
    before = LmsDueDate.objects.filter(resource_link=link_pk, person=person_pk).first()
    if before is None:
        if at is not None:
            row = LmsDueDate(resource_link_id=link_pk, person_id=person_pk, due_at=at, source=source, stated_at=now)
            LmsDueDate.objects.bulk_create([row], ignore_conflicts=True)
    elif (before.due_at, before.source) != (at, source):
        LmsDueDate.objects.filter(pk=before.pk).update(due_at=at, source=source, stated_at=now, counted=None)


def store_line_item_date(link_pk: int, at: datetime | None, *, now: datetime) -> None:
    """The end of a line item counts where no launch said more."""
    said = LmsDueDate.objects.filter(resource_link=link_pk, person=None).first()
    if said is None or said.source == LINE_ITEM:
        store_due_date(link_pk, None, at, source=LINE_ITEM, now=now)


def find_lms_dates(assignments: Collection[Assignment], persons: Collection[int]) -> dict[tuple[int, int], LmsDate]:
    """By (assignment, person), where the LMS sent a date and the course takes it. One statement where there is none."""
    dates = list(
        _concerning(LmsDueDate.objects.filter(resource_link__assignment__in=[one.pk for one in assignments]), persons)
        .select_related("resource_link__deployment__platform")
        .order_by("due_at")
    )
    if not dates:
        return {}
    contexts = {date.resource_link.context_id for date in dates if date.person_id is None}
    members = set(
        ContextMembership.objects.filter(context__in=contexts, person__in=persons).values_list(
            "context_id", "person_id"
        )
    )
    found: dict[tuple[int, int], LmsDate] = {}
    # The later of two dates counts: nobody is late in one LMS course because of another one.
    for date in sorted(dates, key=lambda one: one.person_id is not None):
        link = date.resource_link
        if date.due_at is None or link.assignment_id is None:
            continue
        shown = LmsDate(date.due_at, str(link.deployment.platform), date.source)
        people = [date.person_id] if date.person_id else [p for c, p in members if c == link.context_id]
        for person in people:
            found[link.assignment_id, person] = shown
    return found


def may_have_date(person: int) -> Exists:
    """In a query of assignments: False where `find_lms_dates` would find nothing for this person. Whether the course
    takes the dates of its LMSs is left to that, since nearly no assignment has one."""
    dates = LmsDueDate.objects.filter(resource_link__assignment=OuterRef("pk"), due_at__isnull=False)
    return Exists(dates.filter(_of([person])))


def _concerning(dates: QuerySet[LmsDueDate], persons: Collection[int]) -> QuerySet[LmsDueDate]:
    return _counting(dates).filter(_of(persons))


def _of(persons: Collection[int]) -> Q:
    return Q(person=None) | Q(person__in=persons)


def list_link_dates(assignment: Assignment) -> list[LmsDate]:
    """The dates of everybody that the LMSs sent for an assignment, the earliest first, each once."""
    dates = _counting(LmsDueDate.objects.filter(resource_link__assignment=assignment, person=None))
    shown = [
        LmsDate(date.due_at, str(date.resource_link.deployment.platform), date.source)
        for date in dates.select_related("resource_link__deployment__platform").order_by("due_at")
        if date.due_at is not None
    ]
    return list(dict.fromkeys(shown))


def own_date() -> Subquery:
    """In a query of rows with `assignment` and `person`: the person's own date of the LMS, null where there is none."""
    dates = _counting(LmsDueDate.objects.filter(resource_link__assignment=OuterRef("assignment")))
    return Subquery(dates.filter(person=OuterRef("person")).order_by("-due_at").values("due_at")[:1])


def common_date() -> Subquery:
    """The same for the date of everybody in the person's LMS courses."""
    dates = _counting(LmsDueDate.objects.filter(resource_link__assignment=OuterRef("assignment"), person=None))
    own = dates.filter(resource_link__context__memberships__person=OuterRef("person"))
    return Subquery(own.order_by("-due_at").values("due_at")[:1])


def _counting(dates: QuerySet[LmsDueDate]) -> QuerySet[LmsDueDate]:
    return dates.filter(due_at__isnull=False, resource_link__assignment__course__ignore_lms_due_dates=False)


def list_to_weigh() -> QuerySet[LmsDueDate]:
    """Dates that came, changed, or were switched on or off since grades were weighed by them."""
    is_ignored = F("resource_link__assignment__course__ignore_lms_due_dates")
    return LmsDueDate.objects.filter(resource_link__assignment__isnull=False).filter(
        Q(counted=None) | Q(counted=is_ignored)
    )
