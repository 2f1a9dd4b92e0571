"""Grades that a worker of Courseway delivers to LMSs, beside what ltijs and PyLTI1p3 send.

Once the LMSs answer at once, once each answer takes 200 ms. All are measured in turn, round by round; at the end of
each round every LMS has to hold the right grade of everybody, else the run fails.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.grade_senders import Sender, StartsSender, WrongGradeError, run_courseway, run_ltijs, run_pylti1p3
from benchmarks.gradebook import PLATFORMS, Gradebook, OwedGrade
from benchmarks.launches import choose, say
from benchmarks.report import Bar, Goal, Report, describe_machine
from benchmarks.stands import run_database

PEOPLE = 8000
AT_ONCE, LATE = 0.0, 0.2  # seconds that an LMS takes for an answer
OWN, LTIJS, PYLTI = "Courseway, LTI 1.3", "ltijs 5.9.9", "PyLTI1p3 2.0.0"


@dataclass(frozen=True)
class Kind:
    """Who sends. `share` of the grades, since slow ones would take minutes; `delays` of the LMSs that are tried."""

    name: str
    starts: StartsSender
    share: float = 1.0
    delays: tuple[float, ...] = (AT_ONCE, LATE)


@dataclass(frozen=True)
class Row:
    """All rounds of one sender."""

    sender: str
    delay_ms: int
    grades: int
    per_cpu_second: float  # of sender and PostgreSQL together
    per_second: float  # median of the rounds
    tool_cpu_ms: float
    database_cpu_ms: float


def measure(wish: argparse.Namespace) -> Report:
    """Rounds of all senders that are wished for."""
    people = wish.people or PEOPLE
    kinds = _kinds(people)
    gradebook = Gradebook()
    try:
        with run_database() as database, ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="courseway-grades-")))
            senders = [
                (kinds[name], stack.enter_context(kinds[name].starts(folder, database, gradebook)))
                for name in choose(list(kinds), wish.only)
            ]
            rows = _measure(senders, gradebook, people, wish.rounds)
            machine = describe_machine(database.version)
    finally:
        gradebook.stop()
    return Report(
        work="grades",
        tables=f"{write_table(rows)}\n{write_ratios(rows)}",
        data={"people": people, "machine": machine, "rows": [vars(row) for row in rows]},
        goals=_goals(rows),
        title="Grades taken by LMSs that answer at once, for one second of CPU (sender and PostgreSQL)",
        bars=[
            Bar(row.sender, row.per_cpu_second, row.sender.startswith("Courseway")) for row in rows if not row.delay_ms
        ],
    )


def _kinds(people: int) -> dict[str, Kind]:
    return {
        "courseway": Kind(OWN, partial(run_courseway, lti="1.3", people=people)),
        "courseway-1.1": Kind("Courseway, LTI 1.1", partial(run_courseway, lti="1.1", people=people)),
        "ltijs": Kind(LTIJS, run_ltijs, share=0.5),
        "pylti1p3": Kind(PYLTI, partial(run_pylti1p3, name="pylti1p3-first"), share=0.05, delays=(AT_ONCE,)),
        "pylti1p3next": Kind("pylti1p3next", partial(run_pylti1p3, name="pylti1p3"), share=0.2, delays=(AT_ONCE,)),
    }


def _measure(senders: Sequence[tuple[Kind, Sender]], gradebook: Gradebook, people: int, rounds: int) -> list[Row]:
    found: dict[tuple[str, float], list[dict[str, float]]] = {}
    number, began = 0, time.monotonic()
    for delay in (AT_ONCE, LATE) * rounds:
        number += 1
        for kind, send in senders:
            if delay not in kind.delays:
                continue
            owed = [OwedGrade(one, number) for one in range(max(PLATFORMS * 4, int(people * kind.share)))]
            gradebook.begin(delay_seconds=delay)
            measured = send(owed)
            if wrong := gradebook.find_wrong(owed):
                raise WrongGradeError(f"{kind.name}: {len(wrong)} of {len(owed)} grades are wrong: {wrong[:5]}")
            found.setdefault((kind.name, delay), []).append(measured)
            rate = measured["grades"] / measured["seconds"]
            cpu = measured["grades"] / (measured["tool_cpu"] + measured["database_cpu"])
            say(began, f"{kind.name}, {delay * 1000:.0f} ms: {rate:.0f} per second, {cpu:.0f} per CPU second")
    return [_sum_up(name, delay, ones) for (name, delay), ones in found.items()]


def _goals(rows: Sequence[Row]) -> list[Goal]:
    by_cpu = {row.sender: row.per_cpu_second for row in rows if not row.delay_ms}
    by_clock = {row.delay_ms: row.per_second for row in rows if row.sender == OWN}
    goals = []
    for peer, times in ((LTIJS, 3.0), (PYLTI, 30.0)):
        if OWN in by_cpu and peer in by_cpu:
            goals.append(Goal(f"grades, against {peer}", times, by_cpu[OWN] / by_cpu[peer], "{:.1f} ×"))
    if len(by_clock) > 1:
        what = "grades with an LMS that takes 200 ms, against one that answers at once"
        goals.append(Goal(what, 80.0, 100 * by_clock[200] / by_clock[0], "{:.0f} %"))
    return goals


def _sum_up(name: str, delay: float, rounds: Sequence[dict[str, float]]) -> Row:
    grades, tool, database = (sum(one[key] for one in rounds) for key in ("grades", "tool_cpu", "database_cpu"))
    return Row(
        sender=name,
        delay_ms=round(delay * 1000),
        grades=int(grades),
        per_cpu_second=grades / (tool + database),
        per_second=statistics.median(one["grades"] / one["seconds"] for one in rounds),
        tool_cpu_ms=1000 * tool / grades,
        database_cpu_ms=1000 * database / grades,
    )


def write_table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "| sender | LMS takes | grades per CPU second | per second | CPU ms: sender + PostgreSQL |",
        "|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row.delay_ms):
        takes = f"{row.delay_ms} ms" if row.delay_ms else "no time"
        lines.append(
            f"| {row.sender} | {takes} | {row.per_cpu_second:.0f} | {row.per_second:.0f} "
            f"| {row.tool_cpu_ms:.2f} + {row.database_cpu_ms:.2f} |"
        )
    return "\n".join(lines) + "\n"


def write_ratios(rows: Sequence[Row]) -> str:
    """Markdown: Courseway by LTI 1.3 against each peer, and against itself with LMSs that answer at once."""
    own = {row.delay_ms: row for row in rows if row.sender == OWN}
    lines = ["| Courseway, LTI 1.3, against | LMS takes | by CPU | by the clock |", "|---|---|---|---|"]
    for row in rows:
        ours = own.get(row.delay_ms)
        if ours is None or row.sender.startswith("Courseway"):
            continue
        by_cpu, by_clock = ours.per_cpu_second / row.per_cpu_second, ours.per_second / row.per_second
        takes = f"{row.delay_ms} ms" if row.delay_ms else "no time"
        lines.append(f"| {row.sender} | {takes} | {by_cpu:.1f} × | {by_clock:.1f} × |")
    if len(own) > 1:
        at_once, late = own[0], own[200]
        shares = (late.per_cpu_second / at_once.per_cpu_second, late.per_second / at_once.per_second)
        lines.append(f"| itself, LMS at once | 200 ms | {100 * shares[0]:.0f} % | {100 * shares[1]:.0f} % |")
    return "\n".join(lines) + "\n"
