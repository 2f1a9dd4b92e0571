"""Many deliveries at once: claims what is due, sends, stores what became of it in batches.

All statements run in the thread that turns the loop; `outbound` waits for answers. Each platform has a lane of its
own, so that an LMS that is slow, down or asking for patience holds up nobody else's grades.
"""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import DateTimeField, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest

from courseway import outbound
from courseway.database_clock import DatabaseClock
from courseway.grades.delivery import Job, Taken, deliver
from courseway.grades.enroll_only import without_enroll_only
from courseway.grades.exchange import Ask, PostponedError, Release, Steps, Turn
from courseway.grades.lanes import Lane, Lanes
from courseway.grades.models import Delivery
from courseway.grades.moving import move_superseded
from courseway.grades.recipients import find_listed_ids
from courseway.grades.results import QUIET_SECONDS, Outcome, outcome_of_error, outcome_of_success, store_outcomes
from courseway.leases import claim
from courseway.lms.models import Arrival, Platform
from courseway.postgresql.statements import run_kept
from ltikit.http import Response

logger = logging.getLogger(__name__)

# Moodle compares whole seconds: a second score of the same one is refused.
TIMESTAMP_STEP = timedelta(seconds=1)
# Outcomes are stored together when so many are there, or the oldest has waited so long.
STORE_AT_ONCE = 250
STORE_WITHIN_SECONDS = 0.1
# Once nothing more was due, look again after so long, unless a hint comes.
SECONDS_BETWEEN_CLAIMS = 0.25
# So far ahead of the monotonic clock between two looks, and a clock was set, not merely corrected.
JUMP = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAY_BE_UNDER_WAY = Q(platform__in=Platform.objects.filter(version=Platform.Version.V11)) & (
    ~Q(lease_token="") | Q(quiet_until__isnull=False)
)
# With so many stories under way, answers are gathered for so long: to wake for each one costs more than to read it.
MANY_STORIES = 50
GATHER_SECONDS = 0.004


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many. The lease outlives every request that is begun under it, and by LTI 1.1 also the time that
    an LMS may work on one."""

    # Rows and stories of 600 grades still fit into the cache of a CPU; with 1,300 each grade cost a third more.
    at_once: int = 400
    claimed: int = 600  # more is claimed when a quarter of it is done: what is left still exceeds `at_once`
    per_platform: int = 10
    lease_seconds: float = 60.0
    deadline_seconds: float = 20.0
    quiet_seconds: float = QUIET_SECONDS

    def __post_init__(self) -> None:
        if self.deadline_seconds + self.quiet_seconds >= self.lease_seconds:
            raise ValueError("a lease must outlive a request and the time that an LMS may work on it")


class Dispatcher:
    """Delivers due grades. Belongs to one thread; only `wake` may be called from others."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        gives_up: bool = True,
        is_wary: bool = False,
    ) -> None:
        """`gives_up` False: every failure counts as the first one, so that quick repetitions exhaust no back-off.

        `is_wary`: what another worker may be sending by LTI 1.1 is left alone for the length of a lease after the start
        and after the clock jumped ahead, whatever the clock says of that lease. An old value that came late would
        overwrite a newer one.
        """
        self.limits = limits or Limits()
        self.clock = clock or DatabaseClock()
        self.gives_up = gives_up
        self._is_wary = is_wary
        self._wary_until = time.monotonic() + self.limits.lease_seconds
        self._clock_offset: timedelta | None = None  # of the clock from the monotonic one, when it was last looked at
        self.deadline_at: float | None = None  # monotonic; requests begun near it get less time
        self.sent = 0
        self.unsent: set[int] = set()  # deliveries whose last try here failed
        self._lanes = Lanes(self.limits.per_platform, minds_the_dead=gives_up)
        self._startable: dict[Lane, None] = {}  # those in which something may begin, in order
        self._stories: dict[Job, Steps[Taken]] = {}
        self._turns: dict[tuple[str, int, str], deque[Job]] = {}  # the first one holds it
        self._ready: deque[Job] = deque()  # whose turn has come
        self._answers: queue.SimpleQueue[tuple[Job, Response | Exception, float] | None] = queue.SimpleQueue()
        self._outcomes: list[Outcome] = []
        self._oldest_outcome_at = 0.0
        self._claimed = 0
        self._next_claim_at = 0.0

    # From outside

    @property
    def is_idle(self) -> bool:
        return self._claimed == 0 and not self._outcomes

    def wake(self) -> None:
        """End a wait in `turn` at once. May be called from any thread."""
        self._answers.put(None)

    def turn(self, *, wait_seconds: float, may_claim: bool = True) -> int:
        """One turn of the loop: claim, send, read answers, store. Returns how many were claimed.

        Waits at most `wait_seconds` for answers. Raises OperationalError or InterfaceError when the database is away;
        the loop may simply be turned again.
        """
        claimed = self._claim() if may_claim and self._has_room() else 0
        self._start_waiting()
        self._read_answers(wait_seconds)
        self._start_waiting()
        self._store_if_due()
        return claimed

    def close(self) -> None:
        """Store what is known and give back what was not begun; requests under way are waited for."""
        for lane in self._lanes:
            while lane.waiting:
                self._end(lane.waiting.popleft(), postponed_seconds=0.0)
        while self._stories:
            self._read_answers(1.0)
            self._start_waiting()
        self._store()

    # Claiming

    def _has_room(self) -> bool:
        if self.is_idle:
            return True
        return self._lanes.load <= self.limits.claimed * 3 // 4 and time.monotonic() >= self._next_claim_at

    def _claim(self) -> int:
        now = self.clock()
        probes = self._lanes.read_circuits(now=now, probe_seconds=self.limits.lease_seconds)
        # Many deliveries have few platforms, links and assignments: each is read once, not beside every row.
        due = without_enroll_only(Delivery.objects.all()).prefetch_related(
            "platform__consumer_key", "platform__registration", "resource_link__context", "assignment__course"
        )
        is_wary = self._is_wary and self._must_beware(now)
        closed = self._lanes.closed_platforms
        room = self.limits.claimed - self._lanes.load
        claimed = self._claim_some(
            due.exclude(platform_id__in=closed) if closed else due, now, limit=room, is_wary=is_wary
        )
        self._next_claim_at = time.monotonic() + SECONDS_BETWEEN_CLAIMS if claimed < room else 0.0
        for platform_id in probes:
            claimed += self._claim_some(
                due.filter(platform_id=platform_id), now, limit=1, is_wary=is_wary, is_probe=True
            )
        return claimed

    def _must_beware(self, now: datetime) -> bool:
        moment = time.monotonic()
        offset = now - _EPOCH - timedelta(seconds=moment)
        if self._clock_offset is not None and offset - self._clock_offset > JUMP:
            self._wary_until = moment + self.limits.lease_seconds
        self._clock_offset = offset
        return moment < self._wary_until

    def _claim_some(
        self, due: QuerySet[Delivery], now: datetime, *, limit: int, is_wary: bool, is_probe: bool = False
    ) -> int:
        if not _is_something_due(now):
            return 0
        moment = Value(now, output_field=DateTimeField())
        deliveries = claim(
            due,
            now=now,
            lease_seconds=self.limits.lease_seconds,
            limit=limit,
            only=~_MAY_BE_UNDER_WAY if is_wary else None,
            also_set={
                "tries": F("tries") + 1,
                "tried_version": F("wanted_version"),
                "tried_score": F("wanted_score"),
                "tried_maximum": F("wanted_maximum"),
                "tried_comment": F("wanted_comment"),
                # On the wire soon, answered or not: no later try, of any process, may carry an earlier one.
                "last_timestamp_at": Greatest(moment, Coalesce(F("last_timestamp_at") + TIMESTAMP_STEP, moment)),
                "quiet_until": now + timedelta(seconds=self.limits.lease_seconds),
            },
        )
        arrivals = _newest_arrivals(deliveries)
        places = {(one.person_id, one.resource_link_id): one for one in deliveries}
        moved = {place: to for place, one in arrivals.items() if (to := one.superseded_by_id) and place in places}
        if moved:
            move_superseded([(places[place], link) for place, link in moved.items()], now=now)
            deliveries = [one for place, one in places.items() if place not in moved]
        listed = find_listed_ids([one for one in deliveries if (one.person_id, one.resource_link_id) not in arrivals])
        for delivery in deliveries:
            place = (delivery.person_id, delivery.resource_link_id)
            job = Job(delivery, arrivals.get(place), now, delivery.lease_token, listed_as=listed.get(place, ""))
            self._startable[self._lanes.add(job, is_probe=is_probe)] = None
        self._claimed += len(deliveries)
        return len(deliveries) + len(moved)

    def _start_waiting(self) -> None:
        while self._ready:
            self._go_on(self._ready.popleft(), None)
        if not self._startable:
            return
        now = self.clock()
        for lane in list(self._startable):
            while lane.waiting and lane.running < lane.width:
                if len(self._stories) >= self.limits.at_once:
                    return
                job = lane.waiting.popleft()
                pause = self._lanes.pause_seconds(job, now=now)
                if pause is not None:
                    self._end(job, postponed_seconds=pause)
                    continue
                self._startable[lane] = self._startable.pop(lane)  # the others' turn comes first
                lane.running += 1
                self._stories[job] = deliver(job)
                self._go_on(job, None)
            # Later: something of it ends, or more is claimed for it.
            self._startable.pop(lane, None)

    # Telling one story further

    def _go_on(self, job: Job, answer: Response | Exception | None) -> None:
        story = self._stories[job]
        try:
            while True:
                need = story.throw(answer) if isinstance(answer, Exception) else story.send(answer)  # type: ignore[arg-type]
                if isinstance(need, Ask):
                    self._ask(job, need)
                    return
                if isinstance(need, Release):
                    self._release_turn(job, need.key)
                elif not self._take_turn(job, need):
                    return
                answer = None
        except StopIteration as end:
            self._finish(job, outcome_of_success(job, end.value))
        except PostponedError as postponed:
            self._finish(job, Outcome(job, "postponed", postponed_seconds=postponed.seconds))
        except (OperationalError, InterfaceError) as error:
            # Nothing can be stored about it; its lease runs out and it is tried again.
            logger.warning("Delivery %s was interrupted: %s", job.delivery.pk, type(error).__name__)
            self._finish(job, None)
        except Exception as error:
            self._finish(job, outcome_of_error(job, error))

    def _ask(self, job: Job, need: Ask) -> None:
        seconds = self.limits.deadline_seconds
        if self.deadline_at is not None:
            seconds = max(1.0, min(seconds, self.deadline_at - time.monotonic()))
        latest = time.monotonic() + seconds
        if job.delivery.platform.version == Platform.Version.V11:
            # If we are killed, the LMS may be at work on it for as long as after any answer that did not come.
            latest += self.limits.quiet_seconds
        if latest > job.claimed_at + self.limits.lease_seconds:
            # A request must not outlive the lease: another worker may take the row then.
            self._stories[job].close()
            self._finish(job, Outcome(job, "postponed", postponed_seconds=0.0))
            return
        job.requests += 1
        begun = time.monotonic()

        def hear(answer: Response | outbound.OutboundError) -> None:
            self._answers.put((job, answer, time.monotonic() - begun))

        outbound.begin(need.request, hear, deadline_seconds=seconds, max_bytes=need.max_bytes)

    def _read_answers(self, wait_seconds: float) -> None:
        if self._outcomes:
            wait_seconds = min(wait_seconds, STORE_WITHIN_SECONDS)
        if self._ready or (self._outcomes and not self._stories):
            wait_seconds = 0.0
        try:
            item = self._answers.get(timeout=wait_seconds) if wait_seconds > 0 else self._answers.get_nowait()
            if len(self._stories) >= MANY_STORIES:
                time.sleep(GATHER_SECONDS)
            while True:
                if item is None:
                    self._next_claim_at = 0.0
                else:
                    job, answer, seconds = item
                    job.milliseconds += round(seconds * 1000)
                    self._go_on(job, answer)
                item = self._answers.get_nowait()
        except queue.Empty:
            return

    def _take_turn(self, job: Job, need: Turn) -> bool:
        holders = self._turns.setdefault(need.key, deque())
        if job not in holders:
            holders.append(job)
        return holders[0] is job

    def _finish(self, job: Job, outcome: Outcome | None) -> None:
        del self._stories[job]
        lane = self._lanes.of(job)
        lane.running -= 1
        self._startable[lane] = None
        self._claimed -= 1
        if outcome is None:
            self._lanes.end_probe(job)
        else:
            self._add_outcome(outcome)
            self._lanes.learn(outcome, now=self.clock())
        self._release_turns(job)

    def _release_turns(self, job: Job) -> None:
        for key in [key for key, holders in self._turns.items() if job in holders]:
            self._release_turn(job, key)

    def _release_turn(self, job: Job, key: tuple[str, int, str]) -> None:
        holders = self._turns[key]
        was_first = holders[0] is job
        holders.remove(job)
        if not holders:
            del self._turns[key]
        elif was_first:
            self._ready.append(holders[0])

    # Storing

    def _end(self, job: Job, *, postponed_seconds: float) -> None:
        """A job that was claimed but not begun."""
        self._claimed -= 1
        self._add_outcome(Outcome(job, "postponed", postponed_seconds=postponed_seconds))

    def _add_outcome(self, outcome: Outcome) -> None:
        if not self._outcomes:
            self._oldest_outcome_at = time.monotonic()
        self._outcomes.append(outcome)

    def _store_if_due(self) -> None:
        is_late = self._outcomes and time.monotonic() - self._oldest_outcome_at >= STORE_WITHIN_SECONDS
        if is_late or len(self._outcomes) >= STORE_AT_ONCE or not self._stories:
            self._store()

    def _store(self) -> None:
        if not self._outcomes:
            return
        store_outcomes(
            self._outcomes, now=self.clock(), quiet_seconds=self.limits.quiet_seconds, gives_up=self.gives_up
        )
        for outcome in self._outcomes:
            pk = outcome.job.delivery.pk
            if outcome.is_sent:
                self.sent += 1
                self.unsent.discard(pk)
            elif outcome.postponed_seconds is None:
                self.unsent.add(pk)
        self._outcomes = []
        self._lanes.store(now=self.clock())


