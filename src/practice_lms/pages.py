"""The pages of people: who to be, courses, activities, the way back from a tool, and the gradebook."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from practice_lms.columns import LineItem, find_line_item, list_line_items
from practice_lms.course_pages import describe_course, enter_course
from practice_lms.courses import Course, list_courses
from practice_lms.database import database
from practice_lms.gradebook import Cell, Grade, list_grades, list_messages, read_last_arrival
from practice_lms.people import ROLES, Membership, Person, find_membership, get_person, list_memberships, list_people
from practice_lms.people import list_roles_of_everybody as list_roles
from practice_lms.refusals import RefusedError
from practice_lms.tools import get_tool, list_tools
from practice_lms.visitors import become, find_visitor, leave, set_cookies

STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
ROWS_PER_PAGE = 50
PEOPLE_SHOWN = 60


@dataclass(frozen=True)
class Row:
    """One person's line in the gradebook."""

    person: Person
    cells: list[Cell]


@require_GET
def choose_person(request: HttpRequest) -> HttpResponse:
    """Who do you want to be?"""
    query = request.GET.get("q", "").strip().lower()
    with database().transaction() as db:
        roles = list_roles(db)
        people = [person for person in list_people(db) if query in f"{person.name} {person.email}".lower()]
    shown = [
        {"person": person, "roles": [name for role, name in ROLES.items() if role in roles.get(person.id, ())]}
        for person in people[:PEOPLE_SHOWN]
    ]
    return render(request, "choose.html", {"shown": shown, "more": len(people) - len(shown), "query": query})


@require_POST
def be_person(request: HttpRequest) -> HttpResponse:
    """Be that person, in this browser."""
    with database().transaction() as db:
        person = get_person(db, request.POST.get("person", ""))
        session_id = become(db, find_visitor(db, request), person)
        mine = [course for course in list_courses(db) if find_membership(db, course.id, person.id)]
    response = HttpResponseRedirect(f"/courses/{mine[0].id}" if len(mine) == 1 else "/courses")
    set_cookies(response, session_id)
    return response


@require_POST
def be_nobody(request: HttpRequest) -> HttpResponse:
    """Leave."""
    response = HttpResponseRedirect("/")
    leave(response)
    return response


@require_GET
def show_courses(request: HttpRequest) -> HttpResponse:
    """The courses of this person."""
    with database().transaction() as db:
        person = find_visitor(db, request).person
        if person is None:
            return HttpResponseRedirect("/")
        found = [(course, find_membership(db, course.id, person.id)) for course in list_courses(db)]
        tools = [tool for tool in list_tools(db) if "account_navigation" in tool.placements]
    context = {"courses": [pair for pair in found if pair[1]], "tools": tools, "at": "courses"}
    return render(request, "courses.html", context)


@require_GET
def show_gradebook(request: HttpRequest, course_id: str) -> HttpResponse:
    """Grades as they arrive: a teacher sees everybody's, an observer the named students', a student the own."""
    return _render_gradebook(request, course_id, "gradebook.html")


@require_GET
def show_gradebook_rows(request: HttpRequest, course_id: str) -> HttpResponse:
    """The table alone, for the page that asks every second; nothing when nothing new arrived."""
    with database().transaction() as db:
        newest = read_last_arrival(db)
    if request.GET.get("after") == str(newest):
        return HttpResponse(status=204)
    return _render_gradebook(request, course_id, "gradebook_rows.html")


@require_GET
def show_history(request: HttpRequest, course_id: str, item_id: str, person_id: str) -> HttpResponse:
    """Every score message for one person in one column, in the order of arrival."""
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        course, membership = enter_course(db, course_id, visitor.person)
        item = find_line_item(db, item_id)
        if item is None or item.course_id != course.id:
            raise RefusedError("There is no such column.", 404)
        if person_id not in [one.id for one in _list_visible(db, course, membership)]:
            raise RefusedError("These grades are not yours to see.", 403)
        person = get_person(db, person_id)
        messages = list_messages(db, line_item_id=item.id, person_id=person_id)
        grade = next((one for one in list_grades(db, [item]) if one.person_id == person_id), None)
        described = describe_course(db, course, membership)
        reviews = _list_reviews(db, item, grade, person) if membership.is_staff else []
    context = {
        **described,
        "item": item,
        "person": person,
        "messages": messages[::-1],
        "cell": Cell(item, grade),
        "reviews": reviews,
        "at": "gradebook",
    }
    return render(request, "history.html", context)


@require_GET
def serve_static(request: HttpRequest, name: str) -> FileResponse:
    """Our own style sheet, scripts and picture."""
    path = STATIC / name
    if path.parent != STATIC or not path.is_file() or path.suffix not in STATIC_TYPES:
        raise Http404
    response = FileResponse(path.open("rb"), content_type=STATIC_TYPES[path.suffix])
    response["Cache-Control"] = "no-cache"
    return response


def _render_gradebook(request: HttpRequest, course_id: str, template: str) -> HttpResponse:
    query, page = request.GET.get("q", "").strip().lower(), request.GET.get("page", "1")
    number = max(1, int(page)) if page.isdecimal() else 1
    with database().transaction() as db:
        visitor = find_visitor(db, request)
        if visitor.person is None:
            return HttpResponseRedirect("/")
        course, membership = enter_course(db, course_id, visitor.person)
        people = [one for one in _list_visible(db, course, membership) if query in f"{one.name} {one.email}".lower()]
        items = list_line_items(db, course.id)
        grades = {(grade.line_item_id, grade.person_id): grade for grade in list_grades(db, items)}
        newest = read_last_arrival(db)
        described = describe_course(db, course, membership)
    shown = people[(number - 1) * ROWS_PER_PAGE : number * ROWS_PER_PAGE]
    context: dict[str, Any] = {
        **described,
        "items": items,
        "newest": newest,
        "query": query,
        "rows": [Row(one, [Cell(item, grades.get((item.id, one.id))) for item in items]) for one in shown],
        "page": number,
        "pages": max(1, -(-len(people) // ROWS_PER_PAGE)),
        "total": len(people),
        "at": "gradebook",
    }
    return render(request, template, context)


def _list_reviews(db: sqlite3.Connection, item: LineItem, grade: Grade | None, person: Person) -> list[dict[str, str]]:
    """The ways into this person's work at the tool."""
    if item.link_id is None:
        return []
    address = f"/courses/{item.course_id}/links/{item.link_id}/open"
    reviews = []
    if grade is not None and grade.submission_url:
        reviews.append({"title": "Open in SpeedGrader", "address": f"{address}?from=speedgrader&of={person.id}"})
    if get_tool(db, item.tool_id).version == "1.3" and "submissionReview" in item.extra:
        reviews.append({"title": "Review at the tool", "address": f"{address}?from=review&of={person.id}"})
    return reviews


def _list_visible(db: sqlite3.Connection, course: Course, membership: Membership) -> list[Person]:
    """Whose grades this person may see."""
    learners = [one.person for one in list_memberships(db, course.id) if one.role == "learner"]
    if membership.is_staff:
        return learners
    allowed = membership.mentor_for if membership.role == "observer" else (membership.person.id,)
    return [person for person in learners if person.id in allowed]
