"""What became of tries, stored in batches: under the lease that made them, and as rows that a teacher can read.

A value counts as sent only if it is still the wanted one; otherwise the newer one is due.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Case, CharField, DateTimeField, F, Field, IntegerField, Q, QuerySet, Value, When

from courseway.grades.delivery import Job, Taken
from courseway.grades.exchange import DeliveryError
from courseway.grades.happenings import record_failed, record_sent
from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.retry import decide_next
from courseway.lms.models import Platform
from courseway.outbound import AddressRefusedError, AnswerTooLargeError, OutboundError
from ltikit.errors import ServiceError

logger = logging.getLogger(__name__)

SENT = "sent"
# How long a request may still be at work in the LMS after we gave up waiting for its answer.
QUIET_SECONDS = 30.0
# A gateway answered in place of the LMS, which may still be working on the request.
_STILL_AT_WORK = (408, 502, 503, 504)
_MAX_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job: taken (code "sent"), failed, or put off without a try (`postponed_seconds`)."""

    job: Job
    code: str
    words: str = ""
    platform_status: int = 0
    retry_after: float | None = None
    may_still_arrive: bool = False
    postponed_seconds: float | None = None

    @property
    def is_sent(self) -> bool:
        return self.code == SENT


def outcome_of_success(job: Job, taken: Taken) -> Outcome:
    return Outcome(job, SENT, taken.words, taken.platform_status, may_still_arrive=taken.is_later)


def outcome_of_error(job: Job, error: Exception) -> Outcome:
    if isinstance(error, ServiceError):
        return Outcome(
            job,
            error.code,
            error.detail or error.hint,
            error.platform_status,
            error.retry_after,
            may_still_arrive=error.platform_status in _STILL_AT_WORK,
        )
    if isinstance(error, DeliveryError):
        return Outcome(job, error.code, error.words)
    if isinstance(error, OutboundError):
        code = "no_answer"
        if isinstance(error, AddressRefusedError):
            code = "address_refused"
        elif isinstance(error, AnswerTooLargeError):
            code = "answer_too_large"
        return Outcome(job, code, error.detail, may_still_arrive=error.may_have_arrived)
    logger.error("Delivery %s could not be made", job.delivery.pk, exc_info=error)
    return Outcome(job, "internal_error", type(error).__name__)


def store_outcomes(
    outcomes: Sequence[Outcome], *, now: datetime, quiet_seconds: float = QUIET_SECONDS, gives_up: bool = True
) -> None:
    """Store what became of these jobs. A row that cannot be stored does not stop the others."""
    try:
        with transaction.atomic():
            _store(outcomes, now, quiet_seconds, gives_up)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the caller tries again
    except DatabaseError:
        if len(outcomes) == 1:
            # Its lease runs out, and it is tried again then.
            logger.exception("What became of delivery %s could not be stored", outcomes[0].job.delivery.pk)
            return
        for outcome in outcomes:
            store_outcomes([outcome], now=now, quiet_seconds=quiet_seconds, gives_up=gives_up)


def _store(outcomes: Sequence[Outcome], now: datetime, quiet_seconds: float, gives_up: bool) -> None:
    # Locked in the order in which everybody locks several rows: a grade that changes waits, nothing deadlocks.
    locked = Delivery.objects.select_for_update(no_key=True).order_by("pk")
    pks = [outcome.job.delivery.pk for outcome in outcomes]
    leases = dict(locked.filter(pk__in=pks).values_list("pk", "lease_token"))
    made = [outcome for outcome in outcomes if outcome.postponed_seconds is None]
    _store_tries(made, now)
    quiet_until = now + timedelta(seconds=quiet_seconds)
    sent: dict[bool, list[Delivery]] = defaultdict(list)
    put_off: dict[float, list[int]] = defaultdict(list)
    lost: list[Outcome] = []
    for outcome in outcomes:
        job = outcome.job
        if leases.get(job.delivery.pk) != job.lease_token:
            if outcome.postponed_seconds is None:
                lost.append(outcome)
        elif outcome.postponed_seconds is not None:
            put_off[outcome.postponed_seconds].append(job.delivery.pk)
        elif outcome.is_sent:
            sent[outcome.may_still_arrive].append(job.delivery)
        else:
            _store_failure(outcome, _time_of(outcome.job, now), quiet_until, gives_up)
    for is_later, deliveries in sent.items():
        held = Delivery.objects.filter(pk__in=[one.pk for one in deliveries])
        _store_sent(held, now, quiet_until if is_later else None)
        record_sent(deliveries, now=now)
    for seconds, pks in put_off.items():
        _give_back(Delivery.objects.filter(pk__in=pks), now + timedelta(seconds=seconds))
    _repair(lost, now, quiet_until)


