from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from courseway.database_clock import DatabaseClock
from courseway.grades import dispatch, tokens
from courseway.grades.clock_jumps import heal_clock_jump
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.models import Circuit, Delivery, LineItemSearch
from courseway.grades.outbox import Grade, owe
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import place_v11, place_v13

LIMITS = Limits(at_once=4, lease_seconds=60.0, deadline_seconds=2.0, quiet_seconds=30.0)
FINAL = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


def test_workers_count_by_the_clock_of_the_database(db: None) -> None:
    """On PostgreSQL a machine whose own clock is a day ahead still knows the time that all workers share."""
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=1)):
        shared = DatabaseClock()()
    if connection.vendor == "postgresql":
        assert abs(shared - now) < timedelta(seconds=20)
    else:
        assert abs(shared - now - timedelta(days=1)) < timedelta(seconds=20)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no clock of its own")
@pytest.mark.parametrize("slow_answers", [1, 3])
def test_the_clock_of_the_database_is_never_counted_late(db: None, slow_answers: int) -> None:
    """On a busy machine the answer is read long after it was given. Counting from then, a worker would be behind for 20
    seconds: what is owed at this moment would not be due when the hint comes."""
    asked = 0

    def read_late(execute: Callable[..., object], *arguments: object) -> object:
        nonlocal asked
        asked += 1
        result = execute(*arguments)
        if asked <= slow_answers:
            time.sleep(0.5)
        return result

    clock = DatabaseClock()
    with connection.execute_wrapper(read_late):
        clock()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        truly = cursor.fetchone()[0]
    ahead = clock() - truly
    assert timedelta(0) <= ahead < timedelta(seconds=0.45 if slow_answers == 1 else 5)
    assert asked <= 3


@pytest.mark.parametrize("days", [0.2, 3, 400])
def test_what_a_wrong_clock_put_into_the_future_is_done_now(cast: Cast, lms: FakeLms, days: float) -> None:
    """A grade owed by a clock that was ahead, a lease taken by it, and a pause begun by it hold nothing up."""
    ahead = timezone.now() + timedelta(days=days)
    fresh, leased = place_v13(cast.operators, lms.url), place_v13(cast.loops, lms.url)
    fresh.let_in(cast.sam)
    leased.let_in(cast.sam)
    owe(cast.sam, cast.loops, FINAL, now=ahead)
    killed = Dispatcher(LIMITS, clock=lambda: ahead)
    assert killed._claim() == 1
    owe(cast.sam, cast.operators, FINAL, now=ahead)
    Delivery.objects.filter(platform=fresh.platform).update(not_before_at=None, quiet_until=ahead)
    if days > 1:
        Circuit.objects.create(platform=fresh.platform, opened_at=ahead, open_until=ahead, code="no_answer")
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS))
    assert not lms.grades
    assert heal_clock_jump(lease_seconds=LIMITS.lease_seconds, now=timezone.now()) == 2
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS))
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 2


def test_failures_under_a_clock_that_was_an_hour_ahead_hold_nothing_up(cast: Cast, lms: FakeLms) -> None:
    """An LMS that asked for patience, one that was down, and a search for a column that was cut off, all under a clock
    an hour ahead: once it is right again everything goes on at once, though an hour is no unlikely wait."""
    ahead = timezone.now() + timedelta(hours=1)
    asked, down = place_v13(cast.operators, lms.url), place_v11(cast.loops, lms.url)
    asked.let_in(cast.sam)
    down.let_in(cast.sam)
    LineItemSearch.objects.create(resource_link=asked.link, lease_token="killed", leased_until=ahead)
    owe(cast.sam, cast.operators, FINAL, now=timezone.now())
    owe(cast.sam, cast.loops, FINAL, now=timezone.now())
    busy = Misbehaviour(429, (("Retry-After", "30"),))
    lms.fault = lambda service, key: Misbehaviour(500) if service == "outcome" else busy
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=lambda: ahead))
    Circuit.objects.create(
        platform=down.platform, opened_at=ahead, open_until=ahead + timedelta(seconds=9), code="no_answer"
    )
    lms.fault = lambda service, key: None
    now = timezone.now()
    assert heal_clock_jump(lease_seconds=LIMITS.lease_seconds, now=now) == 2
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS))
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 2
    assert LineItemSearch.objects.get().leased_until <= now


