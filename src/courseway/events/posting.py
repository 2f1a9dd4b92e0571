"""Telling endpoints of events: each endpoint in a lane of its own, so that a slow one delays nobody else.

An endpoint is leased as a whole while a few of its deliveries are sent one after another, oldest event first; a second
worker therefore never overtakes. All statements run in the thread that turns the loop; lanes only wait for answers.
Leases are counted by the database's clock: a machine whose own clock jumps takes no lane that another one holds.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef

from courseway import outbound
from courseway.database_clock import DatabaseClock
from courseway.events.letters import Letter, write_letter
from courseway.events.models import WebhookDelivery, WebhookEndpoint
from courseway.events.outcomes import Answer, Lane, Posted, release_lane, store_answer
from courseway.events.retry import Verdict
from courseway.events.spreading import spread_events
from courseway.leases import claim
from courseway.outbound import OutboundError
from courseway.secrets_box import SecretUnreadableError

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 1_000_000
# While lanes run, look for more work so often, unless one ends or a hint comes.
SECONDS_BETWEEN_CLAIMS = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many. The lease outlives the last request that is begun in a lane."""

    lanes: int = 32
    letters: int = 50  # of one lane
    lane_seconds: float = 10.0  # no request is begun later than this
    deadline_seconds: float = 15.0
    lease_seconds: float = 60.0


@dataclass(eq=False, slots=True)
class _Running:
    lane: Lane
    letters: list[tuple[WebhookDelivery, Letter]]
    left: set[int] = field(default_factory=set)  # deliveries of which nothing is known yet


class Poster:
    """Delivers webhooks. Belongs to one thread; only `wake` may be called from others."""

    def __init__(self, limits: Limits | None = None, *, clock: Callable[[], datetime] | None = None) -> None:
        self.limits = limits or Limits()
        self.clock = clock or DatabaseClock()
        self._running: dict[int, _Running] = {}
        self._next_claim_at = 0.0
        self._answers: queue.SimpleQueue[tuple[int, Answer | None] | None] = queue.SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def is_idle(self) -> bool:
        return not self._running

    def wake(self) -> None:
        """End a wait in `turn` at once. May be called from any thread."""
        self._answers.put(None)

    def turn(self, *, wait_seconds: float, may_claim: bool = True) -> int:
        """One turn of the loop: make deliveries, claim endpoints, read answers, store. Returns what was begun."""
        begun = 0
        if may_claim and (self.is_idle or time.monotonic() >= self._next_claim_at):
            begun = spread_events(now=self.clock()) + self._claim()
            self._next_claim_at = time.monotonic() + SECONDS_BETWEEN_CLAIMS
        self._read_answers(0.0 if begun and self.is_idle else wait_seconds)
        return begun

    def close(self) -> None:
        """Wait for the requests under way and store what became of them."""
        while self._running:
            self._read_answers(1.0)
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    # Claiming

    def _claim(self) -> int:
        free = self.limits.lanes - len(self._running)
        if free <= 0:
            return 0
        now = self.clock()
        due = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), next_try_at__lte=now)
        listening = WebhookEndpoint.objects.filter(Exists(due), disabled_at=None)
        endpoints = claim(listening, now=now, lease_seconds=self.limits.lease_seconds, limit=free)
        for endpoint in endpoints:
            self._start_lane(endpoint, now)
        return len(endpoints)

    def _start_lane(self, endpoint: WebhookEndpoint, now: datetime) -> None:
        deliveries = claim(
            endpoint.deliveries.select_related("event__organization", "event__person"),
            now=now,
            lease_seconds=self.limits.lease_seconds,
            # An endpoint that is down is asked with one event, not with all of them.
            limit=1 if endpoint.failures_in_row else self.limits.letters,
            also_set={"tries": F("tries") + 1},
        )
        lane = Lane(endpoint, endpoint.lease_token, deliveries[0].lease_token if deliveries else "")
        running = _Running(lane, [], {delivery.pk for delivery in deliveries})
        self._running[endpoint.pk] = running
        for delivery in sorted(deliveries, key=lambda one: (one.event.at, one.event_id)):
            try:
                running.letters.append((delivery, write_letter(delivery.event, endpoint, now=now)))
            except SecretUnreadableError as error:
                self._store(running, Answer(delivery, Posted(0, str(error), 0, None), Verdict.DOWN))
                break
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.limits.lanes, thread_name_prefix="webhook")
        self._pool.submit(self._run_lane, endpoint.pk, list(running.letters), now)

    # In a thread of the pool: no database here, and so no clock of it; `now` is when the lane was taken

    def _run_lane(self, endpoint_pk: int, letters: list[tuple[WebhookDelivery, Letter]], now: datetime) -> None:
        begun = time.monotonic()
        until = begun + self.limits.lane_seconds
        try:
            for delivery, letter in letters:
                if time.monotonic() >= until:
                    break
                signed_at = now + timedelta(seconds=time.monotonic() - begun)
                posted = post(letter, deadline_seconds=self.limits.deadline_seconds, now=signed_at)
                self._answers.put((endpoint_pk, Answer(delivery, posted, posted.verdict)))
                if posted.verdict in (Verdict.DOWN, Verdict.GONE):
                    break
        finally:
            self._answers.put((endpoint_pk, None))

    # Storing

    def _read_answers(self, wait_seconds: float) -> None:
        try:
            item = self._answers.get(timeout=wait_seconds) if wait_seconds > 0 else self._answers.get_nowait()
            while True:
                if item is None:
                    self._next_claim_at = 0.0
                else:
                    self._take(*item)
                item = self._answers.get_nowait()
        except queue.Empty:
            return

    def _take(self, endpoint_pk: int, answer: Answer | None) -> None:
        running = self._running[endpoint_pk]
        if answer is not None:
            self._store(running, answer)
            return
        del self._running[endpoint_pk]
        self._next_claim_at = 0.0
        release_lane(running.lane, running.left, now=self.clock())

    def _store(self, running: _Running, answer: Answer) -> None:
        running.left.discard(answer.delivery.pk)
        store_answer(running.lane, answer, now=self.clock())


def post(letter: Letter, *, deadline_seconds: float, now: datetime) -> Posted:
    """Send one letter and say what came back. Safe in any thread."""
    begun = time.monotonic()

    def took() -> int:
        return round((time.monotonic() - begun) * 1000)

    try:
        response = outbound.send(letter.sign(now=now), deadline_seconds=deadline_seconds, max_bytes=MAX_ANSWER_BYTES)
    except OutboundError as error:
        return Posted(0, error.detail, took(), None)
    except Exception as error:
        # Whatever it is, the event is tried again and the lane goes on to its end.
        logger.exception("A webhook could not be sent")
        return Posted(0, type(error).__name__, took(), None)
    return Posted.read(response, took())


def post_what_is_due(poster: Poster | None = None) -> None:
    """Send everything that is due now, and return when that is done."""
    poster = poster or Poster()
    try:
        while True:
            was_idle = poster.is_idle
            begun = poster.turn(wait_seconds=0.0 if was_idle else 0.5)
            if was_idle and not begun:
                return
    finally:
        poster.close()
