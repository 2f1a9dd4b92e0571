"""What the LMS is owed, for scripts; and delivering it now, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict

from django.db import connection, transaction
from django.db.models import F, Q

from courseway.courses.models import Assignment
from courseway.database_clock import DatabaseClock
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.enroll_only import without_enroll_only
from courseway.grades.models import Delivery
from courseway.orgs.models import Organization, Person

# `drain --until-empty` tries what failed again so soon, whatever its back-off says; 5 s are promised.
TRY_AGAIN_SECONDS = 3.0
# And so often what needs somebody, who may have mended it meanwhile.
ROUNDS_OF_STUCK = 2


class Drained(TypedDict):
    """`sent` and `failed` count what this call did; `waiting` everything that still waits."""

    sent: int
    failed: int
    waiting: int


def list_deliveries(
    *,
    organization: Organization | None = None,
    state: str = "",
    assignment: Assignment | None = None,
    person: Person | None = None,
) -> list[Delivery]:
    """Deliveries with what their JSON needs, oldest first. What is left out does not narrow."""
    narrowed = {"organization": organization, "state": state, "assignment": assignment, "person": person}
    return list(
        Delivery.objects.select_related("person", "assignment", "platform")
        .filter(**{name: value for name, value in narrowed.items() if value})
        .order_by("pk")
    )


def deliveries_as_json(
    organization: Organization | None = None, state: str = "", *, assignment: Assignment | None = None
) -> list[dict[str, Any]]:
    found = list_deliveries(organization=organization, state=state, assignment=assignment)
    return [delivery_as_json(delivery) for delivery in found]


def delivery_as_json(delivery: Delivery) -> dict[str, Any]:
    """One entry of `courseway deliveries`: percentages as numbers, times as ISO 8601 in UTC."""
    return {
        "id": delivery.pk,
        "person": delivery.person.shown_name,
        "person_id": delivery.person.public_id,
        "assignment": delivery.assignment.title,
        "assignment_id": delivery.assignment.public_id,
        "platform": str(delivery.platform),
        "state": delivery.state,
        "wanted_percent": _as_number(delivery.wanted_percent),
        "sent_percent": _as_number(delivery.sent_percent),
        "tries": delivery.tries,
        "next_try_at": delivery.next_try_at.isoformat() if delivery.next_try_at else None,
        "last_error": delivery.last_error,
    }


def _as_number(percent: Decimal | None) -> float | None:
    return None if percent is None else round(float(percent), 4)


def drain(
    *,
    until_empty: bool = False,
    timeout: float | None = None,
    now_fn: Callable[[], datetime] | None = None,
    limits: Limits | None = None,
) -> Drained:
    """Deliver what is due now; with `until_empty` go on until nothing waits, or `timeout` seconds are over.

    Then the next tries of what failed are not waited for longer than some seconds, unless the LMS asked for it.
    """
    now_fn = now_fn or DatabaseClock()
    until = None if timeout is None else time.monotonic() + timeout
    dispatcher = Dispatcher(limits, clock=now_fn, gives_up=not until_empty)
    rounds, last_round_at = 0, 0.0
    try:
        while True:
            includes_stuck = rounds < ROUNDS_OF_STUCK and time.monotonic() - last_round_at >= TRY_AGAIN_SECONDS
            if until_empty:
                _make_due(now_fn(), includes_stuck=includes_stuck)
                if includes_stuck:
                    rounds, last_round_at = rounds + 1, time.monotonic()
            deliver_what_is_due(dispatcher=dispatcher, until=until)
            is_over = until is not None and time.monotonic() >= until
            if not until_empty or is_over or not _is_anything_left(includes_stuck=rounds < ROUNDS_OF_STUCK):
                break
            time.sleep(0.2 if until is None else max(0.0, min(0.2, until - time.monotonic())))
    finally:
        dispatcher.close()
    failed = Delivery.objects.filter(
        pk__in=dispatcher.unsent, state__in=(Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)
    ).count()
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING).count()
    return Drained(sent=dispatcher.sent, failed=failed, waiting=waiting)


def _make_due(now: datetime, *, includes_stuck: bool) -> None:
    """Bring the next tries forward: not of what is being sent, not before the LMS allows, not over an old request."""
    is_allowed = Q(not_before_at=None) | Q(not_before_at__lte=now)
    is_quiet = Q(quiet_until=None) | Q(quiet_until__lte=now) | Q(wanted_version=F("tried_version"))
    rested = Q(last_timestamp_at=None) | Q(last_timestamp_at__lte=now - timedelta(seconds=TRY_AGAIN_SECONDS))
    backing_off = Delivery.objects.filter(is_allowed, is_quiet, rested, lease_token="", next_try_at__gt=now)
    if not includes_stuck:
        backing_off = backing_off.filter(state=Delivery.State.WAITING)
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            backing_off = backing_off.select_for_update(skip_locked=True)
        Delivery.objects.filter(pk__in=backing_off.values("pk"), lease_token="").update(next_try_at=now)


def _is_anything_left(*, includes_stuck: bool) -> bool:
    left = Q(state=Delivery.State.WAITING)
    if includes_stuck:
        left |= Q(next_try_at__isnull=False)
    return without_enroll_only(Delivery.objects.filter(left)).exists()
