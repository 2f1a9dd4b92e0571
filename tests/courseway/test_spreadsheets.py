"""CSV that can be opened: what was in comes out, and nothing of it is computed."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courseway.spreadsheets import csv_download, write_cell, write_csv

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read(table: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table, newline="")))


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1", "\u00a0=1", "＝1+1", "－1", "\x00=1"),
        *('=HYPERLINK("https://evil.example","x")', "|calc", "\ufeff=1"),
    ],
)
def test_formulas_become_text(text: str) -> None:
    """Every beginning that a spreadsheet computes is marked as text."""
    assert write_cell(text).startswith("'")


@pytest.mark.parametrize(
    "text", ["Loops", "a=b", "https://tool.example/lti/a/x", "course_target_id=abc", "'quoted'", ""]
)
def test_harmless_texts_stay_as_they_are(text: str) -> None:
    """Ordinary texts and addresses are not touched."""
    assert write_cell(text) == text


def test_numbers_and_times() -> None:
    """Numbers stay numbers, also negative ones; times are in UTC; nothing is an empty cell."""
    noon = datetime(2026, 9, 1, 14, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert [write_cell(value) for value in (Decimal("10.00"), Decimal("-2.50"), Decimal("1E+2"), 7, -7, None)] == [
        *("10", "-2.5", "100", "7", "-7", "")
    ]
    assert write_cell(noon) == "2026-09-01 12:00:05"
    assert (write_cell(True), write_cell(False)) == ("yes", "no")


@given(st.lists(st.lists(texts, min_size=3, max_size=3), max_size=5))
def test_any_table_is_read_as_it_was_written(rows: list[list[str]]) -> None:
    """Whatever the cells hold, a reader finds them again, and none of them is a formula."""
    found = read(write_csv(["a", "b", "c"], rows))
    assert found[0] == ["a", "b", "c"]
    assert found[1:] == [[write_cell(cell) for cell in row] for row in rows]
    for row in found[1:]:
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)


def test_the_download() -> None:
    """It is a file with a name, which is neither sniffed nor kept, and which Excel reads as UTF-8."""
    response = csv_download("launches-acme", ["Näme"], [["Ünï"]])
    assert response.getvalue() == "\ufeffNäme\r\nÜnï\r\n".encode()
    assert response["Content-Disposition"] == 'attachment; filename="launches-acme.csv"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert (response["X-Content-Type-Options"], response["Cache-Control"]) == ("nosniff", "no-store")
