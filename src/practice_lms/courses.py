"""Courses, the links placed in them, and the columns of their gradebooks."""

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from practice_lms.database import take_number
from practice_lms.refusals import RefusedError
from practice_lms.tools import check_address, get_tool

ID = re.compile(r"[A-Za-z0-9._:@+-]{1,255}")
"""Ids of courses and links stand in addresses. Real ones hold such characters too: `course-v1:MIT+6.00`."""


@dataclass(frozen=True)
class Course:
    """A course; LTI calls it a context."""

    id: str
    title: str
    label: str
    sourcedid: str
    section_sourcedid: str


@dataclass(frozen=True)
class Link:
    """A tool placed in a course; LTI calls it a resource link."""

    id: str
    course_id: str
    tool_id: str
    title: str
    description: str
    url: str
    custom: Mapping[str, str]


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


def add_course(
    db: sqlite3.Connection,
    *,
    title: str,
    label: str = "",
    sourcedid: str = "",
    section_sourcedid: str = "",
    course_id: str = "",
) -> Course:
    """Make a course; without an id of its own it gets the next number."""
    if not title.strip():
        raise RefusedError("A course needs a title.")
    _check_id(course_id)
    number = take_number(db)
    course = Course(course_id or str(number), title.strip(), label or f"C{number}", sourcedid, section_sourcedid)
    if find_course(db, course.id) is not None:
        raise RefusedError(f"There is already a course with the id {course.id!r}.", 409)
    db.execute(
        "INSERT INTO course VALUES (?, ?, ?, ?, ?, ?)",
        (course.id, course.title, course.label, course.sourcedid, course.section_sourcedid, number),
    )
    return course


def find_course(db: sqlite3.Connection, course_id: str) -> Course | None:
    """The course with this id, if there is one."""
    row = db.execute("SELECT * FROM course WHERE id = ?", (course_id,)).fetchone()
    return None if row is None else _read_course(row)


def get_course(db: sqlite3.Connection, course_id: str) -> Course:
    """The course with this id, or a refusal that says so."""
    course = find_course(db, course_id)
    if course is None:
        raise RefusedError(f"There is no course with the id {course_id!r}.", 404)
    return course


def list_courses(db: sqlite3.Connection) -> list[Course]:
    """Every course, oldest first."""
    return [_read_course(row) for row in db.execute("SELECT * FROM course ORDER BY position")]


def add_link(
    db: sqlite3.Connection,
    *,
    course_id: str,
    tool_id: str,
    title: str,
    url: str = "",
    description: str = "",
    points: str | int | float | None = None,
    custom: Mapping[str, str] | None = None,
    link_id: str = "",
    origin: str = "",
) -> Link:
    """Place a tool in a course; with points it also gets a column in the gradebook."""
    course, tool = get_course(db, course_id), get_tool(db, tool_id)
    if not title.strip():
        raise RefusedError("A link needs a title.")
    _check_id(link_id)
    number = take_number(db)
    link = Link(
        id=link_id or str(number),
        course_id=course.id,
        tool_id=tool.id,
        title=title.strip(),
        description=description,
        url=url or tool.launch_url,
        custom={str(name): str(value) for name, value in (custom or {}).items()},
    )
    check_address("url", link.url)
    if find_link(db, link.id) is not None:
        raise RefusedError(f"There is already a link with the id {link.id!r}.", 409)
    db.execute(
        "INSERT INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (link.id, course.id, tool.id, link.title, description, link.url, json.dumps(link.custom), origin, number),
    )
    if points not in (None, ""):
        maximum = read_points(points)
        save_line_item(db, LineItem("", course.id, tool.id, link.id, link.title, maximum))
    return link


def change_link(
    db: sqlite3.Connection,
    link: Link,
    *,
    title: str,
    url: str,
    points: str | int | float | None,
    custom: Mapping[str, str],
) -> None:
    """Change a link and, with it, its column."""
    check_address("url", url)
    db.execute(
        "UPDATE link SET title = ?, url = ?, custom = ? WHERE id = ?", (title, url, json.dumps(dict(custom)), link.id)
    )
    item = find_line_item_of_link(db, link.id)
    if points in (None, ""):
        return
    maximum = read_points(points)
    if item is None:
        save_line_item(db, LineItem("", link.course_id, link.tool_id, link.id, title, maximum))
    else:
        db.execute("UPDATE line_item SET label = ?, score_maximum = ? WHERE id = ?", (title, str(maximum), item.id))


def find_link(db: sqlite3.Connection, link_id: str) -> Link | None:
    """The link with this id, if there is one."""
    row = db.execute("SELECT * FROM link WHERE id = ?", (link_id,)).fetchone()
    return None if row is None else _read_link(row)


def get_link(db: sqlite3.Connection, link_id: str) -> Link:
    """The link with this id, or a refusal that says so."""
    link = find_link(db, link_id)
    if link is None:
        raise RefusedError(f"There is no link with the id {link_id!r}.", 404)
    return link


def list_links(db: sqlite3.Connection, course_id: str) -> list[Link]:
    """The links of a course, oldest first."""
    return [
        _read_link(row) for row in db.execute("SELECT * FROM link WHERE course_id = ? ORDER BY position", (course_id,))
    ]


def delete_link(db: sqlite3.Connection, link_id: str) -> None:
    """Remove a link with its column and grades."""
    get_link(db, link_id)
    db.execute("DELETE FROM link WHERE id = ?", (link_id,))


def save_line_item(db: sqlite3.Connection, item: LineItem) -> LineItem:
    """Make a column (when `id` is empty) or replace one."""
    number = take_number(db)
    made = item if item.id else LineItem(**{**item.__dict__, "id": str(number)})
    db.execute(
        "INSERT INTO line_item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
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
    tool_id: str = "",
    link_id: str = "",
    resource_id: str = "",
    tag: str = "",
) -> list[LineItem]:
    """The columns of a course, oldest first, narrowed by whatever is given."""
    given = {"course_id": course_id, "tool_id": tool_id, "link_id": link_id, "resource_id": resource_id, "tag": tag}
    wanted = {name: value for name, value in given.items() if value}
    condition = " AND ".join(f"{name} = ?" for name in wanted)
    rows = db.execute(f"SELECT * FROM line_item WHERE {condition} ORDER BY position", tuple(wanted.values()))  # noqa: S608
    return [_read_line_item(row) for row in rows]


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


def _check_id(wanted: str) -> None:
    if wanted and not ID.fullmatch(wanted):
        raise RefusedError("An id of your own may hold letters, digits and ._:@+- only.")


def _read_course(row: sqlite3.Row) -> Course:
    return Course(row["id"], row["title"], row["label"], row["sourcedid"], row["section_sourcedid"])


def _read_link(row: sqlite3.Row) -> Link:
    return Link(
        row["id"],
        row["course_id"],
        row["tool_id"],
        row["title"],
        row["description"],
        row["url"],
        json.loads(row["custom"]),
    )


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
