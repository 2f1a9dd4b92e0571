"""Opening a link: the page that carries the launch to the tool, and the authorization endpoint of LTI 1.3."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from practice_lms.database import database
from practice_lms.lti11 import sign_launch
from practice_lms.lti13 import (
    AuthorizationError,
    answer_authorization,
    build_login,
    check_ticket,
    find_ticket,
    issue_ticket,
    read_authorization_request,
)
from practice_lms.messages import record_exchange
from practice_lms.refusals import RefusedError
from practice_lms.scene import DOCUMENT_TARGETS, Destination, LaunchScene, prepare_scene
from practice_lms.visitors import Visitor, find_visitor, remember_open_in


@require_GET
def open_link(request: HttpRequest, course_id: str, link_id: str) -> HttpResponse:
    """Begin a launch in the window, tab or frame that shows this address; `in` says which and is remembered."""
    names = {"module": "module", "speedgrader": "speedgrader", "review": "review"}
    placement, for_person = names.get(request.GET.get("from", ""), ""), request.GET.get("of", "")
    return open_destination(request, Destination(link_id=link_id, placement=placement, for_person_id=for_person))


@require_GET
def open_navigation(request: HttpRequest, course_id: str, tool_id: str) -> HttpResponse:
    """Open a tool from the navigation of a course."""
    return open_destination(request, Destination("", course_id, tool_id, "course_navigation"))


@require_GET
def open_from_account(request: HttpRequest, tool_id: str) -> HttpResponse:
    """Open a tool outside of any course."""
    return open_destination(request, Destination(tool_id=tool_id, placement="account_navigation"))


@require_GET
def show_forwarding(request: HttpRequest) -> HttpResponse:
    """The frame that brings messages of tools to the page around it."""
    return render(request, "forwarding.html")


def open_destination(request: HttpRequest, destination: Destination, *, target: str = "") -> HttpResponse:
    """Begin a launch for whoever sits at the browser. With a `target` of its own the person's choice stays."""
    now = time.time()
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        wanted = target or request.GET.get("in", visitor.open_in)
        if wanted not in DOCUMENT_TARGETS:
            raise RefusedError(f"Links open in one of {', '.join(DOCUMENT_TARGETS)}.")
        if not target:
            remember_open_in(db, visitor, wanted)
        scene = prepare_scene(db, person_id=visitor.person.id, destination=destination, document_target=wanted)
        ticket = issue_ticket(
            db,
            session_id=visitor.session_id,
            person_id=visitor.person.id,
            destination=destination,
            document_target=wanted,
            now=now,
        )
    if wanted == "frame" and "framed" not in request.GET:
        query = {**request.GET.dict(), "in": "frame", "framed": "1"}
        context: dict[str, Any] = {
            "scene": scene,
            "course": scene.course,
            "address": f"{request.path}?{urlencode(query)}",
        }
        if scene.link is not None:
            context["size"] = _read_frame_size(scene.link.hints)
        return render(request, "frame.html", context)
    if scene.tool.version == "1.1":
        url, fields = sign_launch(scene)
        return _send_form(request, url, fields, scene)
    return begin_login(request, scene, build_login(scene, ticket))


def _read_frame_size(hints: Mapping[str, Any]) -> dict[str, int]:
    """The size that the tool wished for its frame, within reason."""
    wish = hints.get("iframe")
    sizes = wish if isinstance(wish, dict) else {}
    return {
        name: value for name in ("width", "height") if isinstance(value := sizes.get(name), int) and 50 < value < 5000
    }


def find_login_method(scene: LaunchScene) -> str:
    """How the login begins: as the tool's options say; by GET in a Blackboard (B6)."""
    return "get" if scene.profile.has("B6") else scene.tool.options.login_method


def begin_login(request: HttpRequest, scene: LaunchScene, parameters: Mapping[str, str]) -> HttpResponse:
    """Send the browser to the tool's login URL."""
    if find_login_method(scene) == "get":
        mark = "&" if "?" in scene.tool.login_url else "?"
        return HttpResponseRedirect(f"{scene.tool.login_url}{mark}{urlencode(parameters)}")
    return _send_form(request, scene.tool.login_url, list(parameters.items()), scene)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """The authorization endpoint: an authentication request in, a form with an id_token out."""
    parameters = (request.POST if request.method == "POST" else request.GET).dict()
    now = time.time()
    with database().transaction() as db:
        visitor = find_visitor(db, request)
    wants_json = request.META.get("HTTP_ACCEPT", "") == "application/json"
    try:
        url, fields = run_authorization({name: str(value) for name, value in parameters.items()}, visitor, now=now)
    except AuthorizationError as refusal:
        _note(request, 400, refusal.message, now)
        url = refusal.redirect_uri
        fields = {"error": refusal.code, "error_description": refusal.message, "state": refusal.state}
    except RefusedError as refusal:
        _note(request, refusal.status, refusal.message, now)
        if wants_json:
            return JsonResponse({"error": refusal.code, "error_description": refusal.message}, status=refusal.status)
        raise
    else:
        _note(request, 200, "id_token sent", now)
    if wants_json:
        return JsonResponse({"url": url, "fields": fields})
    return _send_form(request, url, list(fields.items()), None)


def run_authorization(
    parameters: Mapping[str, str], visitor: Visitor, *, now: float, overrides: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, str]]:
    """Check an authentication request and answer it: the redirect URI and the fields that go there."""
    with database().transaction() as db:
        wanted = read_authorization_request(db, parameters)
        person_id = visitor.person.id if visitor.person else ""
        ticket = find_ticket(db, wanted.ticket_id, now=now)
        scene = None
        if ticket is not None:
            scene = prepare_scene(
                db,
                person_id=ticket.person_id,
                destination=ticket.destination,
                document_target=ticket.document_target,
            )
        login_hint = scene.login_hint if scene else ""
        ticket = check_ticket(wanted, ticket, login_hint, person_id, visitor.session_id)
        if overrides:
            ticket = type(ticket)(**{**ticket.__dict__, "overrides": {**ticket.overrides, **overrides}})
        if scene is None or not scene.tool.is_same_program(wanted.tool):
            raise RefusedError("client_id is another tool's than the link's.", 400, "unauthorized_client")
        return wanted.redirect_uri, answer_authorization(db, scene, wanted, ticket, now=now)


def _send_form(
    request: HttpRequest, url: str, fields: list[tuple[str, str]], scene: LaunchScene | None
) -> HttpResponse:
    """A page with a form that sends itself, and a button for browsers without script."""
    context = {"url": url, "fields": fields, "title": scene.title if scene else "your activity"}
    response = render(request, "send_form.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _note(request: HttpRequest, status: int, answer: str, now: float) -> None:
    with database().transaction() as db:
        record_exchange(
            db,
            service="auth",
            method=str(request.method),
            path=request.path,
            status=status,
            fault="",
            request=urlencode((request.POST if request.method == "POST" else request.GET).dict()),
            answer=answer,
            now=now,
        )
