"""Those whose grades are counted, each started for real: `courseway worker`, ltijs and pylti1p3."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from tests.peers.environment import make_environment, make_node_environment
from tests.peers.installation import find_port, stop

from benchmarks.gradebook import MAXIMUM, Gradebook, OwedGrade
from benchmarks.processes import TOOL_CPU, cpu_seconds, start_on_tool_cpu
from benchmarks.stands import LTIJS, PUBLIC_URL, ROOT, Database, inherited_environment, write_course

HERE = Path(__file__).parent
# How many requests are on their way at once: what the platforms of the measurement take together.
AT_ONCE = 400
SECONDS_AT_MOST = 120


class WrongGradeError(Exception):
    """A grade did not arrive, or another one did. A rate of lost grades would say nothing."""


class Meter:
    """Seconds by the clock and of the CPU, from the first answers on: a start is no grade."""

    def __init__(self, gradebook: Gradebook, root: int, database_root: int) -> None:
        self._gradebook, self._roots = gradebook, (root, database_root)
        self._begun = self._read()

    def begin(self) -> None:
        self._begun = self._read()

    def end(self) -> dict[str, float]:
        taken, at, tool, database = (now - then for now, then in zip(self._read(), self._begun, strict=True))
        return {"grades": taken, "seconds": at, "tool_cpu": tool, "database_cpu": database}

    def _read(self) -> tuple[float, float, float, float]:
        tool, database = (cpu_seconds(root) for root in self._roots)
        return self._gradebook.taken, time.monotonic(), tool, database


# Sends the grades and returns what `Meter.end` gives.
Sender = Callable[[Sequence[OwedGrade]], dict[str, float]]


@contextmanager
def run_courseway(folder: Path, database: Database, gradebook: Gradebook, *, lti: str, people: int) -> Iterator[Sender]:
    """`courseway worker`, started for each round when all of its grades are owed, and measured once it is at work."""
    name = f"grades_{lti.replace('.', '')}"
    environment = {
        **inherited_environment(),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "COURSEWAY_DATA_DIR": str(folder / name),
        "COURSEWAY_DATABASE_URL": database.make(name),
        "COURSEWAY_PUBLIC_URL": PUBLIC_URL,
        "COURSEWAY_SECRET_KEY": secrets.token_urlsafe(48),
        "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",
    }

    def run(*words: str) -> Any:
        ended = subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=False, cwd=ROOT)
        assert ended.returncode == 0, f"{words}: {ended.stdout!r} {ended.stderr!r}"

    def courseway(*words: str) -> None:
        run("-W", "ignore", "-m", "courseway", *words)

    def owed_grades(**tasks: Any) -> None:
        run("-m", "benchmarks.owed_grades", json.dumps(tasks))

    courseway("migrate")
    courseway("org", "create", "--name", "School", "--owner", "owner@school.example")
    courseway("course", "import", str(write_course(folder)), "--org", "school")
    owed_grades(make={"version": lti, "people": people, "urls": gradebook.urls})

    def send(owed: Sequence[OwedGrade]) -> dict[str, float]:
        owed_grades(owe={"version": lti, "people": people, "round": owed[0].round})
        with psycopg.connect(database.uri.replace("/postgres?", f"/{name}?"), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            log = folder / f"{name}.log"
            worker = start_on_tool_cpu([sys.executable, "-m", "courseway", "worker"], environment, log, folder=ROOT)
            try:
                meter = Meter(gradebook, worker.pid, database.root)
                _wait(lambda: gradebook.taken >= len(owed) // 10, worker, log)
                meter.begin()
                _wait(lambda: gradebook.taken >= len(owed), worker, log)
                query = "SELECT count(*) FROM grades_delivery WHERE state = 'sent' AND next_try_at IS NULL"
                _wait(lambda: connection.execute(query).fetchone() == (len(owed),), worker, log)
                return meter.end()
            finally:
                stop(worker)

    yield send


@contextmanager
def run_ltijs(folder: Path, database: Database, gradebook: Gradebook) -> Iterator[Sender]:
    """ltijs with its PostgreSQL plugin, in a loop of its own: nobody's request has to be answered for a grade."""
    database.make("ltijs_grades")
    modules = make_node_environment("ltijs", LTIJS)
    environment = {**inherited_environment(), "NODE_PATH": str(modules), "NODE_ENV": "production"}
    told = {"port": find_port(), "socket": database.socket, "urls": gradebook.urls}
    command = ["node", str(HERE / "ltijs_grades.js"), json.dumps(told)]
    with _run_by_lines(command, environment, folder / "ltijs.log", database, gradebook, at_once=AT_ONCE) as send:
        yield send


@contextmanager
def run_pylti1p3(folder: Path, database: Database, gradebook: Gradebook, *, name: str) -> Iterator[Sender]:
    """pylti1p3, which keeps nothing in a database. More threads than these make it slower."""
    python = make_environment(name, LTIJS.parent / f"requirements-{name}.txt")
    command = [str(python), "-P", str(HERE / "pylti1p3_grades.py"), json.dumps({"urls": gradebook.urls})]
    environment, log = inherited_environment(), folder / f"{name}.log"
    with _run_by_lines(command, environment, log, database, gradebook, at_once=8) as send:
        yield send


@contextmanager
def _run_by_lines(
    command: list[str],
    environment: dict[str, str],
    log: Path,
    database: Database,
    gradebook: Gradebook,
    *,
    at_once: int,
) -> Iterator[Sender]:
    pinned = ["taskset", "--cpu-list", str(TOOL_CPU), *command]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            pinned, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
        )
    assert process.stdin
    assert process.stdout

    def wait_for(word: str) -> None:
        assert process.stdout
        if not any(line.strip() == word for line in iter(process.stdout.readline, "")):  # it may say more than that
            raise WrongGradeError(f"{command[-2]} ended: {log.read_text()[-3000:]}")

    def tell(owed: Sequence[OwedGrade], at_once: int) -> None:
        assert process.stdin
        grades = [
            [one.platform, f"{gradebook.urls[one.platform]}/columns/{one.column}", one.user, float(one.score), MAXIMUM]
            for one in owed
        ]
        process.stdin.write(json.dumps({"at_once": at_once, "grades": grades}) + "\n")
        wait_for("done")

    def send(owed: Sequence[OwedGrade]) -> dict[str, float]:
        warming = owed[: len(gradebook.urls)]  # one for each platform: tokens are had before the clock runs
        tell(warming, 1)
        meter = Meter(gradebook, process.pid, database.root)
        tell(owed[len(warming) :], at_once)
        return meter.end()

    try:
        wait_for("ready")
        yield send
    finally:
        process.stdin.close()
        stop(process)


def _wait(is_reached: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + SECONDS_AT_MOST
    while not is_reached():
        if time.monotonic() > give_up_at or process.poll() is not None:
            raise WrongGradeError(f"not all grades were delivered: {log.read_text()[-3000:]}")
        time.sleep(0.02)


StartsSender = Callable[[Path, Database, Gradebook], AbstractContextManager[Sender]]
