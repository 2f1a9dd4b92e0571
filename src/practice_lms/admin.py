"""The administrator's pages: tools, courses and people, faults, messages. Open to every visitor."""

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from sqlite3 import Connection
from typing import Any
from urllib.parse import quote, unquote

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.html import format_html_join

from practice_lms import admin_rooms
from practice_lms.columns import list_line_items
from practice_lms.copying import copy_course
from practice_lms.courses import STATES, add_course, change_course, get_course, list_courses
from practice_lms.database import database
from practice_lms.faults import KINDS, SERVICES, add_fault, clear_faults, is_live, list_faults
from practice_lms.gradebook import list_messages, read_last_arrival
from practice_lms.groups import list_groups
from practice_lms.installation import describe_installation, retire_keys, rotate_key
from practice_lms.links import add_link, delete_link, list_links
from practice_lms.messages import list_exchanges
from practice_lms.people import ROLES, add_person, enroll, list_memberships, list_people, make_more_people
from practice_lms.profiles import PROFILES_BY_NAME
from practice_lms.refusals import RefusedError, read_whole_number
from practice_lms.selections import list_selections
from practice_lms.tokens import list_tokens, revoke_tokens
from practice_lms.tools import (
    PLACEMENTS,
    PRIVACY,
    SIGNATURE_METHODS,
    Tool,
    ToolOptions,
    delete_tool,
    find_tool,
    list_tools,
    save_tool,
)
from practice_lms.upgrading import move_course
from practice_lms.variables import parse_custom, show_custom
from practice_lms.violations import list_bans, list_violations

Form = Mapping[str, str]
Act = Callable[[Connection, Form], str]

FAULT_PRESETS = (
    ("Answer 500 for a minute", {"services": "all", "kind": "status", "status": "500", "for_seconds": "60"}),
    (
        "Answer 429, three times",
        {"services": "all", "kind": "status", "status": "429", "retry_after": "2", "count": "3"},
    ),
    ("Hang for 5 seconds, once", {"services": "all", "kind": "hang", "seconds": "5", "count": "1"}),
    ("Store the next score, lose the answer", {"services": "scores", "kind": "close", "stage": "after", "count": "1"}),
)


def answer_admin(
    request: HttpRequest, template: str, describe: Callable[[], dict[str, Any]], acts: dict[str, Act]
) -> HttpResponse:
    """Show a page, or do what its form asks; a refused form comes back with what was typed.

    `describe` is what the page shows, and is asked for when a page is shown.
    """
    if request.method == "POST":
        form = {name: str(value) for name, value in request.POST.items()}
        act = acts.get(form.get("act", ""))
        try:
            if act is None:
                raise RefusedError("That form is unknown here.")
            with database().transaction() as db:
                done = act(db, form)
        except RefusedError as refusal:
            shown = {**describe(), "error": refusal.message, "typed": form}
            return render(request, template, shown, status=refusal.status)
        redirect = HttpResponseRedirect(request.get_full_path())
        redirect.set_cookie("practice_done", quote(done), max_age=5, samesite="Lax")
        return redirect
    done = unquote(request.COOKIES.get("practice_done", ""))
    response = render(request, template, {**describe(), "done": done, "typed": {}})
    if done:
        response.delete_cookie("practice_done")
    return response


def show_tools(request: HttpRequest) -> HttpResponse:
    """Tools, and what a tool's side needs to know about us."""
    with database().transaction() as db:
        context: dict[str, Any] = {"tools": list_tools(db), "info": describe_installation(db), "at": "tools"}
        context["courses"] = list_courses(db)
        context["editing"] = find_tool(db, "id", request.GET.get("tool", ""))
        context["keys"] = [dict(row) for row in db.execute("SELECT kid, is_current, created_at FROM signing_key")]
    context |= {"methods": SIGNATURE_METHODS, "options": _describe_options(context["editing"])}
    context |= {"placements": _describe_placements(context["editing"]), "profiles": PROFILES_BY_NAME.values()}
    context["custom"] = show_custom(context["editing"].custom) if context["editing"] else ""
    acts: dict[str, Act] = {
        "save": _save_tool,
        "delete": _delete_tool,
        "rotate": lambda db, form: f"New key: {rotate_key(db)}",
        "retire": lambda db, form: f"{retire_keys(db)} old keys are no longer published",
    }
    return answer_admin(request, "admin_tools.html", lambda: context, acts)


