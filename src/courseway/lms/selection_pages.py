"""What the picker shows: courses, a course's modules and assignments, what was found - a fixed number of statements,
however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.http import QueryDict

from courseway.courses.models import Assignment, Course, Module
from courseway.lms.selection import Wanted
from courseway.lms.selection_access import (
    Selection,
    list_assignments,
    list_courses_with_counts,
    search_assignments,
)

ASSIGNMENTS_SHOWN: Final = 50
COURSES_SHOWN: Final = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the picker somebody is."""

    text: str = ""
    course: str = ""
    page: str = ""

    def as_query(self, **changes: str) -> str:
        values = {"q": self.text, "course": self.course, "page": self.page, **changes}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"?{query}" if query else ""


def read_place(data: QueryDict) -> Place:
    return Place(data.get("q", "").strip()[:200], data.get("course", "")[:40], data.get("page", "")[:6])


@dataclass(slots=True)
class Group:
    """Assignments of one module that follow each other on this page of the list."""

    course: Course
    module: Module
    rows: list[Assignment] = field(default_factory=list)


def describe_page(selection: Selection, place: Place) -> dict[str, Any]:
    """The words of the picker at this place."""
    if selection.wish.wanted is Wanted.COURSE:
        return _describe_courses(selection, place)
    assignments = list_assignments(selection)
    named = selection.wish.content_id
    if named and not place.text and not place.course:
        same = list(assignments.filter(content_id=named)[:ASSIGNMENTS_SHOWN])
        if same:
            page = Paginator(same, ASSIGNMENTS_SHOWN).get_page(1)
            return {"page_obj": page, "groups": _group(page), "named_title": same[0].title}
    if place.text:
        page = Paginator(search_assignments(assignments, place.text), ASSIGNMENTS_SHOWN).get_page(place.page)
        return {"page_obj": page, "groups": _group(page)}
    courses = list_courses_with_counts(selection)
    if place.course:
        course = courses.filter(public_id=place.course).first()
    else:
        first = list(courses[:2])
        course = first[0] if len(first) == 1 else None
    if course is None:
        return _describe_courses(selection, place)
    page = Paginator(assignments.filter(course=course), ASSIGNMENTS_SHOWN).get_page(place.page)
    return {"page_obj": page, "groups": _group(page), "course": course, "has_other_courses": bool(place.course)}


def describe_chosen(selection: Selection) -> list[Assignment]:
    """What was picked so far and can still be chosen, in the order of the courses."""
    picked = selection.row.chosen
    return list(list_assignments(selection).filter(public_id__in=picked)) if picked else []


def describe_preview(assignment: Assignment) -> Mapping[str, Any]:
    pages = assignment.pages.prefetch_related("questions")
    return {"assignment": assignment, "pages": [(page, len(page.questions.all())) for page in pages]}


def _describe_courses(selection: Selection, place: Place) -> dict[str, Any]:
    courses = list_courses_with_counts(selection)
    if place.text:
        courses = courses.filter(title__icontains=place.text)
    page = Paginator(courses, COURSES_SHOWN).get_page(place.page)
    return {"page_obj": page, "courses": list(page), "is_empty": not place.text and not page.paginator.count}


def _group(page: Page[Assignment]) -> list[Group]:
    groups: list[Group] = []
    for assignment in page:
        if not groups or groups[-1].module.pk != assignment.module_id:
            groups.append(Group(assignment.course, assignment.module))
        groups[-1].rows.append(assignment)
    return groups
