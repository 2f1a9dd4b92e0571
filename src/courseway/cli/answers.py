"""What a command answers, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


class RefusedError(Exception):
    """The command was understood and is refused; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`document` is what `--json` prints, `text` what people read."""

    document: Any
    text: str
    status: int = 0


def print_answer(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps(answer.document, indent=2, ensure_ascii=False, default=_encode)
    else:
        text = answer.text
    # A terminal of another encoding shows question marks rather than a stack trace.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.rstrip("\n").encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def _encode(value: object) -> Any:
    if isinstance(value, Decimal):
        # A whole number stays one; the rest is exact enough as a double, since grades have six places at most.
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterable):
        return list(value)
    return str(value)


def list_facts(facts: Sequence[tuple[str, object]]) -> str:
    """One fact a line, the values below each other; empty ones are left out."""
    shown = [(name, value) for name, value in facts if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown)


def draw_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> str:
    """Columns as wide as what stands in them, so that nothing is cut off in a pipe."""
    cells = [["" if cell is None else " ".join(str(cell).split()) for cell in row] for row in rows]
    if not cells:
        return empty
    widths = [max(len(head), *(len(row[column]) for row in cells)) for column, head in enumerate(heads)]
    lines = [heads, *cells]
    return "\n".join("  ".join(f"{cell:<{widths[i]}}" for i, cell in enumerate(line)).rstrip() for line in lines)


def show_percent(value: Decimal | float | None) -> str:
    return "–" if value is None else f"{float(value):.6f}".rstrip("0").rstrip(".") + " %"
