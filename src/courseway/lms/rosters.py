"""Rosters: when the list of a context's members is read. What follows from it is `roster_changes.py`.

Never on the way of a launch. The worker looks through the launch log for teachers who came from an LMS that lists
members; their contexts' rows come due, and whoever claims one reads all pages before anything changes. A list of
which a page failed changes nothing.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import F, Max, QuerySet
from django.utils import timezone

from courseway import outbound, secrets_box
from courseway.courses.models import Role
from courseway.leases import claim
from courseway.lms.models import Context, ContextRoster, Launch, RosterCursor
from courseway.lms.roster_changes import Changes, apply_roster
from courseway.lms.roster_reading import ReadRoster, read_groups, read_members
from courseway.lms.sections import store_groups
from ltikit.errors import LtiError, ServiceError, ServiceNotFoundError, ServiceRejectedError

logger = logging.getLogger(__name__)

LEASE_SECONDS = 120.0  # for each page; a reading of many pages renews it
# After a reading the LMS is left in peace for twenty times as long as it took.
SHORTEST_REST = timedelta(seconds=5)
REST_FACTOR = 20
# Without anybody asking: once a day, as long as a teacher came in the last weeks. Changes alone are enough for a week.
ROUTINE = timedelta(days=1)
ROUTINE_ENDS = timedelta(days=60)
DIFFERENCES_FOR = timedelta(days=6)
# After failures: seconds, then hours; a teacher's next launch begins anew.
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 6 * 3600.0
MOST_TRIES = 16
# Launches whose transaction was still open when the log was looked through last have lower numbers than its newest.
OVERLAP = 200


def want_rosters(*, now: datetime) -> int:
    """Find teachers' launches since the last call; the rosters of their contexts come due. Returns how many."""
    cursor, _is_new = RosterCursor.objects.get_or_create(pk=1)
    newest = Launch.objects.aggregate(newest=Max("pk"))["newest"] or 0
    if newest <= cursor.last_launch:
        return 0
    since = Launch.objects.filter(
        pk__gt=cursor.last_launch - OVERLAP, role=Role.TEACHER, outcome=Launch.Outcome.OK, context__isnull=False
    ).exclude(context__roster_url="")
    found = dict(since.order_by().values_list("context").annotate(at=Max("at")))
    wanted = sum(want_roster(context, at=at, now=now) for context, at in found.items())
    RosterCursor.objects.filter(pk=1, last_launch__lt=newest).update(last_launch=newest)
    return wanted


def want_roster(context_pk: int, *, at: datetime, now: datetime) -> bool:
    """The roster of the context is to be read because of something that happened at `at`. True if that is news."""
    roster, is_new = ContextRoster.objects.get_or_create(
        context_id=context_pk, defaults={"wanted_at": at, "next_try_at": now}
    )
    if is_new:
        return True
    news = ContextRoster.objects.filter(pk=roster.pk, wanted_at__lt=at)
    due_at = max(now, roster.rest_until or now)
    # Whoever reads it at this moment sees by `wanted_at` that it has to be read once more.
    return bool(
        news.filter(lease_token="").update(wanted_at=at, tries=0, next_try_at=due_at) or news.update(wanted_at=at)
    )


def list_rosters(course_pk: int) -> QuerySet[Context]:
    """The contexts of a course whose LMS lists its members."""
    return (
        Context.objects.filter(course_contexts__course=course_pk, deployment__platform__revoked_at=None)
        .exclude(roster_url="")
        .select_related("deployment__platform", "roster")
    )


def read_due_rosters(*, clock: Callable[[], datetime] = timezone.now, limit: int = 1) -> int:
    """Claim rosters that are due and read them, one after the other. Returns how many."""
    due = ContextRoster.objects.filter(context__deployment__platform__revoked_at=None).select_related(
        "context__deployment__platform__registration", "context__deployment__platform__consumer_key"
    )
    taken = claim(due, now=clock(), lease_seconds=LEASE_SECONDS, limit=limit, also_set={"tries": F("tries") + 1})
    for roster in taken:
        _read(roster, clock)
    return len(taken)


class _LostError(Exception):
    """Another worker holds the roster now: this one was too slow."""


