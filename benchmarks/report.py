"""The results: a table for the documentation, JSON for programs, a picture."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.driver import Measured, Tool

FLOOR = "Django floor"


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
    """Markdown: percents of the floor, times of a peer."""
    lines = ["| LTI | Courseway against | at once | by CPU | by the clock |", "|---|---|---|---|---|"]
    for one in sorted(ratios, key=lambda one: one["version"], reverse=True):
        is_floor = one["against"] == FLOOR
        shown = [f"{100 * one[by]:.0f} %" if is_floor else f"{one[by]:.1f} ×" for by in ("by_cpu", "by_clock")]
        lines.append(f"| {one['version']} | {one['against']} | {one['at_once']} | {shown[0]} | {shown[1]} |")
    return "\n".join(lines) + "\n"


def describe_machine(database_version: str) -> dict[str, str]:
    """On what it was measured."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    packages = ("django", "granian", "psycopg")
    return {
        "CPU": f"{os.cpu_count()} × {names[0].partition(':')[2].strip() if names else platform.machine()}",
        "Python": sys.version.split()[0],
        "PostgreSQL": database_version,
        **{name: version(name) for name in packages},
    }


def draw(rows: Sequence[Row]) -> str:
    """Bars of launches for one CPU second, as SVG that follows the reader's light or dark."""
    rows = sorted((row for row in rows if row.at_once == min(one.at_once for one in rows)), key=lambda row: row.version)
    rows.reverse()
    most = max(row.per_cpu_second for row in rows)
    height = 44 + 34 * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" role="img" aria-labelledby="t" '
        'font-family="system-ui, sans-serif" font-size="14">',
        '<title id="t">Complete launches for one second of CPU, tool and PostgreSQL together</title>',
        "<style>text{fill:#222}.own{fill:#1f6f5c}.other{fill:#8a94a0}"
        "@media (prefers-color-scheme:dark){text{fill:#eee}.own{fill:#4fb99b}}</style>",
        '<text x="0" y="20" font-weight="600">Complete launches for one second of CPU (tool and PostgreSQL)</text>',
    ]
    for number, row in enumerate(rows):
        y, width = 38 + 34 * number, 400 * row.per_cpu_second / most
        kind = "own" if row.tool == "Courseway" else "other"
        parts.append(f'<text x="0" y="{y + 17}">{escape(row.tool)}, LTI {row.version}</text>')
        parts.append(f'<rect class="{kind}" x="220" y="{y}" width="{width:.0f}" height="24" rx="3"/>')
        parts.append(f'<text x="{228 + width:.0f}" y="{y + 17}">{row.per_cpu_second:.0f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def write_results(folder: Path, rows: Sequence[Row], about: dict[str, Any]) -> None:
    """launches.md, launches.json, launches.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    ratios = find_ratios(rows)
    machine = ", ".join(f"{name} {value}" for name, value in about["machine"].items())
    first = f"Measured on {about['on']} with `{about['command']}`: {machine}."
    text = f"{first}\n\n{write_table(rows)}\n{write_ratios(ratios)}"
    (folder / "launches.md").write_text(text)
    document = {**about, "rows": [vars(row) for row in rows], "ratios": ratios}
    (folder / "launches.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "launches.svg").write_text(draw(rows))
