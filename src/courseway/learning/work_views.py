"""An assignment as its student meets it: pages and questions, handing in, and the result."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from courseway.courses.models import Role
from courseway.grades import outbox
from courseway.grades.models import Delivery
from courseway.grades.states import delivery_states
from courseway.learning.access import ClosedError, Work, get_own_work, own_work, see_assignment
from courseway.learning.attempts import grade_of
from courseway.learning.models import Attempt, Submission
from courseway.learning.oversight_views import show_results
from courseway.learning.progress import delivery_word, work_state
from courseway.learning.scoring import (
    AlreadyHandedInError,
    NoAttemptLeftError,
    WorkError,
    begin_next_attempt,
    has_attempt_left,
    save_answers,
    start_work,
    submit_attempt,
)
from courseway.learning.uploads import UploadError
from courseway.learning.work_pages import (
    build_pages,
    list_unanswered,
    read_answers,
    read_files,
    read_number,
)
from courseway.learning.work_sheet import show_work
from courseway.lms.models import Arrival
from courseway.orgs.visitor import visitor_of


@require_safe
def assignment(request: HttpRequest, assignment_id: str) -> HttpResponse:
    """Where every launch at an assignment lands: the student's work, or for the others whose work they oversee."""
    try:
        access, shown, standing = see_assignment(request, assignment_id)
    except ClosedError as closed:
        return render(request, "learning/closed.html", {"reason": str(closed), "course": closed.course}, status=403)
    if access.can_see_learners:
        return show_results(request, access, shown)
    work = own_work(request, access, shown, standing)
    if work.submission is None and not work.can_start:
        return _show_start_in_lms(request, work)
    _owe_to_new_links(request, work, timezone.now())
    attempts = list(work.submission.attempts.order_by("number")) if work.submission else []
    is_open = attempts[-1].submitted_at is None if attempts else True
    if work.submission is None or (is_open and (attempts or work.submission.completed_at is None)):
        return show_work(request, work, attempts)
    return _show_result(request, work, work.submission, attempts)


@require_safe
def feedback(request: HttpRequest, assignment_id: str) -> HttpResponse:
    """The result of one's own work, also while a further attempt is open."""
    access, shown, standing = see_assignment(request, assignment_id)
    if access.role != Role.STUDENT:
        return redirect("learning_course:results", access.course.public_id, shown.public_id)
    work = own_work(request, access, shown, standing)
    attempts = list(work.submission.attempts.order_by("number")) if work.submission else []
    if work.submission is None or not (work.submission.completed_at or work.submission.reopened_at):
        return redirect("learning:assignment", assignment_id)
    return _show_result(request, work, work.submission, attempts)


@require_POST
def start(request: HttpRequest, assignment_id: str) -> HttpResponse:
    """Work begins when its page is opened; a page without a script begins it with the first answers."""
    work = _to_write(request, assignment_id)
    start_work(assignment=work.assignment, person=work.person, now=timezone.now())
    return HttpResponse(status=204)


@require_POST
def save(request: HttpRequest, assignment_id: str) -> JsonResponse:
    """Keeps the answers that changed."""
    work = _to_write(request, assignment_id)
    pages = build_pages(work.assignment, None)
    try:
        save_answers(
            assignment=work.assignment,
            person=work.person,
            answers=read_answers(request.POST, pages),
            files=read_files(request.FILES, pages),
            number=read_number(request.POST),
            now=timezone.now(),
        )
    except UploadError as refusal:
        return JsonResponse({"saved": False, "error": str(refusal)}, status=422)
    except WorkError as refusal:
        return JsonResponse({"saved": False, "error": str(refusal)}, status=409)
    return JsonResponse({"saved": True})


@require_POST
def submit(request: HttpRequest, assignment_id: str) -> HttpResponse:
    """Hands in. Where answers are missing it saves and asks first."""
    work = _to_write(request, assignment_id)
    pages = build_pages(work.assignment, None)
    answers = read_answers(request.POST, pages)
    own = {"assignment": work.assignment, "person": work.person, "number": read_number(request.POST)}
    try:
        try:
            files = read_files(request.FILES, pages)
            if files or "confirmed" not in request.POST:
                attempt = save_answers(answers=answers, files=files, now=timezone.now(), **own)  # type: ignore[arg-type]
        except UploadError as refusal:
            save_answers(answers=answers, now=timezone.now(), **own)  # type: ignore[arg-type]
            return _show_work_again(request, assignment_id, str(refusal))
        if "confirmed" not in request.POST:
            unanswered = list_unanswered(build_pages(work.assignment, attempt))
            if unanswered:
                context = {"work": work, "access": work.access, "attempt": attempt, "unanswered": unanswered}
                return render(request, "learning/confirm.html", context)
        submit_attempt(answers=answers, now=timezone.now(), **own)  # type: ignore[arg-type]
    except WorkError as refusal:
        return _show_not_counted(request, work, refusal, answers)
    return _see(work)


