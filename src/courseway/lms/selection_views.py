"""The picker: a teacher in the frame of an LMS finds assignments, looks at one, chooses one or many, or goes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from courseway.courses.models import Assignment, Course
from courseway.lms.answers import MAX_CHOSEN, Answer, answer_with_links, answer_with_nothing, open_chosen
from courseway.lms.joining import JoinPeople, join_lms_user
from courseway.lms.selection import PURPOSE, Wanted
from courseway.lms.selection_access import (
    Selection,
    find_account,
    get_assignments,
    get_course,
    get_selection,
    list_assignments,
)
from courseway.lms.selection_pages import describe_chosen, describe_page, describe_preview, read_place
from courseway.lms.sessions import landing_url, open_session
from courseway.lms.views import refuse
from courseway.orgs.email_codes import EmailCodeError, find_address, send_code, use_code
from courseway.orgs.public_address import public_address
from ltikit.errors import LtiError

P = ParamSpec("P")


def _with_selection(
    view: Callable[Concatenate[HttpRequest, Selection, datetime, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Hands in the selection of the browser's ticket. What cannot go on ends on the page of a refused launch."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        now = timezone.now()
        try:
            return view(request, get_selection(request, now=now), now, *args, **kwargs)
        except LtiError as error:
            return refuse(request, error)

    return checked


@require_http_methods(["GET", "POST"])
@_with_selection
def pick(request: HttpRequest, selection: Selection, now: datetime) -> HttpResponse:
    """A GET shows a place in the picker. A POST keeps what is marked, then goes where its button says."""
    if request.method == "GET":
        return _show(request, selection, now)
    place = read_place(request.POST)
    act, _colon, value = request.POST.get("go", "search").partition(":")
    if not _keep_marks(request, selection, act, value):
        problem = _("At most %(most)d assignments can be chosen at once. Add these first, then choose the others.")
        return _show(request, selection, now, problem=problem % {"most": MAX_CHOSEN}, status=400)
    picker = reverse("lms_choose:picker")
    match act:
        case "take" | "module" if selection.wish.takes_many:
            pass
        case "take":
            return _choose(request, selection, [value], now)
        case "add":
            if chosen := describe_chosen(selection):
                return _go(request, answer_with_links(selection, chosen, now=now))
        case "take-course" if selection.wish.wanted is Wanted.COURSE:
            return _land(selection, get_course(selection, value), now)
        case "drop":
            selection.row.chosen = [one for one in selection.row.chosen if one != value]
            selection.row.save(update_fields=["chosen"])
        case "preview":
            return redirect(reverse("lms_choose:preview", args=[value[:40]]) + place.as_query())
        case "course":
            return redirect(picker + place.as_query(q="", course=value, page=""))
        case "courses":
            return redirect(picker)
        case "back":
            pass
        case "page":
            return redirect(picker + place.as_query(page=value))
        case _:
            return redirect(picker + place.as_query(course="", page=""))
    return redirect(picker + place.as_query())


@require_safe
@_with_selection
def preview(request: HttpRequest, selection: Selection, now: datetime, assignment: str) -> HttpResponse:
    """One assignment before it is chosen: where it is, what it is worth, what it holds."""
    (found,) = get_assignments(selection, [assignment])
    words = {
        "selection": selection,
        "place": read_place(request.GET),
        "is_chosen": found.public_id in selection.row.chosen,
        **describe_preview(found),
    }
    return render(request, "lms/choose/preview.html", words)


@require_POST
@_with_selection
def cancel(request: HttpRequest, selection: Selection, now: datetime) -> HttpResponse:
    error = "" if selection.wish.takes_links else _("Links to assignments cannot be added at this place of the LMS.")
    return _go(request, answer_with_nothing(selection, now=now, error=error))


@require_POST
@_with_selection
def send_proof(request: HttpRequest, selection: Selection, now: datetime) -> HttpResponse:
    """Mails a code to the address that is typed, whether or not somebody here has it: the page tells nothing."""
    reason = _("choose assignments of %(organization)s") % {"organization": selection.platform.organization}
    try:
        send_code(
            request.POST.get("email", "")[:255],
            purpose=PURPOSE,
            subject=selection.row.reference,
            reason=reason,
            now=now,
        )
    except EmailCodeError as error:
        return _show(request, selection, now, problem=str(error), status=400)
    except ValidationError as error:
        return _show(request, selection, now, problem=" ".join(error.messages), status=400)
    return redirect("lms_choose:picker")


@require_POST
@_with_selection
def prove(request: HttpRequest, selection: Selection, now: datetime, join_people: JoinPeople) -> HttpResponse:
    """Whoever types the code reads that address's mail: the account with it is theirs."""
    try:
        email = use_code(request.POST.get("code", "")[:40], purpose=PURPOSE, subject=selection.row.reference, now=now)
    except EmailCodeError as error:
        return _show(request, selection, now, problem=str(error), status=400)
    account = find_account(email)
    if account is None:
        problem = _("No account here has the address %(email)s. An owner of %(organization)s can invite you.")
        words = {"email": email, "organization": selection.platform.organization}
        return _show(request, selection, now, problem=problem % words, status=400)
    join_lms_user(selection.platform, selection.launch, account, join_people=join_people, now=now)
    selection.row.account = account
    selection.row.save(update_fields=["account"])
    return redirect("lms_choose:picker")


