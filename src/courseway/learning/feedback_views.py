"""One submission, to be read: for whoever has its link, and for a teacher whom the LMS sent to look at it."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from courseway.courses.access import get_course_to_see
from courseway.courses.models import Assignment, Role
from courseway.learning.access import get_upload_to_read
from courseway.learning.feedback_links import find_shared
from courseway.learning.models import Submission
from courseway.learning.progress import work_state
from courseway.learning.uploads import send_file
from courseway.learning.work_pages import build_pages
from courseway.lms.access import list_learners
from courseway.orgs.models import Person
from courseway.orgs.visitor import visitor_of


@require_safe
def submission(request: HttpRequest, public_id: str) -> HttpResponse:
    """The private address that goes with a grade: to the student's own feedback, or to the teacher's view of it."""
    visitor = visitor_of(request)
    if not visitor.is_known:
        return redirect_to_login(request.get_full_path())
    found = Submission.objects.select_related("assignment__course", "person").filter(public_id=public_id).first()
    if found is not None:
        access = get_course_to_see(request, found.assignment.course.public_id)
        if access.role == Role.STUDENT and access.person == found.person:
            return redirect("learning:feedback", found.assignment.public_id)
        if list_learners(access, visitor).filter(person=found.person).exists():
            address = (access.course.public_id, found.assignment.public_id, found.person.public_id)
            return redirect("learning_course:result", *address)
    raise PermissionDenied(_("This work does not exist, or is not one that you may see."))


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """The feedback on one submission, without signing in, as long as the course provides such links."""
    found = find_shared(token)
    if found is None:
        return _unfindable(render(request, "learning/shared_over.html", status=404))
    return _show(request, found.assignment, found.person, found, shows_grade=found.is_grade_visible)


@require_safe
def download_file(request: HttpRequest, upload: str) -> FileResponse:
    """A file that was handed in, to be saved."""
    return send_file(get_upload_to_read(request, upload))


@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """The one submission that the LMS opened for a teacher: read, whatever its state, and nothing else."""
    visit = visitor_of(request).launch
    if visit is None or not visit.reviewed_person_id:
        raise PermissionDenied(_("This page opens from an LMS only."))
    work = Submission.objects.filter(assignment__public_id=visit.assignment_public_id, person=visit.reviewed_person_id)
    found = work.select_related("person", "assignment__course").first()
    if found is not None:
        return _show(request, found.assignment, found.person, found, shows_grade=True, opens_files=True)
    assignment = Assignment.objects.select_related("course").get(public_id=visit.assignment_public_id)
    return _show(request, assignment, Person.objects.get(pk=visit.reviewed_person_id), None, shows_grade=False)


def _show(
    request: HttpRequest,
    assignment: Assignment,
    person: Person,
    work: Submission | None,
    *,
    shows_grade: bool,
    opens_files: bool = False,
) -> HttpResponse:
    attempts = list(work.attempts.exclude(submitted_at=None).order_by("number")) if work is not None else []
    context = {
        "assignment": assignment,
        "person": person,
        "submission": work,
        "state": work_state(work, for_student=not shows_grade),
        "opens_files": opens_files,
        "shows_grade": shows_grade and work is not None and work.is_graded,
        "percent": work.final_percent() if work is not None else None,
        "score": work.final_score(assignment.points) if work is not None else None,
        "attempts": attempts,
        "pages": build_pages(assignment, attempts[-1]) if attempts else [],
    }
    return _unfindable(render(request, "learning/shared.html", context))


def _unfindable(response: HttpResponse) -> HttpResponse:
    """No search engine lists the page, no other site learns its address, nothing keeps it."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store, private"
    return response
