"""`courseway worker`: delivers what is due, at once when a hint comes and each second without one.

Grades are delivered in the main thread; webhooks, mail and reading back results each have one beside it: none of them
waits for another.

Any number of workers may run, on any number of machines; leases keep them apart, counted by the database's clock. A
worker outlives a restart of the database and any single row, and ends when asked to, after the requests that are under
way.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from huey.consumer import Consumer

from courseway.courses.announcing import announce_enrollments
from courseway.database_clock import DatabaseClock
from courseway.events.mail import send_due_mail
from courseway.events.posting import Limits as WebhookLimits
from courseway.events.posting import Poster
from courseway.grades.circuits import give_up_on_dead
from courseway.grades.clock_jumps import heal_clock_jump
from courseway.grades.column_checks import check_due_columns
from courseway.grades.dispatch import Dispatcher, Limits, set_at_work
from courseway.grades.failure_mail import tell_failures
from courseway.grades.outbox import revive_reinstated
from courseway.grades.result_checks import check_due, plan_nightly
from courseway.learning.due import settle
from courseway.lms.notice_subscriptions import subscribe_due
from courseway.lms.notices import act_on_due
from courseway.lms.rosters import read_due_rosters, want_rosters
from courseway.retention import clear_when_due

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# How often work whose due date passed is looked for.
SETTLE_SECONDS = 5.0
RESTING_SECONDS = 1.0
# How often rows are looked for that nothing else would move.
SECONDS_BETWEEN_ROUNDS = 60.0
# How often it is looked whether old rows are to be deleted.
SECONDS_BETWEEN_CLEARINGS = 60.0
# How often it is looked whether teachers have to be told of grades that are stuck.
TELL_SECONDS = 60.0
# How often nights are planned, and how often it is looked whether somebody waits for what an LMS holds.
PLAN_SECONDS = 300.0
SECONDS_BETWEEN_CHECKS = 2.0
# How long hints that are being worked on may hold up the end.
STOP_SECONDS = 5.0


class _Consumer(Protocol):
    def stop(self, graceful: bool = False) -> None: ...


class HintConsumer(Consumer):  # type: ignore[misc]
    """huey's consumer beside our own loop: the signals are ours."""

    def _set_signal_handlers(self) -> None:
        pass