def _show(
    request: HttpRequest, selection: Selection, now: datetime, *, problem: str = "", status: int = 200
) -> HttpResponse:
    place = read_place(request.POST if request.method == "POST" else request.GET)
    if not selection.wish.takes_links:
        return render(request, "lms/choose/not_taken.html", {"selection": selection})
    chosen = describe_chosen(selection)
    chosen_ids = {assignment.public_id for assignment in chosen}
    page = describe_page(selection, place)
    shown = {assignment.public_id for group in page.get("groups", ()) for assignment in group.rows}
    words = {
        "selection": selection,
        "place": place,
        "problem": problem,
        "typed": request.POST.get("email", ""),
        "chosen": chosen,
        "chosen_ids": chosen_ids,
        "elsewhere": len(chosen_ids - shown),
        "sign_in_url": public_address("lms_choose:sign_in", selection.row.reference),
        "sent_to": find_address(purpose=PURPOSE, subject=selection.row.reference, now=now),
        **page,
    }
    return render(request, "lms/choose/picker.html", words, status=status)


def _keep_marks(request: HttpRequest, selection: Selection, act: str, value: str) -> bool:
    """What is marked on the page that was sent, or chosen by its button, stays chosen on every other page of the
    picker. False if it is too much: then as many as can be are."""
    row, data = selection.row, request.POST
    before = (row.chosen, row.makes_columns, row.opens_in_frame)
    if "options" in data:
        row.makes_columns, row.opens_in_frame = "makes_columns" in data, "opens_in_frame" in data
    wanted = row.chosen
    if selection.wish.takes_many:
        shown = set(data.getlist("shown"))
        kept = [one for one in row.chosen if one not in shown]
        marked = [one for one in data.getlist("mark") if one in shown]
        added = _list_added(selection, act, value)
        wanted = [*dict.fromkeys([*kept, *marked, *added])]
        row.chosen = wanted[:MAX_CHOSEN]
        if row.chosen != before[0] and (marked or added):
            get_assignments(selection, list({*marked, *added} & set(row.chosen)))
    if (row.chosen, row.makes_columns, row.opens_in_frame) != before:
        row.save(update_fields=["chosen", "makes_columns", "opens_in_frame"])
    return len(wanted) <= MAX_CHOSEN


def _list_added(selection: Selection, act: str, value: str) -> list[str]:
    """What a button adds to the chosen: one assignment, or all of a module."""
    if act == "take":
        return [value]
    if act == "module" and value.isascii() and value.isdecimal() and len(value) < 18:
        found = list_assignments(selection).filter(module=int(value)).values_list("public_id", flat=True)
        return list(found[: MAX_CHOSEN + 1])
    return []


def _choose(request: HttpRequest, selection: Selection, public_ids: list[str], now: datetime) -> HttpResponse:
    assignments = get_assignments(selection, public_ids)
    if selection.wish.goes_to_lms:
        return _go(request, answer_with_links(selection, assignments, now=now))
    return _land(selection, assignments[0], now)


def _land(selection: Selection, chosen: Assignment | Course, now: datetime) -> HttpResponse:
    landing = open_chosen(selection, chosen, now=now)
    response = HttpResponseRedirect(landing_url(landing))
    response.status_code = 303
    launch = selection.launch
    open_session(response, landing, return_url=launch.return_url, page=launch.custom.get("page", ""), now=now)
    return response


def _go(request: HttpRequest, answer: Answer) -> HttpResponse:
    """Sends the browser back to the LMS: signed fields by a form that submits itself, anything else by its address."""
    if answer.url and not answer.fields:
        response: HttpResponse = HttpResponseRedirect(answer.url)
        response.status_code = 303
        return response
    return render(request, "lms/choose/answer.html", {"answer": answer})
