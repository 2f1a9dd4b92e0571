"""The pages of those who oversee work: gradebook, the results of an assignment, one student's result.

Teachers act here (grading_views holds what their buttons do), mentors read the same. Whose work is shown is decided
by `lms.access.list_learners` alone.
"""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from courseway.courses.access import CourseAccess, get_course_to_oversee
from courseway.courses.models import Assignment, Enrollment
from courseway.grades.models import Delivery, DeliveryTry
from courseway.learning.access import get_learner_to_oversee, get_results_to_grade, get_results_to_oversee
from courseway.learning.feedback_links import feedback_url
from courseway.learning.forms import ExtensionForm, GradeForm, PointsForm
from courseway.learning.gradebook import (
    ASSIGNMENTS_ON_PAGE,
    FILTERS,
    STUDENTS_ON_PAGE,
    build_columns,
    build_rows,
    find_learners,
    list_columns,
    list_modules,
)
from courseway.learning.gradebook_csv import list_gradebook_heads, list_gradebook_rows
from courseway.learning.lateness import Dues
from courseway.learning.models import Attempt, Submission
from courseway.learning.progress import delivery_word, work_state
from courseway.learning.scoring import has_attempt_left
from courseway.learning.templatetags.work import as_plain, as_points
from courseway.learning.work_pages import PageView, build_pages, find_page
from courseway.lms.access import list_learners
from courseway.lms.due_dates import list_link_dates
from courseway.lms.sections import list_divisions
from courseway.orgs.visitor import visitor_of
from courseway.spreadsheets import csv_download

TRIES_SHOWN = 20


@require_safe
def gradebook(request: HttpRequest, course_id: str) -> HttpResponse:
    """Students × assignments: grade, work, release and delivery in each cell."""
    access = get_course_to_oversee(request, course_id)
    learners = list_learners(access, visitor_of(request))
    module = request.GET.get("module", "")
    assignment_page = Paginator(list_columns(access.course, module), ASSIGNMENTS_ON_PAGE).get_page(
        request.GET.get("columns")
    )
    assignments = list(assignment_page)
    found = find_learners(access.course, learners, assignments, **_asked(request))
    student_page = Paginator(found, STUDENTS_ON_PAGE).get_page(request.GET.get("page"))
    context = {
        "access": access,
        "module": module,
        "modules": list_modules(access.course),
        "columns": build_columns(assignments, learners) if access.can_grade else build_columns(assignments, found),
        "assignment_page": assignment_page,
        "page_obj": student_page,
        "rows": build_rows(list(student_page), assignments),
        "filters": FILTERS.items(),
        "divisions": list_divisions(access.course, learners),
        "asked": _asked(request),
        "back_to": "gradebook",
    }
    return render(request, "learning/gradebook.html", context)


@require_safe
def download_gradebook(request: HttpRequest, course_id: str) -> HttpResponseBase:
    """The whole gradebook that the page's filters find, as CSV."""
    access = get_course_to_oversee(request, course_id)
    assignments = list(list_columns(access.course, request.GET.get("module", "")))
    learners = find_learners(access.course, list_learners(access, visitor_of(request)), assignments, **_asked(request))
    heads, rows = list_gradebook_heads(assignments), list_gradebook_rows(learners, assignments)
    return csv_download(f"gradebook-{access.course.public_id}", heads, rows)


@require_safe
def results(request: HttpRequest, course_id: str, assignment_id: str) -> HttpResponse:
    """One assignment: each student's state, attempts, grade and delivery."""
    access, assignment = get_results_to_oversee(request, course_id, assignment_id)
    return show_results(request, access, assignment)


def show_results(request: HttpRequest, access: CourseAccess, assignment: Assignment) -> HttpResponse:
    """The results of an assignment; also where the launch of a teacher or mentor lands."""
    learners = list_learners(access, visitor_of(request))
    found = find_learners(access.course, learners, [assignment], **_asked(request))
    student_page = Paginator(found, STUDENTS_ON_PAGE).get_page(request.GET.get("page"))
    (column,) = build_columns([assignment], learners)
    context = {
        "access": access,
        "assignment": assignment,
        "column": column,
        "lms_dates": list_link_dates(assignment),
        "page_obj": student_page,
        "cells": [row.cells[0] for row in build_rows(list(student_page), [assignment])],
        "filters": FILTERS.items(),
        "divisions": list_divisions(access.course, learners),
        "asked": _asked(request),
        "back_to": "results",
    }
    return render(request, "learning/results.html", context)


@require_safe
def result(request: HttpRequest, course_id: str, assignment_id: str, person_id: str) -> HttpResponse:
    """One student's work: attempts, answers, grade, and every try to deliver it."""
    access, assignment, learner = get_learner_to_oversee(request, course_id, assignment_id, person_id)
    return show_result(request, access, assignment, learner)


