"""A course's grades as the LMS holds them: what differs, and the teacher's decision about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from courseway.courses.access import CourseAccess
from courseway.grades.access import list_deliveries_to_teach
from courseway.grades.models import Delivery, ResultCheck
from courseway.grades.reasons import Reason, explain
from courseway.grades.reconcile import keep_lms_grades, send_ours
from courseway.grades.result_checks import ask_for_checks
from courseway.grades.result_reading import can_read
from courseway.grades.retry import HELD_CODES
from courseway.lms.models import ResourceLink

PER_PAGE = 50
LINKS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A link of the course and what became of reading its grades back."""

    link: ResourceLink
    check: ResultCheck | None
    can_read: bool

    @property
    def is_pending(self) -> bool:
        return self.check is not None and self.check.asked_at is not None

    @property
    def reason(self) -> Reason | None:
        return explain(self.check.last_error_code) if self.check and self.check.last_error_code else None


@require_safe
def show_lms_grades(request: HttpRequest, course_id: str) -> HttpResponse:
    access, deliveries = list_deliveries_to_teach(request, course_id)
    related = ("person", "assignment", "platform", "resource_link__context")
    differing = _differing(deliveries).select_related(*related)
    page = Paginator(differing.order_by("assignment__title", "person__name", "pk"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    return render(request, "grades/lms_grades.html", {**_describe(access, deliveries), "page_obj": page})


@require_safe
def show_checks(request: HttpRequest, course_id: str) -> HttpResponse:
    """The links alone, for a page that looks again until all were read."""
    access, deliveries = list_deliveries_to_teach(request, course_id)
    words = _describe(access, deliveries)
    response = render(request, "grades/lms_grades_checks.html", words)
    if not words["is_pending"]:
        response["HX-Refresh"] = "true"  # now the differences are known
    return response


@require_POST
def compare_now(request: HttpRequest, course_id: str) -> HttpResponse:
    _access, deliveries = list_deliveries_to_teach(request, course_id)
    readable = [line.link for line in _list_lines(deliveries) if line.can_read]
    if readable:
        ask_for_checks(readable, now=timezone.now())
    else:
        messages.warning(request, _("There is no LMS here whose grades could be read."))
    return redirect("grades_course:lms_grades", course_id)


@require_POST
def decide(request: HttpRequest, course_id: str) -> HttpResponse:
    """Send ours, or keep the LMS's, for the rows that were ticked or for all."""
    _access, deliveries = list_deliveries_to_teach(request, course_id)
    action, now = request.POST.get("action", ""), timezone.now()
    if "all" not in request.POST:
        chosen = [number for number in request.POST.getlist("delivery") if number.isdecimal()]
        deliveries = deliveries.filter(pk__in=chosen)
    if action == "send":
        number = send_ours(deliveries, now=now)
        text = ngettext("%(n)d grade is sent again.", "%(n)d grades are sent again.", number)
    elif action == "keep":
        number = keep_lms_grades(deliveries, now=now)
        text = ngettext("%(n)d grade of the LMS stays.", "%(n)d grades of the LMS stay.", number)
    else:
        raise BadRequest("unknown action")
    if number:
        messages.success(request, text % {"n": number})
    else:
        messages.warning(request, _("Nothing was chosen, so nothing was changed."))
    return redirect("grades_course:lms_grades", course_id)


def _differing(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.filter(state=Delivery.State.NEEDS_TEACHER, last_error_code__in=HELD_CODES)


def _list_lines(deliveries: QuerySet[Delivery]) -> list[Line]:
    links = ResourceLink.objects.select_related("context", "assignment", "deployment__platform", "result_check").filter(
        pk__in=deliveries.order_by().values("resource_link")
    )
    return [
        Line(link, getattr(link, "result_check", None), can_read(link))
        for link in links.order_by("assignment__title", "pk")[:LINKS_SHOWN]
    ]


def _describe(access: CourseAccess, deliveries: QuerySet[Delivery]) -> dict[str, Any]:
    lines = _list_lines(deliveries)
    return {
        "access": access,
        "lines": lines,
        "is_pending": any(line.is_pending for line in lines),
        "can_compare": any(line.can_read for line in lines),
    }
