"""`make fault-run`: every database with every engine, one after the other, and a table of what became of the grades.

Each combination is a process of its own; its servers, workers and files go with it.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.courseway.brokers import find_broker, why_missing

ROOT = Path(__file__).parents[2]
DATABASES = ("sqlite", "postgres")
ENGINES = ("huey", "rabbitmq", "redis")
COLUMNS = ("grades", "changes", "kills", "restarts", "jumps", "seconds", "delivered", "told", "lost")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fault-run ARGS=…", description=__doc__)
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=DATABASES)
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--grades", type=int, default=10_000)
    parser.add_argument("--platforms", type=int, default=20)
    parser.add_argument(
        "--seconds", type=float, default=900.0, help="a combination ends after so long, whatever is left"
    )
    arguments = parser.parse_args()
    rows, is_good = [], True
    for database in arguments.database:
        for engine in arguments.engine:
            if engine != "huey" and find_broker(engine) is None:
                print(f"Left out: {database} with {engine}: {why_missing(engine)}")
                continue
            figures = run_combination(
                database, engine, grades=arguments.grades, platforms=arguments.platforms, seconds=arguments.seconds
            )
            is_good = is_good and figures is not None and figures["is_good"]
            rows.append((database, engine, figures))
    print_table(rows)
    return 0 if is_good and rows else 1


def run_combination(
    database: str,
    engine: str,
    *,
    grades: int,
    platforms: int,
    seconds: float,
    kills: float = 3.0,
    slowness: float = 2.5,
) -> dict[str, Any] | None:
    """Its figures; None if it broke down. Its progress goes to stderr."""
    command = [sys.executable, "-m", "tests.faults.combination", "--database", database, "--engine", engine]
    command += ["--grades", str(grades), "--platforms", str(platforms), "--seconds", str(seconds)]
    command += ["--seconds-between-kills", str(kills), "--slowness", str(slowness)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        answer, _ = process.communicate(timeout=2 * seconds + 300)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.send_signal(signal.SIGINT)  # it clears up what it started
        answer, _ = process.communicate(timeout=120)
    try:
        figures = json.loads(answer)
    except ValueError:
        return None
    return figures if isinstance(figures, dict) else None


def print_table(rows: list[tuple[str, str, dict[str, Any] | None]]) -> None:
    heads = ("database", "engine", *COLUMNS, "older over newer", "unexplained")
    lines = [
        [database, engine, *(_cell(figures, name) for name in (*COLUMNS, "older_over_newer", "unexplained"))]
        for database, engine, figures in rows
    ]
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for line in lines:
        print("| " + " | ".join(line) + " |")
    print()
    for database, engine, figures in rows:
        if figures is None:
            print(f"{database} with {engine} broke down: see above.")
            continue
        faults = ", ".join(f"{count} × {kind}" for kind, count in sorted(figures["faults"].items()))
        print(f"{database} with {engine} answered: {faults}.{' ' + figures['error'] if figures['error'] else ''}")


def _cell(figures: dict[str, Any] | None, name: str) -> str:
    value = "–" if figures is None else figures[name]
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