def _read(roster: ContextRoster, clock: Callable[[], datetime]) -> None:
    began_at, begun = clock(), time.monotonic()
    context = roster.context
    held = ContextRoster.objects.filter(pk=roster.pk, lease_token=roster.lease_token)
    held.update(began_at=began_at, pages_read=0, members_read=0)

    def progress(pages: int, members: int) -> None:
        leased_until = clock() + timedelta(seconds=LEASE_SECONDS)
        if not held.update(pages_read=pages, members_read=members, next_try_at=leased_until):
            raise _LostError

    try:
        differences_url = roster.differences_url if _may_read_differences(roster, began_at) else ""
        try:
            found = read_members(context, differences_url=differences_url, now=began_at, progress=progress)
        except (ServiceRejectedError, ServiceNotFoundError):
            if not differences_url:
                raise
            differences_url = ""  # the LMS does not know any more since when we ask
            found = read_members(context, differences_url="", now=began_at, progress=progress)
        changes = apply_roster(
            context,
            found.members,
            # Nobody has left because of a list that cannot be read whole, or that names nobody at all.
            is_whole=not differences_url and not found.unreadable and bool(found.members),
            began_at=began_at,
            now=clock(),
        )
        _read_groups(context, found, is_whole=not differences_url, now=clock())
    except _LostError:
        return
    except (ServiceError, outbound.OutboundError, secrets_box.SecretUnreadableError) as error:
        _store_failure(roster, error, began_at=began_at, now=clock())
    else:
        took = timedelta(seconds=time.monotonic() - begun)
        _store(roster, found, changes, is_whole=not differences_url, began_at=began_at, took=took, now=clock())


def _may_read_differences(roster: ContextRoster, now: datetime) -> bool:
    """Not where there are groups: who changed groups alone is in no list of differences."""
    is_fresh = roster.whole_at is not None and now - roster.whole_at < DIFFERENCES_FOR
    return is_fresh and roster.differences_url != "" and roster.error_code == "" and not roster.context.groups_url


def _read_groups(context: Context, found: ReadRoster, *, is_whole: bool, now: datetime) -> None:
    """Groups are an extra: an LMS that fails to list them has listed its members nevertheless."""
    try:
        groups, sets = read_groups(context, now=now) if context.groups_url else ([], {})
    except (LtiError, outbound.OutboundError) as error:
        logger.info("The groups of context %s could not be read: %s", context.pk, type(error).__name__)
        return
    store_groups(context, found.members, groups, sets, is_whole=is_whole, now=now)


def _store(
    roster: ContextRoster,
    found: ReadRoster,
    changes: Changes,
    *,
    is_whole: bool,
    began_at: datetime,
    took: timedelta,
    now: datetime,
) -> None:
    rest_until = now + max(SHORTEST_REST, REST_FACTOR * took)
    values = {
        "tries": 0,
        "rest_until": rest_until,
        "read_at": now,
        "came": changes.came,
        "left": changes.left,
        "differences_url": found.differences_url,
        "error_code": "",
        "error_words": "",
        **({"whole_at": began_at, "members": len(found.members)} if is_whole else {}),
    }
    _give_back(roster, began_at, again_at=rest_until, routine_at=now + ROUTINE, values=values)


def _store_failure(roster: ContextRoster, error: Exception, *, began_at: datetime, now: datetime) -> None:
    code = getattr(error, "code", "") or ("secret_unreadable" if not _is_outbound(error) else "no_answer")
    words = getattr(error, "detail", "") or str(error)
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(roster.tries - 1, 20))
    # Not a secret: it only spreads tries that failed together.
    wait = max(wait * (0.75 + 0.5 * random.random()), getattr(error, "retry_after", None) or 0.0)  # noqa: S311
    again_at = now + timedelta(seconds=min(wait, 24 * 3600.0))
    values = {"error_code": code[:40], "error_words": words.replace("\0", "")[:1000], "rest_until": again_at}
    retry_at = again_at if roster.tries < MOST_TRIES else None
    _give_back(roster, began_at, again_at=again_at, routine_at=retry_at, values=values)


def _is_outbound(error: Exception) -> bool:
    return isinstance(error, outbound.OutboundError)


def _give_back(
    roster: ContextRoster,
    began_at: datetime,
    *,
    again_at: datetime,
    routine_at: datetime | None,
    values: dict[str, object],
) -> None:
    """Store what became of a reading under its lease; who asked while it was under way is answered by another one."""
    held = ContextRoster.objects.filter(pk=roster.pk, lease_token=roster.lease_token)
    is_attended = began_at - roster.wanted_at < ROUTINE_ENDS
    following = routine_at if is_attended else None
    if not held.filter(wanted_at__lte=began_at).update(lease_token="", next_try_at=following, **values):
        held.update(lease_token="", next_try_at=again_at, **values)
