"""What a teacher's buttons do: grade, complete, reopen, release, send again."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from courseway.courses.models import Assignment
from courseway.grades import outbox
from courseway.grades.models import Delivery
from courseway.learning.access import get_learner_to_grade, get_results_to_grade
from courseway.learning.forms import GradeForm
from courseway.learning.gradebook import PROBLEMS
from courseway.learning.hand_grading import grade_by_hand
from courseway.learning.models import Attempt
from courseway.learning.oversight_views import make_points_form, show_result
from courseway.learning.scoring import mark_completed, release, renew_feedback_link, reopen, set_grade
from courseway.learning.work_pages import build_pages, read_number
from courseway.lms.access import list_learners
from courseway.orgs.models import Person
from courseway.orgs.visitor import visitor_of


@require_POST
def act_on_all(request: HttpRequest, course_id: str, assignment_id: str) -> HttpResponse:
    """One action for all students of an assignment whose work the teacher may see."""
    access, assignment = get_results_to_grade(request, course_id, assignment_id)
    learners = list_learners(access, visitor_of(request)).order_by()
    persons = Person.objects.filter(pk__in=learners.values("person"))
    messages.success(request, _act(request.POST.get("action", ""), assignment, persons, timezone.now()))
    if request.POST.get("back_to") == "gradebook":
        return redirect("learning_course:gradebook", course_id)
    return redirect("learning_course:results", course_id, assignment_id)


@require_POST
def act_on_one(request: HttpRequest, course_id: str, assignment_id: str, person_id: str) -> HttpResponse:
    """One action for one student's work."""
    _access, assignment, learner = get_learner_to_grade(request, course_id, assignment_id, person_id)
    person, now, action = learner.person, timezone.now(), request.POST.get("action", "")
    if action == "complete":
        set_grade(assignment=assignment, person=person, percent=None, complete=True, now=now)
        messages.success(request, _("The work is completed."))
    elif action == "renew_link":
        renew_feedback_link(assignment, person, now=now)
        messages.success(request, _("The old link does not work any more."))
    elif action == "reopen":
        reopen(assignment, [person], now=now)
        messages.success(request, _("The work is open again. The grade stays until it is handed in once more."))
    else:
        persons = Person.objects.filter(pk=person.pk)
        messages.success(request, _act(action, assignment, persons, now, overwrites=True))
    return redirect("learning_course:result", course_id, assignment_id, person_id)


@require_POST
def grade(request: HttpRequest, course_id: str, assignment_id: str, person_id: str) -> HttpResponse:
    """A teacher's own grade and comment. It follows into the LMS when the grade was released."""
    access, assignment, learner = get_learner_to_grade(request, course_id, assignment_id, person_id)
    form = GradeForm(request.POST)
    if not form.is_valid():
        return show_result(request, access, assignment, learner, form=form)
    now, percent, comment = timezone.now(), form.cleaned_data["percent"], form.cleaned_data["comment"]
    submission = set_grade(
        assignment=assignment,
        person=learner.person,
        percent=percent,
        comment=comment,
        extra=form.cleaned_data["extra"],
        complete="complete" in request.POST,
        release="release" in request.POST,
        forget_override=True,
        now=now,
    )
    if submission.is_grade_visible:
        messages.success(request, _("Saved. The student sees it, and it is on its way to the LMS."))
    else:
        messages.success(request, _("Saved. The student sees it once the work is completed and the grade released."))
    return redirect("learning_course:result", course_id, assignment_id, person_id)


@require_POST
def points(request: HttpRequest, course_id: str, assignment_id: str, person_id: str) -> HttpResponse:
    """The points of questions that a teacher grades, in one attempt."""
    access, assignment, learner = get_learner_to_grade(request, course_id, assignment_id, person_id)
    handed_in = Attempt.objects.filter(submission__assignment=assignment, submission__person=learner.person)
    attempt = get_object_or_404(handed_in.exclude(submitted_at=None), number=read_number(request.POST) or 0)
    form = make_points_form(build_pages(assignment, attempt), attempt, request.POST)
    if form is None or not form.is_valid():
        return show_result(request, access, assignment, learner, points_form=form, attempt_number=attempt.number)
    submission = grade_by_hand(
        assignment=assignment,
        person=learner.person,
        number=attempt.number,
        points=form.cleaned_data,
        now=timezone.now(),
    )
    if submission.is_grade_visible:
        messages.success(request, _("Saved. The student sees it, and it is on its way to the LMS."))
    elif submission.awaits_grading:
        messages.success(request, _("Saved. The grade is there once all questions have their points."))
    else:
        messages.success(request, _("Saved. The student sees it once the work is completed and the grade released."))
    return redirect("learning_course:result", course_id, assignment_id, person_id)


def _act(
    action: str, assignment: Assignment, persons: QuerySet[Person], now: datetime, *, overwrites: bool = False
) -> str:
    """Does what the button says and returns the sentence that reports it.

    Sending many again leaves alone what somebody changed in the LMS; sending one `overwrites` that.
    """
    if action == "release":
        n = release(assignment, persons, now=now)
        return ngettext("%(n)d grade released.", "%(n)d grades released.", n) % {"n": n}
    if action == "complete":
        n = mark_completed(assignment, persons, now=now)
        return ngettext("%(n)d student's work completed.", "%(n)d students' work completed.", n) % {"n": n}
    if action in ("resend", "resend_failed"):
        deliveries = Delivery.objects.filter(assignment=assignment, person__in=persons)
        if action == "resend_failed":
            deliveries = deliveries.filter(state__in=PROBLEMS)
        n = outbox.resend(deliveries, now=now, overwrites=overwrites)
        return ngettext("%(n)d grade is sent again.", "%(n)d grades are sent again.", n) % {"n": n}
    raise BadRequest("unknown action")
