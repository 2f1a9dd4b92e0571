"""Launches with a database as full as after years, beside an empty one; and whether anything reads a big table whole.

A thousand people come to both in turn. The full one holds a million people, fifty thousand LMS courses and ten million
launches besides (`--share` of them). Its worker then claims grades that are due, and `courseway prune` deletes what is
kept no longer; what each of them reads row by row is counted by PostgreSQL.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from tests.peers.installation import stop

from benchmarks.driver import Driver, Tool
from benchmarks.filling import CONTEXTS, LAUNCHES, PEOPLE, fill
from benchmarks.launch_report import Round, Row, sum_up, write_table
from benchmarks.launches import say
from benchmarks.platform import Platform
from benchmarks.processes import DRIVER_CPU, TOOL_CPU, keep_on_tool_cpu, move, start_on_tool_cpu
from benchmarks.report import Bar, Goal, Report, describe_machine
from benchmarks.stands import Database, Served, courseway_command, run_database, serve_courseway

AT_ONCE = 8
WARM_PEOPLE = 1000
DUE = 5000
BIG_ROWS, SHORT_LOOK = 10_000, 100
WORKER_SECONDS = 10
# PostgreSQL tells its counters when a connection was idle for so long.
COUNTERS_SECONDS = 11


@dataclass(frozen=True)
class WholeRead:
    """A big table that something read row by row, without an index."""

    doing: str
    table: str
    scans: int
    rows: int


def measure(wish: argparse.Namespace) -> Report:
    """Both in turn, round by round; then what the worker and the clearing read."""
    began = time.monotonic()
    people = wish.people or WARM_PEOPLE
    platform = Platform()
    try:
        with ExitStack() as stack:
            database = stack.enter_context(run_database())
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="courseway-benchmark-")))
            empty = stack.enter_context(serve_courseway(folder, database, platform, called="empty"))
            full = stack.enter_context(serve_courseway(folder, database, platform, called="full"))
            tools = [replace(tool, name=name) for name, tool in _tools(empty, full)]
            drivers = [(tool, Driver(tool, platform, people=people)) for tool in tools]
            for tool, driver in drivers:
                say(began, f"{tool.name}, LTI {tool.version}: everybody comes for the first time, untimed")
                driver.run(at_once=4, launches=people)
            filled = _fill(database, full.uri, wish.share, began)
            _execute(empty.uri, "VACUUM ANALYZE")
            whole: list[WholeRead] = []
            with _watch(full.uri, "launches", whole):
                rounds = _measure(drivers, wish, began)
            rows = sum_up(rounds)
            whole += _watch_the_rest(full, folder, began)
            about = {"machine": describe_machine(database.version), "people": people, "share": wish.share, **filled}
    finally:
        platform.stop()
    return make_report(rows, whole, about)


def _tools(empty: Served, full: Served) -> Iterator[tuple[str, Tool]]:
    for name, served in (("empty database", empty), ("full database", full)):
        yield from ((name, tool) for tool in served.tools)


def _fill(database: Database, uri: str, share: float, began: float) -> dict[str, float]:
    """How long it took and how large the database is then."""
    started = time.monotonic()
    move(database.root, {TOOL_CPU, DRIVER_CPU})
    try:
        for words in fill(uri, share):
            say(began, words)
    finally:
        keep_on_tool_cpu(database.root)
    size = _ask(uri, "SELECT pg_database_size(current_database())")[0][0]
    return {"fill_minutes": (time.monotonic() - started) / 60, "gigabytes": size / 1e9}


def _measure(drivers: Sequence[tuple[Tool, Driver]], wish: argparse.Namespace, began: float) -> list[Round]:
    rounds = []
    for _tool, driver in drivers:
        driver.run(at_once=AT_ONCE, launches=200)  # what was read and planned before the filling is of no use any more
    for number in range(1, wish.rounds + 1):
        for tool, driver in drivers:
            measured = driver.run(at_once=AT_ONCE, seconds=wish.seconds)
            rounds.append(Round(tool, AT_ONCE, measured))
            rate = len(measured.latencies) / (measured.tool_cpu + measured.database_cpu)
            say(began, f"round {number}: {tool.name}, LTI {tool.version}: {rate:.0f} per CPU second")
    return rounds


def _watch_the_rest(full: Served, folder: Path, began: float) -> list[WholeRead]:
    """The worker with grades due, and the clearing of old rows."""
    whole: list[WholeRead] = []
    _work(full, folder)  # looks once at launches that no worker has seen yet, which are all of them
    _execute(
        full.uri,
        "UPDATE grades_delivery SET state = 'waiting', next_try_at = now(), wanted_version = wanted_version + 1 "
        f"WHERE id IN (SELECT id FROM grades_delivery ORDER BY md5(id::text) LIMIT {DUE})",
    )
    say(began, f"the worker claims {DUE:,} grades")
    with _watch(full.uri, "worker", whole):
        _work(full, folder)
    say(began, "courseway prune")
    _execute(full.uri, "UPDATE lms_launch SET at = at - interval '10 years' WHERE id % 1000 = 0 AND id < 1000000")
    environment = {**full.environment, "COURSEWAY_LAUNCH_LOG_DAYS": "330"}
    with _watch(full.uri, "prune", whole):
        command = ["timeout", "60", *courseway_command("prune", "--json")]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        say(began, f"prune: {ended.stdout.strip() or 'ended after a minute'}")
    return whole


def _work(full: Served, folder: Path) -> None:
    process = start_on_tool_cpu(courseway_command("worker"), full.environment, folder / "worker.log")
    time.sleep(WORKER_SECONDS)
    stop(process)


@contextmanager
def _watch(uri: str, doing: str, found: list[WholeRead]) -> Iterator[None]:
    """Adds the big tables that were read row by row meanwhile, by half or more."""
    query = "SELECT relname, seq_scan, seq_tup_read, n_live_tup FROM pg_stat_user_tables WHERE n_live_tup >= %s"
    time.sleep(COUNTERS_SECONDS)
    before = {name: (scans, rows) for name, scans, rows, _ in _ask(uri, query, BIG_ROWS)}
    yield
    time.sleep(COUNTERS_SECONDS)
    for name, scans, rows, there in _ask(uri, query, BIG_ROWS):
        old_scans, old_rows = before.get(name, (scans, rows))
        # A look for any one row, where most of them would do, begins at the start as well and ends at once.
        if rows - old_rows - SHORT_LOOK * (scans - old_scans) >= there / 2:
            found.append(WholeRead(doing, name, scans - old_scans, rows - old_rows))


def make_report(rows: Sequence[Row], whole: Sequence[WholeRead], about: dict[str, object]) -> Report:
    """The table of the launches, how full the database was, what was read whole."""
    share = float(str(about["share"]))
    filled = (
        f"Full: {PEOPLE * share:,.0f} people, {CONTEXTS * share:,.0f} LMS courses, {LAUNCHES * share:,.0f} launches; "
        f"{float(str(about['gigabytes'])):.1f} GB, filled within {float(str(about['fill_minutes'])):.1f} minutes.\n"
    )
    lines = ["| doing | table read whole | times | rows |", "|---|---|---|---|"]
    lines += [f"| {one.doing} | {one.table} | {one.scans} | {one.rows:,} |" for one in whole] or ["| all | none | | |"]
    goals = [Goal("big tables read whole", 0, len(whole), "{:.0f}", at_most=True)]
    for version in sorted({row.version for row in rows}, reverse=True):
        of = {row.tool: row.per_cpu_second for row in rows if row.version == version}
        what = f"launches by LTI {version} with a full database, against an empty one"
        goals.insert(0, Goal(what, 0.9, of["full database"] / of["empty database"]))
    return Report(
        work="full",
        tables=f"{filled}\n{write_table(rows)}\n" + "\n".join(lines) + "\n",
        data={**about, "rows": [vars(row) for row in rows], "whole": [vars(one) for one in whole]},
        goals=goals,
        title="Complete launches for one second of CPU, with an empty and a full database",
        bars=[Bar(f"{row.tool}, LTI {row.version}", row.per_cpu_second, row.tool == "full database") for row in rows],
    )


def _ask(uri: str, query: str, *values: object) -> list[tuple]:
    with psycopg.connect(uri, autocommit=True) as connection:
        return connection.execute(query, values or None).fetchall()


def _execute(uri: str, statement: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(statement)
