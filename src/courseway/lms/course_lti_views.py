"""A course's tab LTI/LMS: its settings, the LMS courses that it is connected to, and what can be taken to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from courseway.courses.access import CourseAccess, get_course_to_edit, get_course_to_teach
from courseway.courses.models import Course
from courseway.lms.addresses import enroll_url
from courseway.lms.assignment_urls import HEADS, list_url_rows
from courseway.lms.cartridges import (
    IMPORT_STEPS,
    LINK_FORMATS,
    PROFILES,
    CartridgeChoiceError,
    export_cartridge,
)
from courseway.lms.connections import count_to_review, describe_origin, list_connections, list_proposed_urls
from courseway.lms.course_forms import CourseLtiForm
from courseway.lms.settings_questions import GradeCounts, Question, list_questions
from courseway.orgs.models import Member
from courseway.orgs.visitor import visitor_of
from courseway.spreadsheets import csv_download

CONNECTIONS_SHOWN = 50


class ChangeGrades(Protocol):
    """Something to be done with the grades of a course; the number of them."""

    def __call__(self, course: Course, *, now: datetime) -> int: ...


class CountGrades(Protocol):
    def __call__(self, course: Course) -> GradeCounts: ...


@dataclass(frozen=True, slots=True)
class GradesOfCourses:
    """What settings mean for grades; handed in from above, since this room knows none.

    `release_completed` releases what is completed, `owe_newest` sends what was held back, `count` counts.
    """

    release_completed: ChangeGrades
    owe_newest: ChangeGrades
    count: CountGrades


@require_http_methods(["GET", "POST"])
def show_lti(request: HttpRequest, course_id: str, grades: GradesOfCourses) -> HttpResponse:
    """The LTI/LMS tab: settings, which only those may save who may edit the course, and connections."""
    questions: list[Question] = []
    if request.method == "POST":
        access = get_course_to_edit(request, course_id)
        form = CourseLtiForm(request.POST, course=access.course)
        if form.is_valid():
            questions = form.list_unconfirmed(list_questions(access.course, form.wished, grades.count(access.course)))
            if questions:
                form.ask(list_questions(access.course, form.wished, GradeCounts()))
            elif _save_settings(request, form, grades):
                return redirect("lms_course:lti", course_id)
    else:
        access = get_course_to_teach(request, course_id)
        form = CourseLtiForm(course=access.course)
    words = _describe(request, access, form, questions)
    return render(request, "lms/course_lti.html", words, status=400 if form.errors else 200)


def _describe(
    request: HttpRequest, access: CourseAccess, form: CourseLtiForm, questions: Sequence[Question]
) -> dict[str, Any]:
    proposals = [] if access.course.lms_url else list_proposed_urls(access.course)
    if not form.is_bound:
        form.propose(request.GET.get("proposed", ""), proposals)
    page = Paginator(list_connections(access.course), CONNECTIONS_SHOWN).get_page(request.GET.get("page"))
    return {
        "access": access,
        "form": form,
        "questions": questions,
        "page_obj": page,
        "to_review": count_to_review(access.course),
        "origin": describe_origin(access.course),
        "proposals": proposals,
        "enroll_url": enroll_url(access.course),
        "published_count": access.course.assignments.filter(deleted_at=None, published=True).count(),
        "profiles": [(name, words) for name, (_profile, words) in PROFILES.items()],
        "link_formats": [(name, words) for name, (_format, words) in LINK_FORMATS.items()],
        "import_steps": IMPORT_STEPS,
        "is_owner": _is_owner(request, access),
    }


@transaction.atomic
def _save_settings(request: HttpRequest, form: CourseLtiForm, grades: GradesOfCourses) -> bool:
    changed = form.save()
    if changed is None:
        return False
    course, now = form.course, timezone.now()
    said = [_("Saved.") if changed else _("Nothing was changed.")]
    if "enroll_only" in changed and not course.enroll_only:
        number = grades.owe_newest(course, now=now)
        if number:
            text = ngettext("%(n)d grade goes to the LMS now.", "%(n)d grades go to the LMS now.", number)
            said.append(text % {"n": number})
    if "release_grades_automatically" in changed and course.release_grades_automatically:
        number = grades.release_completed(course, now=now)
        if number:
            text = ngettext("%(n)d grade was released.", "%(n)d grades were released.", number)
            said.append(text % {"n": number})
    messages.success(request, " ".join(said))
    return True


@require_safe
def download_urls(request: HttpRequest, course_id: str) -> HttpResponseBase:
    """Assignment URLs: one line for each published assignment."""
    access = get_course_to_teach(request, course_id)
    return csv_download(f"assignment-urls-{access.course.public_id}", HEADS, list_url_rows(access.course))


@require_safe
def download_cartridge(request: HttpRequest, course_id: str) -> HttpResponse:
    """Common Cartridge: the course's links as a file that an LMS imports."""
    access = get_course_to_teach(request, course_id)
    profile, link_format = request.GET.get("profile", "1.3"), request.GET.get("links", "1.0")
    try:
        cartridge = export_cartridge(access.course, profile=profile, link_format=link_format)
    except CartridgeChoiceError as error:
        messages.error(request, str(error))
        return redirect(reverse("lms_course:lti", args=[course_id]) + "#cartridge")
    headers = {"Content-Disposition": f'attachment; filename="{cartridge.file_name}"', "Cache-Control": "no-store"}
    return HttpResponse(cartridge.content, content_type="application/zip", headers=headers)


def _is_owner(request: HttpRequest, access: CourseAccess) -> bool:
    account = visitor_of(request).account
    return (
        account is not None
        and Member.objects.filter(
            organization=access.course.organization_id, account=account, role=Member.Role.OWNER
        ).exists()
    )
