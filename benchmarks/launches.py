"""Complete launches of Courseway, of its floors and of its peers, in turn.

The tools run at the same time but are measured one after the other, round by round, so that what else the machine
does meets all of them. A launch that does not land on the right page ends the run.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.driver import Driver, Tool
from benchmarks.launch_report import Round, make_report, sum_up
from benchmarks.peer_stands import STANDS, run_stands
from benchmarks.platform import Platform
from benchmarks.report import Report, describe_machine
from benchmarks.stands import Database, count_stored, run_database

AGAIN = 300
AT_ONCE = (8, 32)
PEOPLE = 1000


def measure(wish: argparse.Namespace) -> Report:
    """Rounds of all tools that are wished for."""
    people = wish.people or PEOPLE
    names = choose(list(STANDS), wish.only)
    began = time.monotonic()
    platform = Platform()
    try:
        with run_database() as database, run_stands(names, database, platform) as tools:
            rounds, expected = _measure(tools, database, platform, people, wish, began)
            if "courseway" in names:
                _check_stored(database, expected, people)
            machine = describe_machine(database.version)
    finally:
        platform.stop()
    return make_report(sum_up(rounds), {"people": people, "machine": machine})


def choose(names: list[str], only: list[str] | None) -> list[str]:
    """Those whose name begins with one of the words; a word that fits none is a mistake of whoever typed it."""
    if only is None:
        return names
    for word in only:
        if not any(name.startswith(word.lower()) for name in names):
            raise SystemExit(f"--only {word}: there are {', '.join(names)}")
    return [name for name in names if name.startswith(tuple(word.lower() for word in only))]


def _measure(
    tools: list[Tool], database: Database, platform: Platform, people: int, wish: argparse.Namespace, began: float
) -> tuple[list[Round], dict[str, int]]:
    """All rounds; and how many launches each version of Courseway took, those before the clock among them."""
    drivers = [(tool, Driver(tool, platform, people=people)) for tool in tools]
    expected: dict[str, int] = {}

    def note(tool: Tool, launches: int) -> None:
        if tool.name == "Courseway":
            expected[tool.version] = expected.get(tool.version, 0) + launches

    for tool, driver in drivers:
        say(began, f"{tool.name}, LTI {tool.version}: everybody comes for the first time, untimed")
        note(tool, len(driver.run(at_once=4, launches=people).latencies))
    database.settle()
    for tool, driver in drivers:
        say(began, f"{tool.name}, LTI {tool.version}: some come again, untimed")
        note(tool, len(driver.run(at_once=8, launches=AGAIN).latencies))
    rounds = []
    for number in range(1, wish.rounds + 1):
        for at_once in AT_ONCE:
            for tool, driver in drivers:
                measured = driver.run(at_once=at_once, seconds=wish.seconds)
                note(tool, len(measured.latencies))
                rounds.append(Round(tool, at_once, measured))
                rate = len(measured.latencies) / measured.seconds
                words = f"{tool.name}, LTI {tool.version}, {at_once} at once: {rate:.0f} per second"
                say(began, f"round {number} of {wish.rounds}: {words}")
    return rounds, expected


def _check_stored(database: Database, expected: dict[str, int], people: int) -> None:
    """Every launch is in the log, and every person is known in both versions: nothing was answered from memory."""
    stored = count_stored(database)
    wanted = {"launches": sum(expected.values()), "people": people * len(expected)}
    assert wanted.items() <= stored.items(), f"stored {stored}, expected {wanted}"
    print(f"Stored by Courseway: {', '.join(f'{count:,} {name}' for name, count in stored.items())}")


def say(began: float, words: str) -> None:
    print(f"{time.monotonic() - began:5.0f} s  {words}", flush=True)