# With an order, since only so PostgreSQL surely takes the index, also where nothing is due among millions.
_FIND_DUE = f'SELECT 1 FROM "{Delivery._meta.db_table}" WHERE next_try_at <= %s ORDER BY next_try_at LIMIT 1'  # noqa: S608 - of our own names


def _is_something_due(now: datetime) -> bool:
    """A quick look by the index before the long question, which an idle worker would write and ask each second."""
    moment: Any = connection.ops.adapt_datetimefield_value(now)
    return bool(run_kept(_FIND_DUE, [moment]))


# What a delivery needs of them; rows are wide.
_OF_ARRIVALS = (
    "key",
    "person_id",
    "resource_link_id",
    "superseded_by_id",
    "outcome_url",
    "outcome_accepts",
    "result_sourcedid_encrypted",
    "identity__lms_user_id",
)


def _newest_arrivals(deliveries: list[Delivery]) -> dict[tuple[int, int], Arrival]:
    if not deliveries:
        return {}
    people = {delivery.person_id for delivery in deliveries}
    links = {delivery.resource_link_id for delivery in deliveries}
    arrivals = (
        Arrival.objects.select_related("identity")
        .only(*_OF_ARRIVALS)
        .filter(Q(person_id__in=people) & Q(resource_link_id__in=links))
        .order_by("arrived_at", "pk")
    )
    return {(arrival.person_id, arrival.resource_link_id): arrival for arrival in arrivals}


# The one dispatcher of a worker process, which a hint only has to wake.
_at_work: Dispatcher | None = None


def set_at_work(dispatcher: Dispatcher | None) -> None:
    global _at_work
    _at_work = dispatcher


def wake_or_deliver() -> None:
    """Called by a hint: wake the worker's loop; in a process without one, deliver what is due here and now."""
    dispatcher = _at_work
    if dispatcher is not None:
        dispatcher.wake()
    else:
        deliver_what_is_due()


def deliver_what_is_due(*, dispatcher: Dispatcher | None = None, until: float | None = None) -> Dispatcher:
    """Deliver everything that is due now, and return when that is done or the monotonic time `until` has come."""
    dispatcher = dispatcher or Dispatcher()
    dispatcher.deadline_at = until
    while True:
        was_idle = dispatcher.is_idle
        is_over = until is not None and time.monotonic() >= until
        claimed = dispatcher.turn(wait_seconds=0.0 if was_idle else 0.5, may_claim=not is_over)
        if was_idle and not claimed:
            return dispatcher
