"""What became of the launches: tables, ratios against floors and peers, goals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.driver import Measured, Tool
from benchmarks.report import Bar, Goal, Report

FLOORS = ("Django floor", "bare floor")
# Version and the beginning of the name of what is compared with: what is promised, and what is hoped for.
GOALS = {
    ("1.3", "Django floor"): (0.6, None),
    ("1.3", "ltijs"): (3, 5),
    ("1.3", "django-lti"): (8, 14),
    ("1.1", "Django floor"): (0.6, None),
    ("1.1", "lti "): (1, None),
    ("1.1", "PyLTI "): (1, None),
}


@dataclass(frozen=True)
class Round:
    """One stretch of launches of one tool."""

    tool: Tool
    at_once: int
    measured: Measured


@dataclass(frozen=True)
class Row:
    """All rounds of one tool at one concurrency. Milliseconds are for one complete launch."""

    tool: str
    version: str
    at_once: int
    launches: int
    per_second: float  # median of the rounds
    slowest_round: float
    fastest_round: float
    per_cpu_second: float  # of tool and PostgreSQL together
    tool_cpu_ms: float
    database_cpu_ms: float
    p50_ms: float
    p99_ms: float
    other_cpus: float  # how many CPUs everything else took, the driver's included


def sum_up(rounds: Sequence[Round]) -> list[Row]:
    """One row for each tool, version and concurrency, in the order in which they were measured."""
    groups: dict[tuple[str, str, int], list[Measured]] = {}
    for one in rounds:
        groups.setdefault((one.tool.name, one.tool.version, one.at_once), []).append(one.measured)
    return [_row(*key, group) for key, group in groups.items()]


def _row(tool: str, lti: str, at_once: int, group: list[Measured]) -> Row:
    rates = [len(one.latencies) / one.seconds for one in group]
    latencies = sorted(latency for one in group for latency in one.latencies)
    count, seconds = len(latencies), sum(one.seconds for one in group)
    tool_cpu, database_cpu = sum(one.tool_cpu for one in group), sum(one.database_cpu for one in group)
    return Row(
        tool=tool,
        version=lti,
        at_once=at_once,
        launches=count,
        per_second=statistics.median(rates),
        slowest_round=min(rates),
        fastest_round=max(rates),
        per_cpu_second=count / (tool_cpu + database_cpu),
        tool_cpu_ms=1000 * tool_cpu / count,
        database_cpu_ms=1000 * database_cpu / count,
        p50_ms=1000 * _quantile(latencies, 0.50),
        p99_ms=1000 * _quantile(latencies, 0.99),
        other_cpus=sum(one.other_cpu for one in group) / seconds,
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def write_table(rows: Sequence[Row]) -> str:
    """Markdown. The ratios are of launches for one second of CPU, which other programs of the machine change least."""
    lines = [
        "| LTI | tool | at once | launches per CPU second | per second (rounds) | CPU ms: tool + PostgreSQL "
        "| p50 ms | p99 ms | p99 ÷ p50 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row.version, reverse=True):
        lines.append(
            f"| {row.version} | {row.tool} | {row.at_once} | {row.per_cpu_second:.0f} "
            f"| {row.per_second:.0f} ({row.slowest_round:.0f}–{row.fastest_round:.0f}) "
            f"| {row.tool_cpu_ms:.2f} + {row.database_cpu_ms:.2f} "
            f"| {row.p50_ms:.1f} | {row.p99_ms:.1f} | {row.p99_ms / row.p50_ms:.1f} |"
        )
    return "\n".join(lines) + "\n"


def find_ratios(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Courseway against each other tool at the same version and concurrency."""
    own = {(row.version, row.at_once): row for row in rows if row.tool == "Courseway"}
    found = []
    for row in rows:
        ours = own.get((row.version, row.at_once))
        if ours is not None and ours is not row:
            found.append(
                {
                    "version": row.version,
                    "against": row.tool,
                    "at_once": row.at_once,
                    "by_cpu": round(ours.per_cpu_second / row.per_cpu_second, 3),
                    "by_clock": round(ours.per_second / row.per_second, 3),
                }
            )
    return found


def write_ratios(ratios: Sequence[dict[str, Any]]) -> str:
    """Markdown: percents of a floor, times of a peer, the goal beside each that has one."""
    if not ratios:
        return ""
    lines = ["| LTI | Courseway against | at once | by CPU | by the clock | goal |", "|---|---|---|---|---|---|"]
    for one in sorted(ratios, key=lambda one: one["version"], reverse=True):
        shape = _shape(one["against"])
        by_cpu, by_clock = shape.format(one["by_cpu"]), shape.format(one["by_clock"])
        goal = _find_goal(one)
        wanted = f"{'✓' if goal.is_met else '✗'} {goal.write_wanted()}" if goal else ""
        lines.append(f"| {one['version']} | {one['against']} | {one['at_once']} | {by_cpu} | {by_clock} | {wanted} |")
    return "\n".join(lines) + "\n"


def _shape(against: str) -> str:
    return "{:.0%}" if against in FLOORS else "{:.2g} ×"


def _find_goal(ratio: dict[str, Any]) -> Goal | None:
    for (lti, beginning), (wanted, hoped) in GOALS.items():
        if ratio["version"] == lti and ratio["against"].startswith(beginning):
            what = f"launches by LTI {lti} against {ratio['against']}"
            return Goal(what, wanted, ratio["by_cpu"], _shape(ratio["against"]), hoped=hoped)
    return None


def make_report(rows: Sequence[Row], about: dict[str, Any]) -> Report:
    """Tables, ratios, goals and the picture of the launches."""
    ratios = find_ratios(rows)
    return Report(
        work="launches",
        tables=f"{write_table(rows)}\n{write_ratios(ratios)}",
        data={**about, "rows": [vars(row) for row in rows], "ratios": ratios},
        goals=find_goals(rows, ratios),
        title="Complete launches for one second of CPU, tool and PostgreSQL together",
        bars=_bars(rows),
    )


def find_goals(rows: Sequence[Row], ratios: Sequence[dict[str, Any]]) -> list[Goal]:
    """The goals of what was measured, by CPU. Between two concurrencies the worse one counts."""
    worst: dict[str, Goal] = {}
    for goal in filter(None, map(_find_goal, ratios)):
        if goal.what not in worst or goal.seen < worst[goal.what].seen:
            worst[goal.what] = goal
    goals = list(worst.values())
    for row in rows:
        if row.tool == "Courseway" and row.at_once == 32:
            what = f"99th percentile against the median of launches by LTI {row.version}, 32 at once"
            goals.append(Goal(what, 3, row.p99_ms / row.p50_ms, "{:.1f} ×", at_most=True))
    return goals


def _bars(rows: Sequence[Row]) -> list[Bar]:
    fewest = min(row.at_once for row in rows)
    shown = sorted((row for row in rows if row.at_once == fewest), key=lambda row: row.version, reverse=True)
    return [Bar(f"{row.tool}, LTI {row.version}", row.per_cpu_second, is_own=row.tool == "Courseway") for row in shown]
