"""What a measurement found: tables, goals met or not, a picture; printed, and kept for the documentation."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Goal:
    """One promise: `seen` has to be at least, or at most, `wanted`. `shape` writes either: `{:.1f} ×`."""

    what: str
    wanted: float
    seen: float
    shape: str = "{:.2f}"
    at_most: bool = False
    hoped: float | None = None  # better than what is promised

    @property
    def is_met(self) -> bool:
        return self.seen <= self.wanted if self.at_most else self.seen >= self.wanted

    def write_wanted(self) -> str:
        """What is promised, and what is hoped for."""
        hoped = f" (hoped {self.shape.format(self.hoped)})" if self.hoped is not None else ""
        return f"{'≤' if self.at_most else '≥'} {self.shape.format(self.wanted)}{hoped}"

    def row(self) -> str:
        """A line of Markdown."""
        seen = f"{self.shape.format(self.seen)} | {'✓ met' if self.is_met else '✗ missed'}"
        return f"| {self.what} | {self.write_wanted()} | {seen} |"


@dataclass(frozen=True)
class Bar:
    """One bar of a picture; what is Courseway's own stands out."""

    label: str
    value: float
    is_own: bool


@dataclass(frozen=True)
class Report:
    """What one work gives back. `tables` is Markdown, `data` goes into JSON, the bars become the picture."""

    work: str
    tables: str
    data: dict[str, Any]
    goals: Sequence[Goal] = ()
    title: str = ""  # of the picture
    bars: Sequence[Bar] = field(default=())

    def text(self) -> str:
        """Everything for a reader."""
        return f"{self.tables}\n{write_goals(self.goals)}" if self.goals else self.tables


def write_goals(goals: Sequence[Goal]) -> str:
    """Markdown."""
    return "\n".join(["| goal | wanted | seen | |", "|---|---|---|---|", *(goal.row() for goal in goals)]) + "\n"


def describe_machine(database_version: str = "") -> dict[str, str]:
    """On what it was measured."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    packages = ("django", "granian", "psycopg")
    return {
        "CPU": f"{os.cpu_count()} × {names[0].partition(':')[2].strip() if names else platform.machine()}",
        "Python": sys.version.split()[0],
        **({"PostgreSQL": database_version} if database_version else {}),
        **{name: version(name) for name in packages},
    }


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Bars, as SVG that follows the reader's light or dark."""
    most = max(bar.value for bar in bars)
    height = 44 + 34 * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" role="img" aria-labelledby="t" '
        'font-family="system-ui, sans-serif" font-size="14">',
        f'<title id="t">{escape(title)}</title>',
        "<style>text{fill:#222}.own{fill:#1f6f5c}.other{fill:#8a94a0}"
        "@media (prefers-color-scheme:dark){text{fill:#eee}.own{fill:#4fb99b}}</style>",
        f'<text x="0" y="20" font-weight="600">{escape(title)}</text>',
    ]
    for number, bar in enumerate(bars):
        y, width = 38 + 34 * number, 340 * bar.value / most
        kind = "own" if bar.is_own else "other"
        parts.append(f'<text x="0" y="{y + 17}">{escape(bar.label)}</text>')
        parts.append(f'<rect class="{kind}" x="310" y="{y}" width="{width:.0f}" height="24" rx="3"/>')
        value = f"{bar.value:.0f}" if bar.value >= 10 else f"{bar.value:.2f}"
        parts.append(f'<text x="{318 + width:.0f}" y="{y + 17}">{value}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def keep(folder: Path, report: Report, *, on: str, command: str) -> None:
    """<work>.md, <work>.json, and <work>.svg where there are bars."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = report.data.get("machine", {})
    described = ", ".join(f"{name} {value}" for name, value in machine.items())
    text = f"Measured on {on} with `{command}`: {described}.\n\n{report.text()}"
    (folder / f"{report.work}.md").write_text(text)
    goals = [{**vars(goal), "is_met": goal.is_met} for goal in report.goals]
    document = {"on": on, "command": command, **report.data, "goals": goals}
    (folder / f"{report.work}.json").write_text(json.dumps(document, indent=1) + "\n")
    if report.bars:
        (folder / f"{report.work}.svg").write_text(draw(report.title, report.bars))
