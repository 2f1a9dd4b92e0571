"""The memory of one web worker over many launches: after a warm-up it has to stay as it is."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.driver import Driver, Tool
from benchmarks.launches import say
from benchmarks.platform import Platform
from benchmarks.processes import memory_of
from benchmarks.report import Goal, Report, describe_machine
from benchmarks.stands import run_courseway, run_database

PEOPLE = 1000
STEPS = 20
AT_ONCE = 8
# Of the launches, before memory counts: caches fill, and the allocator takes what the busiest moment needs.
WARM_SHARE = 0.2


@dataclass(frozen=True)
class Sample:
    """Memory that the server's processes wrote themselves, in megabytes, after so many launches."""

    launches: int
    megabytes: float


def measure(wish: argparse.Namespace) -> Report:
    """Launches by LTI 1.3 and LTI 1.1 in turn, `--launches` in all."""
    began = time.monotonic()
    platform = Platform()
    people = wish.people or PEOPLE
    try:
        with run_database() as database, TemporaryDirectory(prefix="courseway-benchmark-") as folder:
            with run_courseway(Path(folder), database, platform) as tools:
                samples = _launch(tools, platform, people, wish.launches, began)
            machine = describe_machine(database.version)
    finally:
        platform.stop()
    return make_report(samples, {"machine": machine, "people": people})


def _launch(tools: Sequence[Tool], platform: Platform, people: int, launches: int, began: float) -> list[Sample]:
    drivers = [Driver(tool, platform, people=people) for tool in tools]
    samples, done = [], 0
    while done < launches:
        for driver in drivers:
            done += len(driver.run(at_once=AT_ONCE, launches=max(1, launches // STEPS // len(drivers))).latencies)
        samples.append(Sample(done, memory_of(tools[0].root) / 1e6))
        say(began, f"{done:,} launches: {samples[-1].megabytes:.1f} MB")
    return samples


def find_growth(samples: Sequence[Sample]) -> float:
    """By which share the memory of the last quarter is more, or less, than after the warm-up, by medians."""
    last = samples[-1].launches
    warm = [one for one in samples if one.launches >= WARM_SHARE * last]
    quarter = max(1, len(warm) // 4)
    return _median(warm[-quarter:]) / _median(warm[:quarter]) - 1


def _median(samples: Sequence[Sample]) -> float:
    ordered = sorted(one.megabytes for one in samples)
    return ordered[len(ordered) // 2]


def make_report(samples: Sequence[Sample], about: dict[str, object]) -> Report:
    """Memory step by step."""
    lines = ["| launches | MB |", "|---|---|", *(f"| {one.launches:,} | {one.megabytes:.1f} |" for one in samples)]
    growth = abs(find_growth(samples))
    what = f"memory after {samples[-1].launches:,} launches against after the warm-up"
    goal = Goal(what, 0.05, growth, "{:.1%}", at_most=True)
    return Report("memory", "\n".join(lines) + "\n", {**about, "samples": [vars(one) for one in samples]}, [goal])
