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
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                self._answer = cursor.fetchone()[0]
            self._asked_at = moment = time.monotonic()
        return self._answer + timedelta(seconds=moment - self._asked_at)
