"""States and times as every page shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from courseway.grades.models import Delivery
from courseway.lms.models import Launch
from courseway.orgs.state_words import STATE_WORDS
from courseway.orgs.templatetags.pages import say_relative, state_mark, time_mark

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_state_has_a_word_and_a_shape() -> None:
    """No state is told by its colour alone."""
    for state, words in STATE_WORDS.items():
        mark = state_mark(state)
        assert words.glyph in mark
        assert str(words.word) in mark


def test_every_stored_state_has_words() -> None:
    """What a delivery or a launch can be is what pages can say."""
    assert {*Delivery.State.values, *Launch.Outcome.values} <= STATE_WORDS.keys()


def test_a_state_is_escaped() -> None:
    """A state or word that holds markup is shown as text."""
    assert "<b>" not in state_mark("<b>", "<b>")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (-65, "1 minute ago"),
        (-7200, "2 hours ago"),
        (-86400 * 8, "1 week ago"),
        (-86400 * 800, "2 years ago"),
        (86400 * 3, "in 3 days"),
    ],
)
def test_relative_times(seconds: int, words: str) -> None:
    """A time is said in the largest unit that fits, behind or ahead."""
    assert say_relative(NOW + timedelta(seconds=seconds), now=NOW) == words


def test_time_without_a_value() -> None:
    """What never happened is a dash."""
    assert time_mark(None) == "–"
