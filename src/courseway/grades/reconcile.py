"""Comparing what the LMS holds with what it took from us (H4).

A grade that somebody changed in the LMS is shown and left as it is until a teacher decides: ours is sent, or theirs is
kept. A newer grade of ours waits for that decision too. What differs only by an LMS's rounding is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from courseway.grades.enroll_only import without_enroll_only
from courseway.grades.happenings import record_failed
from courseway.grades.hints import hint_workers
from courseway.grades.models import Delivery
from courseway.grades.outbox import resend
from courseway.grades.result_reading import Held, Reading
from courseway.grades.retry import HELD_CODES
from courseway.lms.models import ResourceLink

# Half a percent of the points: gradebooks keep whole points, or two decimals.
TOLERANCE = Decimal("0.005")
# What was sent so shortly before the reading began may not have been shown yet.
SETTLE = timedelta(seconds=30)
CHUNK = 500


@dataclass(slots=True)
class Counts:
    same: int = 0
    different: int = 0
    unseen: int = 0

    def add(self, other: Counts) -> None:
        self.same += other.same
        self.different += other.different
        self.unseen += other.unseen


def list_comparable(link: ResourceLink, *, begun_at: datetime) -> QuerySet[Delivery]:
    """Deliveries of the link of which the LMS surely has to show something: nothing is under way, or newly sent."""
    is_settled = Q(state__in=(Delivery.State.SENT, Delivery.State.UNCHANGED))
    is_held_back = Q(state=Delivery.State.NEEDS_TEACHER, last_error_code__in=HELD_CODES)
    sent = Delivery.objects.filter(resource_link=link, lease_token="", sent_at__lte=begun_at - SETTLE)
    return without_enroll_only(sent.filter(is_settled | is_held_back))


def compare(deliveries: Iterable[Delivery], reading: Reading, *, now: datetime) -> Counts:
    """Note on each delivery what differs. A row that changed since it was read is left for the next time."""
    counts = Counts()
    for delivery in deliveries:
        held = reading.held.get(delivery.person_id)
        if held is None and not reading.is_complete:
            continue
        if _agrees(held, delivery.sent_percent) or (
            delivery.held_at is not None and _agrees(held, delivery.wanted_percent)
        ):
            counts.same += 1
            if delivery.last_error_code in HELD_CODES:
                _agree(delivery, held, now)
        elif (held is None or held.score is None) and not reading.shows_grades:
            counts.unseen += 1
        elif delivery.is_lms_grade_kept:
            counts.same += 1  # the teacher's grade, changed once more
            _unchanged_since(delivery).update(**_held_fields(held, now), **_sent_fields(held))
        else:
            counts.different += 1
            _hold_back(delivery, held, now)
    return counts


def keep_lms_grades(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """The teacher says that the grades in the LMS stay as they are. Returns how many."""
    with transaction.atomic():
        chosen = _lock_held_back(deliveries)
        return Delivery.objects.filter(pk__in=chosen).update(
            state=Delivery.State.SENT,
            sent_score=F("held_score"),
            sent_maximum=Coalesce(F("held_maximum"), F("wanted_maximum")),
            sent_version=F("wanted_version"),
            tried_version=F("wanted_version"),
            is_lms_grade_kept=True,
            next_try_at=None,
            last_error_code="",
            last_error="",
        )


def send_ours(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """The teacher says that our grades replace those in the LMS. Returns how many."""
    with transaction.atomic():
        chosen = _lock_held_back(deliveries)
        return resend(Delivery.objects.filter(pk__in=chosen), now=now, overwrites=True)


def _lock_held_back(deliveries: QuerySet[Delivery]) -> list[int]:
    held_back = Delivery.objects.filter(
        pk__in=deliveries.order_by().values("pk"), state=Delivery.State.NEEDS_TEACHER, last_error_code__in=HELD_CODES
    )
    return list(held_back.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _agrees(held: Held | None, percent: Decimal | None) -> bool:
    fraction = held.fraction if held is not None else None
    if fraction is None or percent is None:
        return fraction is None and percent is None
    return abs(fraction - percent / 100) <= TOLERANCE


def _unchanged_since(delivery: Delivery) -> QuerySet[Delivery]:
    """The row, if nothing happened to it since it was read."""
    return Delivery.objects.filter(
        pk=delivery.pk, state=delivery.state, wanted_version=delivery.wanted_version, lease_token="", next_try_at=None
    )


def _held_fields(held: Held | None, now: datetime) -> dict[str, object]:
    score, maximum = (None, None) if held is None else (held.score, held.maximum)
    return {"held_score": score, "held_maximum": maximum, "held_at": now}


def _sent_fields(held: Held | None) -> dict[str, object]:
    if held is None or held.score is None:
        return {"sent_score": None}
    return {"sent_score": held.score, "sent_maximum": held.maximum}


def _hold_back(delivery: Delivery, held: Held | None, now: datetime) -> None:
    found = _held_fields(held, now)
    shown = Delivery(**found)
    code = "missing_in_lms" if held is None or held.score is None else "changed_in_lms"
    is_stored = _unchanged_since(delivery).update(
        state=Delivery.State.NEEDS_TEACHER, last_error_code=code, last_error=shown.held_words, **found
    )
    if is_stored:
        record_failed(delivery, Delivery.State.NEEDS_TEACHER, code, now=now)


def _agree(delivery: Delivery, held: Held | None, now: datetime) -> None:
    """Somebody put it right in the LMS: the wanted grade is there, or the one sent before, so that the newer may go."""
    settled = {"held_at": None, "last_error_code": "", "last_error": ""}
    if _agrees(held, delivery.wanted_percent):
        _unchanged_since(delivery).update(
            state=Delivery.State.SENT,
            sent_score=F("wanted_score"),
            sent_maximum=F("wanted_maximum"),
            sent_version=F("wanted_version"),
            tried_version=F("wanted_version"),
            **settled,
        )
    elif _unchanged_since(delivery).update(state=Delivery.State.WAITING, next_try_at=now, tries=0, **settled):
        hint_workers()
