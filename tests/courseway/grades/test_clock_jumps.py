from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from courseway.database_clock import DatabaseClock
from courseway.grades import tokens
from courseway.grades.clock_jumps import heal_clock_jump
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.models import Circuit, Delivery
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
