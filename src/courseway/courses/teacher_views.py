"""Who teaches a course, and how much of it: a yes for those whom an LMS course brought (C5)."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from courseway.courses.access import get_course_to_edit
from courseway.courses.models import Enrollment, Role


@require_safe
def show_teachers(request: HttpRequest, course_id: str) -> HttpResponse:
    access = get_course_to_edit(request, course_id)
    order = Case(When(role=Role.TEACHER, then=Value(0)), default=Value(1))
    found = access.course.enrollments.filter(role__in=(Role.TEACHER, Role.MENTOR), active=True)
    teachers = found.select_related("person").order_by(order, "-covers_whole_course", "person__name", "pk")
    return render(request, "courses/teachers.html", {"access": access, "enrollments": teachers})


@require_POST
def change_teacher(request: HttpRequest, course_id: str, person_id: str) -> HttpResponse:
    """`whole=true` lets a teacher edit the course and see all its people, `whole=false` takes that back."""
    access = get_course_to_edit(request, course_id)
    teachers = Enrollment.objects.select_related("person").filter(course=access.course, role=Role.TEACHER, active=True)
    teacher = teachers.filter(person__public_id=person_id).first()
    if teacher is None:
        raise PermissionDenied(_("This teacher does not exist, or does not teach this course."))
    if access.person is not None and teacher.person_id == access.person.pk:
        raise PermissionDenied(_("Your own rights are changed by another teacher of the course, or by an owner."))
    teacher.covers_whole_course = request.POST.get("whole") == "true"
    teacher.save(update_fields=["covers_whole_course"])
    name = {"name": teacher.person.shown_name}
    if teacher.covers_whole_course:
        messages.success(request, _("%(name)s may edit the course now, and sees all its students.") % name)
    else:
        messages.success(request, _("%(name)s sees the students of the own LMS courses now, and edits nothing.") % name)
    return redirect("courses:teachers", course_id)
