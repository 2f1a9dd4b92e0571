"""The JSON API, for tests and demos: no login, loopback only. POST bodies must be `application/json`.

    GET  /api/info                      issuer and addresses, client_id, deployment_id, and whether the server is ready;
                                        ?tool=&course=: what that tool has to know here: issuer, client_id,
                                         deployment_id, "token_audience", "profile"
    GET  /api/people                    everybody;  ?course= with role, mentor_for and is_active
    POST /api/people                    {"id"?, "given_name", "family_name"?, "email"? (may be missing), "username"?,
                                         "is_test"? (Student View), "is_admin"? (opens tools everywhere),
                                         "course"?, "role"?: teacher|assistant|learner|observer, "mentor_for"?: [ids],
                                         "is_active"?, "sections"?: [names]}: a known id is enrolled or changed;
                                         "leaves": true takes them out of the course
                                        {"count": 20, "course": id}: that many more students
    GET  /api/courses                   POST {"id"?, "title", "label"?, "sourcedid"?, "section_sourcedid"?, "profile"?,
                                         "state"?: published|unpublished|concluded}: a known id is changed
    POST /api/courses/copy              {"course", "title"?, "label"?, "sourcedid"?, "section_sourcedid"? (left out:
                                         blank, or the same where the profile keeps it), "people"?: [ids]} answers
                                        {"course": {.., "history": [ids, newest first]}, and old id to new id in
                                         "links", "line_items", "modules", "pages", "tools" (those cloned)}
    GET  /api/tools                     POST {"id"?, "title", "version": "1.1", "launch_url", "key", "secret",
                                         "signature_method"?: HMAC-SHA1|HMAC-SHA256, "options"?}
                                        POST {"id"?, "title", "version": "1.3", "launch_url", "login_url",
                                         "redirect_urls": [...], "keyset_url", "client_id"?, "deployment_id"?,
                                         "scopes"?, "options"?};  a known id is changed. Both versions also take
                                        "custom"?: {..} (with variables, under those of the link), "profile"?,
                                         "course"?: id (the tool of that course alone; may share its key or client id
                                         with other courses' tools), "placements"?: {name: URL or "" for the launch
                                         URL} of course_navigation, link_selection, assignment_selection,
                                         editor_button, account_navigation.
                                         Options: see `practice_lms.tools.ToolOptions`, among them "privacy",
                                         "selection_method", "shares_roster", "shares_groups", "oauth_compliant".
    GET  /api/notices                   the notices that were sent to tools;  POST {"again": id} sends one once more
    POST /api/registrations             {"tool_url", "profile"?, "is_old"? (as a Moodle of 2020)} begins a registration
                                         by that address; answers {"id", "url" to open in a browser, "token", ..}
                                        {"activate": tool id} lets a registered tool be opened
    GET  /api/registrations?id=         {"state": waiting|registered, "tool_id", "received": what the tool said, ..}
    GET  /api/links?course=             POST {"id"?, "course", "tool", "title", "url"?, "points"?, "custom"?: {...},
                                         "description"?, "module"?, "page"?, "state"?: published|unpublished,
                                         "allowed_attempts"?, "due_at"? (ISO 8601),
                                         "hints"?: {"window"?: {..}, "iframe"?: {..}}}
                                         a known id is changed; the line item is in the answer, and "history"
    GET  /api/groups?course=            POST {"id"?, "course", "name", "set"?, "hidden"?, "people"?: [ids]}
    POST /api/columns                   {"course", "tool", "label", "points", "link"?, "resource_id"?, "tag"?,
                                         "end_at"?, "id"? (changes that one)}: a column
                                         as a tool, another program or a teacher may have made it
    GET  /api/modules?course=           POST {"course", "title"}
    GET  /api/pages?course=             POST {"id"?, "course", "title", "text"?}
    POST /api/cartridges                {"course", "content": .imscc file in base64, "tool"?: id for all its links}
                                        answers {"version", "schema", "modules", "links", "changed" (known from an
                                         earlier import), "skipped": [{"title", "reason"}]}
    GET  /api/violations?course=&link=  calls of line item, score, result and outcome services that must not happen
                                        POST {"course" | "link", "forbid"?: true}: from now on such a call answers
                                         500 and is written down; false takes it back; answers where it holds
    GET  /api/mails?person=             the mails about grades, newest first (quirk C32)
    GET  /api/profiles                  POST {"use": name (empty: none of its own), "course"? | "tool"? (neither: the
                                         installation)} and/or {"profile": name, "quirks": {"C3": false, ..}} and/or
                                        {"reset": true}; profiles are practice, canvas, moodle, blackboard,
                                         brightspace, schoology, sakai; quirks are those of `practice_lms.quirks`
    POST /api/delete                    {"kind": "tool"|"link"|"line_item"|"module"|"page"|"group", "id"}
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
    POST /api/launch                    {"person", "link", "in"?: window|tab|frame, "overrides"?} begins a launch;
                                        "placement"?: "module" says that the link was opened from its module,
                                         "speedgrader" or "review" with "for": person opens that person's work;
                                        {"person", "tool", "course", "placement": "course_navigation"} and
                                        {"person", "tool", "placement": "account_navigation"} open no link.
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
    POST /api/selections                {"person", "course", "tool", "placement"?: link_selection|assignment_selection|
                                         editor_button, "module"?, "page"?, "link"? (choose again), "title"?,
                                         "points"?, "accept_multiple"?, "accept_lineitem"? (null: not said),
                                         "accept_types"?: [..], "in"?, "overrides"?} begins 'Add from tool' and answers
                                        as /api/launch does, and "selection": id. The tool's answer goes to the return
                                        address of the request with the header `X-Practice-Person` (a browser: its
                                        session), and is answered in JSON to `Accept: application/json`.
    GET  /api/selections?id=            {"state": waiting|answered|cancelled, "links": [ids], "others": [items that are
                                         no links], "message", "error", ..};  without an id the newest

Refusals are {"error", "error_description"} with a 4xx status.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest

from practice_lms.claims import make_line_item_url
from practice_lms.columns import LineItem, delete_line_item, find_line_item_of_link, list_line_items
from practice_lms.courses import add_course, change_course, find_course, get_course, list_courses
from practice_lms.database import database
from practice_lms.endpoints import endpoint, need, read_number
from practice_lms.faults import list_faults, order_faults
from practice_lms.gradebook import Grade, list_grades, list_messages, show_number
from practice_lms.groups import delete_group
from practice_lms.installation import describe_installation, list_addresses, need_setting, retire_keys, rotate_key
from practice_lms.line_items import find_course_profile
from practice_lms.links import Link, add_link, change_link, delete_link, find_link, list_links, read_link_values
from practice_lms.messages import list_exchanges
from practice_lms.modules import delete_module, delete_page
from practice_lms.people import add_person, enroll, find_person, leave, list_memberships, list_people, make_more_people
from practice_lms.refusals import RefusedError, read_whole_number
from practice_lms.scene import find_deployment_id, find_issuer
from practice_lms.services import find_token_audience
from practice_lms.tokens import list_tokens, revoke_tokens
from practice_lms.tools import delete_tool, find_tool, get_tool, list_tools, save_tool


@endpoint("GET")
def serve_info(request: HttpRequest, body: dict[str, Any]) -> Any:
    """What the tool's side needs, and that we are up."""
    with database().transaction() as db:
        described: dict[str, Any] = {**describe_installation(db), "ready": True}
        if "tool" not in request.GET:
            return described
        tool = get_tool(db, request.GET["tool"])
        profile = find_course_profile(db, tool, request.GET.get("course") or tool.course_id)
        return {
            **described,
            "issuer": find_issuer(profile, described["issuer"]),
            "client_id": tool.client_id,
            "deployment_id": find_deployment_id(tool, profile),
            "token_audience": find_token_audience(profile, described["token_url"]),
            "profile": profile.name,
        }


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
                {
                    **asdict(one.person),
                    "role": one.role,
                    "mentor_for": one.mentor_for,
                    "is_active": one.is_active,
                    "sections": one.sections,
                }
                for one in members
            ]
        if "count" in body:
            return [
                asdict(person)
                for person in make_more_people(db, need(body, "course"), read_whole_number("count", body["count"]))
            ]
        person = find_person(db, str(body.get("id", "")))
        if person is None:
            person = add_person(
                db,
                given_name=need(body, "given_name"),
                family_name=str(body.get("family_name", "")),
                email=str(body.get("email", "")),
                username=str(body.get("username", "")),
                person_id=str(body.get("id", "")),
                is_test=bool(body.get("is_test")),
                is_admin=bool(body.get("is_admin")),
            )
        if body.get("course") and body.get("leaves"):
            leave(db, str(body["course"]), person.id)
        elif body.get("course"):
            sections = body.get("sections")
            mentees = [str(one) for one in body.get("mentor_for", [])]
            enroll(
                db,
                str(body["course"]),
                person.id,
                str(body.get("role", "learner")),
                mentees,
                bool(body.get("is_active", True)),
                None if sections is None else [str(one) for one in sections],
            )
        return asdict(person)


