"""`make benchmark`: complete launches of Courseway, of its floor and of ltijs, in turn, on the same machine.

The tools run at the same time but are measured one after the other, round by round, so that what else the machine
does meets all of them. A launch that does not land on the right page ends the run.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.driver import Driver, Tool
from benchmarks.platform import Platform
from benchmarks.processes import keep_driver_apart
from benchmarks.report import Round, describe_machine, find_ratios, sum_up, write_ratios, write_results, write_table
from benchmarks.stands import STANDS, Database, count_stored, run_database, run_stands

RESULTS = Path(__file__).parent / "results"
AT_ONCE = (8, 32)


def main() -> int:
    words = argparse.ArgumentParser(prog="make benchmark", description=__doc__)
    words.add_argument("--only", nargs="+", choices=list(STANDS), default=list(STANDS), help="these alone")
    words.add_argument("--seconds", type=float, default=4, help="timed seconds of each tool in each round (4)")
    words.add_argument("--rounds", type=int, default=3, help="(3)")
    words.add_argument("--people", type=int, default=1000, help="who come again and again, at most 100,000 (1,000)")
    words.add_argument("--keep", action="store_true", help="write benchmarks/results anew")
    wish = words.parse_args()
    if not 1 <= wish.people <= 100_000 or wish.rounds < 1 or wish.seconds <= 0:
        words.error("give at least one round and some seconds, and 1 to 100,000 people")
    began = time.monotonic()
    keep_driver_apart()
    platform = Platform()
    try:
        with run_database() as database, run_stands(wish.only, database, platform) as tools:
            rounds, expected = _measure(tools, platform, wish, began)
            if "courseway" in wish.only:
                _check_stored(database, expected, wish.people)
            machine = describe_machine(database.version)
    finally:
        platform.stop()
    rows = sum_up(rounds)
    print(f"\n{write_table(rows)}\n{write_ratios(find_ratios(rows))}")
    command = " ".join(["make benchmark", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    if wish.keep:
        today = datetime.now(UTC).date().isoformat()
        write_results(RESULTS, rows, {"on": today, "command": command, "people": wish.people, "machine": machine})
        print(f"Written: {RESULTS}")
    return 0


def _measure(
    tools: list[Tool], platform: Platform, wish: argparse.Namespace, began: float
) -> tuple[list[Round], dict[str, int]]:
    """All rounds; and how many launches each version of Courseway took, those before the clock among them."""
    drivers = [(tool, Driver(tool, platform, people=wish.people)) for tool in tools]
    expected: dict[str, int] = {}

    def note(tool: Tool, launches: int) -> None:
        if tool.name == "Courseway":
            expected[tool.version] = expected.get(tool.version, 0) + launches

    for tool, driver in drivers:
        _say(began, f"{tool.name}, LTI {tool.version}: everybody comes for the first time, untimed")
        note(tool, len(driver.run(at_once=4, launches=wish.people).latencies))
    rounds = []
    for number in range(1, wish.rounds + 1):
        for at_once in AT_ONCE:
            for tool, driver in drivers:
                measured = driver.run(at_once=at_once, seconds=wish.seconds)
                note(tool, len(measured.latencies))
                rounds.append(Round(tool, at_once, measured))
                rate = len(measured.latencies) / measured.seconds
                words = f"{tool.name}, LTI {tool.version}, {at_once} at once: {rate:.0f} per second"
                _say(began, f"round {number} of {wish.rounds}: {words}")
    return rounds, expected


def _check_stored(database: Database, expected: dict[str, int], people: int) -> None:
    """Every launch is in the log, and every person is known in both versions: nothing was answered from memory."""
    stored = count_stored(database)
    wanted = {"launches": sum(expected.values()), "people": people * len(expected)}
    assert wanted.items() <= stored.items(), f"stored {stored}, expected {wanted}"
    print(f"Stored by Courseway: {', '.join(f'{count:,} {name}' for name, count in stored.items())}")


def _say(began: float, words: str) -> None:
    print(f"{time.monotonic() - began:5.0f} s  {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
