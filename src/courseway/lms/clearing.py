"""What launches leave behind is forgotten after a while: rows of the launch log, notices, selections, used codes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Max, OuterRef, Subquery

from courseway.lms.models import Launch, Notice, PendingSelection, Platform, UsedTabCode
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
    return delete_walking(Launch.objects.all(), before=before, find_needed=_Needed(before).find, is_over=is_over)


class _Needed:
    """Which launches stay. What is the newest of a place is asked once for each place, and remembered for the walk."""

    def __init__(self, before: datetime) -> None:
        self._before = before
        self._newest: dict[_Place, int] = {}
        self._seen: dict[str, set[int]] = {"platform": set(), "context": set(), "course": set()}

    def find(self, pks: list[int]) -> set[int]:
        rows = list(Launch.objects.filter(pk__in=pks).exclude(outcome=Launch.Outcome.REFUSED).defer("detail"))
        self._ask_for("platform", {row.platform_id for row in rows})
        self._ask_for("context", {row.context_id for row in rows})
        self._ask_for("course", {row.course_id for row in rows})
        last = {row.pk for row in rows if any(self._newest.get(place) == row.pk for place in _places_of(row))}
        return last | self._find_repeated(rows)

    def _ask_for(self, kind: str, wanted: set[int | None]) -> None:
        new = {pk for pk in wanted if pk is not None} - self._seen[kind]
        self._seen[kind] |= new
        if not new:
            return
        if kind == "platform":  # it has an index that leads to the newest one
            accepted = Launch.objects.filter(platform=OuterRef("pk")).exclude(outcome=Launch.Outcome.REFUSED)
            newest = Subquery(accepted.order_by("-pk").values("pk")[:1])
            found = Platform.objects.filter(pk__in=new).annotate(newest=newest).values_list("pk", "newest")
            self._newest.update({(kind, pk, 0): at for pk, at in found})
            return
        accepted = Launch.objects.filter(**{f"{kind}__in": new}).exclude(outcome=Launch.Outcome.REFUSED).order_by()
        for one, assignment, outcome, pk in accepted.values_list(kind, "assignment", "outcome").annotate(Max("pk")):
            is_opened = outcome == Launch.Outcome.OK
            places: list[_Place] = [(kind, one, 0)] if kind == "context" or is_opened else []
            if kind == "context" and is_opened and assignment:
                places.append(("link", one, assignment))
            for place in places:
                self._newest[place] = max(pk, self._newest.get(place, 0))

    def _find_repeated(self, rows: list[Launch]) -> set[int]:
        """Those whose message newer launches only repeated: `sent_messages.find_same_message` looks for it."""
        told = [row for row in rows if row.message and row.outcome == Launch.Outcome.OK and row.person_id]
        repeating = Launch.objects.filter(
            person__in={row.person_id for row in told}, outcome=Launch.Outcome.OK, message="", at__gte=self._before
        )
        found = set(repeating.order_by().values_list("person", "platform", "course", "assignment").distinct())
        return {row.pk for row in told if (row.person_id, row.platform_id, row.course_id, row.assignment_id) in found}


# Kind, key, and for a link its assignment.
_Place = tuple[str, int, int]


def _places_of(row: Launch) -> list[_Place]:
    places: list[_Place] = [("platform", row.platform_id or 0, 0), ("context", row.context_id or 0, 0)]
    if row.outcome == Launch.Outcome.OK:
        places += [("course", row.course_id or 0, 0), ("link", row.context_id or 0, row.assignment_id or 0)]
    return places


def clear_notices(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Those that were acted on; one that waits stays, however old it is."""
    old = Notice.objects.filter(received_at__lt=now - NOTICES_KEPT, next_try_at=None)
    return delete_batches(old, is_over=is_over)


def clear_selections(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """They hold a whole message, encrypted, until somebody chose; nobody can any more."""
    return delete_batches(PendingSelection.objects.filter(expires_at__lt=now - SELECTIONS_KEPT), is_over=is_over)


def clear_used_codes(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(UsedTabCode.objects.filter(used_at__lt=now - CODES_KEPT), is_over=is_over)
