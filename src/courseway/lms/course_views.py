"""A teacher's pages of a course that show what the LMS has to do with it: the list, the overview, the LTI/LMS tab."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from courseway.courses.access import (
    CourseAccess,
    get_course_to_edit,
    get_course_to_teach,
    list_courses_to_teach,
    list_organizations_to_teach,
)
from courseway.courses.models import Assignment, Course, Module
from courseway.lms.addresses import assignment_url
from courseway.lms.connections import list_connections, list_with_activity, say_rule
from courseway.lms.course_forms import CourseLtiForm
from courseway.orgs.access import sign_in_required
from courseway.orgs.models import Member
from courseway.orgs.visitor import visitor_of

COURSES_SHOWN = 50
ASSIGNMENTS_SHOWN = 100
CONNECTIONS_SHOWN = 50
COURSE_ORDERS = {"activity": ("-active_at", "-pk"), "title": ("title", "pk"), "students": ("-student_count", "title")}


class ReleaseCompleted(Protocol):
    """`learning.scoring.release_completed`, handed in from above: this room knows no submissions."""

    def __call__(self, course: Course, *, now: datetime) -> int: ...


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
    words = {
        "access": access,
        "page_obj": page,
        "search": search,
        "modules": _group_by_module(access.course, page, shows_empty_modules=not search),
    }
    return render(request, "lms/overview.html", words)


@require_http_methods(["GET", "POST"])
def show_lti(request: HttpRequest, course_id: str, release_completed: ReleaseCompleted) -> HttpResponse:
    """The LTI/LMS tab: settings, which only those may save who may edit the course, and connections."""
    if request.method == "POST":
        access = get_course_to_edit(request, course_id)
        form = CourseLtiForm(request.POST, course=access.course)
        if form.is_valid() and _save_settings(request, form, release_completed):
            return redirect("lms_course:lti", course_id)
    else:
        access = get_course_to_teach(request, course_id)
        form = CourseLtiForm(course=access.course)
    page = Paginator(list_connections(access.course), CONNECTIONS_SHOWN).get_page(request.GET.get("page"))
    words = {
        "access": access,
        "form": form,
        "page_obj": page,
        "connections": [(connection, say_rule(connection.rule)) for connection in page],
        "is_owner": _is_owner(request, access),
    }
    return render(request, "lms/course_lti.html", words, status=400 if form.errors else 200)


@transaction.atomic
def _save_settings(request: HttpRequest, form: CourseLtiForm, release_completed: ReleaseCompleted) -> bool:
    changed = form.save()
    if changed is None:
        return False
    released = 0
    if "release_grades_automatically" in changed and form.course.release_grades_automatically:
        released = release_completed(form.course, now=timezone.now())
    text = _("Saved.") if changed else _("Nothing was changed.")
    if released:
        text += " " + ngettext("%(n)d grade was released.", "%(n)d grades were released.", released) % {"n": released}
    messages.success(request, text)
    return True


def _group_by_module(course: Course, page: Page[Assignment], *, shows_empty_modules: bool) -> list[ModuleRows]:
    groups: dict[int, ModuleRows] = {}
    if shows_empty_modules and not page.has_other_pages():
        groups = {module.pk: ModuleRows(module) for module in course.modules.all()}
    for assignment in page:
        group = groups.setdefault(assignment.module_id, ModuleRows(assignment.module))
        group.rows.append(AssignmentRow(assignment, assignment_url(assignment)))
    return list(groups.values())


def _is_owner(request: HttpRequest, access: CourseAccess) -> bool:
    account = visitor_of(request).account
    return (
        account is not None
        and Member.objects.filter(
            organization=access.course.organization_id, account=account, role=Member.Role.OWNER
        ).exists()
    )
