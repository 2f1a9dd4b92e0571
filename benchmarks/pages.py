"""Pages and exports of a course of thousands, beside those of a course of a hundred: statements and CPU seconds."""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.report import Goal, Report, describe_machine
from benchmarks.stands import ROOT, courseway_command, inherited_environment, run_database

STUDENTS, ASSIGNMENTS = 10_000, 5_000
EXPORTS = ("cartridge export", "course copy")


def measure(wish: argparse.Namespace) -> Report:
    """Both courses in one database, asked by a process of its own."""
    students, assignments = max(200, round(STUDENTS * wish.share)), max(200, round(ASSIGNMENTS * wish.share))
    with run_database() as database, TemporaryDirectory(prefix="courseway-benchmark-") as folder:
        environment = {
            **inherited_environment(),
            "COURSEWAY_DATA_DIR": str(Path(folder) / "data"),
            "COURSEWAY_DATABASE_URL": database.make("pages"),
            "COURSEWAY_PUBLIC_URL": "https://tool.example",
            "COURSEWAY_SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "courseway.settings",
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        }
        subprocess.run(courseway_command("migrate", "--json"), env=environment, check=True, stdout=subprocess.DEVNULL)
        told = json.dumps({"database_root": database.root, "students": students, "assignments": assignments})
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.large_course", told]
        ended = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, cwd=ROOT)
        machine = describe_machine(database.version)
    found = json.loads(ended.stdout)
    return make_report(found, {"machine": machine, "students": students, "assignments": assignments})


def make_report(found: Mapping[str, Mapping[str, Mapping[str, Any]]], about: Mapping[str, Any]) -> Report:
    """One line for each page and export; what is promised stands below."""
    lines = [
        "| what | statements: of a hundred, of thousands | CPU ms: of a hundred, of thousands | × | by the clock, × |",
        "|---|---|---|---|---|",
    ]
    for name, of in found.items():
        small, large = _pair(of)
        lines.append(
            f"| {name} | {small['statements']}, {large['statements']} | {small['cpu_ms']:.0f}, {large['cpu_ms']:.0f} "
            f"| {large['cpu_ms'] / small['cpu_ms']:.1f} | {large['clock_ms'] / small['clock_ms']:.1f} |"
        )
    size = f"Of thousands: {about['students']:,} students and {about['assignments']:,} assignments; exports: 1,000.\n"
    data = {**about, "pages": {name: dict(of) for name, of in found.items()}}
    return Report("pages", f"{size}\n" + "\n".join(lines) + "\n", data, find_goals(found))


def find_goals(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Sequence[Goal]:
    """Statements do not grow; a page takes three times as long at most, an export a second."""
    goals = []
    for name, of in found.items():
        small, large = _pair(of)
        more = large["statements"] - small["statements"]
        goals.append(Goal(f"{name}: more statements", 0, more, "{:.0f}", at_most=True))
        if name in EXPORTS:
            goals.append(Goal(f"{name} of 1,000 assignments", 1, large["cpu_ms"] / 1000, "{:.2f} s", at_most=True))
        else:
            times = large["cpu_ms"] / small["cpu_ms"]
            goals.append(Goal(f"{name} of thousands, CPU", 3, times, "{:.1f} ×", at_most=True))
    return goals


def _pair(of: Mapping[str, Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    small = of["Small"]
    return small, next(taken for title, taken in of.items() if title != "Small")
