"""What launches leave behind is forgotten after a while: rows of the launch log, notices, selections, used codes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

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
    return delete_walking(Launch.objects.all(), before=before, needed=_still_needed(before), is_over=is_over)


def _still_needed(before: datetime) -> Q:
    newer = Launch.objects.filter(pk__gt=OuterRef("pk")).order_by()
    accepted, opened = newer.exclude(outcome=Launch.Outcome.REFUSED), newer.filter(outcome=Launch.Outcome.OK)
    is_last_accepted = Q(platform__isnull=False) & ~Exists(accepted.filter(platform=OuterRef("platform"))) | Q(
        context__isnull=False
    ) & ~Exists(accepted.filter(context=OuterRef("context")))
    at_the_link = opened.filter(context=OuterRef("context"), assignment=OuterRef("assignment"))
    is_last_opened = Q(course__isnull=False) & ~Exists(opened.filter(course=OuterRef("course"))) | Q(
        context__isnull=False, assignment__isnull=False
    ) & ~Exists(at_the_link)
    # `sent_messages.find_same_message` looks for it.
    repeated = opened.filter(person=OuterRef("person"), platform=OuterRef("platform"), message="", at__gte=before)
    is_repeated = Exists(repeated.filter(assignment=OuterRef("assignment"))) | (
        Q(assignment__isnull=True) & Exists(repeated.filter(assignment__isnull=True, course=OuterRef("course")))
    )
    return (
        ~Q(outcome=Launch.Outcome.REFUSED) & is_last_accepted
        | Q(outcome=Launch.Outcome.OK) & is_last_opened
        | Q(outcome=Launch.Outcome.OK) & ~Q(message="") & is_repeated
    )


def clear_notices(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Those that were acted on; one that waits stays, however old it is."""
    old = Notice.objects.filter(received_at__lt=now - NOTICES_KEPT, next_try_at=None)
    return delete_batches(old, is_over=is_over)


def clear_selections(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """They hold a whole message, encrypted, until somebody chose; nobody can any more."""
    return delete_batches(PendingSelection.objects.filter(expires_at__lt=now - SELECTIONS_KEPT), is_over=is_over)


def clear_used_codes(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(UsedTabCode.objects.filter(used_at__lt=now - CODES_KEPT), is_over=is_over)