def run_worker(
    *,
    limits: Limits | None = None,
    webhook_limits: WebhookLimits | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> int:
    """Work until SIGTERM or SIGINT. Returns the exit status."""
    dispatcher = Dispatcher(limits, is_wary=True)
    stop = _Stop(dispatcher)
    set_at_work(dispatcher)
    beside = [
        _Beside("webhooks", _WebhookTurns(webhook_limits, poll_seconds)),
        _Beside("mail", _MailTurns(poll_seconds)),
        _Beside("results", _ResultTurns()),
        _Beside("clearing", _ClearingTurns()),
    ]
    # An LMS that is slow to list its members holds up at most one of them.
    readers = [_Beside(f"rosters-{number}", _RosterTurns(poll_seconds)) for number in (1, 2)]
    readers.append(_Beside("notices", _NoticeTurns(poll_seconds)))
    consumer: _Consumer | None = None
    settle_at = revive_at = 0.0
    try:
        while not stop.is_wanted:
            consumer = consumer or _start_consumer()
            if time.monotonic() >= settle_at:
                _survive(lambda: settle(now=dispatcher.clock()))
                settle_at = time.monotonic() + SETTLE_SECONDS
            if time.monotonic() >= revive_at:
                _survive(lambda: _make_round(dispatcher))
                revive_at = time.monotonic() + SECONDS_BETWEEN_ROUNDS
            _survive(lambda: dispatcher.turn(wait_seconds=poll_seconds))
    finally:
        set_at_work(None)
        for one in (*beside, *readers):
            one.ask_to_stop()
        _close(dispatcher)
        for one in beside:
            one.join()
        for one in readers:
            one.join(STOP_SECONDS)  # a list that is not read to its end is read again, by whoever comes next
        if consumer is not None:
            consumer.stop(graceful=True)
    return 0


def _make_round(dispatcher: Dispatcher) -> None:
    """Platforms that an owner took back, clocks that were wrong, and an LMS that is down for days."""
    now = dispatcher.clock()
    revive_reinstated(now=now)
    heal_clock_jump(lease_seconds=dispatcher.limits.lease_seconds, now=now)
    give_up_on_dead(now=now)


class _Stop:
    """Set by SIGTERM or SIGINT, which also end the wait of the loop."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.is_wanted = False
        self._dispatcher = dispatcher
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.is_wanted = True
        self._dispatcher.wake()


class _Turns(Protocol):
    def turn(self) -> object: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


class _Beside(threading.Thread):
    """A loop of its own, with a database connection of its own, that begins at once."""

    def __init__(self, name: str, turns: _Turns) -> None:
        super().__init__(name=name, daemon=True)
        self._turns = turns
        self._is_over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._is_over.is_set():
            _survive(self._turns.turn)
        _survive(self._turns.close)
        connection.close()

    def ask_to_stop(self) -> None:
        self._is_over.set()
        self._turns.wake()


class _WebhookTurns:
    def __init__(self, limits: WebhookLimits | None, poll_seconds: float) -> None:
        self._poster = Poster(limits)
        self._clock = self._poster.clock
        self._poll_seconds = poll_seconds
        self.wake = self._poster.wake
        self.close = self._poster.close

    def turn(self) -> None:
        announce_enrollments(now=self._clock())
        self._poster.turn(wait_seconds=self._poll_seconds)


class _MailTurns:
    def __init__(self, poll_seconds: float) -> None:
        self._clock = DatabaseClock()
        self._poll_seconds = poll_seconds
        self._tell_at = 0.0
        self._is_awake = threading.Event()
        self.wake = self._is_awake.set

    def turn(self) -> None:
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_SECONDS
            tell_failures(now=self._clock())
        if not send_due_mail(now=self._clock()):
            self._is_awake.wait(self._poll_seconds)

    def close(self) -> None:
        """Nothing is kept between turns."""


class _ResultTurns:
    """Reading back what the LMSs hold: nobody's grade waits for it."""

    def __init__(self) -> None:
        self._clock = DatabaseClock()
        self._plan_at = 0.0
        self._is_awake = threading.Event()
        self.wake = self._is_awake.set

    def turn(self) -> None:
        if time.monotonic() >= self._plan_at:
            self._plan_at = time.monotonic() + PLAN_SECONDS
            plan_nightly(now=self._clock())
        if not check_due(now=self._clock()):
            self._is_awake.wait(SECONDS_BETWEEN_CHECKS)

    def close(self) -> None:
        """Nothing is kept between turns."""


class _NoticeTurns:
    """Notices that came, and LMSs that are to send some."""

    def __init__(self, poll_seconds: float) -> None:
        self._clock = DatabaseClock()
        self._poll_seconds = poll_seconds
        self._is_awake = threading.Event()
        self.wake = self._is_awake.set

    def turn(self) -> None:
        now = self._clock()
        if not (act_on_due(now=now) + subscribe_due(now=now)):
            self._is_awake.wait(self._poll_seconds)

    def close(self) -> None:
        """Nothing is kept between turns."""


class _ClearingTurns:
    """Deleting what is not kept any longer, at night. Being woken means to end after the batch at hand."""

    def __init__(self) -> None:
        self._clock = DatabaseClock()
        self._is_awake = threading.Event()
        self.wake = self._is_awake.set

    def turn(self) -> None:
        if not clear_when_due(now=self._clock(), is_over=self._is_awake.is_set):
            self._is_awake.wait(SECONDS_BETWEEN_CLEARINGS)

    def close(self) -> None:
        """Nothing is kept between turns."""


class _RosterTurns:
    """Reading who is in the courses of the LMSs, and which columns they have."""

    def __init__(self, poll_seconds: float) -> None:
        self._clock = DatabaseClock()
        self._poll_seconds = poll_seconds
        self._is_awake = threading.Event()
        self.wake = self._is_awake.set

    def turn(self) -> None:
        want_rosters(now=self._clock())
        if not (check_due_columns(now=self._clock()) or read_due_rosters(clock=self._clock)):
            self._is_awake.wait(self._poll_seconds)

    def close(self) -> None:
        """Nothing is kept between turns."""


def _survive(turn: Callable[[], object]) -> None:
    """One turn of the loop, which nothing can end: what went wrong is logged, and the next turn is made."""
    try:
        turn()
    except (OperationalError, InterfaceError) as error:
        logger.warning("The database does not answer (%s); waiting for it.", type(error).__name__)
        connection.close()
        time.sleep(RESTING_SECONDS)
    except Exception:
        logger.exception("A turn of the worker failed; the next one follows.")
        connection.close()
        time.sleep(RESTING_SECONDS)


def _start_consumer() -> _Consumer | None:
    """The engine's side of the worker. Without it hints are lost, and the loop finds the work by itself."""
    if settings.USES_CELERY:
        from courseway.celery_engine import CeleryConsumer

        celery_consumer = CeleryConsumer()
        celery_consumer.start()
        return celery_consumer
    from huey.contrib.djhuey import HUEY

    try:
        consumer = HintConsumer(
            HUEY,
            workers=1,
            periodic=False,
            initial_delay=0.05,
            backoff=1.5,
            max_delay=0.5,
            scheduler_interval=10,
            shutdown_timeout=STOP_SECONDS,
        )
        consumer.start()
    except Exception as error:
        # Whatever the queue's storage raises: it is tried again with the next turn.
        logger.warning("The queue of hints does not answer: %s", type(error).__name__)
        return None
    return consumer


def _close(dispatcher: Dispatcher) -> None:
    try:
        dispatcher.close()
    except (OperationalError, InterfaceError) as error:
        # The leases run out, and other workers go on.
        logger.warning("The last results could not be stored: %s", type(error).__name__)
    connection.close()
