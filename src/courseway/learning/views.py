"""The pages of somebody who studies: the way in, what there is to do, and what became of it."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from courseway.courses.access import get_course_to_see, list_courses_to_teach
from courseway.courses.models import Course, Role
from courseway.learning.access import check_course_is_open, list_my_courses
from courseway.learning.progress import CourseWork, list_course_work
from courseway.orgs.access import list_my_organizations
from courseway.orgs.models import Member, Person
from courseway.orgs.visitor import visitor_of


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Each visitor's own first page."""
    visitor = visitor_of(request)
    if visitor.launch is not None:
        if visitor.launch.assignment_public_id:
            return redirect("learning:assignment", visitor.launch.assignment_public_id)
        return redirect("learning:dashboard")
    if visitor.account is None:
        return render(request, "home.html")
    makes_courses = list_my_organizations(request).filter(
        members__account=visitor.account, members__role__in=(Member.Role.OWNER, Member.Role.TEACHER)
    )
    if makes_courses.exists() or list_courses_to_teach(request).exists():
        return redirect("courses:list")
    return redirect("learning:dashboard")


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What do I have to do, by when, and what did I get?"""
    visitor = visitor_of(request)
    if not visitor.is_known:
        return redirect("account_login")
    every = _list_work(request, list_my_courses(request))
    words = {
        "works": [work for work in every if work.course.archived_at is None],
        # Over: grades can still be read, nothing can be opened (`check_course_is_open`).
        "archived": [work for work in every if work.course.archived_at is not None],
    }
    return render(request, "learning/dashboard.html", words)


@require_safe
def course(request: HttpRequest, course_id: str) -> HttpResponse:
    """One course of the dashboard."""
    access = get_course_to_see(request, course_id)
    if access.role != Role.STUDENT:
        return redirect("learning_course:gradebook", course_id)
    check_course_is_open(access.course)
    if access.person is None:
        raise PermissionDenied(_("You are not a student of this course."))
    (work,) = _list_work(request, [(access.course, access.person)])
    return render(request, "learning/course.html", {"access": access, "work": work})


def _list_work(request: HttpRequest, courses: list[tuple[Course, Person]]) -> list[CourseWork]:
    launch = visitor_of(request).launch
    launched = launch.assignment_public_id if launch else ""
    return list_course_work(courses, launched_assignment=launched, now=timezone.now())
