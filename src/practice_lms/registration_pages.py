"""Dynamic registration in the browser and over HTTP: the administrator's page, and where tools register."""

import json
import time
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from practice_lms.admin import Form, answer_admin
from practice_lms.database import database
from practice_lms.endpoints import endpoint, need
from practice_lms.profiles import choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.registrations import (
    Offer,
    begin_registration,
    build_opening_url,
    describe_platform,
    find_offer,
    take_registration,
)
from practice_lms.service_calls import require_method, service
from practice_lms.tools import activate_tool, find_tool


@service("registration")
def show_openid_configuration(request: HttpRequest, *, now: float) -> HttpResponse:
    """What the platform is, for programs; to a tool that was offered a registration as its profile says it."""
    require_method(request, "GET")
    with database().transaction() as db:
        offer = find_offer(db, request.GET["offer"]) if "offer" in request.GET else None
        document = describe_platform(db, offer, request.META.get("HTTP_AUTHORIZATION", ""))
        profile = choose_profile(db, offer.profile if offer else "")
    media_type = "text/html" if profile.has("M4") else "application/json"
    return HttpResponse(json.dumps(document), content_type=media_type)


@service("registration")
def register_tool(request: HttpRequest, *, now: float) -> HttpResponse:
    """A tool describes itself."""
    require_method(request, "POST")
    try:
        document = json.loads(request.body)
    except ValueError:
        raise RefusedError("The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise RefusedError("The body must be a JSON object.")
    try:
        with database().transaction() as db:
            offer = find_offer(db, request.GET.get("offer", ""))
            answer = take_registration(db, offer, request.META.get("HTTP_AUTHORIZATION", ""), document, now=now)
            status = 201 if choose_profile(db, offer.profile).name == "canvas" else 200
    except RefusedError as refusal:
        if refusal.code == "canvas":
            return JsonResponse({"errors": [refusal.message]}, status=refusal.status)
        raise
    return JsonResponse(answer, status=status)


@require_http_methods(["GET", "POST"])
def show_registration(request: HttpRequest, offer_id: str) -> HttpResponse:
    """The administrator looks on while a tool registers itself, and activates it."""
    with database().transaction() as db:
        offer = find_offer(db, offer_id)
        context = {"offer": offer, "address": build_opening_url(db, offer), "tool": find_tool(db, "id", offer.tool_id)}

    def activate(db: Any, form: Form) -> str:
        return f"Active: {activate_tool(db, offer.tool_id).title}"

    return answer_admin(request, "admin_registration.html", lambda: {**context, "at": "tools"}, {"activate": activate})


@require_http_methods(["POST"])
def open_registration(request: HttpRequest) -> HttpResponse:
    """Begin with the address that a tool gave."""
    try:
        with database().transaction() as db:
            offer = begin_registration(
                db,
                request.POST.get("tool_url", "").strip(),
                profile=request.POST.get("profile", ""),
                now=time.time(),
            )
    except RefusedError as refusal:
        return render(request, "refused.html", {"refusal": refusal}, status=refusal.status)
    return HttpResponseRedirect(f"/admin/registrations/{offer.id}")


@endpoint("GET", "POST")
def serve_registrations(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Registrations by address, for programs. See `practice_lms.api`."""
    with database().transaction() as db:
        if request.method == "GET":
            return _show(db, find_offer(db, request.GET.get("id", "")))
        if "activate" in body:
            return activate_tool(db, need(body, "activate")).as_json()
        offer = begin_registration(
            db,
            need(body, "tool_url"),
            profile=str(body.get("profile") or ""),
            is_old=bool(body.get("is_old")),
            now=time.time(),
        )
        return _show(db, offer)


def _show(db: Any, offer: Offer) -> dict[str, Any]:
    return {**asdict(offer), "state": offer.state, "url": build_opening_url(db, offer)}
