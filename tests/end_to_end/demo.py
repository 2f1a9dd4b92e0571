"""The demo as a newcomer starts it: one command, two servers, a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import yaml

import courseway

START_SECONDS = 90
EXAMPLE = Path(courseway.__file__).parent / "courses" / "example" / "course.yaml"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Demo:
    tool: str
    lms: str
    folder: Path
    process: subprocess.Popen[bytes]
    said: str

    @property
    def notes(self) -> dict[str, str]:
        notes: dict[str, str] = json.loads((self.folder / "demo.json").read_text())
        return notes

    def ask_lms(self, path: str) -> Any:
        with build_opener(ProxyHandler({})).open(self.lms + path, timeout=10) as answer:
            return json.load(answer)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def run_demo(folder: Path) -> Iterator[Demo]:
    """`courseway demo` in a process group of its own, until its announcement; everything ends with the block."""
    port, lms_port = free_port(), free_port()
    command = [sys.executable, "-m", "courseway", "demo", "--port", str(port), "--lms-port", str(lms_port)]
    log = folder.parent / f"{folder.name}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COURSEWAY_")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--data", str(folder)],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
            # Tests that run in the background are deaf to Ctrl-C, and would hand that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while "Ctrl-C stops the demo" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, log.read_text()
            time.sleep(0.2)
        yield Demo(f"http://127.0.0.1:{port}", f"http://localhost:{lms_port}", folder, process, log.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass(frozen=True)
class Answer:
    """What to type into a question's field, and what it earns."""

    kind: str
    text: str
    points: Decimal


def read_answers(title: str) -> dict[str, Answer]:
    """The right answers of an assignment of the example course, by field name."""
    course = yaml.safe_load(EXAMPLE.read_text())
    for module in course["modules"]:
        for assignment in module["assignments"]:
            if assignment["title"] == title:
                return {
                    f"q-{question['key']}": Answer(
                        question["kind"],
                        str(question.get("answer", (question.get("answers") or [""])[0])),
                        Decimal(str(question["points"])),
                    )
                    for page in assignment["pages"]
                    for question in page.get("questions", [])
                }
    raise LookupError(title)
