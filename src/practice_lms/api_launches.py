"""The JSON API: launches and selections without a browser, good or bent. See `practice_lms.api` for the documents."""

import time
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest

from practice_lms.database import database
from practice_lms.endpoints import endpoint, need, read_number
from practice_lms.launches import find_login_method, run_authorization
from practice_lms.lti11 import Overrides11, change_fields, sign_launch
from practice_lms.lti13 import AuthorizationError, build_login, issue_ticket
from practice_lms.people import find_person
from practice_lms.refusals import RefusedError
from practice_lms.scene import Destination, prepare_scene
from practice_lms.selections import begin_selection, find_selection, list_selections
from practice_lms.visitors import Visitor


@endpoint("POST")
def make_launch(request: HttpRequest, body: dict[str, Any]) -> Any:
    """A launch without a browser, good or bent."""
    now = time.time()
    person_id, overrides = need(body, "person"), body.get("overrides") or {}
    if not isinstance(overrides, dict):
        raise RefusedError("overrides must be a JSON object.")
    if "authorization_request" in body:
        return _answer_request(body["authorization_request"], person_id, overrides, now)
    names = {
        "link": "link_id",
        "course": "course_id",
        "tool": "tool_id",
        "placement": "placement",
        "for": "for_person_id",
    }
    destination = Destination(**{member: str(body[name]) for name, member in names.items() if body.get(name)})
    return _begin(person_id, destination, str(body.get("in", "window")), overrides, now)


@endpoint("GET", "POST")
def serve_selections(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Ask a tool for links, and see what came of it."""
    now = time.time()
    if request.method == "GET":
        with database().transaction() as db:
            if "id" not in request.GET:
                return [one.as_json() for one in list_selections(db, limit=read_number(request, "limit", 50))]
            selection = find_selection(db, request.GET["id"])
        if selection is None:
            raise RefusedError("There is no such selection.", 404)
        return selection.as_json()
    person_id, overrides = need(body, "person"), body.get("overrides") or {}
    with database().transaction() as db:
        course_id, tool_id = need(body, "course"), need(body, "tool")
        begun = begin_selection(db, course_id=course_id, person_id=person_id, tool_id=tool_id, values=body, now=now)
    destination = Destination(course_id=course_id, tool_id=tool_id, selection_id=begun.id)
    return {**_begin(person_id, destination, str(body.get("in", "window")), overrides, now), "selection": begun.id}


def _begin(
    person_id: str, destination: Destination, target: str, overrides: dict[str, Any], now: float
) -> dict[str, Any]:
    """What the browser would carry to the tool first: the signed launch of LTI 1.1, the login of LTI 1.3."""
    with database().transaction() as db:
        scene = prepare_scene(db, person_id=person_id, destination=destination, document_target=target)
        if scene.tool.version == "1.1":
            url, parts = sign_launch(scene, _read_overrides(overrides))
            return {"version": "1.1", "method": "POST", "url": url, "fields": parts}
        ticket = issue_ticket(
            db,
            session_id="",
            person_id=person_id,
            destination=destination,
            document_target=target,
            now=now,
            overrides={name: value for name, value in overrides.items() if name != "login"},
        )
    wish = overrides.get("login") or {}
    login = change_fields(
        list(build_login(scene, ticket).items()), wish.get("set") or {}, tuple(wish.get("remove") or ())
    )
    return {"version": "1.3", "method": find_login_method(scene).upper(), "url": scene.tool.login_url, "fields": login}


def _answer_request(wanted: Any, person_id: str, overrides: dict[str, Any], now: float) -> dict[str, Any]:
    if isinstance(wanted, str):
        wanted = dict(parse_qsl(urlsplit(wanted).query, keep_blank_values=True))
    if not isinstance(wanted, dict):
        raise RefusedError("authorization_request must be an address or a JSON object.")
    with database().transaction() as db:
        visitor = Visitor("", find_person(db, person_id))
    parameters = {str(name): str(value) for name, value in wanted.items()}
    try:
        url, answer = run_authorization(parameters, visitor, now=now, overrides=overrides)
    except AuthorizationError as refusal:
        url = refusal.redirect_uri
        answer = {"error": refusal.code, "error_description": refusal.message, "state": refusal.state}
    return {"url": url, "fields": answer}


def _read_overrides(values: dict[str, Any]) -> Overrides11:
    known = {one.name for one in fields(Overrides11)}
    if set(values) - known:
        raise RefusedError(f"Overrides of an LTI 1.1 launch are {', '.join(sorted(known))}.")
    lists = {name: tuple(values.get(name) or ()) for name in ("remove", "remove_after_signing")}
    return Overrides11(**{**values, **lists})
