"""A teacher's pages of courses that show what the LMS has to do with them: the list and the overview."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from courseway.courses.access import (
    get_course_to_teach,
    list_courses_to_teach,
    list_organizations_to_teach,
)
from courseway.courses.models import Assignment, Course, Module
from courseway.lms.addresses import custom_parameters, integration_url
from courseway.lms.assignment_urls import write_parameters
from courseway.lms.connections import describe_origin, list_with_activity
from courseway.orgs.access import sign_in_required

COURSES_SHOWN = 50
ASSIGNMENTS_SHOWN = 100
COURSE_ORDERS = {"activity": ("-active_at", "-pk"), "title": ("title", "pk"), "students": ("-student_count", "title")}


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    assignment: Assignment
    url: str


@dataclass(slots=True)
class ModuleRows:
    module: Module
    rows: list[AssignmentRow] = field(default_factory=list)


@sign_in_required
@require_safe
def list_courses(request: HttpRequest) -> HttpResponse:
    """My courses as a teacher, by last activity."""
    search, order = request.GET.get("q", "").strip()[:100], request.GET.get("sort", "")
    order = order if order in COURSE_ORDERS else "activity"
    # By primary key, since the joins of the rights would count things twice.
    mine = Course.objects.filter(pk__in=list_courses_to_teach(request).values("pk"))
    if search:
        mine = mine.filter(title__icontains=search.replace("\x00", ""))
    courses = list_with_activity(mine.select_related("organization")).order_by(*COURSE_ORDERS[order])
    page = Paginator(courses, COURSES_SHOWN).get_page(request.GET.get("page"))
    organizations = list(list_organizations_to_teach(request))
    words = {
        "page_obj": page,
        "search": search,
        "order": order,
        "may_import": bool(organizations),
        "shows_organization": len({course.organization_id for course in page}) > 1,
    }
    return render(request, "lms/courses.html", words)


@require_safe
def show_overview(request: HttpRequest, course_id: str) -> HttpResponse:
    """Modules and assignments, each with its LTI integration URL."""
    access = get_course_to_teach(request, course_id)
    search = request.GET.get("q", "").strip()[:100].replace("\x00", "")
    assignments = Assignment.objects.filter(course=access.course, deleted_at=None).select_related("module")
    if search:
        assignments = assignments.filter(title__icontains=search)
    page = Paginator(assignments, ASSIGNMENTS_SHOWN).get_page(request.GET.get("page"))
    custom = custom_parameters(access.course) if access.course.constant_urls else {}
    words = {
        "access": access,
        "origin": describe_origin(access.course),
        "page_obj": page,
        "search": search,
        "modules": _group_by_module(access.course, page, shows_empty_modules=not search),
        "parameters": write_parameters(custom),
        # Several need several lines; one is a field of one line.
        "parameter_rows": len(custom) if len(custom) > 1 else 0,
    }
    return render(request, "lms/overview.html", words)


def _group_by_module(course: Course, page: Page[Assignment], *, shows_empty_modules: bool) -> list[ModuleRows]:
    groups: dict[int, ModuleRows] = {}
    if shows_empty_modules and not page.has_other_pages():
        groups = {module.pk: ModuleRows(module) for module in course.modules.all()}
    for assignment in page:
        group = groups.setdefault(assignment.module_id, ModuleRows(assignment.module))
        group.rows.append(AssignmentRow(assignment, integration_url(assignment, course)))
    return list(groups.values())
