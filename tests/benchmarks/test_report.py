"""Goals, ratios and what is written of a measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from benchmarks.driver import Measured, Tool
from benchmarks.launch_report import Round, Row, find_goals, find_ratios, make_report, sum_up, write_ratios
from benchmarks.launches import choose
from benchmarks.report import Bar, Goal, Report, draw, keep


def make_row(tool: str, *, lti: str = "1.3", at_once: int = 8, per_cpu_second: float, **changes: Any) -> Row:
    values: dict[str, Any] = {"launches": 100, "per_second": per_cpu_second, "slowest_round": 1.0}
    values |= {"fastest_round": 3.0, "tool_cpu_ms": 1.0, "database_cpu_ms": 1.0, "p50_ms": 10.0, "p99_ms": 20.0}
    values |= {"other_cpus": 0.1}
    return Row(tool=tool, version=lti, at_once=at_once, per_cpu_second=per_cpu_second, **(values | changes))


def make_tool(name: str) -> Tool:
    return Tool(
        name, "1.3", 1, "http://127.0.0.1:1", "/login", ("http://127.0.0.1:1/a",), "/launch", 1, 1, lambda visit: b""
    )


@pytest.mark.parametrize(("seen", "at_most", "is_met"), [(3, False, True), (2.9, False, False), (3.1, True, False)])
def test_a_goal_says_whether_it_is_met(seen: float, at_most: bool, is_met: bool) -> None:
    """At least and at most are kept apart, the wanted value itself is enough, and the line says which it was."""
    goal = Goal("launches", 3, seen, "{:.1f} ×", at_most=at_most)
    assert goal.is_met is is_met
    assert f"| {'≤' if at_most else '≥'} 3.0 × | {seen:.1f} × | {'✓ met' if is_met else '✗ missed'} |" in goal.row()


def test_rounds_of_one_tool_become_one_row() -> None:
    """The rate is the median of the rounds; CPU and percentiles are those of all launches together."""
    tool = make_tool("Courseway")
    rounds = [
        Round(tool, 8, Measured(1.0, 0.5, 0.5, 0.2, [0.01] * 10)),
        Round(tool, 8, Measured(1.0, 1.5, 0.5, 0.2, [0.02] * 30)),
        Round(tool, 8, Measured(2.0, 0.5, 0.5, 0.2, [0.03] * 40)),
        Round(tool, 32, Measured(1.0, 1.0, 0.0, 0.0, [0.5])),
    ]
    row, other = sum_up(rounds)
    assert (row.launches, row.per_second, row.slowest_round, row.fastest_round) == (80, 20, 10, 30)
    assert row.per_cpu_second == pytest.approx(80 / 4)
    assert (row.tool_cpu_ms, row.database_cpu_ms) == (pytest.approx(1000 * 2.5 / 80), pytest.approx(1000 * 1.5 / 80))
    assert (row.p50_ms, row.p99_ms, other.at_once) == (20, 30, 32)


def test_ratios_compare_like_with_like() -> None:
    """Courseway is set against the same version and concurrency of each other tool, never against itself."""
    rows = [
        make_row("Courseway", per_cpu_second=300),
        make_row("Courseway", at_once=32, per_cpu_second=200),
        make_row("ltijs 5", per_cpu_second=100),
        make_row("ltijs 5", at_once=32, per_cpu_second=100),
        make_row("PyLTI", lti="1.1", per_cpu_second=50),
    ]
    found = {(one["against"], one["at_once"]): one["by_cpu"] for one in find_ratios(rows)}
    assert found == {("ltijs 5", 8): 3.0, ("ltijs 5", 32): 2.0}


def test_the_worse_of_two_concurrencies_counts_for_a_goal() -> None:
    """A goal is met only if it is at every concurrency; the median against the 99th percentile is one of them."""
    rows = [
        make_row("Courseway", per_cpu_second=300),
        make_row("Courseway", at_once=32, per_cpu_second=200, p50_ms=10.0, p99_ms=31.0),
        make_row("ltijs 5", per_cpu_second=100),
        make_row("ltijs 5", at_once=32, per_cpu_second=100),
    ]
    against, tail = find_goals(rows, find_ratios(rows))
    assert (against.seen, against.is_met) == (2.0, False)
    assert "ltijs 5" in against.what
    assert (tail.seen, tail.is_met) == (pytest.approx(3.1), False)


def test_each_ratio_has_its_goal_beside_it() -> None:
    """Floors are written in percent and peers as times; what has no goal is told without one."""
    names = {"Django floor": 0.5, "bare floor": 1, "ltijs 5": 0.1, "PyLTI1p3 2, no database": 2}
    rows = [make_row("Courseway", per_cpu_second=0.4), *(make_row(name, per_cpu_second=n) for name, n in names.items())]
    lines = write_ratios(find_ratios(rows)).splitlines()[2:]
    assert [line.split(" | ")[3] for line in lines] == ["80%", "40%", "4 ×", "0.2 ×"]
    goals = [line.rpartition(" | ")[2].removesuffix(" |") for line in lines]
    assert goals == ["✓ ≥ 60%", "", "✓ ≥ 3 × (hoped 5 ×)", ""]


def test_a_report_is_kept_as_text_as_data_and_as_a_picture(tmp_path: Path) -> None:
    """Each file holds the goals or the rows, and the picture is well formed whatever the names hold."""
    rows = [make_row("Courseway", per_cpu_second=300), make_row("Lions & <Tigers>", per_cpu_second=100)]
    report = make_report(rows, {"machine": {"CPU": "2 × fast"}})
    keep(tmp_path, report, on="2026-01-02", command="make benchmark")
    text = (tmp_path / "launches.md").read_text()
    assert text.startswith("Measured on 2026-01-02 with `make benchmark`: CPU 2 × fast.")
    document = json.loads((tmp_path / "launches.json").read_text())
    assert [row["tool"] for row in document["rows"]] == ["Courseway", "Lions & <Tigers>"]
    picture = ElementTree.fromstring((tmp_path / "launches.svg").read_text())
    words = [element.text for element in picture.iter() if element.text]
    assert "Lions & <Tigers>, LTI 1.3" in words


def test_bars_are_as_long_as_their_values() -> None:
    """The longest bar takes the whole width and the others their share of it."""
    picture = ElementTree.fromstring(draw("Rates", [Bar("a", 50, is_own=True), Bar("b", 100, is_own=False)]))
    widths = [int(one.get("width", "0")) for one in picture.iter() if one.tag.endswith("rect")]
    assert widths == [170, 340]


def test_a_report_without_goals_has_no_table_of_them() -> None:
    """Only what was promised is in the table of goals."""
    assert Report("memory", "| a |\n", {}).text() == "| a |\n"


def test_tools_are_chosen_by_the_beginning_of_their_names() -> None:
    """A word that fits no tool is refused, rather than measuring nothing."""
    assert choose(["courseway", "floor", "ltijs"], ["LTI", "cour"]) == ["courseway", "ltijs"]
    assert choose(["courseway"], None) == ["courseway"]
    with pytest.raises(SystemExit, match="moodle"):
        choose(["courseway"], ["moodle"])
