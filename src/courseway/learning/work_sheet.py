"""The page of a student's work, made once for all who see the same.

A class that opens an assignment on a Monday morning sees one page: only the address of each session and the proof
against forged requests differ. A `Sheet` is all that the page shows, and nothing else reaches its template, so that two
equal sheets are one page.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import get_script_prefix, set_script_prefix
from django.utils import timezone
from django.utils.translation import get_language

from courseway.learning.access import Work
from courseway.learning.models import Attempt
from courseway.learning.work_pages import PageView, fill_pages, find_page, has_files, lay_out, recall_content
from courseway.lms.due_dates import LmsDate
from courseway.lms.middleware import form_token, has_messages
from courseway.lms.sessions import HTML
from courseway.orgs.visitor import visitor_of

_TEMPLATE = "learning/work.html"
# Stand for what differs from session to session. Nobody outside of this process can know them, nor write them.
_PREFIX = f"/{secrets.token_hex(16)}/"
_TOKEN = secrets.token_hex(16)


class ShownAssignment(NamedTuple):
    pk: int
    public_id: str
    title: str
    points: Decimal
    attempts: int
    late_percent: Decimal
    late_per: str
    late_floor: Decimal


class ShownCourse(NamedTuple):
    public_id: str
    title: str


class ShownLaunch(NamedTuple):
    assignment_public_id: str
    role: str
    return_url: str
    lms_url: str


class Sheet(NamedTuple):
    """All that the page of a student's work shows; `launch` is None for somebody who signed in."""

    assignment: ShownAssignment
    course: ShownCourse
    content_mark: str
    answers: tuple[tuple[str, str], ...]
    attempt_number: int
    has_result: bool
    wanted_page: str
    due_at: datetime | None
    lms_date: LmsDate | None
    is_late: bool
    minute: int  # how far away a date is is said in minutes
    launch: ShownLaunch | None


def show_work(request: HttpRequest, work: Work, attempts: list[Attempt], *, problem: str = "") -> HttpResponse:
    """The page of the work, with what is saved of it; `problem` says what was wrong with a file."""
    attempt = attempts[-1] if attempts else None
    sheet = _make_sheet(request, work, attempts)
    content = recall_content(sheet.assignment.pk, sheet.content_mark)
    is_common = sheet.launch is not None and not problem and not (attempt and has_files(content))
    if is_common and not has_messages(request):
        page = _render(sheet, get_language() or "")
        page = page.replace(_PREFIX, get_script_prefix()).replace(_TOKEN, form_token(request))
        return HttpResponse(page.encode(), content_type=HTML)
    context = {**_describe(sheet, fill_pages(content, attempt)), "problem": problem}
    return render(request, _TEMPLATE, context, status=422 if problem else 200)


def _make_sheet(request: HttpRequest, work: Work, attempts: list[Attempt]) -> Sheet:
    attempt = attempts[-1] if attempts else None
    assignment, course, launch = work.assignment, work.course, visitor_of(request).launch
    is_launched_here = launch is not None and launch.assignment_public_id == assignment.public_id
    wanted = request.GET.get("page") or (launch.page if launch is not None and is_launched_here else "")
    due = work.standing.due(assignment)
    return Sheet(
        assignment=ShownAssignment(
            assignment.pk,
            assignment.public_id,
            assignment.title,
            assignment.points,
            assignment.attempts,
            assignment.late_percent,
            assignment.late_per,
            assignment.late_floor,
        ),
        course=ShownCourse(course.public_id, course.title),
        content_mark=assignment.content_mark,
        answers=tuple(attempt.answers.items()) if attempt else (),
        attempt_number=attempt.number if attempt else 1,
        has_result=len(attempts) > 1,
        wanted_page=wanted,
        due_at=due.at,
        lms_date=due.lms,
        is_late=due.at is not None and due.at < timezone.now(),
        minute=int(time.time() // 60) if due.at is not None else 0,
        launch=ShownLaunch(launch.assignment_public_id, launch.role, launch.return_url, launch.lms_url)
        if launch
        else None,
    )


@lru_cache(maxsize=256)
def _render(sheet: Sheet, language: str) -> str:
    """The page of a launch, with marks where the address of the session and the proof of the form go."""
    pages = lay_out(recall_content(sheet.assignment.pk, sheet.content_mark), dict(sheet.answers))
    visitor = {"launch": sheet.launch, "account": None}
    context = {**_describe(sheet, pages), "visitor": visitor, "csrf_token": _TOKEN}
    before = get_script_prefix()
    set_script_prefix(_PREFIX)
    try:
        return render_to_string(_TEMPLATE, context)
    finally:
        set_script_prefix(before)


def _describe(sheet: Sheet, pages: list[PageView]) -> dict[str, Any]:
    questions = [question for page in pages for question in page.questions]
    return {
        "work": sheet,
        "access": {"course": sheet.course},
        "attempt_number": sheet.attempt_number,
        "pages": pages,
        "opened": find_page(pages, sheet.wanted_page),
        "question_count": len(questions),
        "answered_count": sum(question.is_answered for question in questions),
        "has_result": sheet.has_result,
        "has_files": any(question.question.kind == question.question.Kind.FILE for question in questions),
        "due_at": sheet.due_at,
        "lms_date": sheet.lms_date,
        "is_late": sheet.is_late,
    }