@endpoint("GET", "POST")
def serve_courses(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Courses."""
    with database().transaction() as db:
        if request.method == "GET":
            return [asdict(course) for course in list_courses(db)]
        names = ("title", "label", "sourcedid", "section_sourcedid", "profile", "state")
        texts = {name: str(body[name]) for name in names if name in body}
        known = find_course(db, str(body.get("id", "")))
        if known is not None:
            return asdict(change_course(db, known, **texts))
        new: dict[str, Any] = {"title": "", **texts}
        return asdict(add_course(db, course_id=str(body.get("id", "")), **new))


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
            profile = find_course_profile(db, get_tool(db, link.tool_id), link.course_id)
            shown = None if item is None else {**_show_item(item), "url": make_line_item_url(here, item, profile)}
            return {**asdict(link), "line_item": shown}

        if request.method == "GET":
            return [show(link) for link in list_links(db, get_course(db, request.GET.get("course", "")).id)]
        before = find_link(db, str(body.get("id", "")))
        values, points = read_link_values(body), body.get("points")
        if before is not None:
            return show(change_link(db, before, points=points, **values))
        needed = {"title": need(body, "title"), "course_id": need(body, "course"), "tool_id": need(body, "tool")}
        return show(add_link(db, **{**values, **needed}, points=points, link_id=str(body.get("id", ""))))


@endpoint("POST")
def delete_row(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Remove a tool, a link or a column."""
    deletions = {
        "tool": delete_tool,
        "link": delete_link,
        "line_item": delete_line_item,
        "group": delete_group,
        "module": delete_module,
        "page": delete_page,
    }
    kind = need(body, "kind")
    if kind not in deletions:
        raise RefusedError(f"kind must be one of {', '.join(deletions)}.")
    with database().transaction() as db:
        deletions[kind](db, need(body, "id"))
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
            db, after=read_number(request, "after", 0), limit=read_number(request, "limit", 100_000), **filters
        )


@endpoint("GET")
def serve_messages(request: HttpRequest, body: dict[str, Any]) -> Any:
    """The newest exchanges."""
    with database().transaction() as db:
        return list_exchanges(db, service=request.GET.get("service", ""), limit=read_number(request, "limit", 50))


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
        "attempts": grade.attempts,
        "arrival": grade.arrival,
        "updated_at": grade.updated_at,
    }


def _show_item(item: LineItem) -> dict[str, Any]:
    return {**asdict(item), "score_maximum": show_number(item.score_maximum)}
