"""How grades, points and authors' texts are written on the pages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from courseway.learning.templatetags.work import as_label, as_percent, as_plain, as_points, say_points


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        ("0", "0\xa0%"),
        ("40.000000", "40\xa0%"),
        ("57.142857", "57.1\xa0%"),
        ("100", "100\xa0%"),
        ("99.96", "99.9\xa0%"),  # to somebody who missed one question that is not 100
    ],
)
def test_percent(value: str | None, shown: str) -> None:
    """A percentage has at most one decimal, and only full marks read as 100 %."""
    assert as_percent(None if value is None else Decimal(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("10.00", "10"), ("12.50", "12.5"), ("8.333333", "8.33"), ("0", "0"), ("", "–"), ("1000", "1000")],
)
def test_points(value: str, shown: str) -> None:
    """Points carry no idle zeros."""
    assert as_points(value) == shown


def test_points_in_words() -> None:
    """One point is a point, everything else are points."""
    assert [say_points(Decimal(value)) for value in ("1", "0.5", "2")] == ["1 point", "0.5 points", "2 points"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("What is `2+2`?", "What is <code>2+2</code>?"),
        ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
        ("Look:\n\n    code", ""),
        ("- a\n- b", ""),
        ("one\n\ntwo", ""),
    ],
)
def test_label(text: str, label: str) -> None:
    """One paragraph can be a label; anything longer cannot, and stands above the field instead."""
    assert as_label(text) == label


def test_plain_text() -> None:
    """A list of questions names them by their words, without formatting."""
    assert as_plain("Look:\n\n```python\na < 1 & b\n```\n\n**Why?**") == "Look: a < 1 & b Why?"
