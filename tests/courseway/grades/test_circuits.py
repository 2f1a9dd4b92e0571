from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from courseway.grades import tokens
from courseway.grades.circuits import give_up_on_dead
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.models import Circuit, Delivery, DeliveryTry
from courseway.grades.outbox import Grade, owe, owe_many
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13

LIMITS = Limits(at_once=8, claimed=32, per_platform=4, lease_seconds=4.0, deadline_seconds=0.3, quiet_seconds=1.0)
DOWN = Misbehaviour(503, body=b"we are moving house")


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return timezone.now() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


@pytest.fixture
def work(clock: Clock) -> Callable[[], Dispatcher]:
    """Another worker delivers what is due."""
    return lambda: deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=clock))


def _owe_class(placed: PlacedLink, number: int, now: datetime) -> None:
    people = [Person(organization=placed.platform.organization, name=f"Person {one}") for one in range(number)]
    for person in Person.objects.bulk_create(people):
        placed.let_in(person)
    grade = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)
    owe_many(placed.assignment, {person.pk: grade for person in people}, now=now)


def test_an_lms_that_is_down_is_left_alone_by_all_workers(
    cast: Cast, lms: FakeLms, clock: Clock, work: Callable[[], Dispatcher]
) -> None:
    """After some troubles in a row nobody sends to it; when the pause is over, one worker tries one grade."""
    placed = place_v13(cast.operators, lms.url)
    _owe_class(placed, 100, clock())
    lms.fault = lambda service, key: DOWN if service == "score" else None
    work()
    asked = lms.requests["score"]
    assert 6 <= asked <= 6 + LIMITS.per_platform
    assert Delivery.objects.filter(tries=0, state=Delivery.State.WAITING).count() == 100 - asked
    circuit = Circuit.objects.get()
    assert (circuit.platform, circuit.code) == (placed.platform, "service_unavailable")
    assert "moving house" in circuit.words
    work()
    assert lms.requests["score"] == asked
    for round_number in range(1, 4):
        clock.ahead = Circuit.objects.get().open_until - timezone.now() + timedelta(seconds=1)
        work()
        work()
        assert lms.requests["score"] == asked + round_number
        assert Circuit.objects.get().pauses == 1 + round_number
    assert Circuit.objects.get().open_until >= clock() + timedelta(seconds=8)
    assert DeliveryTry.objects.count() == asked + 3


def test_an_lms_that_is_back_gets_everything(
    cast: Cast, lms: FakeLms, clock: Clock, work: Callable[[], Dispatcher]
) -> None:
    """The first grade that is taken closes the circuit, and all others follow at once."""
    placed = place_v13(cast.operators, lms.url)
    _owe_class(placed, 60, clock())
    lms.fault = lambda service, key: DOWN if service == "score" else None
    work()
    lms.fault = lambda service, key: None
    clock.ahead = timedelta(minutes=1)
    work()
    assert not Circuit.objects.exists()
    clock.ahead = timedelta(minutes=2)
    work()
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 60


def test_a_dead_lms_with_many_grades_delays_nobody_else(cast: Cast, lms: FakeLms, clock: Clock) -> None:
    """300 grades for an LMS that never answers are due first; the one for another LMS arrives within seconds."""
    dead, alive = place_v11(cast.operators, lms.url), place_v13(cast.loops, lms.url)
    lms.fault = lambda service, key: Misbehaviour(silent_seconds=2.0) if service == "outcome" else None
    _owe_class(dead, 300, clock())
    clock.ahead = timedelta(seconds=1)
    _owe_class(alive, 1, clock())
    limits = Limits(at_once=8, claimed=32, per_platform=4, lease_seconds=60.0, deadline_seconds=20.0)
    dispatcher = Dispatcher(limits, clock=clock)
    until = time.monotonic() + 1.5
    while not Delivery.objects.filter(platform=alive.platform, state=Delivery.State.SENT).exists():
        assert time.monotonic() < until, "the living LMS had to wait for the dead one"
        dispatcher.turn(wait_seconds=0.05)
    assert not Delivery.objects.filter(platform=dead.platform, state=Delivery.State.SENT).exists()
    dispatcher.close()


def test_after_days_people_are_told_and_the_grades_still_follow(
    cast: Cast, lms: FakeLms, clock: Clock, work: Callable[[], Dispatcher]
) -> None:
    """Grades that waited three days for a dead LMS have failed, with its words; once it is back, they arrive."""
    placed = place_v13(cast.operators, lms.url)
    _owe_class(placed, 40, clock())
    lms.fault = lambda service, key: DOWN if service == "score" else None
    work()
    for hours in range(12, 97, 12):
        clock.ahead = timedelta(hours=hours)
        work()
        gone = give_up_on_dead(now=clock())
        assert gone == (0 if hours < 72 else gone)
    failed = Delivery.objects.filter(state=Delivery.State.FAILED)
    assert failed.count() == 40
    assert all("moving house" in delivery.last_error for delivery in failed)
    lms.fault = lambda service, key: None
    placed.let_in(cast.sam)
    clock.ahead = timedelta(days=8)
    grade = Grade(Decimal(9), Decimal(10), is_completed=True, is_released=True)
    owe(cast.sam, cast.operators, grade, now=clock())
    work()
    work()
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 41


def test_patience_that_an_lms_asks_for_holds_for_all_workers(
    cast: Cast, lms: FakeLms, clock: Clock, work: Callable[[], Dispatcher]
) -> None:
    """Retry-After of a few grades is kept by every worker for every grade of that LMS."""
    placed = place_v13(cast.operators, lms.url)
    _owe_class(placed, 50, clock())
    lms.fault = lambda service, key: Misbehaviour(429, (("Retry-After", "120"),)) if service == "score" else None
    work()
    asked = lms.requests["score"]
    assert asked <= 3 + LIMITS.per_platform
    clock.ahead = timedelta(seconds=110)
    work()
    assert lms.requests["score"] == asked
    lms.fault = lambda service, key: None
    clock.ahead = timedelta(seconds=200)
    work()
    work()
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 50


def test_a_probe_that_died_is_followed_by_another(cast: Cast, lms: FakeLms, clock: Clock) -> None:
    """A worker that is killed during its probe leaves the circuit to the next one, after its lease."""
    placed = place_v13(cast.operators, lms.url)
    _owe_class(placed, 2, clock())
    now = clock()
    Circuit.objects.create(platform=placed.platform, opened_at=now, open_until=now, code="no_answer")
    killed = Dispatcher(LIMITS, clock=lambda: now)
    assert killed._claim() == 1
    other = Dispatcher(LIMITS, clock=lambda: now + clock.ahead)
    assert other._claim() == 0
    clock.ahead = timedelta(seconds=LIMITS.lease_seconds + 1)
    deliver_what_is_due(dispatcher=other)
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 2
    assert not Circuit.objects.exists()
