"""Pages of a course that need nothing but the course: import, settings, publish, the course as text."""

from __future__ import annotations

import io

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from courseway.courses.access import get_assignment, get_course_to_edit, list_organizations_to_teach
from courseway.courses.copying import copy_assignment, copy_course_by_hand
from courseway.courses.exporting import export_course_to_zip
from courseway.courses.forms import CourseForm, ImportForm
from courseway.courses.importing import import_course
from courseway.courses.models import Course
from courseway.courses.teachers import person_of_account
from courseway.orgs.access import sign_in_required
from courseway.orgs.visitor import visitor_of


@sign_in_required
@require_http_methods(["GET", "POST"])
def import_from_text(request: HttpRequest) -> HttpResponse:
    """A new course from a YAML file, a zip of a folder, or typed text; the account becomes its teacher."""
    organizations = list_organizations_to_teach(request)
    if not organizations:
        raise PermissionDenied(_("Owners and teachers of an organization may make courses. Ask an owner to let you."))
    form = ImportForm(request.POST or None, request.FILES or None, organizations=organizations)
    if request.method == "POST" and form.is_valid() and form.parsed is not None:
        course = _import_as_teacher(request, form)
        _say_imported(request, course, form.parsed.assignment_count)
        return redirect("courses:overview", course.public_id)
    words = {"form": form, "has_one_organization": len(organizations) == 1}
    return render(request, "courses/import.html", words, status=400 if form.errors else 200)


@transaction.atomic
def _import_as_teacher(request: HttpRequest, form: ImportForm) -> Course:
    account, organization = visitor_of(request).account, form.cleaned_data["organization"]
    if account is None or form.parsed is None:
        raise PermissionDenied
    teacher = person_of_account(organization, account)
    return import_course(form.parsed, organization=organization, teacher=teacher, now=timezone.now())


def _say_imported(request: HttpRequest, course: Course, count: int) -> None:
    text = ngettext(
        "“%(title)s” is here with %(n)d assignment. Next, connect it to your LMS on the tab LTI/LMS.",
        "“%(title)s” is here with %(n)d assignments. Next, connect it to your LMS on the tab LTI/LMS.",
        count,
    )
    messages.success(request, text % {"title": course.title, "n": count})


@require_http_methods(["GET", "POST"])
def show_settings(request: HttpRequest, course_id: str) -> HttpResponse:
    access = get_course_to_edit(request, course_id)
    form = CourseForm(request.POST or None, instance=Course.objects.get(pk=access.course.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("courses:settings", course_id)
    is_maker = list_organizations_to_teach(request).filter(pk=access.course.organization_id).exists()
    words = {"access": access, "form": form, "may_copy": is_maker}
    return render(request, "courses/settings.html", words, status=400 if form.errors else 200)


@require_POST
def copy(request: HttpRequest, course_id: str) -> HttpResponse:
    """A course of its own with all that is taught in this one; the account becomes its teacher."""
    access, account = get_course_to_edit(request, course_id), visitor_of(request).account
    organization = list_organizations_to_teach(request).filter(pk=access.course.organization_id).first()
    if account is None or organization is None:
        raise PermissionDenied(_("Owners and teachers of an organization may make courses. Ask an owner to let you."))
    teacher, title = person_of_account(organization, account), request.POST.get("title", "").replace("\x00", "")
    child = copy_course_by_hand(access.course, title=title, teacher=teacher, now=timezone.now())
    messages.success(
        request, _("This is the copy. Its constant URLs are those of “%(parent)s”.") % {"parent": access.course.title}
    )
    return redirect("courses:overview", child.public_id)


@require_POST
def publish(request: HttpRequest, course_id: str, assignment_id: str) -> HttpResponse:
    """Shows an assignment to students (`published=true`) or hides it."""
    access = get_course_to_edit(request, course_id)
    assignment = get_assignment(access, assignment_id)
    assignment.published = request.POST.get("published") == "true"
    assignment.save(update_fields=["published"])
    if assignment.published:
        messages.success(request, _("“%(title)s” is published.") % {"title": assignment.title})
    else:
        messages.success(
            request, _("“%(title)s” is hidden from students. Work and grades are kept.") % {"title": assignment.title}
        )
    return redirect(reverse("courses:overview", args=[course_id]) + f"#{assignment.public_id}")


@require_POST
def copy_one(request: HttpRequest, course_id: str, assignment_id: str) -> HttpResponse:
    """An assignment once more, not published yet."""
    access = get_course_to_edit(request, course_id)
    copied = copy_assignment(get_assignment(access, assignment_id))
    messages.success(
        request, _("“%(title)s” is the copy. Students see it once it is published.") % {"title": copied.title}
    )
    return redirect(reverse("courses:overview", args=[course_id]) + f"#{copied.public_id}")


@require_safe
def download(request: HttpRequest, course_id: str) -> HttpResponse:
    """The course as a zip of its folder of text, which imports again as it is."""
    access = get_course_to_edit(request, course_id)
    buffer = io.BytesIO()
    export_course_to_zip(access.course, buffer)
    headers = {"Content-Disposition": f'attachment; filename="course-{access.course.public_id}.zip"'}
    return HttpResponse(buffer.getvalue(), content_type="application/zip", headers=headers)
