"""Seven days as a small picture of bars, with the same in words for whoever does not see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.utils import formats

WIDTH, HEIGHT, LABEL_HEIGHT = 280, 72, 16
BAR_WIDTH = 24
_PLOT = HEIGHT - LABEL_HEIGHT


@dataclass(frozen=True, slots=True)
class Bar:
    """One day. `good` stands below, `bad` on top of it; all numbers are those of the picture."""

    day: str
    good: int
    bad: int
    x: int
    label_x: int
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float


@dataclass(frozen=True, slots=True)
class WeekChart:
    bars: list[Bar]
    good: int
    bad: int
    width: int = WIDTH
    height: int = HEIGHT
    base: int = _PLOT
    label_y: int = HEIGHT - 3
    bar_width: int = BAR_WIDTH

    @property
    def is_empty(self) -> bool:
        return not self.good and not self.bad


def draw_week(days: list[date], counts: Mapping[date, tuple[int, int]]) -> WeekChart:
    """`counts` gives good and bad of each day, days without any may be missing."""
    highest = max((sum(counts.get(day, (0, 0))) for day in days), default=0) or 1
    scale = (_PLOT - 4) / highest
    column = WIDTH / len(days)
    bars = []
    for position, day in enumerate(days):
        good, bad = counts.get(day, (0, 0))
        good_height, bad_height = _visible(good * scale), _visible(bad * scale)
        bars.append(
            Bar(
                day=formats.date_format(day, "D"),
                good=good,
                bad=bad,
                x=round(position * column + (column - BAR_WIDTH) / 2),
                label_x=round(position * column + column / 2),
                good_y=round(_PLOT - good_height, 1),
                good_height=good_height,
                bad_y=round(_PLOT - good_height - bad_height, 1),
                bad_height=bad_height,
            )
        )
    return WeekChart(bars, sum(bar.good for bar in bars), sum(bar.bad for bar in bars))


def _visible(height: float) -> float:
    """A single refusal among a thousand launches must still be seen."""
    return round(max(height, 2.0), 1) if height else 0.0
