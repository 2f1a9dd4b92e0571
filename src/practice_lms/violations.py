"""Calls that must not happen. A course or a link can be told that no grade service may be called for it.

Such a call answers 500 and is written down, whoever makes it: the proof that a tool which only enrolls stays silent.
"""

import sqlite3
from typing import Any

from practice_lms.columns import find_line_item
from practice_lms.courses import get_course
from practice_lms.links import find_link, get_link
from practice_lms.refusals import RefusedError


class ForbiddenCallError(RefusedError):
    """A call to a service for a course or link for which none may be made."""

    def __init__(self) -> None:
        super().__init__("Nobody may call this service for this course or link.", 500, "forbidden_call")


def forbid_calls(db: sqlite3.Connection, *, course_id: str = "", link_id: str = "", now: float) -> None:
    """From now on no line item, score, result or outcome service may be called for this course or link."""
    kind, target = ("link", get_link(db, link_id).id) if link_id else ("course", get_course(db, course_id).id)
    db.execute("INSERT OR IGNORE INTO ban VALUES (?, ?, ?)", (kind, target, now))


def allow_calls(db: sqlite3.Connection, *, course_id: str = "", link_id: str = "") -> None:
    """Take that back."""
    kind, target = ("link", link_id) if link_id else ("course", course_id)
    db.execute("DELETE FROM ban WHERE kind = ? AND target_id = ?", (kind, target))


def note_violation(
    db: sqlite3.Connection,
    *,
    service: str,
    method: str,
    path: str,
    course_id: str,
    link_id: str,
    detail: str,
    now: float,
) -> bool:
    """Write the call down when it must not happen; whether that was so."""
    link = find_link(db, link_id)
    course_id = link.course_id if link else course_id
    bans = {(row["kind"], row["target_id"]) for row in db.execute("SELECT kind, target_id FROM ban")}
    if not {("link", link_id), ("course", course_id)} & bans:
        return False
    db.execute(
        "INSERT INTO violation (happened_at, service, method, path, course_id, link_id, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (now, service, method, path, course_id, link_id, detail),
    )
    return True


def find_link_of_item(db: sqlite3.Connection, item_id: str) -> str:
    """The link that a column belongs to, if it is one's."""
    item = find_line_item(db, item_id)
    return item.link_id or "" if item else ""


def list_violations(db: sqlite3.Connection, *, course_id: str = "", link_id: str = "") -> list[dict[str, Any]]:
    """Every call that must not have happened, in order, of all or of one course or link."""
    rows = db.execute(
        "SELECT * FROM violation WHERE ? IN ('', course_id) AND ? IN ('', link_id) ORDER BY id", (course_id, link_id)
    )
    return [dict(row) for row in rows]


def list_bans(db: sqlite3.Connection) -> list[dict[str, str]]:
    """Where no service may be called."""
    return [{"kind": row["kind"], "id": row["target_id"]} for row in db.execute("SELECT * FROM ban ORDER BY rowid")]
