"""What a course is arranged in: modules, which hold links, and pages, which hold text and links."""

import sqlite3
from dataclasses import dataclass

from practice_lms.courses import get_course
from practice_lms.database import take_number
from practice_lms.refusals import RefusedError


@dataclass(frozen=True)
class Module:
    """A part of a course under a title."""

    id: str
    course_id: str
    title: str


@dataclass(frozen=True)
class Page:
    """A page of text in a course, where an editor's button may have put links."""

    id: str
    course_id: str
    title: str
    text: str


def add_module(db: sqlite3.Connection, course_id: str, title: str) -> Module:
    """Make a module at the end of a course."""
    if not title.strip():
        raise RefusedError("A module needs a title.")
    course, number = get_course(db, course_id), take_number(db)
    module = Module(str(number), course.id, title.strip())
    db.execute("INSERT INTO module VALUES (?, ?, ?, ?)", (module.id, module.course_id, module.title, number))
    return module


def list_modules(db: sqlite3.Connection, course_id: str) -> list[Module]:
    """The modules of a course in order."""
    rows = db.execute("SELECT id, course_id, title FROM module WHERE course_id = ? ORDER BY position", (course_id,))
    return [Module(**dict(row)) for row in rows]


def delete_module(db: sqlite3.Connection, module_id: str) -> None:
    """Remove a module; its links stay in the course."""
    if db.execute("DELETE FROM module WHERE id = ?", (module_id,)).rowcount == 0:
        raise RefusedError(f"There is no module with the id {module_id!r}.", 404)


def save_page(db: sqlite3.Connection, *, course_id: str, title: str, text: str, page_id: str = "") -> Page:
    """Make a page at the end of a course, or change one."""
    if not title.strip():
        raise RefusedError("A page needs a title.")
    if page_id:
        page = get_page(db, page_id)
        db.execute("UPDATE page SET title = ?, text = ? WHERE id = ?", (title.strip(), text, page.id))
        return get_page(db, page.id)
    course, number = get_course(db, course_id), take_number(db)
    page = Page(str(number), course.id, title.strip(), text)
    db.execute("INSERT INTO page VALUES (?, ?, ?, ?, ?)", (page.id, page.course_id, page.title, page.text, number))
    return page


def get_page(db: sqlite3.Connection, page_id: str) -> Page:
    """The page with this id, or a refusal that says so."""
    row = db.execute("SELECT id, course_id, title, text FROM page WHERE id = ?", (page_id,)).fetchone()
    if row is None:
        raise RefusedError(f"There is no page with the id {page_id!r}.", 404)
    return Page(**dict(row))


def list_pages(db: sqlite3.Connection, course_id: str) -> list[Page]:
    """The pages of a course in order."""
    rows = db.execute("SELECT id, course_id, title, text FROM page WHERE course_id = ? ORDER BY position", (course_id,))
    return [Page(**dict(row)) for row in rows]


def delete_page(db: sqlite3.Connection, page_id: str) -> None:
    """Remove a page with the links in it."""
    get_page(db, page_id)
    db.execute("DELETE FROM page WHERE id = ?", (page_id,))