def show_result(
    request: HttpRequest,
    access: CourseAccess,
    assignment: Assignment,
    learner: Enrollment,
    *,
    form: GradeForm | None = None,
    extension_form: ExtensionForm | None = None,
    points_form: PointsForm | None = None,
    attempt_number: int | None = None,
) -> HttpResponse:
    """The result page; with one of the forms, the refused one as it was typed."""
    person = learner.person
    submission = Submission.objects.filter(assignment=assignment, person=person).first()
    attempts = list(submission.attempts.order_by("-number")) if submission else []
    chosen = str(attempt_number) if attempt_number else request.GET.get("attempt", "")
    attempt = next((a for a in attempts if str(a.number) == chosen), None) or next(
        (a for a in attempts if a.submitted_at), attempts[0] if attempts else None
    )
    deliveries = list(
        Delivery.objects.filter(assignment=assignment, person=person)
        .select_related("platform", "resource_link", "resource_link__context")
        .prefetch_related(Prefetch("attempts_made", DeliveryTry.objects.order_by("-pk")))
        .order_by("pk")
    )
    due = Dues([assignment], [person.pk]).of(assignment, person.pk)
    extended_to = due.extended_to
    pages = build_pages(assignment, attempt) if attempt else []
    is_refused = bool(form or extension_form or points_form)
    if points_form is None and attempt is not None and attempt.submitted_at is not None:
        points_form = make_points_form(pages, attempt)
    context: dict[str, Any] = {
        "access": access,
        "assignment": assignment,
        "learner": learner,
        "points_form": points_form,
        "next_to_grade": find_next_to_grade(request, access, assignment, learner),
        "person": person,
        "submission": submission,
        "state": work_state(submission, for_student=False),
        "percent": submission.final_percent() if submission else None,
        "score": submission.final_score(assignment.points) if submission else None,
        "attempts": attempts,
        "attempt": attempt,
        "pages": pages,
        "may_try_again": has_attempt_left(assignment, len(attempts)),
        "deliveries": [(delivery, list(delivery.attempts_made.all())[:TRIES_SHOWN]) for delivery in deliveries],
        "delivery": delivery_word(deliveries),
        "form": form or GradeForm(initial=GradeForm.initial_of(submission)),
        "extended_to": extended_to,
        "due_at": due.at,
        "lms_date": due.lms,
        "extension_form": extension_form or ExtensionForm(initial={"due_at": extended_to}, others_due_at=due.others_at),
        "feedback_url": feedback_url(submission, access.course) if submission else "",
    }
    return render(request, "learning/person_result.html", context, status=422 if is_refused else 200)


def make_points_form(pages: list[PageView], attempt: Attempt, data: QueryDict | None = None) -> PointsForm | None:
    """The form for what a teacher grades in this attempt; None where a program graded everything."""
    asked = [
        (
            question.question.key,
            f"{question.number} · {as_plain(question.question.text)}",
            question.question.points,
            "" if question.waits else as_points(question.points),
        )
        for page in pages
        for question in page.questions
        if question.is_by_hand and question.is_answered
    ]
    return PointsForm(data, asked=asked, number=attempt.number) if asked else None


def find_next_to_grade(
    request: HttpRequest, access: CourseAccess, assignment: Assignment, learner: Enrollment
) -> Enrollment | None:
    """The next student, in the order of the list, whose work waits for a grade or its release; then from the top."""
    if not access.can_grade:
        return None
    learners = list_learners(access, visitor_of(request)).exclude(pk=learner.pk)
    waiting = find_learners(access.course, learners, [assignment], state="to_grade")
    person = learner.person
    after = Q(person__name__gt=person.name) | Q(person__name=person.name, person__email__gt=person.email)
    return waiting.filter(after).first() or waiting.first()


@require_safe
def preview(request: HttpRequest, course_id: str, assignment_id: str) -> HttpResponse:
    """What students will see; answers can be tried but go nowhere."""
    access, assignment = get_results_to_grade(request, course_id, assignment_id)
    pages = build_pages(assignment, None)
    context = {
        "access": access,
        "assignment": assignment,
        "pages": pages,
        "opened": find_page(pages, request.GET.get("page", "")),
        "question_count": sum(len(page.questions) for page in pages),
        "answered_count": 0,
    }
    return render(request, "learning/preview.html", context)


def _asked(request: HttpRequest) -> dict[str, str]:
    return {
        "search": request.GET.get("q", "")[:200],
        "state": request.GET.get("state", ""),
        "part": request.GET.get("part", "")[:40],
        "sort": request.GET.get("sort", ""),
    }
