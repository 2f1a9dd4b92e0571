"""The JSON API: copies of courses, modules, pages, profiles. See `practice_lms.api` for the documents."""

import base64
import time
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest

from practice_lms.cartridges import import_cartridge
from practice_lms.columns import LineItem, check_date, read_points, save_line_item
from practice_lms.copying import copy_course
from practice_lms.courses import get_course
from practice_lms.database import database
from practice_lms.endpoints import endpoint, need
from practice_lms.gradability import list_mails
from practice_lms.groups import list_groups, save_group
from practice_lms.links import get_link
from practice_lms.modules import add_module, list_modules, list_pages, save_page
from practice_lms.profiles import (
    list_profiles,
    read_installation_profile,
    reset_quirks,
    switch_quirks,
    use_profile,
)
from practice_lms.quirks import QUIRKS
from practice_lms.refusals import RefusedError
from practice_lms.tools import get_tool
from practice_lms.upgrading import move_course
from practice_lms.violations import allow_calls, forbid_calls, list_bans, list_violations


@endpoint("POST")
def make_copy(request: HttpRequest, body: dict[str, Any]) -> Any:
    """A course, copied."""
    names = ("title", "label", "sourcedid", "section_sourcedid")
    texts: dict[str, Any] = {name: str(body[name]) for name in names if body.get(name) is not None}
    people = body.get("people") or []
    if not isinstance(people, list):
        raise RefusedError("people must be a list of ids.")
    with database().transaction() as db:
        copy = copy_course(db, need(body, "course"), **texts, people=[str(one) for one in people])
    return asdict(copy)


@endpoint("POST")
def make_move(request: HttpRequest, body: dict[str, Any]) -> Any:
    """The links of a course from one tool to its other version."""
    with database().transaction() as db:
        moved = move_course(db, need(body, "course"), former_id=need(body, "from"), tool_id=need(body, "to"))
    return {"moved": moved}


@endpoint("POST")
def take_cartridge(request: HttpRequest, body: dict[str, Any]) -> Any:
    """A Common Cartridge, imported into a course."""
    try:
        content = base64.b64decode(need(body, "content"), validate=True)
    except ValueError:
        raise RefusedError("content must be the file in base64.") from None
    with database().transaction() as db:
        return asdict(import_cartridge(db, need(body, "course"), content, tool_id=str(body.get("tool") or "")))


@endpoint("GET", "POST")
def serve_modules(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Modules of a course."""
    with database().transaction() as db:
        if request.method == "GET":
            return [asdict(one) for one in list_modules(db, get_course(db, request.GET.get("course", "")).id)]
        return asdict(add_module(db, need(body, "course"), need(body, "title")))


@endpoint("GET", "POST")
def serve_pages(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Pages of a course."""
    with database().transaction() as db:
        if request.method == "GET":
            return [asdict(one) for one in list_pages(db, get_course(db, request.GET.get("course", "")).id)]
        return asdict(
            save_page(
                db,
                course_id=str(body.get("course", "")),
                title=need(body, "title"),
                text=str(body.get("text", "")),
                page_id=str(body.get("id", "")),
            )
        )


@endpoint("GET", "POST")
def serve_groups(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Groups of a course."""
    with database().transaction() as db:
        if request.method == "GET":
            return [asdict(one) for one in list_groups(db, get_course(db, request.GET.get("course", "")).id)]
        return asdict(
            save_group(
                db,
                course_id=str(body.get("course", "")),
                name=need(body, "name"),
                set_name=str(body.get("set", "")),
                is_hidden=bool(body.get("hidden")),
                people=[str(one) for one in body.get("people", [])],
                group_id=str(body.get("id", "")),
            )
        )


@endpoint("POST")
def add_column(request: HttpRequest, body: dict[str, Any]) -> Any:
    """A column of the gradebook as somebody else may have made it: a second one, or one that is no link's."""
    with database().transaction() as db:
        course, tool = get_course(db, need(body, "course")), get_tool(db, need(body, "tool"))
        link = get_link(db, str(body["link"])) if body.get("link") else None
        item = LineItem(
            str(body.get("id", "")),
            course.id,
            tool.id,
            link.id if link else None,
            need(body, "label"),
            read_points(need(body, "points")),
            resource_id=str(body.get("resource_id", "")),
            tag=str(body.get("tag", "")),
            end_at=str(body.get("end_at", "")),
            extra={"submissionReview": {"reviewableStatus": ["Submitted", "Completed"]}}
            if body.get("reviewable")
            else {},
        )
        if item.end_at:
            check_date("end_at", item.end_at)
        made = save_line_item(db, item)
    return {**asdict(made), "score_maximum": str(made.score_maximum)}


@endpoint("GET", "POST")
def serve_profiles(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Which LMS is imitated, where, and which quirks are on."""
    with database().transaction() as db:
        if request.method == "POST":
            if body.get("reset"):
                reset_quirks(db)
            if "use" in body:
                place = {f"{name}_id": str(body.get(name) or "") for name in ("course", "tool")}
                use_profile(db, str(body["use"] or ""), **place)
            if "quirks" in body:
                switch_quirks(db, need(body, "profile"), dict(body["quirks"]))
        used = read_installation_profile(db)
        profiles = list_profiles(db)
    return {
        "installation": used,
        "profiles": [
            {
                "name": profile.name,
                "title": profile.title,
                "family_code": profile.family_code,
                "quirks": {
                    quirk.number: {
                        "sentence": quirk.sentence,
                        "is_on": profile.has(quirk.number),
                        "is_fixed": quirk.is_fixed,
                    }
                    for quirk in QUIRKS
                    if profile.name in quirk.offered_in
                },
            }
            for profile in profiles
        ],
    }


@endpoint("GET", "POST")
def serve_violations(request: HttpRequest, body: dict[str, Any]) -> Any:
    """Where no grade service may be called, and which calls came all the same."""
    now = time.time()
    with database().transaction() as db:
        if request.method == "GET":
            place = {f"{name}_id": request.GET.get(name, "") for name in ("course", "link")}
            return list_violations(db, **place)
        place = {f"{name}_id": str(body.get(name) or "") for name in ("course", "link")}
        if not any(place.values()):
            raise RefusedError("Name a course or a link.")
        if body.get("forbid", True):
            forbid_calls(db, **place, now=now)
        else:
            allow_calls(db, **place)
        return list_bans(db)


@endpoint("GET")
def serve_mails(request: HttpRequest, body: dict[str, Any]) -> Any:
    """The mails that students got about grades."""
    with database().transaction() as db:
        return list_mails(db, person_id=request.GET.get("person", ""))
