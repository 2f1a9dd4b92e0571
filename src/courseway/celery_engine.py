"""Celery as the engine that carries hints to workers on many machines: RabbitMQ quorum queues, Redis or Valkey.

Chosen by COURSEWAY_TASKS_URL; `courseway worker` runs a Celery worker in a thread of its own. As with every engine the
truth is in the outbox tables: a broker that loses all messages, or is down, delays grades by a second at most.
"""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import Any

from celery import Celery
from celery.worker import state
from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task, TaskResult, TaskResultStatus
from django_tasks.signals import task_enqueued
from django_tasks.utils import get_random_id
from kombu.entity import Queue

logger = logging.getLogger(__name__)

QUEUE = "courseway"
RUN_TASK = "courseway.run"
# A hint that nobody took for so long tells nothing any more: workers looked by themselves long ago.
EXPIRES_SECONDS = 60
# A person's request must not wait long for a broker that is down.
PUBLISH_SECONDS = 2.0
START_AGAIN_SECONDS = 5.0


@cache
def celery_app() -> Celery:
    """The application of this process. Connects with the first use."""
    url = (
        settings.TASKS_URL.replace("valkey", "redis", 1)
        if settings.TASKS_URL.startswith("valkey")
        else settings.TASKS_URL
    )
    app = Celery("courseway", broker=url, set_as_current=False)
    is_rabbit = url.startswith("amqp")
    arguments = {"x-queue-type": "quorum", "x-max-length": 10_000, "x-message-ttl": EXPIRES_SECONDS * 1000}
    app.conf.update(
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE, queue_arguments=arguments if is_rabbit else None)],  # type: ignore[no-untyped-call]
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        # A worker that is killed in the middle leaves its message to the others.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_detect_quorum_queues=is_rabbit,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_timeout=PUBLISH_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_transport_options=_transport_options(is_rabbit=is_rabbit),
    )
    app.task(name=RUN_TASK)(_run)
    return app


def _transport_options(*, is_rabbit: bool) -> dict[str, object]:
    if is_rabbit:
        return {"write_timeout": PUBLISH_SECONDS}
    return {
        # Redis gives a message that was not acknowledged to another worker after so long (seconds).
        "visibility_timeout": EXPIRES_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": PUBLISH_SECONDS,
        "socket_timeout": 10.0,
    }


def _run(path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """A task of django.tasks, named by its path in the message."""
    task = import_string(path)
    if not isinstance(task, Task):
        raise TypeError(f"{path} is no task")
    try:
        task.func(*args, **kwargs)
    finally:
        connections.close_all()


class CeleryBackend(BaseTaskBackend):
    """Fire and forget: nobody asks what became of a hint."""

    def enqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        self.validate_task(task)
        result: TaskResult[Any] = TaskResult(
            task=task,
            id=get_random_id(),
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        celery_app().send_task(
            RUN_TASK,
            args=[task.module_path, list(args), dict(kwargs)],
            task_id=result.id,
            expires=EXPIRES_SECONDS,
            retry=False,
        )
        task_enqueued.send(type(self), task_result=result)
        return result


class CeleryConsumer(threading.Thread):
    """A Celery worker of one task at a time, beside the loop of `courseway worker`, which its tasks wake."""

    def __init__(self) -> None:
        super().__init__(name="celery", daemon=True)
        self._is_over = threading.Event()
        state.should_stop = None

    def run(self) -> None:
        while not self._is_over.is_set():
            try:
                app = celery_app()
                app.WorkController(
                    app=app,
                    pool="solo",
                    concurrency=1,
                    without_gossip=True,
                    without_mingle=True,
                    loglevel=logging.WARNING,
                ).start()
            except (Exception, SystemExit) as error:
                # Whatever the broker or its client raises: hints are lost until it is back, grades are not.
                if not self._is_over.is_set():
                    logger.warning("The broker of hints does not answer: %s", type(error).__name__)
            self._is_over.wait(START_AGAIN_SECONDS)

    def stop(self, graceful: bool = False) -> None:
        self._is_over.set()
        state.should_stop = True
        if graceful:
            self.join(PUBLISH_SECONDS)
