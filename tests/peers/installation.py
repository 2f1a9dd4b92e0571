"""Courseway for real: its own data folder, its own processes, its own command line. Nothing of it is imported."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def find_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_answering(process: subprocess.Popen[bytes], url: str, log: Path, *, seconds: float = 90) -> None:
    """Return when the address answers 200; fail with the program's own words when it ends or stays silent."""
    give_up_at = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}:\n{log.read_text()[-5000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process in order, or by force when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Installation:
    """One Courseway on SQLite that may reach the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self._server: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> Any:
        """The answer of a command."""
        ended = subprocess.run(
            self._command(*words, "--json"), env=self._environ(), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"courseway {' '.join(words)}: {ended.stdout}{ended.stderr}"
        return json.loads(ended.stdout)

    def start(self) -> None:
        """Serve, with the worker."""
        with self.log.open("wb") as log:
            self._server = subprocess.Popen(
                self._command("serve", "--port", str(self.port)), env=self._environ(), stdout=log, stderr=log
            )
        wait_until_answering(self._server, f"{self.url}/readyz", self.log)

    def stop(self) -> None:
        """End the server and its children."""
        if self._server is not None:
            stop(self._server)

    def _environ(self) -> dict[str, str]:
        ours = ("COURSEWAY_", "DJANGO_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **inherited,
            "COURSEWAY_DATA_DIR": str(self.folder / "data"),
            "COURSEWAY_PUBLIC_URL": self.url,
            "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
            "COURSEWAY_LOG_LEVEL": "INFO",
            "PYTHONPATH": str(ROOT / "src"),
        }

    @staticmethod
    def _command(*words: str) -> list[str]:
        return [sys.executable, "-W", "ignore", "-P", "-m", "courseway", *words]
