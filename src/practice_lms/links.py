"""Links to tools placed in courses; LTI calls them resource links."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from practice_lms.columns import LineItem, check_date, find_line_item_of_link, read_points, save_line_item
from practice_lms.courses import Course, check_id, get_course
from practice_lms.database import take_number
from practice_lms.profiles import choose_profile
from practice_lms.refusals import RefusedError, read_whole_number
from practice_lms.tools import Tool, check_address, get_tool

STATES = ("published", "unpublished")
HINTS = ("window", "iframe")
"""What a tool may say about how its link opens: each a JSON object."""


@dataclass(frozen=True)
class Link:
    """A tool placed in a course. `history` names the links that it was copied from, newest first."""

    id: str
    course_id: str
    tool_id: str
    title: str
    description: str
    url: str
    custom: Mapping[str, str]
    history: tuple[str, ...] = ()
    module_id: str | None = None
    page_id: str | None = None
    state: str = "published"
    allowed_attempts: int | None = None
    hints: Mapping[str, Any] = field(default_factory=dict)
    due_at: str = ""
    """When the work is due, ISO 8601 with a zone; nothing: no date."""


def add_link(
    db: sqlite3.Connection,
    *,
    course_id: str,
    tool_id: str,
    title: str,
    url: str = "",
    points: str | int | float | None = None,
    link_id: str = "",
    origin: str = "",
    **values: Any,
) -> Link:
    """Place a tool in a course; with points it also gets a column in the gradebook.

    `values` are further fields of a link: description, custom, history, module_id, page_id, state,
    allowed_attempts, hints, due_at.
    """
    course, tool = get_course(db, course_id), get_tool(db, tool_id)
    if tool.course_id not in ("", course.id):
        raise RefusedError("That tool belongs to another course alone.")
    check_id(link_id)
    number = take_number(db)
    blank = Link(link_id or str(number), course.id, tool.id, title.strip(), "", url or tool.launch_url, {})
    link = _check_link(db, replace(blank, **values))
    if find_link(db, link.id) is not None:
        raise RefusedError(f"There is already a link with the id {link.id!r}.", 409)
    db.execute(
        "INSERT INTO link (id, course_id, tool_id, title, description, url, custom, origin, position, history,"
        " module_id, page_id, state, allowed_attempts, hints, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            link.id,
            course.id,
            tool.id,
            link.title,
            link.description,
            link.url,
            json.dumps(dict(link.custom)),
            origin,
            number,
            json.dumps(link.history),
            link.module_id,
            link.page_id,
            link.state,
            link.allowed_attempts,
            json.dumps(dict(link.hints)),
            link.due_at,
        ),
    )
    if points not in (None, ""):
        maximum = read_points(points)
        if not _leaves_columns_to_tool(db, tool, course):
            save_line_item(db, LineItem("", course.id, tool.id, link.id, link.title, maximum))
    return link


def change_link(db: sqlite3.Connection, link: Link, *, points: str | int | float | None = None, **values: Any) -> Link:
    """Change fields of a link and, with them, its column. Its id, course and history stay."""
    changed = _check_link(db, replace(link, **values))
    tool = get_tool(db, changed.tool_id)
    db.execute(
        "UPDATE link SET tool_id = ?, title = ?, description = ?, url = ?, custom = ?, module_id = ?, page_id = ?,"
        " state = ?, allowed_attempts = ?, hints = ?, due_at = ? WHERE id = ?",
        (
            tool.id,
            changed.title,
            changed.description,
            changed.url,
            json.dumps(dict(changed.custom)),
            changed.module_id,
            changed.page_id,
            changed.state,
            changed.allowed_attempts,
            json.dumps(dict(changed.hints)),
            changed.due_at,
            link.id,
        ),
    )
    item = find_line_item_of_link(db, link.id)
    if points in (None, ""):
        return changed
    maximum = read_points(points)
    if item is None and not _leaves_columns_to_tool(db, tool, get_course(db, link.course_id)):
        save_line_item(db, LineItem("", link.course_id, tool.id, link.id, changed.title, maximum))
    elif item is not None:
        db.execute(
            "UPDATE line_item SET label = ?, score_maximum = ? WHERE id = ?", (changed.title, str(maximum), item.id)
        )
    return changed


def read_link_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a link among loose values, as the API and forms send them; what is not sent is not in it."""
    known: dict[str, Any] = {}
    for name in ("title", "description", "url", "state", "due_at"):
        if name in values:
            known[name] = str(values[name]).strip()
    for name, member in (("module", "module_id"), ("page", "page_id")):
        if name in values:
            known[member] = str(values[name] or "") or None
    if "allowed_attempts" in values:
        known["allowed_attempts"] = read_whole_number("allowed_attempts", values["allowed_attempts"]) or None
    for name in ("custom", "hints"):
        if values.get(name) is not None:
            if not isinstance(values[name], Mapping):
                raise RefusedError(f"{name} must be a JSON object.")
            known[name] = values[name]
    return known


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


def _leaves_columns_to_tool(db: sqlite3.Connection, tool: Tool, course: Course) -> bool:
    """Whether points alone make no column: in a Brightspace the tool makes one (D7)."""
    return tool.version == "1.3" and choose_profile(db, tool.profile, course.profile).has("D7")


def _check_link(db: sqlite3.Connection, link: Link) -> Link:
    if not link.title:
        raise RefusedError("A link needs a title.")
    check_address("url", link.url)
    if link.state not in STATES:
        raise RefusedError(f"The state of a link is one of {', '.join(STATES)}.")
    if link.due_at:
        check_date("due_at", link.due_at)
    if set(link.hints) - set(HINTS):
        raise RefusedError(f"Hints of a link are {' and '.join(HINTS)}.")
    for table, row_id in (("module", link.module_id), ("page", link.page_id)):
        query = f"SELECT 1 FROM {table} WHERE id = ? AND course_id = ?"  # noqa: S608 - own names
        if row_id and db.execute(query, (row_id, link.course_id)).fetchone() is None:
            raise RefusedError(f"There is no {table} with the id {row_id!r} in this course.", 404)
    return replace(link, custom={str(name): str(value) for name, value in link.custom.items()})


def _read_link(row: sqlite3.Row) -> Link:
    return Link(
        id=row["id"],
        course_id=row["course_id"],
        tool_id=row["tool_id"],
        title=row["title"],
        description=row["description"],
        url=row["url"],
        custom=json.loads(row["custom"]),
        history=tuple(json.loads(row["history"])),
        module_id=row["module_id"],
        page_id=row["page_id"],
        state=row["state"],
        allowed_attempts=row["allowed_attempts"],
        hints=json.loads(row["hints"]),
        due_at=row["due_at"],
    )
