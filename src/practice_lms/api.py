"""The JSON API, for tests and demos: no login, loopback only. POST bodies must be `application/json`.

    GET  /api/info                      issuer and addresses, client_id, deployment_id, and whether the server is ready
    GET  /api/people                    everybody;  ?course= with role, mentor_for and is_active
    POST /api/people                    {"id"?, "given_name", "family_name"?, "email"?, "username"?,
                                         "course"?, "role"?: teacher|assistant|learner|observer, "mentor_for"?: [ids],
                                         "is_active"?}: a known id is enrolled or changed
                                        {"count": 20, "course": id}: that many more students
    GET  /api/courses                   POST {"id"?, "title", "label"?, "sourcedid"?, "section_sourcedid"?}
    GET  /api/tools                     POST {"id"?, "title", "version": "1.1", "launch_url", "key", "secret",
                                         "signature_method"?: HMAC-SHA1|HMAC-SHA256, "options"?}
                                        POST {"id"?, "title", "version": "1.3", "launch_url", "login_url",
                                         "redirect_urls": [...], "keyset_url", "client_id"?, "deployment_id"?,
                                         "scopes"?, "options"?};  a known id is changed.
                                         Options: see `practice_lms.tools.ToolOptions`.
    GET  /api/links?course=             POST {"id"?, "course", "tool", "title", "url"?, "points"?, "custom"?: {...}}
                                         a known id is changed; the line item is in the answer
    POST /api/delete                    {"kind": "tool"|"link"|"line_item", "id"}
    GET  /api/gradebook?course=         {"columns": [..], "people": [..], "grades": [{"person", "person_name", "title",
                                         "link", "line_item", "score" and "score_maximum" (both in points of the LMS,
                                         exact text, score null: no grade), "timestamp" (the tool's), "arrival", ...}]}
    GET  /api/scores?course=&link=&line_item=&person=&after=&limit=
                                        every score message ever received, refused ones too, in order of arrival:
                                        arrival, received_at, service (outcomes|scores), operation, person_id, link_id,
                                        line_item_id, score_given, score_maximum, score (in points of the LMS),
                                        timestamp (the tool's), is_stored, status, reason
    GET  /api/messages?service=&limit=  the newest exchanges of the services, newest first; status 0: nothing answered
    GET  /api/faults                    POST {"service"|"services": scores|results|lineitems|outcomes|token|keyset|all,
                                         "kind": status|garbage|hang|close, "status"?: 500, "retry_after"?: seconds,
                                         "seconds"?: 3 (hang), "then_drop"?: hang and then close instead of working,
                                         "stage"?: before|after (the work was done, the answer is lost),
                                         "probability"?: 0.3, "count"?: 5, "for_seconds"?: 60}
                                        or {"faults": [...], "replace"?: true}, or {"clear": true}.
                                        Probabilities add up in one draw per request.
    POST /api/keys                      {"action": "rotate"|"retire"}: a new signing key; stop publishing old ones
    POST /api/tokens                    {"action": "revoke"}: forget every access token;  GET: the newest, shortened
    POST /api/launch                    {"person", "link", "in"?: window|tab|frame, "overrides"?} begins a launch.
        LTI 1.1: answers {"version", "method": "POST", "url", "fields": [[name, value], ...]}. Overrides: "set" {..} and
            "remove" [..] before signing, "set_after_signing", "remove_after_signing", "url", "key", "secret",
            "signature_method", "timestamp", "nonce".
        LTI 1.3: answers {"version", "method", "url", "fields": [...]} for the login. Overrides: "login" {"set",
            "remove"} for the login itself; for the answer to the authentication request "claims" {..},
            "remove_claims" [..], "iat_offset" and "exp_offset" (seconds from now), "payload" (exact text), "alg" (none,
            HS256 with our public key, RS256), "kid" (null: none), "header" {..}, "foreign_key" (signed with a key never
            published), "tamper" {..} (claims changed after signing), "fields" {..} (of the form, such as state),
            "error" (and no token).
        LTI 1.3, second half: {"person", "authorization_request": URL or {..}, "overrides"?} answers {"url", "fields"}.
            The authorization endpoint itself does the same for a request with the header `X-Practice-Person: <id>`,
            and answers JSON to `Accept: application/json`.

Refusals are {"error", "error_description"} with a 4xx status.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from practice_lms.courses import (
    LineItem,
    Link,
    add_course,
    add_link,
    change_link,
    delete_line_item,
    delete_link,
    find_line_item_of_link,
    find_link,
    get_course,
    list_courses,
    list_line_items,
    list_links,
)
from practice_lms.database import database
from practice_lms.faults import list_faults, order_faults
from practice_lms.gradebook import Grade, list_grades, list_messages, show_number
from practice_lms.installation import describe_installation, list_addresses, need_setting, retire_keys, rotate_key
from practice_lms.launches import run_authorization
from practice_lms.lti11 import Overrides11, change_fields, sign_launch
from practice_lms.lti13 import AuthorizationError, build_login, issue_ticket, make_line_item_url
from practice_lms.messages import list_exchanges
from practice_lms.people import add_person, enroll, find_person, list_memberships, list_people, make_more_people
from practice_lms.refusals import RefusedError, read_whole_number
from practice_lms.scene import prepare_scene
from practice_lms.tokens import list_tokens, revoke_tokens
from practice_lms.tools import delete_tool, find_tool, list_tools, save_tool
from practice_lms.visitors import Visitor

Handle = Callable[[HttpRequest, dict[str, Any]], Any]


def endpoint(*methods: str) -> Callable[[Handle], Callable[[HttpRequest], JsonResponse]]:
    """Make a function of (request, body) an address of the API."""

    def decorate(handle: Handle) -> Callable[[HttpRequest], JsonResponse]:
        @csrf_exempt
        @wraps(handle)
        def answer(request: HttpRequest) -> JsonResponse:
            try:
                if request.method not in methods:
                    raise RefusedError(f"This address takes {' and '.join(methods)} only.", 405)
                return JsonResponse(handle(request, _read_body(request)), safe=False)
            except RefusedError as refusal:
                body = {"error": refusal.code, "error_description": refusal.message}
                return JsonResponse(body, status=refusal.status)

        return answer

    return decorate


@endpoint("GET")
def serve_info(request: HttpRequest, body: dict[str, Any]) -> Any:
    """What the tool's side needs, and that we are up."""
    with database().transaction() as db:
        return {**describe_installation(db), "ready": True}


