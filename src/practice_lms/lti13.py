"""LTI 1.3 launches: login initiation, the authentication request's checks, and the id_token, signed by joserfc."""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from practice_lms.claims import build_claims
from practice_lms.installation import read_signing_key
from practice_lms.refusals import RefusedError
from practice_lms.scene import Destination, LaunchScene, read_destination
from practice_lms.tokens import sign_jwt
from practice_lms.tools import Tool, find_tool

TICKET_LIFETIME = 600
"""Seconds between the click in the LMS and the tool's authentication request."""


@dataclass(frozen=True)
class Ticket:
    """A launch that began and waits for the tool's authentication request; its id travels in `lti_message_hint`."""

    id: str
    session_id: str
    person_id: str
    destination: Destination
    document_target: str
    overrides: Mapping[str, Any]
    created_at: float


@dataclass(frozen=True)
class AuthorizationRequest:
    """An authentication request whose client and redirect URI are known to be right."""

    tool: Tool
    redirect_uri: str
    state: str
    nonce: str
    login_hint: str
    ticket_id: str


class AuthorizationError(RefusedError):
    """A fault that OpenID Connect reports to the tool, at its redirect URI."""

    def __init__(self, code: str, message: str, redirect_uri: str, state: str) -> None:
        super().__init__(message, 400, code)
        self.redirect_uri = redirect_uri
        self.state = state


def issue_ticket(
    db: sqlite3.Connection,
    *,
    session_id: str,
    person_id: str,
    destination: Destination,
    document_target: str,
    now: float,
    overrides: Mapping[str, Any] | None = None,
) -> Ticket:
    """Begin a launch."""
    ticket = Ticket(secrets.token_hex(16), session_id, person_id, destination, document_target, overrides or {}, now)
    db.execute("DELETE FROM launch_ticket WHERE created_at < ?", (now - TICKET_LIFETIME,))
    db.execute(
        "INSERT INTO launch_ticket (id, session_id, person_id, link_id, document_target, overrides, created_at,"
        " destination) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ticket.id,
            session_id,
            person_id,
            destination.link_id,
            document_target,
            json.dumps(dict(ticket.overrides)),
            now,
            json.dumps(destination.as_json()),
        ),
    )
    return ticket


def find_ticket(db: sqlite3.Connection, ticket_id: str, *, now: float) -> Ticket | None:
    """The launch that a hint names, while it is fresh."""
    row = db.execute(
        "SELECT * FROM launch_ticket WHERE id = ? AND created_at >= ?", (ticket_id, now - TICKET_LIFETIME)
    ).fetchone()
    if row is None:
        return None
    return Ticket(
        id=row["id"],
        session_id=row["session_id"],
        person_id=row["person_id"],
        destination=read_destination(json.loads(row["destination"])),
        document_target=row["document_target"],
        overrides=json.loads(row["overrides"]),
        created_at=row["created_at"],
    )


def build_login(scene: LaunchScene, ticket: Ticket) -> dict[str, str]:
    """The parameters of a third-party-initiated login, as Moodle sends them."""
    hint = {"cmid": scene.resource_link_id, "launch": ticket.id, "note": "<&> é"}
    login = {
        "iss": scene.issuer,
        "target_link_uri": scene.target_url,
        "login_hint": scene.login_hint,
        "lti_message_hint": json.dumps(hint, ensure_ascii=False),
        "client_id": scene.tool.client_id,
        "lti_deployment_id": scene.deployment_id,
    }
    if scene.profile.storage_target:
        login["lti_storage_target"] = scene.profile.storage_target
    if scene.profile.has("C13"):
        login.pop("client_id")
    return login


def read_authorization_request(db: sqlite3.Connection, parameters: Mapping[str, str]) -> AuthorizationRequest:
    """Check an authentication request. Without a known client and an exact redirect URI nothing is sent anywhere."""
    tool = find_tool(db, "client_id", parameters.get("client_id", ""))
    if tool is None:
        raise RefusedError("client_id is missing or unknown here.", 400, "unauthorized_client")
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in tool.redirect_urls:
        raise RefusedError(f"redirect_uri is not one of the registered ones, compared exactly: {redirect_uri!r}.")
    state = parameters.get("state", "")
    expected = {
        "scope": ("openid", "invalid_scope"),
        "response_type": ("id_token", "unsupported_response_type"),
        "response_mode": ("form_post", "invalid_request"),
        "prompt": ("none", "invalid_request"),
    }
    for name, (value, code) in expected.items():
        if parameters.get(name, "") != value:
            raise AuthorizationError(code, f"{name} must be exactly {value}.", redirect_uri, state)
    for name in ("nonce", "state", "login_hint", "lti_message_hint"):
        if not parameters.get(name):
            raise AuthorizationError("invalid_request", f"{name} is missing.", redirect_uri, state)
    try:
        hint = json.loads(parameters["lti_message_hint"])
        ticket_id = str(hint["launch"])
    except (ValueError, KeyError, TypeError):
        message = "lti_message_hint did not come back as it was sent."
        raise AuthorizationError("invalid_request", message, redirect_uri, state) from None
    return AuthorizationRequest(tool, redirect_uri, state, parameters["nonce"], parameters["login_hint"], ticket_id)


def check_ticket(
    request: AuthorizationRequest, ticket: Ticket | None, login_hint: str, person_id: str, session_id: str
) -> Ticket:
    """The launch that a request goes on with: begun a moment ago, for this person, in this session."""

    def fail(code: str, message: str) -> AuthorizationError:
        return AuthorizationError(code, message, request.redirect_uri, request.state)

    if ticket is None:
        raise fail("invalid_request", "lti_message_hint names no launch of the last ten minutes.")
    if request.login_hint != login_hint:
        raise fail("invalid_request", "login_hint did not come back as it was sent.")
    if not person_id:
        raise fail("login_required", "Nobody is signed in to Practice LMS in this browser.")
    if person_id != ticket.person_id:
        raise fail("login_required", "Somebody else is signed in to Practice LMS by now.")
    if ticket.session_id and session_id != ticket.session_id:
        raise fail("login_required", "The launch began in another browser session.")
    return ticket


def answer_authorization(
    db: sqlite3.Connection,
    scene: LaunchScene,
    request: AuthorizationRequest,
    ticket: Ticket,
    *,
    now: float,
) -> dict[str, str]:
    """The form fields that go to the redirect URI: id_token and state, bent where a test asked for it."""
    wish = ticket.overrides
    if wish.get("error"):
        return {"error": str(wish["error"]), "error_description": "Asked for by a test.", "state": request.state}
    claims = build_claims(scene, nonce=request.nonce, now=now)
    claims |= dict(wish.get("claims") or {})
    for name in wish.get("remove_claims") or ():
        claims.pop(name, None)
    for name in ("iat", "exp"):
        if f"{name}_offset" in wish:
            claims[name] = int(now) + int(wish[f"{name}_offset"])
    payload = str(wish["payload"]) if "payload" in wish else json.dumps(claims)
    fields = {"id_token": sign_jwt(read_signing_key(db), payload, wish), "state": request.state}
    return {**fields, **{name: str(value) for name, value in dict(wish.get("fields") or {}).items()}}
