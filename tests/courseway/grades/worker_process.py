"""Workers of the tests: real loop, short lease, as processes that can be killed.

A nursery that has loaded everything forks a worker for each line it reads, which says how often it polls, in seconds.
It prints the worker's process id. So a worker is at work a moment after its start, also on a busy machine.
"""

from __future__ import annotations

import os
import signal
import sys

import django

if __name__ == "__main__":
    django.setup()
    from courseway.events.posting import Limits as WebhookLimits
    from courseway.grades.dispatch import Limits
    from courseway.worker import run_worker

    limits = Limits(at_once=16, claimed=48, lease_seconds=2.5, deadline_seconds=0.7, quiet_seconds=1.5)
    webhook_limits = WebhookLimits(letters=20, lane_seconds=1.0, lease_seconds=2.5, deadline_seconds=0.7)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for poll_seconds in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(run_worker(limits=limits, webhook_limits=webhook_limits, poll_seconds=float(poll_seconds)))
        print(child, flush=True)
