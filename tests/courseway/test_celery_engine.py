"""Celery as the engine of hints, on real brokers: RabbitMQ with quorum queues, and Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.test import override_settings
from django.utils import timezone
from django_tasks import task_backends
from kombu import Connection

from courseway.celery_engine import EXPIRES_SECONDS, QUEUE, celery_app
from courseway.grades import hints
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from tests.cast import make_cast
from tests.courseway.brokers import KINDS, find_broker, run_broker, why_missing
from tests.courseway.grades.fake_lms import run_fake_lms
from tests.courseway.grades.links import place_v13
from tests.courseway.grades.nursery import Nursery, own_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.programs, pytest.mark.timeout(240)]

BACKEND = {"default": {"BACKEND": "courseway.celery_engine.CeleryBackend"}}


@pytest.fixture(scope="module", params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if find_broker(request.param) is None:
        pytest.skip(why_missing(request.param))
    with run_broker(request.param, tmp_path_factory.mktemp(request.param)) as url:
        yield url


def _use_celery(url: str) -> override_settings:
    """This process enqueues through Celery too, as a web process with COURSEWAY_TASKS_URL does."""
    return override_settings(TASKS_URL=url, USES_CELERY=True, TASKS=BACKEND)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hints, "MIN_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(hints, "_rests_until", 0.0)
    celery_app.cache_clear()
    yield
    celery_app.cache_clear()


def _wait_for(is_true: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_true():
        time.sleep(0.05)
    return is_true()


def test_a_hint_by_celery_wakes_the_worker(broker: str) -> None:
    """A grade is delivered long before the worker would look by itself: its hint came through the broker."""
    with run_fake_lms() as lms, own_database() as url, _use_celery(broker):
        cast = make_cast()
        placed = place_v13(cast.operators, lms.url)
        placed.let_in(cast.sam)
        nursery = Nursery(url, tasks_url=broker)
        try:
            nursery.start_worker(poll_seconds=600)
            for number in range(1, 4):
                # The worker looks once when it starts: from then on only hints wake it.
                owe(cast.sam, cast.operators, _grade(number), now=timezone.now())
                assert _wait_for(lambda n=number: (n, 10) in lms.grades.values(), 60)  # type: ignore[misc]
            assert nursery.stop_all(20) == []
        finally:
            nursery.close()


def test_a_broker_that_loses_every_message_loses_no_grade(broker: str) -> None:
    """All hints are thrown away before anybody reads them: the worker finds the grades by itself."""
    with run_fake_lms() as lms, own_database() as url, _use_celery(broker):
        cast = make_cast()
        placed = place_v13(cast.operators, lms.url)
        placed.let_in(cast.sam)
        _empty_the_queue(broker)
        for number in range(1, 4):
            owe(cast.sam, cast.operators, _grade(number), now=timezone.now())
        assert _purge(broker) == 3
        nursery = Nursery(url, tasks_url=broker)
        try:
            nursery.start_worker(poll_seconds=0.3)
            assert _wait_for(lambda: lms.grades.get(f"user-{cast.sam.pk}@1") == (3, 10), 30)
            assert _wait_for(lambda: Delivery.objects.get().state == Delivery.State.SENT, 10)
        finally:
            nursery.close()


def test_the_queue_of_rabbitmq_is_a_quorum_queue(broker: str) -> None:
    """A quorum queue outlives a node of the cluster; RabbitMQ refuses to declare it as another kind."""
    if not broker.startswith("amqp"):
        pytest.skip("Redis has lists")
    with _use_celery(broker):
        task_backends["default"].enqueue(hints.deliver_due, [], {})
    with Connection(broker) as connection:
        channel = connection.channel()
        classic = {"x-queue-type": "classic", "x-max-length": 10_000, "x-message-ttl": EXPIRES_SECONDS * 1000}
        with pytest.raises(Exception, match="x-queue-type"):
            channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments=classic)


def test_a_broker_that_is_down_delays_nobody() -> None:
    """A web process whose broker does not answer stores the grade at once, asks no more for a while, and a worker
    without a broker delivers it."""
    nowhere = "amqp://guest:guest@127.0.0.1:9//"
    with run_fake_lms() as lms, own_database() as url, _use_celery(nowhere):
        cast = make_cast()
        placed = place_v13(cast.operators, lms.url)
        placed.let_in(cast.sam)
        begun = time.monotonic()
        for number in range(1, 11):
            owe(cast.sam, cast.operators, _grade(number % 10), now=timezone.now())
        assert time.monotonic() - begun < 5
        owe(cast.sam, cast.operators, _grade(7), now=timezone.now())
        nursery = Nursery(url, tasks_url=nowhere)
        try:
            nursery.start_worker(poll_seconds=0.3)
            assert _wait_for(lambda: lms.grades.get(f"user-{cast.sam.pk}@1") == (7, 10), 30)
            assert nursery.stop_all(20) == []
        finally:
            nursery.close()


def _purge(broker: str) -> int:
    with Connection(broker) as connection:
        return int(connection.default_channel.queue_purge(QUEUE))


def _empty_the_queue(broker: str) -> None:
    """A worker that ended in the middle of a hint leaves it to the others: the broker puts it back a moment later."""
    with celery_app().connection_for_write() as connection:
        for queue in celery_app().amqp.queues.values():
            queue(connection).declare()

    def stays_empty() -> bool:
        _purge(broker)
        time.sleep(0.3)
        return _purge(broker) == 0

    assert _wait_for(stays_empty, 10)


def _grade(score: int) -> Grade:
    return Grade(Decimal(score), Decimal(10), is_completed=True, is_released=True)
