"""Courses; LTI calls them contexts."""

import json
import re
import sqlite3
from dataclasses import dataclass

from practice_lms.database import take_number
from practice_lms.profiles import check_profile
from practice_lms.refusals import RefusedError

ID = re.compile(r"[A-Za-z0-9._:@+-]{1,255}")
"""Ids of courses and links stand in addresses. Real ones hold such characters too: `course-v1:MIT+6.00`."""

STATES = ("published", "unpublished", "concluded")


@dataclass(frozen=True)
class Course:
    """A course. `history` names the courses that it was copied from, newest first; `profile` may be empty."""

    id: str
    title: str
    label: str
    sourcedid: str
    section_sourcedid: str
    profile: str = ""
    state: str = "published"
    history: tuple[str, ...] = ()


def add_course(
    db: sqlite3.Connection,
    *,
    title: str,
    label: str = "",
    sourcedid: str = "",
    section_sourcedid: str = "",
    course_id: str = "",
    profile: str = "",
    state: str = "published",
    history: tuple[str, ...] = (),
) -> Course:
    """Make a course; without an id of its own it gets the next number."""
    if not title.strip():
        raise RefusedError("A course needs a title.")
    check_id(course_id)
    number = take_number(db)
    course = Course(
        id=course_id or str(number),
        title=title.strip(),
        label=label or f"C{number}",
        sourcedid=sourcedid,
        section_sourcedid=section_sourcedid,
        profile=check_profile(profile),
        state=_check_state(state),
        history=history,
    )
    if find_course(db, course.id) is not None:
        raise RefusedError(f"There is already a course with the id {course.id!r}.", 409)
    db.execute(
        "INSERT INTO course (id, title, label, sourcedid, section_sourcedid, position, profile, state, history)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            course.id,
            course.title,
            course.label,
            course.sourcedid,
            course.section_sourcedid,
            number,
            course.profile,
            course.state,
            json.dumps(course.history),
        ),
    )
    return course


def change_course(db: sqlite3.Connection, course: Course, **values: str) -> Course:
    """Change title, label, SIS ids, profile or state of a course."""
    changed = Course(**{**course.__dict__, **values})
    if not changed.title.strip():
        raise RefusedError("A course needs a title.")
    check_profile(changed.profile)
    _check_state(changed.state)
    db.execute(
        "UPDATE course SET title = ?, label = ?, sourcedid = ?, section_sourcedid = ?, profile = ?, state = ?"
        " WHERE id = ?",
        (
            changed.title,
            changed.label,
            changed.sourcedid,
            changed.section_sourcedid,
            changed.profile,
            changed.state,
            course.id,
        ),
    )
    return changed


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


def check_id(wanted: str) -> None:
    """Refuse an id that cannot stand in an address."""
    if wanted and not ID.fullmatch(wanted):
        raise RefusedError("An id of your own may hold letters, digits and ._:@+- only.")


def _check_state(state: str) -> str:
    if state not in STATES:
        raise RefusedError(f"The state of a course is one of {', '.join(STATES)}.")
    return state


def _read_course(row: sqlite3.Row) -> Course:
    return Course(
        id=row["id"],
        title=row["title"],
        label=row["label"],
        sourcedid=row["sourcedid"],
        section_sourcedid=row["section_sourcedid"],
        profile=row["profile"],
        state=row["state"],
        history=tuple(json.loads(row["history"])),
    )
