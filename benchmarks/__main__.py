"""`make benchmark`: what Courseway costs, measured beside its floors and peers on the same machine, against its goals.

`--work` chooses what is measured; without it, everything is, one after the other. Each work is a module with
`measure(wish) -> Report`, which takes what it needs of the wishes and leaves the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import budget, full, grades, launches, memory, pages
from benchmarks.processes import keep_driver_apart
from benchmarks.report import Report, keep, write_goals

RESULTS = Path(__file__).parent / "results"
WORKS: dict[str, Callable[[argparse.Namespace], Report]] = {
    "launches": launches.measure,
    "budget": budget.measure,
    "grades": grades.measure,
    "full": full.measure,
    "pages": pages.measure,
    "memory": memory.measure,
}


def main(given: Sequence[str]) -> int:
    words = make_parser()
    wish = words.parse_args(given)
    if wish.rounds < 1 or wish.seconds <= 0 or not 1 <= (wish.people or 1) <= 100_000:
        words.error("give at least one round and some seconds, and 1 to 100,000 people")
    keep_driver_apart()
    goals = []
    for work in choose_works(wish):
        report = WORKS[work](wish)
        goals += report.goals
        print(f"\n{report.text()}", flush=True)
        if wish.keep:
            now = datetime.now(UTC).date().isoformat()
            keep(RESULTS, report, on=now, command=_command(given))
            print(f"Written: {RESULTS / work}.*\n")
    if len(choose_works(wish)) > 1:
        print(write_goals(goals))
    return 0


def choose_works(wish: argparse.Namespace) -> Sequence[str]:
    """Everything, unless something is named; whoever names tools alone thinks of launches."""
    works: Sequence[str] | None = wish.work
    return works or (["launches"] if wish.only else list(WORKS))


def make_parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="make benchmark", description=__doc__)
    words.add_argument("--work", nargs="+", choices=list(WORKS), help="these alone (all; with --only, launches)")
    words.add_argument("--only", nargs="+", help="of the tools these alone, by the beginning of their names")
    words.add_argument("--seconds", type=float, default=4, help="timed seconds of each tool in each round (4)")
    words.add_argument("--rounds", type=int, default=3, help="(3)")
    words.add_argument("--people", type=int, help="who come again and again, or are owed grades, at most 100,000")
    words.add_argument("--share", type=float, default=1, help="of the rows of a full database or a large course (1)")
    words.add_argument("--launches", type=int, default=20_000, help="over which memory is watched (20,000)")
    words.add_argument("--keep", action="store_true", help="write benchmarks/results anew")
    return words


def _command(given: Sequence[str]) -> str:
    return f'make benchmark ARGS="{" ".join(given)}"' if given else "make benchmark"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
