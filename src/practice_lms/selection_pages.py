"""The way into a tool's selection and back: what the browser carries, and the page that says what came of it."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from practice_lms.content_items import read_choice, read_items_form, verify_items_form
from practice_lms.database import database
from practice_lms.deep_linking import REPEATS, read_answer, read_key_id, verify_answer
from practice_lms.launches import open_destination
from practice_lms.messages import record_exchange
from practice_lms.refusals import RefusedError
from practice_lms.scene import Destination, LaunchScene, prepare_scene
from practice_lms.selections import (
    Answer,
    Selection,
    begin_selection,
    find_selection,
    finish_selection,
    need_open_selection,
    use_nonce,
)
from practice_lms.services import fetch_keyset
from practice_lms.visitors import find_visitor


@require_POST
def add_from_tool(request: HttpRequest, course_id: str) -> HttpResponse:
    """Begin a selection, and go to the page that holds the tool."""
    now = time.time()
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        values = {name: value for name, value in request.POST.items() if value}
        placement, _, tool_id = str(values.pop("pick", "")).partition(":")
        values["placement"] = placement
        begun = begin_selection(
            db, course_id=course_id, person_id=visitor.person.id, tool_id=tool_id, values=values, now=now
        )
        # Only staff choose links; a refusal takes the selection back with it.
        scene = prepare_scene(
            db,
            person_id=visitor.person.id,
            destination=Destination(course_id=course_id, tool_id=tool_id, selection_id=begun.id),
            document_target="frame",
        )
        if scene.role != "teacher" and not visitor.person.is_admin:
            raise RefusedError("Only teachers add links to a course.", 403)
    target = "window" if request.POST.get("in") == "window" else "frame"
    return HttpResponseRedirect(f"/courses/{course_id}/selections/{begun.id}?in={target}")


@require_GET
def show_selection(request: HttpRequest, course_id: str, selection_id: str) -> HttpResponse:
    """The tool's selection, in a frame or in this window."""
    with database().transaction() as db:
        selection = find_selection(db, selection_id)
    if selection is None or selection.course_id != course_id:
        raise RefusedError("There is no such selection.", 404)
    destination = Destination(course_id=course_id, tool_id=selection.tool_id, selection_id=selection.id)
    target = "window" if request.GET.get("in") == "window" else "frame"
    return open_destination(request, destination, target=target)


@csrf_exempt
@require_POST
def take_links(request: HttpRequest, selection_id: str) -> HttpResponse:
    """The answer of Deep Linking 2.0."""
    return _take(request, selection_id, "deep_linking", _read_deep_linking)


@csrf_exempt
@require_POST
def take_items(request: HttpRequest, selection_id: str) -> HttpResponse:
    """The answer of Content-Item 1.0."""
    return _take(request, selection_id, "content_item", _read_content_items)


@require_GET
def take_choice(request: HttpRequest, selection_id: str) -> HttpResponse:
    """The answer to `ext_content_return_url`; a GET that writes, because Canvas made it so."""
    return _take(request, selection_id, "ext_content_return_url", _read_ext_content)


def _take(
    request: HttpRequest,
    selection_id: str,
    method: str,
    read: Callable[[HttpRequest, Selection, LaunchScene, float], Answer],
) -> HttpResponse:
    """Verify an answer and make its links; say what came of it in a page, or in JSON to who asks for that."""
    now = time.time()
    wants_json = request.META.get("HTTP_ACCEPT", "") == "application/json"
    try:
        with database().transaction() as db:
            person = find_visitor(db, request).person
            selection = need_open_selection(db, selection_id, person.id if person else "", method, now)
            scene = prepare_scene(
                db,
                person_id=selection.person_id,
                destination=Destination(
                    course_id=selection.course_id, tool_id=selection.tool_id, selection_id=selection.id
                ),
                document_target="window",
            )
        if method != "ext_content_return_url" and request.META.get("QUERY_STRING", "") != REPEATS[1:]:
            raise RefusedError("The address of the answer lost its query: use it exactly as it was given.")
        answer = read(request, selection, scene, now)
        with database().transaction() as db:
            need_open_selection(db, selection_id, selection.person_id, method, now)
            done = finish_selection(db, selection, answer, scene.profile, now=now)
    except RefusedError as refusal:
        _note(request, refusal.status, refusal.message, now)
        if wants_json:
            return JsonResponse({"error": refusal.code, "error_description": refusal.message}, status=refusal.status)
        raise
    _note(request, 200, str(dict(done.outcome)), now)
    if wants_json:
        return JsonResponse(done.as_json())
    return render(request, "selection_done.html", {"selection": done, "course": scene.course, "framed": True})


def _read_deep_linking(request: HttpRequest, selection: Selection, scene: LaunchScene, now: float) -> Answer:
    form = {name: str(value) for name, value in request.POST.items()}
    kid = read_key_id(form)
    keyset = fetch_keyset(scene.tool.keyset_url)
    claims = verify_answer(
        form["JWT"],
        kid,
        keyset,
        tool=scene.tool,
        issuer=scene.issuer,
        deployment_id=scene.deployment_id,
        now=now,
    )
    with database().transaction() as db:
        use_nonce(db, scene.tool, claims["nonce"], now)
    return read_answer(claims, selection)


def _read_content_items(request: HttpRequest, selection: Selection, scene: LaunchScene, now: float) -> Answer:
    form = {name: str(value) for name, value in request.POST.items()}
    with database().transaction() as db:
        verify_items_form(
            db,
            scene.tool,
            url=f"{scene.addresses.issuer}{request.get_full_path()}",
            body=request.body,
            form=form,
            content_type=request.META.get("CONTENT_TYPE", ""),
            now=now,
        )
    return read_items_form(form, selection, scene.profile)


def _read_ext_content(request: HttpRequest, selection: Selection, scene: LaunchScene, now: float) -> Answer:
    query = {name: str(value) for name, value in request.GET.items()}
    if query.get("modal") != "true":
        raise RefusedError("The address of the answer lost its query: add to it, and keep what it has.")
    return read_choice(query)


def _note(request: HttpRequest, status: int, answer: str, now: float) -> None:
    with database().transaction() as db:
        record_exchange(
            db,
            service="selection",
            method=str(request.method),
            path=request.get_full_path(),
            status=status,
            fault="",
            request="" if request.method == "GET" else request.body.decode("utf-8", "replace"),
            answer=answer,
            now=now,
        )
