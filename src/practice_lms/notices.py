"""Notices to tools (Platform Notification Service): a greeting when a handler is registered, and copies of courses.

As in a Canvas, each is sent once: a tool that does not answer never hears of it.
"""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
from django.http import HttpRequest, HttpResponse

from practice_lms.courses import Course
from practice_lms.database import database
from practice_lms.endpoints import endpoint, need
from practice_lms.installation import list_addresses, need_setting, read_signing_key
from practice_lms.links import list_links
from practice_lms.profiles import choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.scene import find_deployment_id, find_issuer
from practice_lms.service_calls import answer_json, authorize, require_method, service
from practice_lms.services import open_client
from practice_lms.tokens import require_scope, sign_jwt
from practice_lms.tools import SCOPE_NOTICES, Tool, find_tool

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
HELLO_WORLD = "LtiHelloWorldNotice"
CONTEXT_COPY = "LtiContextCopyNotice"
KINDS = (HELLO_WORLD, CONTEXT_COPY)
LIFETIME = 3600


@service("notices")
def serve_handlers(request: HttpRequest, tool_id: str, *, now: float) -> HttpResponse:
    """Where a tool wants which notices: GET lists, PUT sets one; an empty handler takes it back."""
    require_method(request, "GET", "PUT")
    token = authorize(request, now)
    require_scope(token, SCOPE_NOTICES)
    if token.tool.id != tool_id:
        raise RefusedError("The access token is another tool's.", 403)
    if request.method == "PUT":
        _set_handler(token.tool, request, now)
    with database().transaction() as db:
        rows = db.execute("SELECT kind, url FROM notice_handler WHERE tool_id = ?", (tool_id,)).fetchall()
        client_id = token.tool.client_id
    handlers = [{"notice_type": row["kind"], "handler": row["url"]} for row in rows]
    return answer_json({"client_id": client_id, "notice_handlers": handlers}, "application/json")


def _set_handler(tool: Tool, request: HttpRequest, now: float) -> None:
    try:
        document = json.loads(request.body)
        kind, url = document["notice_type"], document["handler"]
    except (ValueError, KeyError, TypeError):
        raise RefusedError("A handler is an object of notice_type and handler.") from None
    if kind not in KINDS or not isinstance(url, str):
        raise RefusedError(f"Notices are {', '.join(KINDS)}.")
    if url and urlsplit(url).hostname != urlsplit(tool.launch_url).hostname:
        raise RefusedError("The handler must be of the tool's own host.")
    with database().transaction() as db:
        db.execute("DELETE FROM notice_handler WHERE tool_id = ? AND kind = ?", (tool.id, kind))
        if url:
            db.execute("INSERT INTO notice_handler VALUES (?, ?, ?)", (tool.id, kind, url))
        if url and kind == HELLO_WORLD:
            _queue(db, tool, HELLO_WORLD, url, {}, now)


def announce_copy(db: sqlite3.Connection, source: Course, course: Course, tools: Mapping[str, str]) -> None:
    """Tell every tool of the copied course that asked for it; `tools` are its clones, old id to new."""
    used = {link.tool_id for link in list_links(db, source.id)} | set(tools)
    context = {"id": course.id, "title": course.title, "label": course.label, "type": ["CourseSection"]}
    claims = {f"{CLAIM}context": context, f"{CLAIM}origin_contexts": [source.id]}
    for tool_id in sorted(used):
        row = db.execute(
            "SELECT url FROM notice_handler WHERE tool_id = ? AND kind = ?", (tool_id, CONTEXT_COPY)
        ).fetchone()
        tool = find_tool(db, "id", tools.get(tool_id, tool_id))
        if row is not None and tool is not None:
            _queue(db, tool, CONTEXT_COPY, row["url"], claims, time.time())


@endpoint("GET", "POST")
def serve_notices(request: HttpRequest, body: dict[str, Any]) -> Any:
    """The notices that were sent, oldest first; POST sends one of them once more. See `practice_lms.api`."""
    with database().transaction() as db:
        if request.method == "POST":
            again = need(body, "again")
            if not db.execute("UPDATE notice SET status = NULL WHERE id = ?", (again,)).rowcount:
                raise RefusedError("There is no such notice.", 404)
            _begin_delivery()
        rows = db.execute("SELECT id, tool_id, kind, url, jwt, status FROM notice ORDER BY rowid").fetchall()
        return [dict(row) for row in rows]


def _queue(db: sqlite3.Connection, tool: Tool, kind: str, url: str, claims: Mapping[str, Any], now: float) -> None:
    number = secrets.token_hex(12)
    profile = choose_profile(db, tool.profile)
    own = list_addresses(need_setting(db, "public_url")).issuer
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    payload = {
        "iss": find_issuer(profile, own),
        "aud": tool.client_id,
        "iat": int(now),
        "exp": int(now) + LIFETIME,
        "nonce": secrets.token_hex(8),
        f"{CLAIM}version": "1.3.0",
        f"{CLAIM}deployment_id": find_deployment_id(tool, profile),
        f"{CLAIM}notice": {"id": number, "timestamp": moment, "type": kind},
        **claims,
    }
    token = sign_jwt(read_signing_key(db), json.dumps(payload))
    db.execute(
        "INSERT INTO notice (id, tool_id, kind, url, jwt) VALUES (?, ?, ?, ?, ?)", (number, tool.id, kind, url, token)
    )
    _begin_delivery()


def _begin_delivery() -> None:
    """In a thread of its own, which waits at the database until whoever queued it is done."""
    threading.Thread(target=_deliver, name="notices", daemon=True).start()


def _deliver() -> None:
    with database().transaction() as db:
        rows = db.execute("SELECT id, url, jwt FROM notice WHERE status IS NULL ORDER BY rowid").fetchall()
        _note(db, [(row["id"], 0) for row in rows])
    for row in rows:
        try:
            status = open_client().post(row["url"], json={"notices": [{"jwt": row["jwt"]}]}).status_code
        except httpx2.HTTPError:
            continue
        with database().transaction() as db:
            _note(db, [(row["id"], status)])


def _note(db: sqlite3.Connection, answers: Iterable[tuple[str, int]]) -> None:
    """What was answered; 0: nothing."""
    db.executemany("UPDATE notice SET status = ? WHERE id = ?", [(status, number) for number, status in answers])
