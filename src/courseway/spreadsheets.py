"""Tables as CSV: the one writer, so that no export can put a formula into somebody's spreadsheet."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.http import StreamingHttpResponse
from django.utils.functional import Promise

# Beginnings that spreadsheets take for a formula (OWASP, "CSV injection"), the wide forms of the signs among them,
# also behind blanks: an import may take blanks off.
_FORMULA: Final = re.compile("[\\s\ufeff\u200b]*[=+@\\-\uff1d\uff0b\uff20\uff0d\t\r\n|]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BYTE_ORDER_MARK: Final = "\ufeff"

Cell = str | int | bool | Decimal | datetime | Promise | None


def write_csv(heads: Sequence[str | Promise], rows: Iterable[Sequence[Cell]]) -> str:
    """A line of headings and one for each row, as RFC 4180 says.

    A text that a spreadsheet would compute gets an apostrophe in front, which spreadsheets take for 'this is text'.
    Numbers stay numbers, times are in UTC.
    """
    return "".join(_write_lines(heads, rows))


def _write_lines(heads: Sequence[str | Promise], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\r\n")
    for row in itertools.chain((heads,), rows):
        writer.writerow([write_cell(cell) for cell in row])
        yield table.getvalue()
        table.seek(0)
        table.truncate()


def write_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value.normalize() + 0, "f") if value.is_finite() else ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = _CONTROL.sub("", str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def csv_download(name: str, heads: Sequence[str | Promise], rows: Iterable[Sequence[Cell]]) -> StreamingHttpResponse:
    """The table as a file `<name>.csv`, written while it is read. The mark at its start makes Excel read UTF-8."""
    lines = itertools.chain((_BYTE_ORDER_MARK,), _write_lines(heads, rows))
    response = StreamingHttpResponse(
        (line.encode("utf-8", "replace") for line in lines), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
