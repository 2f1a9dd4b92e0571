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
from practice_lms.scene import DOCUMENT_TARGETS, LaunchScene, prepare_scene
from practice_lms.visitors import Visitor, find_visitor, remember_open_in


@require_GET
def open_link(request: HttpRequest, course_id: str, link_id: str) -> HttpResponse:
    """Begin a launch in the window, tab or frame that shows this address; `in` says which and is remembered."""
    now = time.time()
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        target = request.GET.get("in", visitor.open_in)
        if target not in DOCUMENT_TARGETS:
            raise RefusedError(f"Links open in one of {', '.join(DOCUMENT_TARGETS)}.")
        remember_open_in(db, visitor, target)
        scene = prepare_scene(db, person_id=visitor.person.id, link_id=link_id, document_target=target)
        ticket = issue_ticket(
            db,
            session_id=visitor.session_id,
            person_id=visitor.person.id,
            link_id=link_id,
            document_target=target,
            now=now,
        )
    if target == "frame" and "framed" not in request.GET:
        return render(request, "frame.html", {"scene": scene, "course": scene.course})
    if scene.tool.version == "1.1":
        url, fields = sign_launch(scene)
        return _send_form(request, url, fields, scene)
    return begin_login(request, scene, build_login(scene, ticket))


def begin_login(request: HttpRequest, scene: LaunchScene, parameters: Mapping[str, str]) -> HttpResponse:
    """Send the browser to the tool's login URL, by POST or GET as the tool's options say."""
    if scene.tool.options.login_method == "get":
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
        ticket = check_ticket(wanted, find_ticket(db, wanted.ticket_id, now=now), person_id, visitor.session_id)
        if overrides:
            ticket = type(ticket)(**{**ticket.__dict__, "overrides": {**ticket.overrides, **overrides}})
        scene = prepare_scene(
            db, person_id=ticket.person_id, link_id=ticket.link_id, document_target=ticket.document_target
        )
        if scene.tool.id != wanted.tool.id:
            raise RefusedError("client_id is another tool's than the link's.", 400, "unauthorized_client")
        return wanted.redirect_uri, answer_authorization(db, scene, wanted, ticket, now=now)


def _send_form(
    request: HttpRequest, url: str, fields: list[tuple[str, str]], scene: LaunchScene | None
) -> HttpResponse:
    """A page with a form that sends itself, and a button for browsers without script."""
    context = {"url": url, "fields": fields, "title": scene.link.title if scene else "your activity"}
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
