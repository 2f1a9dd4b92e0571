"""What each work makes of its numbers."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from benchmarks.__main__ import WORKS, choose_works, make_parser
from benchmarks.filling import CONTEXTS, LAUNCHES, PEOPLE, plan
from benchmarks.full import WholeRead
from benchmarks.full import make_report as report_full
from benchmarks.memory import Sample, find_growth
from benchmarks.pages import make_report as report_pages
from benchmarks.processes import cpu_seconds, memory_of, tree_of

from tests.benchmarks.test_report import make_row


def test_all_works_are_measured_unless_some_are_chosen() -> None:
    """Without a choice everything is measured, tools alone are those of launches, and an unknown work is refused."""

    def chosen(words: str) -> list[str]:
        return list(choose_works(make_parser().parse_args(words.split())))

    assert chosen("") == list(WORKS)
    assert chosen("--work memory full --only courseway") == ["memory", "full"]
    assert chosen("--only courseway floor") == ["launches"]
    with pytest.raises(SystemExit):
        chosen("--work coffee")


def test_a_full_database_is_as_full_as_promised() -> None:
    """A million people, fifty thousand LMS courses, ten million launches; and a share of it is that share."""
    for share in (1, 0.01):
        rows = {table.name: table.rows for table in plan(share)}
        assert rows["orgs_person"] == PEOPLE * share
        assert rows["lms_context"] == CONTEXTS * share
        assert rows["lms_launch"] == LAUNCHES * share


def test_what_is_filled_in_refers_to_rows_that_there_are() -> None:
    """Nobody is twice in a course, and the assignment of an arrival is the one of its link."""
    tables = {table.name: table for table in plan(0.001)}
    first = dict.fromkeys(("person", "context", "course", "link", "assignment", "identity", "module"), 0)

    def value(table: str, column: str, number: int) -> int:
        written = tables[table].values[column].format(n=number, **first)
        return int(eval(re.sub("/", "//", written)))  # noqa: S307 - arithmetic of our own, as PostgreSQL reckons it

    count = tables["lms_arrival"].rows
    for table, column in (("lms_contextmembership", "context_id"), ("courses_enrollment", "course_id")):
        pairs = {(value(table, "person_id", n), value(table, column, n)) for n in range(count)}
        assert len(pairs) == count
    for number in range(0, count, 7):
        link = value("lms_arrival", "resource_link_id", number)
        assert link < tables["lms_resourcelink"].rows
        assert value("lms_resourcelink", "assignment_id", link) == value("lms_arrival", "assignment_id", number)
        assert value("lms_resourcelink", "context_id", link) == value("lms_arrival", "context_id", number)


def test_a_full_database_is_compared_with_an_empty_one() -> None:
    """Each version has its goal, and one table that is read whole is one too many."""
    rows = [
        make_row("empty database", per_cpu_second=100),
        make_row("full database", per_cpu_second=95),
        make_row("empty database", lti="1.1", per_cpu_second=100),
        make_row("full database", lti="1.1", per_cpu_second=80),
    ]
    about = {"share": 1.0, "gigabytes": 9.5, "fill_minutes": 5.0}
    report = report_full(rows, [WholeRead("prune", "lms_launch", 1, 10_000_000)], about)
    assert {goal.what[:19]: goal.is_met for goal in report.goals} == {
        "launches by LTI 1.1": False,
        "launches by LTI 1.3": True,
        "big tables read who": False,
    }
    assert "10,000,000 launches; 9.5 GB" in report.tables


def test_pages_of_thousands_are_compared_with_those_of_a_hundred() -> None:
    """More statements, a page of more than three times and an export of more than a second are told."""
    small = {"statements": 5, "cpu_ms": 100.0, "clock_ms": 100.0, "size": 1}
    found = {
        "gradebook": {"Small": small, "Large": {**small, "statements": 6, "cpu_ms": 301.0}},
        "course copy": {"Small": small, "Thousand": {**small, "cpu_ms": 900.0}},
    }
    report = report_pages(found, {"students": 10_000, "assignments": 5000})
    assert [goal.is_met for goal in report.goals] == [False, False, True, True]
    assert "| gradebook | 5, 6 | 100, 301 | 3.0 | 1.0 |" in report.tables


def test_growth_is_told_from_the_warm_up_on() -> None:
    """What the first launches take does not count, a steady growth does."""
    warming = [Sample(n, 50.0 + n) for n in range(1, 4)]
    flat = warming + [Sample(n, 100.0) for n in range(4, 21)]
    growing = warming + [Sample(n, 100.0 + 2 * n) for n in range(4, 21)]
    assert find_growth(flat) == 0
    assert find_growth(growing) == pytest.approx((100 + 2 * 19) / (100 + 2 * 6) - 1)


def test_processes_are_counted_with_their_children() -> None:
    """CPU seconds and memory of a tree are those of all its processes."""
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(8_000_000)); input()'])"
    process = subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE)
    try:
        give_up_at = time.monotonic() + 60
        while len(tree := tree_of(process.pid)) < 2 or cpu_seconds(process.pid) < 0.05:
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        assert memory_of(process.pid) > memory_of(tree[1]) > 0
    finally:
        process.communicate(b"\n", timeout=30)