@require_POST
def retry(request: HttpRequest, assignment_id: str) -> HttpResponse:
    """Begins a further attempt."""
    work = _to_write(request, assignment_id)
    try:
        begin_next_attempt(assignment=work.assignment, person=work.person, now=timezone.now())
    except NoAttemptLeftError as refusal:
        return _show_not_counted(request, work, refusal, {})
    return _see(work)


@require_safe
def delivery(request: HttpRequest, assignment_id: str) -> HttpResponse:
    """Whether the LMS has the grade: the part of the result page that looks again by itself."""
    work = get_own_work(request, assignment_id)
    return render(request, "learning/parts/delivery.html", _delivery_context(work))


def _to_write(request: HttpRequest, assignment_id: str) -> Work:
    work = get_own_work(request, assignment_id)
    if work.submission is None and not work.can_start:
        raise PermissionDenied(_("Start this assignment in your LMS: open it there by its link."))
    return work


def _see(work: Work) -> HttpResponse:
    response = redirect("learning:assignment", work.assignment.public_id)
    response.status_code = 303
    return response


def _show_start_in_lms(request: HttpRequest, work: Work) -> HttpResponse:
    return render(request, "learning/start_in_lms.html", {"work": work, "access": work.access})


def _show_work_again(request: HttpRequest, assignment_id: str, problem: str) -> HttpResponse:
    """The page of the work with what is saved of it, and what was wrong with a file."""
    work = get_own_work(request, assignment_id)
    attempts = list(work.submission.attempts.order_by("number")) if work.submission else []
    return show_work(request, work, attempts, problem=problem)


def _show_result(request: HttpRequest, work: Work, submission: Submission, attempts: list[Attempt]) -> HttpResponse:
    handed_in = [attempt for attempt in attempts if attempt.submitted_at is not None]
    is_open = len(handed_in) < len(attempts)
    launch = visitor_of(request).launch
    context = {
        "work": work,
        "access": work.access,
        "submission": submission,
        "state": work_state(submission, for_student=True),
        "percent": submission.final_percent(),
        "score": submission.final_score(work.assignment.points),
        "attempts": handed_in,
        "pages": build_pages(work.assignment, handed_in[-1]) if handed_in else [],
        "is_open": is_open,
        "can_retry": not is_open and has_attempt_left(work.assignment, len(attempts)),
        "attempts_left": max(0, work.assignment.attempts - len(attempts)),
        "back_url": (launch.return_url if launch else "") or work.lms_url,
        **_delivery_context(work),
    }
    return render(request, "learning/result.html", context)


def _show_not_counted(request: HttpRequest, work: Work, refusal: WorkError, answers: dict[str, str]) -> HttpResponse:
    """Two clicks on the button are no mistake; other answers than those that count are shown, never thrown away."""
    if isinstance(refusal, AlreadyHandedInError):
        kept = refusal.attempt.answers
        answers = {key: text for key, text in answers.items() if text.strip() != str(kept.get(key, "")).strip()}
        if not answers:
            return _see(work)
    typed = [
        (question, answers[question.question.key])
        for page in build_pages(work.assignment, None)
        for question in page.questions
        if answers.get(question.question.key, "").strip()
    ]
    context = {"work": work, "access": work.access, "reason": str(refusal), "typed": typed}
    return render(request, "learning/not_counted.html", context, status=409)


def _delivery_context(work: Work) -> dict[str, object]:
    submission = work.submission
    deliveries: list[Delivery] = []
    if submission is not None and submission.is_grade_visible and not work.course.enroll_only:
        key = (work.assignment.pk, work.person.pk)
        deliveries = delivery_states([key[0]], [key[1]]).get(key, [])
    return {"work": work, "delivery": delivery_word(deliveries)}


def _owe_to_new_links(request: HttpRequest, work: Work, now: datetime) -> None:
    """A grade that existed before this link was first opened is owed to the new link too (D10, H3).

    The launch itself cannot know: it stands below grades. Nothing is written unless a link without a delivery came.
    """
    launch, submission = visitor_of(request).launch, work.submission
    if launch is None or submission is None or not submission.is_graded:
        return
    known = Delivery.objects.filter(person=work.person, assignment=work.assignment).values("resource_link")
    here = Arrival.objects.filter(person=work.person, assignment=work.assignment, role=Role.STUDENT)
    if here.exclude(resource_link__in=known).exists():
        with transaction.atomic():
            outbox.owe_missing(work.person, work.assignment, grade_of(submission, work.assignment), now=now)
