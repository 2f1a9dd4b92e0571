"""What the LMS is owed: written in the same transaction as the grade itself, so that neither exists without the other.

The newest wish wins. A wish is a value and a version; whatever is under way when a newer wish arrives is not stopped,
but it does not count as sent.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Coalesce, Greatest

from courseway.courses.models import Assignment
from courseway.grades.hints import hint_workers
from courseway.grades.models import Delivery
from courseway.grades.recipients import Recipient, find_recipients
from courseway.grades.retry import HELD_CODES
from courseway.orgs.models import Person

CHUNK = 500
_STEP = Decimal("0.000001")
_STUCK = (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)


@dataclass(frozen=True, slots=True)
class Grade:
    """What somebody's work is worth now, in points of `maximum`; a None `score` means that there is no grade."""

    score: Decimal | None
    maximum: Decimal
    is_completed: bool
    is_released: bool
    comment: str = ""
    started_at: datetime | None = None
    submitted_at: datetime | None = None

    @property
    def exact_score(self) -> Decimal | None:
        """The score as it is stored: never below 0, never above the maximum (H1)."""
        if self.score is None:
            return None
        if not self.score.is_finite():
            raise ValueError("a score must be a finite number")
        return min(max(self.score, Decimal(0)), self.maximum).quantize(_STEP, rounding=ROUND_HALF_EVEN)

    @property
    def progress(self) -> str:
        if self.is_completed:
            return "completed"
        return "submitted" if self.submitted_at else "started"


class Wish(enum.Enum):
    """What a grade means for one link."""

    NOTHING = "nothing"  # not due, or already on its way
    UNCHANGED = "unchanged"  # the LMS holds just this
    SETTLE = "settle"  # the LMS holds just this, and what was to replace it never left
    HOLD = "hold"  # the LMS holds a grade of a teacher's own, who has to decide
    SEND = "send"


def decide_wish(
    mode: str, grade: Grade, held: Delivery | None, *, carries_comment: bool, carries_progress: bool = False
) -> Wish:
    """The rules of `send_grade` (H2). `held` is what was owed before.

    `grade_release`: once completed and released. `always`: at every occasion, also incomplete, also unchanged.
    `changed`: whenever it differs from the last one. A grade that was taken back is taken back in the LMS too.
    Work that was handed in and waits for a grade is told `always` alone, to an LMS that has a word for it.
    """
    if mode not in ("always", "changed") and not (grade.is_completed and grade.is_released):
        return Wish.NOTHING
    if held is None:
        waits = mode == "always" and carries_progress and grade.submitted_at is not None
        return Wish.SEND if grade.exact_score is not None or waits else Wish.NOTHING
    is_same = (held.wanted_score, held.wanted_maximum) == (grade.exact_score, grade.maximum)
    if carries_comment and held.wanted_comment != grade.comment:
        is_same = False
    if held.is_lms_grade_kept or held.last_error_code in HELD_CODES:
        return Wish.NOTHING if is_same else Wish.HOLD
    if mode == "always" and grade.exact_score is not None:
        return Wish.SEND
    if not is_same and _is_held_by_lms(held, grade, carries_comment=carries_comment):
        return Wish.SETTLE
    if not is_same or held.state in _STUCK:
        return Wish.SEND
    return Wish.UNCHANGED if held.state == Delivery.State.SENT else Wish.NOTHING


def _is_held_by_lms(held: Delivery, grade: Grade, *, carries_comment: bool) -> bool:
    """True if the LMS surely holds this grade: it took it, and nothing else was tried since."""
    return (
        held.sent_version > 0
        and held.tried_version == held.sent_version
        and not held.lease_token
        and (held.sent_score, held.sent_maximum) == (grade.exact_score, grade.maximum)
        and (not carries_comment or held.sent_comment == grade.comment)
    )