# True in the database while nothing newer is wanted than what was tried.
_IS_STILL_WANTED = Q(wanted_version=F("tried_version"))


def _store_tries(outcomes: Sequence[Outcome], now: datetime) -> None:
    DeliveryTry.objects.bulk_create(
        DeliveryTry(
            delivery_id=outcome.job.delivery.pk,
            at=now,
            version=outcome.job.delivery.tried_version,
            score=outcome.job.delivery.tried_score,
            code=outcome.code[:40],
            platform_status=outcome.platform_status,
            words=_clean(outcome.words),
            milliseconds=outcome.job.milliseconds,
        )
        for outcome in outcomes
    )


def _store_sent(held: QuerySet[Delivery], now: datetime, quiet_until: datetime | None) -> None:
    newer_at = quiet_until or now
    held.update(
        state=_if_still_wanted(Value(Delivery.State.SENT.value), Value(Delivery.State.WAITING.value), CharField()),
        next_try_at=_if_still_wanted(Value(None), Value(newer_at), DateTimeField()),
        sent_version=F("tried_version"),
        sent_score=F("tried_score"),
        sent_maximum=F("tried_maximum"),
        sent_comment=F("tried_comment"),
        sent_at=now,
        lease_token="",
        quiet_until=quiet_until,
        not_before_at=None,
        last_error_code="",
        last_error="",
    )


def _time_of(job: Job, now: datetime) -> datetime:
    """The time from which the next try counts: what a clock jumped ahead by since the claim puts nothing off."""
    return min(now, job.now + timedelta(seconds=time.monotonic() - job.claimed_at))


def _store_failure(outcome: Outcome, now: datetime, quiet_until: datetime, gives_up: bool) -> None:
    delivery = outcome.job.delivery
    # Not a secret: it only spreads tries that failed together.
    following = decide_next(
        outcome.code,
        tries=delivery.tries if gives_up else 1,
        retry_after=outcome.retry_after,
        jitter=random.random(),  # noqa: S311
    )
    next_try_at = None if following.seconds is None else now + timedelta(seconds=following.seconds)
    not_before_at = (
        None if following.not_before_seconds is None else now + timedelta(seconds=following.not_before_seconds)
    )
    quiet = quiet_until if outcome.may_still_arrive else None
    newer_at = max(now, quiet or now, not_before_at or now)
    Delivery.objects.filter(pk=delivery.pk).update(
        state=_if_still_wanted(Value(following.state.value), Value(Delivery.State.WAITING.value), CharField()),
        next_try_at=_if_still_wanted(Value(next_try_at), Value(newer_at), DateTimeField()),
        tries=_if_still_wanted(F("tries"), Value(0), IntegerField()),
        lease_token="",
        quiet_until=quiet,
        not_before_at=not_before_at,
        last_error_code=outcome.code[:40],
        last_error=_clean(outcome.words),
    )
    record_failed(delivery, following.state, outcome.code, now=now)


def _repair(lost: Sequence[Outcome], now: datetime, quiet_until: datetime) -> None:
    """A request of LTI 1.1 ended when its lease was another's: it may have overwritten what that one sent.

    So the newest value goes once more. AGS needs none of this: its timestamps tell which one is newer.
    """
    pks = [
        one.job.delivery.pk
        for one in lost
        if one.job.requests and one.job.delivery.platform.version == Platform.Version.V11
    ]
    if not pks:
        return
    is_leased = ~Q(lease_token="") & Q(next_try_at__gt=now)
    Delivery.objects.filter(pk__in=pks).update(
        state=Delivery.State.WAITING,
        wanted_version=F("wanted_version") + 1,
        tries=0,
        quiet_until=Case(When(is_leased, then=F("quiet_until")), default=quiet_until, output_field=DateTimeField()),
        next_try_at=Case(When(is_leased, then=F("next_try_at")), default=quiet_until, output_field=DateTimeField()),
    )


def _give_back(held: QuerySet[Delivery], next_try_at: datetime) -> None:
    """Undo a claim of which nothing came; a request of an earlier step, for a token, does not count."""
    held.update(
        next_try_at=next_try_at,
        lease_token="",
        quiet_until=None,  # no grade is under way: a newer one need not wait for the end of this lease
        tries=Case(When(tries__gt=0, then=F("tries") - 1), default=0),
    )


def _if_still_wanted(then: Any, otherwise: Any, output_field: Field[Any, Any]) -> Case:
    return Case(When(_IS_STILL_WANTED, then=then), default=otherwise, output_field=output_field)


def _clean(words: str) -> str:
    return words.replace("\0", "")[:_MAX_WORDS]