@endpoint("GET", "POST")
def serve_people(request: HttpRequest, body: dict[str, Any]) -> Any:
    """People and what they are in a course."""
    with database().transaction() as db:
        if request.method == "GET":
            course = request.GET.get("course")
            if not course:
                return [asdict(person) for person in list_people(db)]
            members = list_memberships(db, get_course(db, course).id)
            return [
                {**asdict(one.person), "role": one.role, "mentor_for": one.mentor_for, "is_active": one.is_active}
                for one in members
            ]
        if "count" in body:
            return [
                asdict(person)
                for person in make_more_people(db, _need(body, "course"), read_whole_number("count", body["count"]))
            ]
        person = find_person(db, str(body.get("id", "")))
        if person is None:
            person = add_person(
                db,
                given_name=_need(body, "given_name"),
                family_name=str(body.get("family_name", "")),
                email=str(body.get("email", "")),
                username=str(body.get("username", "")),
                person_id=str(body.get("id", "")),
            )
        if body.get("course"):
            mentees = [str(one) for one in body.get("mentor_for", [])]
            enroll(
                db,
                str(body["course"]),
                person.id,
                str(body.get("role", "learner")),
                mentees,
                bool(body.get("is_active", True)),
            )
        return asdict(person)


@endpoint("GET", "POST")
def serve_courses(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Courses."""
    with database().transaction() as db:
        if request.method == "GET":
            return [asdict(course) for course in list_courses(db)]
        texts = {name: str(body.get(name, "")) for name in ("title", "label", "sourcedid", "section_sourcedid")}
        return asdict(add_course(db, course_id=str(body.get("id", "")), **texts))


@endpoint("GET", "POST")
def serve_tools(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Tools."""
    with database().transaction() as db:
        if request.method == "GET":
            return [tool.as_json() for tool in list_tools(db)]
        known = find_tool(db, "id", str(body.get("id", "")))
        return save_tool(db, body, tool_id=known.id if known else "").as_json()


@endpoint("GET", "POST")
def serve_links(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Links placed in courses."""
    with database().transaction() as db:
        here = list_addresses(need_setting(db, "public_url"))

        def show(link: Link) -> dict[str, Any]:
            item = find_line_item_of_link(db, link.id)
            shown = None if item is None else {**_show_item(item), "url": make_line_item_url(here, item)}
            return {**asdict(link), "line_item": shown}

        if request.method == "GET":
            return [show(link) for link in list_links(db, get_course(db, request.GET.get("course", "")).id)]
        before = find_link(db, str(body.get("id", "")))
        if before is None:
            link = add_link(
                db,
                course_id=_need(body, "course"),
                tool_id=_need(body, "tool"),
                title=_need(body, "title"),
                url=str(body.get("url", "")),
                description=str(body.get("description", "")),
                points=body.get("points"),
                custom=body.get("custom") or {},
                link_id=str(body.get("id", "")),
            )
        else:
            change_link(
                db,
                before,
                title=str(body.get("title", before.title)),
                url=str(body.get("url", before.url)),
                points=body.get("points"),
                custom=body.get("custom", before.custom),
            )
            link = find_link(db, before.id) or before
        return show(link)


@endpoint("POST")
def delete_row(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Remove a tool, a link or a column."""
    deletions = {"tool": delete_tool, "link": delete_link, "line_item": delete_line_item}
    kind = _need(body, "kind")
    if kind not in deletions:
        raise RefusedError(f"kind must be one of {', '.join(deletions)}.")
    with database().transaction() as db:
        deletions[kind](db, _need(body, "id"))
    return {"deleted": True}


@endpoint("GET")
def serve_gradebook(request: HttpRequest, body: dict[str, Any]) -> Any:
    """What counts now."""
    with database().transaction() as db:
        items = list_line_items(db, get_course(db, request.GET.get("course", "")).id)
        by_id = {item.id: item for item in items}
        names = {person.id: person.name for person in list_people(db)}
        learners = [one.person for one in list_memberships(db, request.GET["course"]) if one.role == "learner"]
        return {
            "columns": [_show_item(item) for item in items],
            "people": [asdict(person) for person in learners],
            "grades": [_show_grade(grade, by_id[grade.line_item_id], names) for grade in list_grades(db, items)],
        }


@endpoint("GET")
def serve_scores(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Every score message in order of arrival."""
    wanted = {"course": "course_id", "link": "link_id", "line_item": "line_item_id", "person": "person_id"}
    filters = {column: request.GET.get(name, "") for name, column in wanted.items()}
    with database().transaction() as db:
        return list_messages(
            db, after=_number(request, "after", 0), limit=_number(request, "limit", 100_000), **filters
        )


@endpoint("GET")
def serve_messages(request: HttpRequest, body: dict[str, Any]) -> Any:
    """The newest exchanges."""
    with database().transaction() as db:
        return list_exchanges(db, service=request.GET.get("service", ""), limit=_number(request, "limit", 50))


@endpoint("GET", "POST")
def serve_faults(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Faults on purpose."""
    now = time.time()
    with database().transaction() as db:
        if request.method == "POST":
            order_faults(db, body, now=now)
        return [fault.as_json() for fault in list_faults(db)]


@endpoint("POST")
def serve_keys(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Signing keys."""
    with database().transaction() as db:
        if body.get("action") == "rotate":
            return {"kid": rotate_key(db)}
        if body.get("action") == "retire":
            return {"retired": retire_keys(db)}
    raise RefusedError("action must be rotate or retire.")


@endpoint("GET", "POST")
def serve_tokens(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Access tokens."""
    with database().transaction() as db:
        if request.method == "GET":
            return list_tokens(db)
        if body.get("action") == "revoke":
            return {"revoked": revoke_tokens(db)}
    raise RefusedError("action must be revoke.")


@endpoint("POST")
def make_launch(request: HttpRequest, body: dict[str, Any]) -> Any:
    """A launch without a browser, good or bent."""
    now = time.time()
    person_id, overrides = _need(body, "person"), body.get("overrides") or {}
    if not isinstance(overrides, dict):
        raise RefusedError("overrides must be a JSON object.")
    if "authorization_request" in body:
        return _answer_request(body["authorization_request"], person_id, overrides, now)
    target = str(body.get("in", "window"))
    with database().transaction() as db:
        scene = prepare_scene(db, person_id=person_id, link_id=_need(body, "link"), document_target=target)
        if scene.tool.version == "1.1":
            url, parts = sign_launch(scene, _read_overrides(overrides))
            return {"version": "1.1", "method": "POST", "url": url, "fields": parts}
        ticket = issue_ticket(
            db,
            session_id="",
            person_id=person_id,
            link_id=scene.link.id,
            document_target=target,
            now=now,
            overrides={name: value for name, value in overrides.items() if name != "login"},
        )
    wish = overrides.get("login") or {}
    login = change_fields(
        list(build_login(scene, ticket).items()), wish.get("set") or {}, tuple(wish.get("remove") or ())
    )
    method = scene.tool.options.login_method.upper()
    return {"version": "1.3", "method": method, "url": scene.tool.login_url, "fields": login}


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


def _read_body(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        return {}
    if request.content_type != "application/json":
        raise RefusedError("The body must be application/json.", 415)
    try:
        body = json.loads(request.body)
    except ValueError:
        raise RefusedError("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise RefusedError("The body must be a JSON object.")
    return body


def _number(request: HttpRequest, name: str, default: int) -> int:
    return read_whole_number(name, request.GET.get(name), default)


def _need(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value in (None, ""):
        raise RefusedError(f"{name} is missing.")
    return str(value)


def _show_grade(grade: Grade, item: LineItem, names: Mapping[str, str]) -> dict[str, Any]:
    """A grade in points of the LMS; what the tool sent for it is in the history."""
    return {
        "line_item": item.id,
        "link": item.link_id,
        "title": item.label,
        "person": grade.person_id,
        "person_name": names.get(grade.person_id, ""),
        "score": show_number(grade.score),
        "score_maximum": show_number(item.score_maximum),
        "comment": grade.comment,
        "activity_progress": grade.activity_progress,
        "grading_progress": grade.grading_progress,
        "timestamp": grade.timestamp,
        "submission": dict(grade.submission),
        "arrival": grade.arrival,
        "updated_at": grade.updated_at,
    }


def _show_item(item: LineItem) -> dict[str, Any]:
    return {**asdict(item), "score_maximum": show_number(item.score_maximum)}
