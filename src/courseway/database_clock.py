"""The time that all workers share: the database's, so that a machine whose clock is wrong breaks no lease.

It is asked now and then and counted on between by the monotonic clock, which knows no jumps. SQLite has no clock of its
own; there all processes are on one machine.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

ASK_AGAIN_SECONDS = 20.0
# An answer that took longer may be that much wrong, so that it is asked for again, so often in all.
QUICK_SECONDS = 0.02
MOST_ASKED = 3


class DatabaseClock:
    """Call it for the time. Belongs to one thread; raises OperationalError when the database is away."""

    def __init__(self) -> None:
        self._asked_at: float | None = None  # of the monotonic clock
        self._answer = timezone.now()

    def __call__(self) -> datetime:
        if connection.vendor != "postgresql":
            return timezone.now()
        moment = time.monotonic()
        if self._asked_at is None or moment - self._asked_at > ASK_AGAIN_SECONDS:
            self._asked_at = self._ask()
            moment = time.monotonic()
        return self._answer + timedelta(seconds=moment - self._asked_at)

    def _ask(self) -> float:
        """Keep the answer that came soonest; returns when it was asked for, from which it is counted.

        So this clock is never behind the database's: behind it, what is owed now would not be due yet when its hint
        comes. It is ahead by less than the answer took; a lease has seconds to spare.
        """
        shortest, counted_from = float("inf"), 0.0
        with connection.cursor() as cursor:
            for _ in range(MOST_ASKED):
                asked_at = time.monotonic()
                cursor.execute("SELECT clock_timestamp()")
                answer = cursor.fetchone()[0]
                seconds = time.monotonic() - asked_at
                if seconds < shortest:
                    shortest, counted_from, self._answer = seconds, asked_at, answer
                if shortest <= QUICK_SECONDS:
                    break
        return counted_from
