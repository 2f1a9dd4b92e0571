"""The pages inside a course: activities by module, pages of text, what a teacher adds, and the way back from a tool."""

import sqlite3
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from practice_lms.cartridges import import_cartridge
from practice_lms.columns import find_line_item_of_link
from practice_lms.courses import Course, get_course
from practice_lms.database import database
from practice_lms.gradebook import Cell, list_grades
from practice_lms.links import Link, get_link, list_links
from practice_lms.modules import add_module, get_page, list_modules, list_pages, save_page
from practice_lms.people import Membership, Person, find_membership
from practice_lms.profiles import choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.scene import DOCUMENT_TARGETS
from practice_lms.selections import SELECTION_PLACEMENTS
from practice_lms.tools import Tool, get_tool, list_tools
from practice_lms.visitors import find_visitor


def enter_course(db: sqlite3.Connection, course_id: str, person: Person) -> tuple[Course, Membership]:
    """The course and what this person is in it; others are refused."""
    course = get_course(db, course_id)
    membership = find_membership(db, course.id, person.id)
    if membership is None:
        raise RefusedError(f"{person.name} is not in this course. Choose somebody who is.", 403)
    return course, membership


def describe_course(db: sqlite3.Connection, course: Course, membership: Membership) -> dict[str, Any]:
    """What every page of a course shows."""
    profile = choose_profile(db, course.profile)
    tools = _list_tools_here(db, course)
    return {
        "course": course,
        "membership": membership,
        "profile": profile,
        "imitated": "" if profile.name == "practice" else profile.title,
        "navigation": [tool for tool in tools if "course_navigation" in tool.placements],
    }


@require_GET
def show_course(request: HttpRequest, course_id: str) -> HttpResponse:
    """The activities of a course by module, each with the way in."""
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        course, membership = enter_course(db, course_id, visitor.person)
        open_in = request.GET.get("in", visitor.open_in)
        open_in = open_in if open_in in DOCUMENT_TARGETS else "window"
        is_chosen = "in" in request.GET
        links = [one for one in list_links(db, course.id) if one.page_id is None]
        if membership.role == "learner":
            links = [one for one in links if one.state == "published"]
        modules = list_modules(db, course.id)
        groups = [
            {
                "module": module,
                "activities": [
                    _describe_link(db, one, membership, open_in, is_chosen=is_chosen)
                    for one in links
                    if one.module_id == (module.id if module else None)
                ],
            }
            for module in (None, *modules)
        ]
        context = {
            **describe_course(db, course, membership),
            "groups": [group for group in groups if group["module"] or group["activities"]],
            "modules": modules,
            "pages": list_pages(db, course.id),
            "tools_here": _list_tools_here(db, course),
            "pickers": _list_pickers(db, course, "link_selection", "assignment_selection"),
            "targets": DOCUMENT_TARGETS.items(),
            "open_in": open_in,
            "at": "activities",
        }
    return render(request, "course.html", context)


@require_GET
def show_page(request: HttpRequest, course_id: str, page_id: str) -> HttpResponse:
    """A page of text with the links that the editor's button put there."""
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        course, membership = enter_course(db, course_id, visitor.person)
        page = get_page(db, page_id)
        if page.course_id != course.id:
            raise RefusedError("There is no such page in this course.", 404)
        links = [one for one in list_links(db, course.id) if one.page_id == page.id]
        context = {
            **describe_course(db, course, membership),
            "page": page,
            "activities": [_describe_link(db, one, membership, visitor.open_in, is_chosen=False) for one in links],
            "pickers": _list_pickers(db, course, "editor_button"),
            "at": "page",
        }
    return render(request, "page.html", context)


@require_POST
def build_course(request: HttpRequest, course_id: str) -> HttpResponse:
    """Make a module or a page; teachers only."""
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        course, membership = enter_course(db, course_id, visitor.person)
        if membership.role != "teacher":
            raise RefusedError("Only teachers change a course.", 403)
        title = request.POST.get("title", "")
        if request.POST.get("act") == "page":
            text = request.POST.get("text", "")
            page = save_page(db, course_id=course.id, title=title, text=text, page_id=request.POST.get("page", ""))
            return HttpResponseRedirect(f"/courses/{course.id}/pages/{page.id}")
        add_module(db, course.id, title)
    return HttpResponseRedirect(f"/courses/{course.id}")


@require_POST
def import_file(request: HttpRequest, course_id: str) -> HttpResponse:
    """Import a cartridge that a teacher uploads, and say what came of it."""
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        course, membership = enter_course(db, course_id, visitor.person)
        if membership.role != "teacher":
            raise RefusedError("Only teachers change a course.", 403)
        upload = request.FILES.get("file")
        if upload is None:
            raise RefusedError("Choose an .imscc file first.")
        done = import_cartridge(db, course.id, upload.read(), tool_id=request.POST.get("tool", ""))
        context = {**describe_course(db, course, membership), "done": done, "at": "import"}
    return render(request, "imported.html", context)


@require_GET
def come_back(request: HttpRequest, course_id: str, link_id: str = "") -> HttpResponse:
    """Where a tool sends people back to, perhaps with a message."""
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        link = get_link(db, link_id) if link_id else None
        course = get_course(db, course_id)
        profile = choose_profile(db, get_tool(db, link.tool_id).profile if link else "", course.profile)
    context = {
        "course": course,
        "link": link,
        "is_framed": request.GET.get("in") == "frame",
        "message": request.GET.get("lti_msg", ""),
        "error": request.GET.get("lti_errormsg", ""),
        "is_tab": visitor.open_in == "tab",
        "only_closes": profile.has("O1"),
        "at": "activities",
    }
    return render(request, "return.html", context)


def _describe_link(
    db: sqlite3.Connection, link: Link, membership: Membership, open_in: str, *, is_chosen: bool
) -> dict[str, Any]:
    """One activity. A tool's hint decides how it opens, unless the person chose just now."""
    item = find_line_item_of_link(db, link.id)
    mine = list_grades(db, [item]) if item and membership.role == "learner" else []
    grade = next((one for one in mine if one.person_id == membership.person.id), None)
    hinted = "tab" if "window" in link.hints else "frame" if "iframe" in link.hints else open_in
    target = open_in if is_chosen else hinted
    query = {"in": target, **({"from": "module"} if link.module_id else {})}
    return {
        "link": link,
        "tool": get_tool(db, link.tool_id),
        "cell": Cell(item, grade) if item else None,
        "target": target,
        "address": f"/courses/{link.course_id}/links/{link.id}/open?{urlencode(query)}",
    }


def _list_tools_here(db: sqlite3.Connection, course: Course) -> list[Tool]:
    return [tool for tool in list_tools(db) if tool.course_id in ("", course.id)]


def _list_pickers(db: sqlite3.Connection, course: Course, *placements: str) -> list[dict[str, Any]]:
    """The buttons that open a tool's selection."""
    return [
        {"tool": tool, "placement": placement, "chooses_one": placement == "assignment_selection"}
        for tool in _list_tools_here(db, course)
        for placement in placements
        if placement in tool.placements and placement in SELECTION_PLACEMENTS
    ]
