"""Where the grades of each LMS are - there, on their way, stuck - as a small picture of lying bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, ROW_HEIGHT, BAR_HEIGHT = 280, 34, 12
ROWS_SHOWN = 8
# A single stuck grade among a hundred thousand must still be seen.
_LEAST = 3.0
_COLOURS = ("bar", "bar-warning", "bar-danger")


@dataclass(frozen=True, slots=True)
class Segment:
    colour: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """One LMS. `sent`, `waiting` and `stuck` are numbers of grades, all other numbers are those of the picture."""

    name: str
    sent: int
    waiting: int
    stuck: int
    label_y: int
    bar_y: int
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class ShareChart:
    rows: list[Row]
    height: int
    width: int = WIDTH
    bar_height: int = BAR_HEIGHT


def draw_shares(counts: Sequence[tuple[str, int, int, int]]) -> ShareChart:
    """`counts` gives name, sent, waiting and stuck of each LMS; the first ones are drawn, each over the full width."""
    rows = [_draw_row(position, *one) for position, one in enumerate(counts[:ROWS_SHOWN])]
    return ShareChart(rows, height=len(rows) * ROW_HEIGHT)


def _draw_row(position: int, name: str, sent: int, waiting: int, stuck: int) -> Row:
    numbers = (sent, waiting, stuck)
    total = sum(numbers)
    widths = [max(WIDTH * number / total, _LEAST) if number else 0.0 for number in numbers]
    scale = WIDTH / sum(widths) if total else 0.0
    segments, x = [], 0.0
    for colour, width in zip(_COLOURS, widths, strict=True):
        if width:
            segments.append(Segment(colour, round(x, 1), round(width * scale, 1)))
            x += width * scale
    top = position * ROW_HEIGHT
    return Row(name, sent, waiting, stuck, label_y=top + 11, bar_y=top + 16, segments=segments)
