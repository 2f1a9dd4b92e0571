"""The events of deliveries: a grade that the LMS took, and one that got stuck, so that somebody should know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from courseway.courses.models import Assignment
from courseway.events.kinds import Kind
from courseway.events.recording import Happening, as_number, describe_row, record_all
from courseway.grades.models import Delivery


def record_sent(deliveries: Collection[Delivery], *, now: datetime) -> None:
    """`deliveries` as they were when their tries began."""
    _record(((delivery, Kind.GRADE_SENT, {}) for delivery in deliveries), now)


def record_failed(delivery: Delivery, state: str, code: str, *, now: datetime) -> None:
    """Once for each grade that gets stuck, not for each try. The words of the LMS stay here: they may name people."""
    if state == Delivery.State.WAITING or delivery.state == state:
        return
    if Delivery.objects.filter(pk=delivery.pk, state=state).exists():  # else a newer grade is on its way already
        _record([(delivery, Kind.GRADE_FAILED, {"state": str(state), "code": code})], now)


def _record(found: Iterable[tuple[Delivery, Kind, dict[str, str]]], now: datetime) -> None:
    happenings: dict[int, list[Happening]] = defaultdict(list)
    for delivery, kind, more in found:
        assignment: Assignment = delivery.assignment
        platform = delivery.platform
        data = {
            "course": describe_row(assignment.course),
            "assignment": describe_row(assignment),
            "platform": {"id": platform.public_id, "name": str(platform)},
            "percent": as_number(delivery.tried_percent),
            **more,
        }
        happenings[delivery.organization_id].append(Happening(kind, data, delivery.person_id))
    for organization_pk, of_one in happenings.items():
        record_all(organization_pk, of_one, now=now)
