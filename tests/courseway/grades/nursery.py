"""Workers as processes of their own, on the test's database, to be killed and asked to stop."""

from __future__ import annotations

import atexit
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

from django.conf import settings
from django.db import connection
from django.test import override_settings
from huey.contrib.djhuey import HUEY

from courseway.engine import make_queue

ROOT = Path(__file__).parents[3]


@contextmanager
def own_database() -> Iterator[str]:
    """The test's database by an address that another process can use: workers cannot see a transaction of the test."""
    if connection.vendor == "postgresql":
        parts = connection.get_connection_params()
        host, port = parts.get("host", ""), parts.get("port", "")
        user, password = parts.get("user", ""), parts.get("password", "")
        where = f"host={host}&port={port}" if port else f"host={host}"
        url = f"postgresql://{user}{':' + password if password else ''}@/{parts['dbname']}?{where}"
        with _queue_in(url):
            yield url
        return
    # In the same place for each test of this process, so that one nursery serves them all.
    path = Path(settings.DATA_DIR) / "of-workers.sqlite3"
    connection.close()
    original = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(path)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(original)) as migrated, closing(sqlite3.connect(path)) as copy:
            migrated.backup(copy)
        yield f"sqlite:///{path}"
    finally:
        connection.close()
        connection.settings_dict["NAME"] = original


@contextmanager
def _queue_in(url: str) -> Iterator[None]:
    """The queue of hints beside the test's database. Other processes of a parallel run have the server's own database
    too, and their workers would take the hints."""
    with override_settings(TASKS_URL=url):
        storage = make_queue("courseway").storage
        with patch.object(HUEY, "storage", storage):
            yield
        storage.close()


_mothers: dict[tuple[tuple[str, str], ...], subprocess.Popen[str]] = {}
"""By their environment: processes that have loaded everything and end with this one, whose pipe they read."""


class Nursery:
    """Starts workers; knows which are alive, oldest first."""

    def __init__(self, url: str, *, tasks_url: str = "", clock_file: Path | None = None, slowness: float = 1) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COURSEWAY_")},
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "courseway.settings",
            "COURSEWAY_DATABASE_URL": url,
            "COURSEWAY_SECRET_KEY": ",".join(settings.SECRET_KEYS),
            "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
            "COURSEWAY_LOG_LEVEL": "CRITICAL",
            "LIMITS_TIMES": str(slowness),
            **({"CLOCK_OFFSET_FILE": str(clock_file)} if clock_file else {}),
            # The same queue of hints as this process.
            "COURSEWAY_DATA_DIR": str(settings.DATA_DIR),
            "COURSEWAY_TASKS_URL": tasks_url or settings.TASKS_URL,
        }
        key = tuple(sorted(environment.items()))
        if key not in _mothers:
            command = [sys.executable, "-m", "tests.courseway.grades.worker_process"]
            _mothers[key] = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        self.process = _mothers[key]
        self.workers: list[int] = []

    def start_worker(self, *, poll_seconds: float = 0.3) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{poll_seconds}\n")
        self.process.stdin.flush()
        self.workers.append(int(self.process.stdout.readline()))
        return self.workers[-1]

    def kill_oldest(self) -> None:
        os.kill(self.workers.pop(0), signal.SIGKILL)

    def stop_all(self, seconds: float) -> list[int]:
        """Ask all workers to end; returns those that did not."""
        for worker in self.workers:
            os.kill(worker, signal.SIGTERM)
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(map(is_alive, self.workers)):
            time.sleep(0.05)
        return [worker for worker in self.workers if is_alive(worker)]

    def close(self) -> None:
        """Kill all workers, and wait until nothing of them is left in the database."""
        for worker in filter(is_alive, self.workers):
            os.kill(worker, signal.SIGKILL)
        while any(map(is_alive, self.workers)):
            time.sleep(0.01)


@atexit.register
def _end_mothers() -> None:
    for mother in _mothers.values():
        mother.kill()
        mother.communicate()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