def show_rooms(request: HttpRequest) -> HttpResponse:
    """Courses, their links and their people."""
    acts: dict[str, Act] = {
        "course": _add_course,
        "link": _add_link,
        "unlink": _delete_link,
        "due": admin_rooms.set_due_date,
        "take_out": admin_rooms.take_out,
        "group": admin_rooms.add_group,
        "ungroup": admin_rooms.remove_group,
        "remove_column": admin_rooms.remove_column,
        "double_column": admin_rooms.double_column,
        "person": _add_person,
        "more": _add_people,
        "enroll": _enroll,
        "copy": _copy_course,
        "move": _move_course,
        "state": _change_course,
    }
    return answer_admin(request, "admin_rooms.html", _describe_rooms, acts)


def _describe_rooms() -> dict[str, Any]:
    with database().transaction() as db:
        courses = [
            {
                "course": course,
                "links": list_links(db, course.id),
                "people": list_memberships(db, course.id),
                "groups": list_groups(db, course.id),
                "columns": list_line_items(db, course.id),
            }
            for course in list_courses(db)
        ]
        tools = list_tools(db)
        return {
            "courses": courses,
            "tools": tools,
            # Written once, since every course has them twice.
            "tool_choices": format_html_join(
                "", '<option value="{}">{}, LTI {}</option>', ((tool.id, tool.title, tool.version) for tool in tools)
            ),
            "people": list_people(db)[:500],
            "roles": ROLES.items(),
            "profiles": PROFILES_BY_NAME.values(),
            "states": STATES,
            "at": "rooms",
        }


def show_faults(request: HttpRequest) -> HttpResponse:
    """Faults on purpose."""
    now = time.time()
    with database().transaction() as db:
        faults = [
            {"fault": fault, "is_live": is_live(fault, now), "left": max(0, int((fault.until or now) - now))}
            for fault in list_faults(db)
        ]
    context = {
        "faults": faults,
        "services": SERVICES,
        "kinds": KINDS,
        "presets": list(enumerate(FAULT_PRESETS)),
        "at": "faults",
    }

    def order(db: Connection, form: Form) -> str:
        wanted = {name: value for name, value in form.items() if name not in ("act", "csrfmiddlewaretoken") and value}
        if "percent" in wanted:
            wanted["probability"] = str(read_whole_number("The chance", wanted.pop("percent")) / 100)
        return f"Ordered: {add_fault(db, wanted, now=now).summary}"

    def order_preset(db: Connection, form: Form) -> str:
        number = read_whole_number("preset", form.get("preset"))
        if number >= len(FAULT_PRESETS):
            raise RefusedError("There is no such preset.")
        name, values = FAULT_PRESETS[number]
        add_fault(db, values, now=now)
        return f"Ordered: {name}"

    def clear(db: Connection, form: Form) -> str:
        clear_faults(db, read_whole_number("fault", form["fault"]) if form.get("fault") else None)
        return "Called off"

    acts: dict[str, Act] = {"order": order, "preset": order_preset, "clear": clear}
    return answer_admin(request, "admin_faults.html", lambda: context, acts)


def show_messages(request: HttpRequest) -> HttpResponse:
    """The last scores, exchanges and tokens."""
    service = request.GET.get("service", "")
    with database().transaction() as db:
        names = {person.id: person.name for person in list_people(db)}
        newest = list_messages(db, after=read_last_arrival(db) - 40)[::-1]
        context = {
            "exchanges": list_exchanges(db, service=service, limit=60),
            "tokens": list_tokens(db, limit=20),
            "scores": [{**one, "person_name": names.get(one["person_id"], one["person_id"])} for one in newest],
            "services": (*SERVICES, "auth", "selection", "registration"),
            "service": service,
            "violations": list_violations(db)[::-1][:40],
            "bans": list_bans(db),
            "selections": list_selections(db, limit=20),
            "now": time.time(),
            "at": "messages",
        }

    def revoke(db: Connection, form: Form) -> str:
        return f"{revoke_tokens(db)} tokens are forgotten"

    return answer_admin(request, "admin_messages.html", lambda: context, {"revoke": revoke})


def _save_tool(db: Connection, form: Form) -> str:
    names = (
        "title",
        "version",
        "launch_url",
        "key",
        "secret",
        "signature_method",
        "client_id",
        "deployment_id",
        "login_url",
        "keyset_url",
    )
    values: dict[str, Any] = {name: form[name] for name in names if form.get(name)}
    values["redirect_urls"] = form.get("redirect_urls", "").split()
    values["custom"] = parse_custom(form.get("custom", ""))
    values["placements"] = {
        name: form.get(f"address_{name}", "").strip() for name in PLACEMENTS if form.get(f"placement_{name}") == "on"
    }
    values |= {name: form.get(name, "") for name in ("profile", "course_id")}
    options: dict[str, Any] = {}
    for option in fields(ToolOptions):
        given = form.get(f"option_{option.name}")
        if option.type is bool:
            options[option.name] = given == "on"
        elif given:
            options[option.name] = int(given) if option.type is int and given.isdecimal() else given
    return f"Saved: {save_tool(db, {**values, 'options': options}, tool_id=form.get('tool', '')).title}"


