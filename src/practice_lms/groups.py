"""Groups that a course is divided into, in sets, and the service that tells tools about them (Course Groups 1.0)."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from practice_lms.courses import get_course
from practice_lms.database import take_number
from practice_lms.people import get_person
from practice_lms.refusals import RefusedError

GROUPS_TYPE = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
SETS_TYPE = "application/vnd.ims.lti-gs.v1.contextgroupsetcontainer+json"


@dataclass(frozen=True)
class Group:
    """Some people of a course. `set_name` is "" for a group on its own."""

    id: str
    course_id: str
    name: str
    set_name: str
    is_hidden: bool
    people: tuple[str, ...]


def save_group(
    db: sqlite3.Connection,
    *,
    course_id: str,
    name: str,
    set_name: str = "",
    is_hidden: bool = False,
    people: Iterable[str] = (),
    group_id: str = "",
) -> Group:
    """Make a group, or change the one with this id; its people are replaced."""
    number = take_number(db)
    course = get_course(db, course_id)
    if not name.strip():
        raise RefusedError("A group needs a name.")
    made_id = group_id or str(number)
    db.execute(
        "INSERT INTO course_group VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, set_name = excluded.set_name, is_hidden = excluded.is_hidden",
        (made_id, course.id, name.strip(), set_name.strip(), int(is_hidden), number),
    )
    db.execute("DELETE FROM group_member WHERE group_id = ?", (made_id,))
    for person_id in dict.fromkeys(people):
        db.execute("INSERT INTO group_member VALUES (?, ?)", (made_id, get_person(db, person_id).id))
    return next(group for group in list_groups(db, course.id) if group.id == made_id)


def delete_group(db: sqlite3.Connection, group_id: str) -> None:
    """Remove a group; its people stay."""
    db.execute("DELETE FROM course_group WHERE id = ?", (group_id,))


def list_groups(db: sqlite3.Connection, course_id: str) -> list[Group]:
    """The groups of a course, oldest first."""
    members: dict[str, list[str]] = {}
    for row in db.execute(
        "SELECT m.* FROM group_member m JOIN course_group g ON g.id = m.group_id WHERE g.course_id = ?", (course_id,)
    ):
        members.setdefault(row["group_id"], []).append(row["person_id"])
    rows = db.execute("SELECT * FROM course_group WHERE course_id = ? ORDER BY position", (course_id,))
    return [
        Group(
            row["id"],
            row["course_id"],
            row["name"],
            row["set_name"],
            bool(row["is_hidden"]),
            tuple(members.get(row["id"], ())),
        )
        for row in rows
    ]


def show_groups(groups: Iterable[Group], *, person_id: str = "") -> list[dict[str, Any]]:
    """Groups as the specification writes them, all or those of one person."""
    shown = []
    for group in groups:
        if person_id and person_id not in group.people:
            continue
        entry: dict[str, Any] = {"id": group.id, "name": group.name}
        if group.set_name:
            entry["set_id"] = make_set_id(group)
        if group.is_hidden:
            entry["hidden"] = True
        shown.append(entry)
    return shown


def show_sets(groups: Iterable[Group]) -> list[dict[str, Any]]:
    """The sets that the groups belong to."""
    sets = {make_set_id(group): group.set_name for group in groups if group.set_name}
    return [{"id": set_id, "name": name} for set_id, name in sets.items()]


def make_set_id(group: Group) -> str:
    """The id of a group's set: it has no row of its own."""
    return f"set-{group.set_name.lower()}"
