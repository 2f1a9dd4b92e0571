"""`courseway serve`: one command that runs web and worker, each in processes of its own, and keeps them running.

The parent opens no thread and no connection. Its children are programs started afresh, not forks of it; each leads a
process group, so that nothing of it is left behind, and is told by the kernel when the parent dies.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import FrameType

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.2
STOP_SECONDS = 40.0  # a little more than the longest outgoing request
SHORT_LIFE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A program that is kept running. After short lives it is started again more and more slowly."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    starts_again_at: float = 0.0
    short_lives: int = 0

    def start(self, parent: int) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )

    def look(self) -> None:
        """Notice that it ended, sweep up what it left, and decide when to start it again."""
        if self.process is None or self.process.poll() is None:
            return
        status, lived = self.process.returncode, time.monotonic() - self.started_at
        self.signal(signal.SIGKILL)
        self.process = None
        self.short_lives = self.short_lives + 1 if lived < SHORT_LIFE_SECONDS else 0
        pause = min(LONGEST_PAUSE_SECONDS, 2.0**self.short_lives / 2) if self.short_lives else 0.0
        self.starts_again_at = time.monotonic() + pause
        logger.error("The %s process ended (status %s); it is started again.", self.name, status)

    def signal(self, number: int) -> None:
        """Send a signal to its whole group; a group that is gone is what was wanted."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return


def supervise(*, host: str, port: int, workers: int = 1, with_worker: bool = True) -> int:
    """Run web and worker until SIGTERM or SIGINT; both end with this process, however it ends.

    The caller made sure that the database is migrated and the static files are collected.
    """
    children = [Child("web", web_command(host, port, workers))]
    if with_worker:
        children.append(Child("worker", [sys.executable, "-m", "courseway", "worker"]))
    return keep_running(children)


def web_command(host: str, port: int, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "courseway.wsgi:application"),
        *("--host", host, "--port", str(port), "--workers", str(workers)),
        *("--blocking-threads", "4", "--backlog", "1024", "--no-ws", "--log-level", "warning"),
        *("--respawn-failed-workers", "--workers-kill-timeout", "20"),
    ]


def keep_running(children: list[Child]) -> int:
    stop = _Stop()
    parent = os.getpid()
    try:
        while not stop.is_wanted:
            for child in children:
                child.look()
                if child.process is None and time.monotonic() >= child.starts_again_at and not stop.is_wanted:
                    child.start(parent)
            time.sleep(LOOK_EVERY_SECONDS)
    finally:
        _stop_all(children)
    return 0


def _stop_all(children: list[Child]) -> None:
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.error("The %s process did not end in time and is killed.", child.name)
        child.signal(signal.SIGKILL)
        child.process.wait()


class _Stop:
    """Set by SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self.is_wanted = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.is_wanted = True


def die_with(parent: int) -> None:
    """In the child, before its program: be ended by the kernel when the parent is no more (Linux only)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died in between
        os._exit(1)
