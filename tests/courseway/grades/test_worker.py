from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone
from huey.contrib.djhuey import HUEY

from courseway.grades import hints
from courseway.grades.hints import deliver_due
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from tests.cast import Cast, make_cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v13
from tests.courseway.grades.nursery import Nursery, is_alive, own_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120), pytest.mark.slow]


@dataclass
class Stage:
    cast: Cast
    lms: FakeLms
    placed: PlacedLink
    nursery: Nursery

    def owe(self, score: str) -> None:
        grade = Grade(Decimal(score), Decimal(10), is_completed=True, is_released=True)
        owe(self.cast.sam, self.placed.assignment, grade, now=timezone.now())

    def held_by_lms(self) -> object:
        return self.lms.grades.get(f"user-{self.cast.sam.pk}@1", (None,))[0]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(hints, "_rests_until", 0.0)
    with run_fake_lms() as lms, own_database() as url:
        cast = make_cast()
        placed = place_v13(cast.operators, lms.url)
        placed.let_in(cast.sam)
        nursery = Nursery(url)
        try:
            yield Stage(cast, lms, placed, nursery)
        finally:
            nursery.close()


def _wait_for(is_true: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_true():
        time.sleep(0.05)
    return is_true()


def test_a_hint_wakes_the_worker_and_leaves_nothing_behind(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grade is delivered long before the next poll, since its transaction's end hints; no result is kept of it."""
    monkeypatch.setattr(hints, "MIN_SECONDS_BETWEEN", 0.0)
    HUEY.storage.flush_all()
    stage.nursery.start_worker(poll_seconds=60)
    for number in range(1, 6):
        stage.owe(str(number))
        assert _wait_for(lambda number=number: stage.held_by_lms() == number, 20)  # type: ignore[misc]
    assert _wait_for(lambda: HUEY.storage.queue_size() == 0, 5)
    assert HUEY.storage.result_store_size() == 0
    assert stage.nursery.stop_all(15) == []


def test_a_burst_of_changes_needs_one_hint(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hint stands for all that is due: a hundred changes at once do not put a hundred hints into the queue."""
    monkeypatch.setattr(hints, "MIN_SECONDS_BETWEEN", 600.0)
    monkeypatch.setattr(hints, "_last_hint_at", time.monotonic() - 601)
    HUEY.storage.flush_all()
    for number in range(100):
        stage.owe(str(number % 10))
    assert HUEY.storage.queue_size() == 1
    assert Delivery.objects.get().wanted_version > 90
    HUEY.storage.flush_all()


def test_without_hints_the_worker_finds_the_work_itself(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint that could not be queued, whatever the reason, loses no grade and no request of a person."""

    def fail() -> None:
        raise OSError("the queue is full")

    monkeypatch.setattr(type(deliver_due), "enqueue", lambda self: fail())
    stage.nursery.start_worker(poll_seconds=0.3)
    stage.owe("7")
    assert _wait_for(lambda: stage.held_by_lms() == 7, 20)


def test_the_worker_ends_after_the_requests_under_way(stage: Stage) -> None:
    """SIGTERM lets a request that is under way end, and its result is stored."""
    stage.lms.fault = lambda service, key: Misbehaviour(silent_seconds=0.4) if service == "score" else None
    stage.nursery.start_worker(poll_seconds=0.3)
    stage.owe("7")
    assert _wait_for(lambda: stage.lms.requests["score"] == 1, 20)
    assert stage.nursery.stop_all(15) == []
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.lease_token) == (Delivery.State.SENT, "")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no server that could go away")
def test_the_worker_outlives_a_restart_of_the_database(stage: Stage) -> None:
    """When the server ends all its connections, the worker opens new ones and goes on."""
    worker = stage.nursery.start_worker(poll_seconds=0.3)
    stage.owe("7")
    assert _wait_for(lambda: stage.held_by_lms() == 7, 20)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND datname = current_database()"
        )
        assert cursor.fetchone()[0] >= 1
    stage.owe("8")
    assert _wait_for(lambda: stage.held_by_lms() == 8, 20)
    assert is_alive(worker)