def owe(person: Person, assignment: Assignment, grade: Grade, *, now: datetime) -> list[Delivery]:
    """The person's grade changed: store what each link of the assignment has to be told. Returns what is to be sent.

    To be called inside the transaction that changes the grade.
    """
    return owe_many(assignment, {person.pk: grade}, now=now)


def owe_many(assignment: Assignment, grades: Mapping[int, Grade], *, now: datetime) -> list[Delivery]:
    """The same for many people at once, by their primary keys: three statements for each 500 of them."""
    return _owe(assignment, grades, now, only_new_links=False)


def owe_missing(person: Person, assignment: Assignment, grade: Grade, *, now: datetime) -> list[Delivery]:
    """The same for links that the person opened after the grade existed; links that were told already are left."""
    return _owe(assignment, {person.pk: grade}, now, only_new_links=True)


def resend(deliveries: QuerySet[Delivery], *, now: datetime, overwrites: bool = False) -> int:
    """Owe the same values once more, whatever became of them. Returns how many.

    Where somebody changed the grade in the LMS, only if that is to be overwritten.
    """
    if not overwrites:
        deliveries = deliveries.exclude(last_error_code__in=HELD_CODES).exclude(is_lms_grade_kept=True)
    is_leased = ~Q(lease_token="") & Q(next_try_at__gt=now)
    at_once = Greatest(
        Value(now, output_field=DateTimeField()),
        Coalesce(F("quiet_until"), Value(now, output_field=DateTimeField())),
        Coalesce(F("not_before_at"), Value(now, output_field=DateTimeField())),
    )
    with transaction.atomic():
        asked_for = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"))
        chosen = list(asked_for.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        number = Delivery.objects.filter(pk__in=chosen).update(
            state=Delivery.State.WAITING,
            wanted_version=F("wanted_version") + 1,
            wanted_at=now,
            tries=0,
            next_try_at=Case(When(is_leased, then=F("next_try_at")), default=at_once),
            held_at=None,
            is_lms_grade_kept=False,
            **_no_error_of(HELD_CODES),
        )
        if number:
            hint_workers()
    return number


def _no_error_of(codes: Collection[str]) -> dict[str, Any]:
    """What was read back is settled by sending; the error of a try stays until the next one."""
    is_over = Q(last_error_code__in=codes)
    return {
        name: Case(When(is_over, then=Value("")), default=F(name), output_field=TextField())
        for name in ("last_error", "last_error_code")
    }


def revive_reinstated(*, now: datetime) -> int:
    """What failed because its platform was revoked is due again once the owner took that back. Returns how many."""
    held_up = Delivery.objects.filter(
        state=Delivery.State.FAILED, last_error_code="platform_revoked", platform__revoked_at=None
    )
    return resend(held_up, now=now)


def _owe(assignment: Assignment, grades: Mapping[int, Grade], now: datetime, *, only_new_links: bool) -> list[Delivery]:
    owed: list[Delivery] = []
    people = list(grades)
    with transaction.atomic():
        for start in range(0, len(people), CHUNK):
            owed += _owe_chunk(assignment, grades, people[start : start + CHUNK], now, only_new_links=only_new_links)
        if owed:
            hint_workers()
    return owed


def _owe_chunk(
    assignment: Assignment, grades: Mapping[int, Grade], people: Sequence[int], now: datetime, *, only_new_links: bool
) -> list[Delivery]:
    recipients = find_recipients(assignment, people)
    if not recipients:
        return []
    held = {
        (delivery.person_id, delivery.resource_link_id): delivery
        for delivery in Delivery.objects.select_for_update(no_key=True)
        .filter(person_id__in=people, resource_link_id__in={link for _, link in recipients})
        .order_by("pk")  # everybody who locks several rows locks them in this order
    }
    new: list[Delivery] = []
    changed: list[Delivery] = []
    settled: list[Delivery] = []
    withheld: list[Delivery] = []
    unchanged: list[int] = []
    for place, recipient in recipients.items():
        before = held.get(place)
        if before is not None and only_new_links:
            continue
        grade = grades[recipient.person_id]
        wish = decide_wish(
            recipient.resource_link.send_grade,
            grade,
            before,
            carries_comment=recipient.carries_comment,
            carries_progress=recipient.carries_progress,
        )
        if wish is Wish.SEND and grade.maximum > 0:
            delivery = before or _new_delivery(recipient, assignment)
            _want(delivery, grade, now)
            (changed if before else new).append(delivery)
        elif wish is Wish.HOLD and before is not None:
            _want(before, grade, now)
            _hold(before)
            withheld.append(before)
        elif wish is Wish.SETTLE and before is not None:
            _want(before, grade, now)
            _settle(before)
            settled.append(before)
        elif wish is Wish.UNCHANGED and before is not None:
            unchanged.append(before.pk)
    Delivery.objects.bulk_create(new, batch_size=200)
    _store(changed, _WANTED_FIELDS)
    _store(settled, [*_WANTED_FIELDS, *_SETTLED_FIELDS])
    _store(withheld, [*_WANTED_FIELDS, *_HELD_FIELDS])
    if unchanged:
        Delivery.objects.filter(pk__in=unchanged, state=Delivery.State.SENT).update(state=Delivery.State.UNCHANGED)
    return new + changed


def _store(deliveries: Sequence[Delivery], fields: Sequence[str]) -> None:
    if len(deliveries) == 1:  # as for most grades; an UPDATE of many is much longer to write
        deliveries[0].save(update_fields=fields)
    elif deliveries:
        Delivery.objects.bulk_update(deliveries, fields, batch_size=100)


def _new_delivery(recipient: Recipient, assignment: Assignment) -> Delivery:
    return Delivery(
        organization_id=recipient.platform.tenant_id,
        platform=recipient.platform,
        person_id=recipient.person_id,
        resource_link=recipient.resource_link,
        assignment=assignment,
        wanted_version=0,
    )


_WANTED_FIELDS = [
    "assignment",
    "platform",
    "state",
    "wanted_score",
    "wanted_maximum",
    "wanted_comment",
    "wanted_progress",
    "wanted_started_at",
    "wanted_submitted_at",
    "wanted_version",
    "wanted_at",
    "next_try_at",
    "tries",
]


_SETTLED_FIELDS = ["tried_version", "sent_version", "last_error_code", "last_error"]


_HELD_FIELDS = ["is_lms_grade_kept", "last_error_code", "last_error"]


def _hold(delivery: Delivery) -> None:
    """The newer grade waits for the teacher whose own grade is in the LMS."""
    delivery.state = Delivery.State.NEEDS_TEACHER
    delivery.next_try_at = None
    if delivery.is_lms_grade_kept:
        delivery.is_lms_grade_kept = False
        delivery.last_error_code = "changed_in_lms"
        delivery.last_error = delivery.held_words


def _settle(delivery: Delivery) -> None:
    """Nothing is to be done: the value that the LMS holds is the wanted one again."""
    delivery.state = Delivery.State.UNCHANGED
    delivery.tried_version = delivery.sent_version = delivery.wanted_version
    delivery.next_try_at = None
    delivery.last_error_code = delivery.last_error = ""


def _want(delivery: Delivery, grade: Grade, now: datetime) -> None:
    is_leased = delivery.lease_token != "" and delivery.next_try_at is not None and delivery.next_try_at > now
    delivery.state = Delivery.State.WAITING
    delivery.wanted_score = grade.exact_score
    delivery.wanted_maximum = grade.maximum
    delivery.wanted_comment = grade.comment
    delivery.wanted_progress = grade.progress
    delivery.wanted_started_at = grade.started_at
    delivery.wanted_submitted_at = grade.submitted_at
    delivery.wanted_version += 1
    delivery.wanted_at = now
    delivery.tries = 0
    if not is_leased:  # else whoever holds the lease sees the newer version and makes it due
        delivery.next_try_at = max(now, delivery.quiet_until or now, delivery.not_before_at or now)