def test_patience_that_was_asked_for_after_a_clock_was_set_right_is_kept(cast: Cast, lms: FakeLms) -> None:
    """Timestamps stay ahead after a clock was, since they never go back; Retry-After counts from now all the same."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    now = timezone.now()
    owe(cast.sam, cast.operators, FINAL, now=now)
    until = now + timedelta(minutes=30)
    Delivery.objects.update(last_timestamp_at=now + timedelta(hours=1), tries=1, next_try_at=until, not_before_at=until)
    assert heal_clock_jump(lease_seconds=LIMITS.lease_seconds, now=now) == 0
    assert Delivery.objects.get().not_before_at == until


def test_what_waits_for_a_good_reason_goes_on_waiting(cast: Cast, lms: FakeLms) -> None:
    """Leases, back-offs, pauses and what the LMS asked for are left as they are when no clock was wrong."""
    now = timezone.now()
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=now)
    waits: list[dict[str, object]] = [
        {"lease_token": "held", "next_try_at": now + timedelta(seconds=60), "quiet_until": now + timedelta(seconds=60)},
        {"tries": 9, "next_try_at": now + timedelta(hours=6)},
        {"tries": 2, "next_try_at": now + timedelta(days=1), "not_before_at": now + timedelta(days=1)},
        {"next_try_at": now + timedelta(hours=2), "not_before_at": now + timedelta(hours=2)},
    ]
    rested = {"lease_token": "", "tries": 0, "next_try_at": None, "not_before_at": None, "quiet_until": None}
    for wait in waits:
        Delivery.objects.update(**{**rested, **wait})
        before = Delivery.objects.values().get()
        assert heal_clock_jump(lease_seconds=60.0, now=now) == 0
        assert Delivery.objects.values().get() == before


def test_an_old_outcome_that_comes_after_a_clock_jump_is_put_right(cast: Cast, lms: FakeLms) -> None:
    """The clock jumps while LTI 1.1 carries a value: another worker sends a newer one, the LMS works on the old one
    last. Whoever sent the old one notices that its lease was another's, and the newest goes once more."""
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam)
    ahead = timedelta()
    owe(cast.sam, cast.operators, FINAL, now=timezone.now())
    lms.fault = lambda service, key: Misbehaviour(silent_seconds=0.6)
    old = Dispatcher(LIMITS, clock=lambda: timezone.now() + ahead)
    old.turn(wait_seconds=0.0)
    time.sleep(0.1)
    lms.fault = lambda service, key: None
    ahead = timedelta(hours=1)
    owe(cast.sam, cast.operators, Grade(Decimal(9), Decimal(10), True, True), now=timezone.now() + ahead)
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=lambda: timezone.now() + ahead))
    assert Delivery.objects.get().state == Delivery.State.SENT
    while not old.is_idle:
        old.turn(wait_seconds=0.1, may_claim=False)
    (history,) = lms.history.values()
    assert history == ["0.9", "0.8"]
    ahead = timedelta(hours=2)
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=lambda: timezone.now() + ahead))
    assert history == ["0.9", "0.8", "0.9"]
    assert Delivery.objects.get().state == Delivery.State.SENT


def test_no_outcome_is_begun_so_late_that_the_next_holder_could_be_overtaken(cast: Cast, lms: FakeLms) -> None:
    """Whoever is killed leaves a lease that outlives its request of LTI 1.1 and the LMS's work on it. AGS needs less:
    the LMS itself drops what is older."""
    by_outcome, by_score = place_v11(cast.operators, lms.url), place_v13(cast.loops, lms.url)
    for placed in (by_outcome, by_score):
        placed.let_in(cast.sam)
        owe(cast.sam, placed.assignment, FINAL, now=timezone.now())
    dispatcher = Dispatcher(LIMITS)
    assert dispatcher._claim() == 2
    for lane in dispatcher._lanes:
        for job in lane.waiting:
            job.claimed_at -= 40.0  # 2 s for the request and 30 s for the LMS are more than the 20 s left
    while not dispatcher.is_idle:
        dispatcher.turn(wait_seconds=0.1, may_claim=False)
    assert (lms.requests["outcome"], lms.requests["score"]) == (0, 1)
    deliver_what_is_due(dispatcher=dispatcher)
    assert lms.requests["outcome"] == 1


class _Times:
    """A wall clock and the monotonic one beside it, in step until the first one is set."""

    def __init__(self) -> None:
        self.wall, self.monotonic = timezone.now(), time.monotonic()

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds


@pytest.mark.parametrize("is_new", [False, True], ids=["it saw the jump", "it started after the jump"])
def test_a_worker_sends_nothing_newer_while_an_old_outcome_may_be_under_way(
    cast: Cast, lms: FakeLms, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed while LTI 1.1 carries a value, and the clock jumps: its lease seems to be over. The newer
    value waits for the length of a lease all the same; what nobody can be sending goes at once."""
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam)
    placed.let_in(cast.sue)
    times = _Times()
    monkeypatch.setattr(dispatch, "time", SimpleNamespace(monotonic=lambda: times.monotonic))
    seen = Dispatcher(LIMITS, clock=lambda: times.wall, is_wary=True)
    times.pass_by(100)
    assert seen._claim() == 0
    owe(cast.sam, cast.operators, FINAL, now=times.wall)
    killed = Dispatcher(LIMITS, clock=lambda: times.wall)
    assert killed._claim() == 1
    times.wall += timedelta(hours=1)
    owe(cast.sam, cast.operators, Grade(Decimal(9), Decimal(10), True, True), now=times.wall)
    owe(cast.sue, cast.operators, FINAL, now=times.wall)
    worker = Dispatcher(LIMITS, clock=lambda: times.wall, is_wary=True) if is_new else seen
    assert worker._claim() == 1
    assert {job.delivery.person_id for lane in worker._lanes for job in lane.waiting} == {cast.sue.pk}
    times.pass_by(LIMITS.lease_seconds - 1)
    assert worker._claim() == 0
    times.pass_by(2)
    assert worker._claim() == 2


def test_a_clock_that_jumps_while_the_lms_asks_for_patience_puts_nothing_off(cast: Cast, lms: FakeLms) -> None:
    """The LMS asks for half a minute; the clock jumps an hour ahead before that is stored. The next try comes half a
    minute after the request all the same, by the time that it bore."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    now, ahead = timezone.now(), timedelta()
    owe(cast.sam, cast.operators, FINAL, now=now)
    lms.fault = lambda service, key: Misbehaviour(429, (("Retry-After", "30"),))
    dispatcher = Dispatcher(LIMITS, clock=lambda: timezone.now() + ahead)
    dispatcher.turn(wait_seconds=0.0)
    ahead = timedelta(hours=1)
    while not dispatcher.is_idle:
        dispatcher.turn(wait_seconds=0.1, may_claim=False)
    delivery = Delivery.objects.get()
    assert delivery.last_error_code == "service_rate_limited"
    for moment in (delivery.next_try_at, delivery.not_before_at):
        assert moment is not None
        assert timedelta(seconds=29) < moment - now < timedelta(minutes=10)