def _describe_options(tool: Tool | None) -> list[dict[str, Any]]:
    """The options as a form shows them."""
    current = tool.options if tool else ToolOptions()
    choices = {
        "login_method": ("post", "get"),
        "outcome_failure_status": (200, 422),
        "unfinished_score": ("clear", "keep"),
        "token_media_type": ("application/json", "text/html"),
        "privacy": PRIVACY,
        "selection_method": ("content_item", "ext_content_return_url"),
    }
    return [
        {
            "name": one.name,
            "label": one.name.replace("_", " "),
            "value": getattr(current, one.name),
            "is_switch": one.type is bool,
            "choices": choices.get(one.name, ()),
        }
        for one in fields(ToolOptions)
    ]


def _describe_placements(tool: Tool | None) -> list[dict[str, Any]]:
    """The placements as a form shows them."""
    mine = tool.placements if tool else {}
    return [
        {"name": name, "label": label, "is_on": name in mine, "address": mine.get(name, "")}
        for name, label in PLACEMENTS.items()
    ]


def _delete_tool(db: Connection, form: Form) -> str:
    delete_tool(db, form.get("tool", ""))
    return "The tool, its links and their grades are gone"


def _add_course(db: Connection, form: Form) -> str:
    title, label, sourcedid = (form.get(name, "") for name in ("title", "label", "sourcedid"))
    course = add_course(db, title=title, label=label, sourcedid=sourcedid, profile=form.get("profile", ""))
    return f"Made: {course.title}"


def _copy_course(db: Connection, form: Form) -> str:
    people = form.get("people", "").replace(",", " ").split()
    copy = copy_course(
        db,
        form.get("course", ""),
        title=form.get("title", "").strip(),
        sourcedid=form.get("sourcedid") if form.get("own_sourcedid") == "on" or form.get("sourcedid") else None,
        people=people,
    )
    return f"Made: {copy.course.title}, context id {copy.course.id}, with {len(copy.links)} links"


def _move_course(db: Connection, form: Form) -> str:
    moved = move_course(db, form.get("course", ""), former_id=form.get("from", ""), tool_id=form.get("to", ""))
    return f"{moved} links moved, with their columns and grades"


def _change_course(db: Connection, form: Form) -> str:
    course = get_course(db, form.get("course", ""))
    names = ("sourcedid", "section_sourcedid", "state", "profile")
    changed = change_course(db, course, **{name: form[name] for name in names if name in form})
    return f"Saved: {changed.title}"


def _add_link(db: Connection, form: Form) -> str:
    link = add_link(
        db,
        course_id=form.get("course", ""),
        tool_id=form.get("tool", ""),
        title=form.get("title", ""),
        url=form.get("url", "").strip(),
        points=form.get("points", "").strip(),
        custom=parse_custom(form.get("custom", "")),
    )
    return f"Placed: {link.title}"


def _delete_link(db: Connection, form: Form) -> str:
    delete_link(db, form.get("link", ""))
    return "The link and its grades are gone"


def _add_person(db: Connection, form: Form) -> str:
    if not form.get("given_name", "").strip():
        raise RefusedError("A person needs a given name.")
    person = add_person(
        db,
        given_name=form["given_name"].strip(),
        family_name=form.get("family_name", "").strip(),
        email=form.get("email", "").strip(),
        is_test=form.get("is_test") == "on",
        is_admin=form.get("is_admin") == "on",
    )
    if form.get("course"):
        enroll(db, form["course"], person.id, form.get("role", "learner"), form.get("mentor_for", "").split())
    return f"Made: {person.name}"


def _add_people(db: Connection, form: Form) -> str:
    count = read_whole_number("The number of people", form.get("count"), 20)
    return f"{len(make_more_people(db, form.get('course', ''), count))} more people"


def _enroll(db: Connection, form: Form) -> str:
    mentees = form.get("mentor_for", "").replace(",", " ").split()
    enroll(
        db, form.get("course", ""), form.get("person", ""), form.get("role", ""), mentees, form.get("is_active") == "on"
    )
    return "Saved"
