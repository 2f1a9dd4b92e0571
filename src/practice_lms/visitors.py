"""Who sits in front of the browser. There are no passwords: a visitor chooses who to be."""

import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from practice_lms.database import database
from practice_lms.people import Person, find_person

COOKIE = "practice_session"
FRAME_COOKIE = "practice_session_frame"
"""The same value for frames: a tool that sends its frame back to us is another site, which takes `SameSite=None`."""

PERSON_HEADER = "HTTP_X_PRACTICE_PERSON"
"""`X-Practice-Person: <id>` stands for a session in tests; a page of another site cannot send it."""


@dataclass(frozen=True)
class Visitor:
    """A browser session and the person that it is, if any."""

    session_id: str
    person: Person | None
    open_in: str = "window"


NOBODY = Visitor("", None)


def find_visitor(db: sqlite3.Connection, request: HttpRequest) -> Visitor:
    """Who this request comes from."""
    named = request.META.get(PERSON_HEADER, "")
    if named:
        return Visitor("", find_person(db, named))
    session_id = request.COOKIES.get(COOKIE) or request.COOKIES.get(FRAME_COOKIE) or ""
    row = db.execute("SELECT * FROM session WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        return NOBODY
    return Visitor(row["id"], find_person(db, row["person_id"]), row["open_in"])


def become(db: sqlite3.Connection, visitor: Visitor, person: Person) -> str:
    """Be this person from now on; the answer is the session id for the cookie."""
    session_id = visitor.session_id or secrets.token_urlsafe(24)
    db.execute(
        "INSERT INTO session VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET person_id = excluded.person_id",
        (session_id, person.id, visitor.open_in),
    )
    return session_id


def remember_open_in(db: sqlite3.Connection, visitor: Visitor, open_in: str) -> None:
    """Remember where this visitor wants links to open."""
    db.execute("UPDATE session SET open_in = ? WHERE id = ?", (open_in, visitor.session_id))


def set_cookies(response: HttpResponse, session_id: str) -> None:
    """Give the browser its session."""
    response.set_cookie(COOKIE, session_id, httponly=True, samesite="Lax")
    response.set_cookie(FRAME_COOKIE, session_id, httponly=True, samesite="None", secure=True)


def leave(response: HttpResponse) -> None:
    """Take the session back."""
    response.delete_cookie(COOKIE, samesite="Lax")
    response.delete_cookie(FRAME_COOKIE, samesite="None")


def describe_visitor(request: HttpRequest) -> dict[str, Any]:
    """For every page: who is here."""
    with database().transaction() as db:
        return {"visitor": find_visitor(db, request)}
