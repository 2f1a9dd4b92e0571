"""The columns of gradebooks; LTI calls them line items."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from practice_lms.database import take_number
from practice_lms.refusals import RefusedError


@dataclass(frozen=True)
class LineItem:
    """A column of the gradebook; `score_maximum` are the points of the LMS, not those of the tool."""

    id: str
    course_id: str
    tool_id: str
    link_id: str | None
    label: str
    score_maximum: Decimal
    resource_id: str = ""
    tag: str = ""
    start_at: str = ""
    end_at: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


def save_line_item(db: sqlite3.Connection, item: LineItem) -> LineItem:
    """Make a column (when `id` is empty) or replace one."""
    number = take_number(db)
    made = item if item.id else LineItem(**{**item.__dict__, "id": str(number)})
    db.execute(
        "INSERT INTO line_item (id, course_id, tool_id, link_id, label, score_maximum, resource_id, tag, start_at,"
        " end_at, extra, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " link_id = excluded.link_id, label = excluded.label, score_maximum = excluded.score_maximum,"
        " resource_id = excluded.resource_id, tag = excluded.tag, start_at = excluded.start_at,"
        " end_at = excluded.end_at, extra = excluded.extra",
        (
            made.id,
            made.course_id,
            made.tool_id,
            made.link_id,
            made.label,
            str(made.score_maximum),
            made.resource_id,
            made.tag,
            made.start_at,
            made.end_at,
            json.dumps(dict(made.extra)),
            number,
        ),
    )
    return made


def find_line_item(db: sqlite3.Connection, item_id: str) -> LineItem | None:
    """The column with this id, if there is one."""
    row = db.execute("SELECT * FROM line_item WHERE id = ?", (item_id,)).fetchone()
    return None if row is None else _read_line_item(row)


def find_line_item_of_link(db: sqlite3.Connection, link_id: str) -> LineItem | None:
    """The column of a link: the first one, as a tool may attach more."""
    row = db.execute("SELECT * FROM line_item WHERE link_id = ? ORDER BY position LIMIT 1", (link_id,)).fetchone()
    return None if row is None else _read_line_item(row)


def list_line_items(
    db: sqlite3.Connection,
    course_id: str,
    *,
    tool_ids: Iterable[str] = (),
    link_id: str = "",
    resource_id: str = "",
    tag: str = "",
) -> list[LineItem]:
    """The columns of a course, oldest first, narrowed by whatever is given."""
    given = {"course_id": course_id, "link_id": link_id, "resource_id": resource_id, "tag": tag}
    wanted = {name: value for name, value in given.items() if value}
    condition = " AND ".join(f"{name} = ?" for name in wanted)
    rows = db.execute(f"SELECT * FROM line_item WHERE {condition} ORDER BY position", tuple(wanted.values()))  # noqa: S608
    tools = set(tool_ids)
    return [_read_line_item(row) for row in rows if not tools or row["tool_id"] in tools]


def delete_line_item(db: sqlite3.Connection, item_id: str) -> None:
    """Remove a column with its grades."""
    db.execute("DELETE FROM line_item WHERE id = ?", (item_id,))


def read_points(value: str | int | float) -> Decimal:
    """Points of the LMS: a number above zero."""
    try:
        points = Decimal(str(value).strip())
    except InvalidOperation:
        raise RefusedError(f"Points must be a number, not {value!r}.") from None
    if not points.is_finite() or points <= 0:
        raise RefusedError("Points must be more than 0.")
    return points


def check_date(name: str, text: str) -> None:
    """Refuse what is no date, time and zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(f"{name} must be an ISO 8601 date and time.") from None
    if moment.tzinfo is None:
        raise RefusedError(f"{name} must say its time zone.")


def _read_line_item(row: sqlite3.Row) -> LineItem:
    return LineItem(
        row["id"],
        row["course_id"],
        row["tool_id"],
        row["link_id"],
        row["label"],
        Decimal(row["score_maximum"]),
        row["resource_id"],
        row["tag"],
        row["start_at"],
        row["end_at"],
        json.loads(row["extra"]),
    )
