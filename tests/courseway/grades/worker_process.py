"""Workers of the tests: real loop, short lease, as processes that can be killed.

A nursery that has loaded everything forks a worker for each line it reads, which says how often it polls, in seconds.
It prints the worker's process id. So a worker is at work a moment after its start, also on a busy machine.

The clock of these workers can be set wrong: the file CLOCK_OFFSET_FILE says by how many seconds, at any time.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
import httpx2
import time_machine

from courseway.loading import loading_modules


class WrongClock:
    """The clock of this process as a file says; the monotonic clock is not concerned, as in life."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._offset = 0.0
        self._travel: time_machine.travel | None = None

    def start(self) -> None:
        self._follow()
        threading.Thread(target=self._keep_following, daemon=True).start()

    def _keep_following(self) -> None:
        while True:
            time.sleep(0.05)
            self._follow()

    def _follow(self) -> None:
        try:
            offset = float(self._path.read_text() or 0)
        except (OSError, ValueError):
            return
        if offset == self._offset:
            return
        if self._travel is not None:
            self._travel.stop()
            self._travel = None
        if offset:
            self._travel = time_machine.travel(datetime.now(UTC) + timedelta(seconds=offset), tick=True)
            self._travel.start()
        self._offset = offset


if __name__ == "__main__":
    with loading_modules():
        django.setup()
        from courseway.events.posting import Limits as WebhookLimits
        from courseway.grades import lineitems
        from courseway.grades.dispatch import Limits
        from courseway.worker import run_worker

        httpx2.create_ssl_context(trust_env=False)  # and what else is loaded with the first request

    lineitems.LEASE = timedelta(seconds=4)
    slowness = float(os.environ.get("LIMITS_TIMES") or 1)
    limits = Limits(
        at_once=16,
        claimed=48,
        lease_seconds=4.0 * slowness,
        deadline_seconds=0.7 * slowness,
        quiet_seconds=1.5 * slowness,
    )
    webhook_limits = WebhookLimits(letters=20, lane_seconds=1.0, lease_seconds=2.5, deadline_seconds=0.7)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for poll_seconds in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if clock_file := os.environ.get("CLOCK_OFFSET_FILE"):
                WrongClock(clock_file).start()
            os._exit(run_worker(limits=limits, webhook_limits=webhook_limits, poll_seconds=float(poll_seconds)))
        print(child, flush=True)
