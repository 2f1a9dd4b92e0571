"""What launches leave behind is forgotten after a while: rows of the launch log, notices, selections, used codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Subquery

from courseway.lms.models import Launch, Notice, PendingSelection, UsedTabCode
from courseway.lms.notices import KEPT as NOTICES_KEPT
from courseway.old_rows import delete_batches, delete_walking

# Longer than they live (`selection.LIFETIME`, `new_tab.LIFETIME`), so that a late click is told so.
SELECTIONS_KEPT = timedelta(days=1)
CODES_KEPT = timedelta(days=1)


def clear_launches(*, before: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Forget the launches before `before`, except those that a page still needs. Returns how many went.

    Kept are the last one of each platform, LMS course, link and course, which pages show as such and by which an LMS
    counts as connected, and the one whose message newer ones only repeated. `before` has to be longer ago than a
    message of a platform is valid (`settings.SHORTEST_LAUNCH_LOG_DAYS`), since the log guards against replays.
    """
    return delete_walking(
        Launch.objects.all(), before=before, find_needed=lambda pks: _find_needed(pks, before), is_over=is_over
    )


def _find_needed(pks: list[int], before: datetime) -> set[int]:
    """Which launches stay. Of each one is asked for the newest that stands in its place: an index leads there from the
    newest of all, or from those of the place, whichever are fewer."""
    accepted = Launch.objects.exclude(outcome=Launch.Outcome.REFUSED)
    newer = accepted.filter(pk__gt=OuterRef("pk")).order_by("-pk").values("pk")
    opened = newer.filter(outcome=Launch.Outcome.OK)
    context = OuterRef("context")
    rows = list(
        accepted.filter(pk__in=pks)
        .defer("detail")
        .annotate(
            next_of_platform=Subquery(newer.filter(platform=OuterRef("platform"))[:1]),
            next_of_context=Subquery(newer.filter(context=context)[:1]),
            next_of_course=Subquery(opened.filter(course=OuterRef("course"))[:1]),
            next_of_link=Subquery(opened.filter(context=context, assignment=OuterRef("assignment"))[:1]),
        )
    )
    return {row.pk for row in rows if _is_last(row)} | _find_repeated(rows, before)


def _is_last(row: Any) -> bool:
    """Whether it is the last one of its platform or LMS course, or, if it opened something, of that."""
    is_last = (row.platform_id and row.next_of_platform is None) or (row.context_id and row.next_of_context is None)
    if row.outcome != Launch.Outcome.OK:
        return bool(is_last)
    is_last_of_link = row.context_id and row.assignment_id and row.next_of_link is None
    return bool(is_last or is_last_of_link or (row.course_id and row.next_of_course is None))


def _find_repeated(rows: Sequence[Launch], before: datetime) -> set[int]:
    """Those whose message newer launches only repeated: `sent_messages.find_same_message` looks for it."""
    told = [row for row in rows if row.message and row.outcome == Launch.Outcome.OK and row.person_id]
    repeating = Launch.objects.filter(
        person__in={row.person_id for row in told}, outcome=Launch.Outcome.OK, message="", at__gte=before
    )
    found = set(repeating.order_by().values_list("person", "platform", "course", "assignment").distinct())
    return {row.pk for row in told if (row.person_id, row.platform_id, row.course_id, row.assignment_id) in found}


def clear_notices(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Those that were acted on; one that waits stays, however old it is."""
    old = Notice.objects.filter(received_at__lt=now - NOTICES_KEPT, next_try_at=None)
    return delete_batches(old, is_over=is_over)


def clear_selections(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """They hold a whole message, encrypted, until somebody chose; nobody can any more."""
    return delete_batches(PendingSelection.objects.filter(expires_at__lt=now - SELECTIONS_KEPT), is_over=is_over)


def clear_used_codes(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(UsedTabCode.objects.filter(used_at__lt=now - CODES_KEPT), is_over=is_over)
