"""What became of tries: stored under the lease that made them, and as rows that an owner can read."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.db import transaction
from django.db.models import F

from courseway.events.disabling import disable_endpoint
from courseway.events.models import WebhookDelivery, WebhookEndpoint, WebhookTry
from courseway.events.retry import GIVE_UP_AFTER, Verdict, decide_next, judge
from ltikit.http import Response

_MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Posted:
    """What came back: `status` 0 when there was no answer, `words` of the receiver or of the way to it."""

    status: int
    words: str
    milliseconds: int
    retry_after: str | None

    @classmethod
    def read(cls, response: Response, milliseconds: int) -> Posted:
        words = response.body[: 4 * _MAX_WORDS].decode("utf-8", "replace").replace("\0", "").strip()[:_MAX_WORDS]
        return cls(response.status, words, milliseconds, response.headers.get("retry-after"))

    @property
    def verdict(self) -> Verdict:
        return judge(self.status)


@dataclass(frozen=True, slots=True)
class Answer:
    delivery: WebhookDelivery
    posted: Posted
    verdict: Verdict


@dataclass(slots=True)
class Lane:
    """An endpoint under lease, and what its letters say about it."""

    endpoint: WebhookEndpoint
    lease_token: str  # the endpoint's
    letters_token: str  # its deliveries'
    rest_seconds: float = 0.0


def store_answer(lane: Lane, answer: Answer, *, now: datetime) -> None:
    """One try: its row, what becomes of the delivery, and what it says about the endpoint."""
    delivery, posted, endpoint = answer.delivery, answer.posted, lane.endpoint
    with transaction.atomic():
        store_try(delivery, posted, now=now)
        held = WebhookDelivery.objects.filter(pk=delivery.pk, lease_token=delivery.lease_token)
        last = {"lease_token": "", "last_status": posted.status, "last_words": posted.words}
        if answer.verdict is Verdict.TAKEN:
            held.update(state=WebhookDelivery.State.SENT, next_try_at=None, done_at=now, **last)
            _note_success(endpoint, now)
            return
        endpoint.failures_in_row += answer.verdict is Verdict.DOWN
        endpoint.failing_since = endpoint.failing_since or now
        following = decide_next(
            answer.verdict,
            tries=delivery.tries,
            failures_in_row=endpoint.failures_in_row,
            retry_after=_read_retry_after(posted.retry_after, now),
            jitter=random.random(),  # noqa: S311 - not a secret: it only spreads tries
        )
        lane.rest_seconds = following.rest_seconds
        if following.seconds is None or answer.verdict is Verdict.GONE:
            held.update(state=WebhookDelivery.State.FAILED, next_try_at=None, done_at=now, **last)
        else:
            held.update(next_try_at=now + timedelta(seconds=following.seconds), **last)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
            failures_in_row=endpoint.failures_in_row, failing_since=endpoint.failing_since
        )
        if answer.verdict is Verdict.GONE:
            disable_endpoint(endpoint, WebhookEndpoint.Reason.GONE, now=now)
        elif now - endpoint.failing_since >= GIVE_UP_AFTER:
            disable_endpoint(endpoint, WebhookEndpoint.Reason.FAILING, now=now)


def store_try(delivery: WebhookDelivery, posted: Posted, *, now: datetime) -> None:
    WebhookTry.objects.create(
        delivery=delivery, at=now, status=posted.status, words=posted.words, milliseconds=posted.milliseconds
    )


def release_lane(lane: Lane, left: Collection[int], *, now: datetime) -> None:
    """Give back what was claimed but not begun, and the endpoint itself."""
    with transaction.atomic():
        if left:
            # Undo the claim: no try was made.
            WebhookDelivery.objects.filter(pk__in=left, lease_token=lane.letters_token).update(
                next_try_at=now, lease_token="", tries=F("tries") - 1
            )
        WebhookEndpoint.objects.filter(pk=lane.endpoint.pk, lease_token=lane.lease_token).update(
            next_try_at=now + timedelta(seconds=lane.rest_seconds), lease_token=""
        )


def _note_success(endpoint: WebhookEndpoint, now: datetime) -> None:
    endpoint.failures_in_row, endpoint.failing_since = 0, None
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures_in_row=0, failing_since=None, succeeded_at=now)


def _read_retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds, from either of its two forms (RFC 9110 §10.2.3)."""
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
