"""What every service does around its work: faults on purpose, forbidden calls, refusals, and the log of exchanges."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from practice_lms.database import database
from practice_lms.faults import Fault, draw_fault
from practice_lms.installation import Addresses, list_addresses, need_setting
from practice_lms.messages import record_exchange
from practice_lms.profiles import Profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.tokens import AccessToken, verify_access_token
from practice_lms.violations import ForbiddenCallError, find_link_of_item, note_violation

NONSENSE = b"<html><body>Oops<br>\x00\xff\xfe { not JSON, not XML"

View = Callable[..., HttpResponse]


def addresses() -> Addresses:
    """The public addresses, whatever the Host header says."""
    with database().transaction() as db:
        return list_addresses(need_setting(db, "public_url"))


def service(name: str) -> Callable[[View], View]:
    """Make a view a service: faults may happen to it, refusals become answers, and every exchange is written down."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            now = time.time()
            with database().transaction() as db:
                fault = draw_fault(db, name, now=now)
            response: HttpResponse | None = None
            if fault is None or fault.stage == "after" or (fault.kind == "hang" and not fault.then_drop):
                if fault is not None and fault.kind == "hang" and fault.stage == "before":
                    time.sleep(fault.seconds)
                    now = time.time()
                response = _refuse_politely(guard(view, name), request, *args, now=now, **kwargs)
            if fault is not None and not (fault.kind == "hang" and fault.stage == "before" and response is not None):
                response = _cause_fault(request, fault, response)
            response = response or HttpResponse(status=500)
            _write_down(request, name, response, fault, now)
            return response

        return answer

    return decorate


def guard(view: View, name: str) -> View:
    """Before the work: a call that must not happen for this course or column is written down, and refused."""

    def run(request: HttpRequest, *args: Any, now: float, **kwargs: Any) -> HttpResponse:
        if "course_id" in kwargs and name not in ("roster", "groups"):
            refuse_forbidden(request, name, now, course_id=kwargs["course_id"], item_id=kwargs.get("item_id", ""))
        return view(request, *args, now=now, **kwargs)

    return run


def refuse_forbidden(
    request: HttpRequest, name: str, now: float, *, course_id: str = "", item_id: str = "", link_id: str = ""
) -> None:
    """Write a call down when it must not happen, and refuse it with 500."""
    with database().transaction() as db:
        # A new column says in its document which link it is for, and a list of columns in its query.
        wanted = link_id or find_link_of_item(db, item_id) or request.GET.get("resource_link_id", "")
        is_noted = note_violation(
            db,
            service=name,
            method=str(request.method),
            path=request.get_full_path(),
            course_id=course_id,
            link_id=wanted or _read_link_of_document(request),
            detail=request.body.decode("utf-8", "replace")[:2000],
            now=now,
        )
    if is_noted:
        raise ForbiddenCallError


def _read_link_of_document(request: HttpRequest) -> str:
    try:
        document = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        return ""
    return str(document.get("resourceLinkId") or "") if isinstance(document, dict) else ""


def _refuse_politely(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    try:
        return view(request, *args, **kwargs)
    except RefusedError as refusal:
        answer = {"error": refusal.code, "error_description": refusal.message}
        response = JsonResponse(answer, status=refusal.status)
        if refusal.status == 401:
            response["WWW-Authenticate"] = f'Bearer error="{refusal.code}"'
        return response


def _cause_fault(request: HttpRequest, fault: Fault, answer: HttpResponse | None) -> HttpResponse:
    """What the tool gets instead of the answer."""
    if fault.kind == "hang":
        time.sleep(fault.seconds)
        if answer is not None and not fault.then_drop:
            return answer
    if fault.kind in ("hang", "close"):
        # The server looks for this mark and closes the connection without a word.
        request.META["practice_lms.close"] = True
        return HttpResponse(status=500)
    if fault.kind == "garbage":
        return HttpResponse(NONSENSE, status=200, content_type="text/html")
    response = HttpResponse(f"Practice LMS was told to answer {fault.status}.", status=fault.status)
    response["Content-Type"] = "text/plain"
    if fault.retry_after is not None:
        response["Retry-After"] = fault.retry_after
    return response


def _write_down(request: HttpRequest, name: str, response: HttpResponse, fault: Fault | None, now: float) -> None:
    body = request.body.decode("utf-8", "replace")
    if name == "token":
        body = urlencode({key: value for key, value in request.POST.items() if key != "client_assertion"})
    text = (
        ""
        if name in ("token", "keyset") and response.status_code == 200
        else response.content.decode("utf-8", "replace")
    )
    is_closed = bool(request.META.get("practice_lms.close"))
    with database().transaction() as db:
        record_exchange(
            db,
            service=name,
            method=str(request.method),
            path=request.get_full_path(),
            status=0 if is_closed else response.status_code,
            fault=fault.summary if fault else "",
            request=body,
            answer=text,
            now=now,
        )


def authorize(request: HttpRequest, now: float) -> AccessToken:
    """The live token of a request."""
    with database().transaction() as db:
        token = verify_access_token(db, request.META.get("HTTP_AUTHORIZATION", ""), now=now)
        profile = choose_profile(db, token.tool.profile)
    require_user_agent(request, profile, "C11")
    return token


def require_user_agent(request: HttpRequest, profile: Profile, quirk: str) -> None:
    """Some LMSs turn away a program that does not say what it is (C11, M5)."""
    if profile.has(quirk) and not request.META.get("HTTP_USER_AGENT"):
        raise RefusedError("The request has no User-Agent.", 403)


def require_method(request: HttpRequest, *allowed: str) -> None:
    """Refuse other methods."""
    if request.method not in allowed:
        raise RefusedError(f"This address takes {' and '.join(allowed)} only.", 405)


def require_accept(request: HttpRequest, media_type: str) -> None:
    """Refuse a request that would not take this media type."""
    accepted = [part.partition(";")[0].strip() for part in request.META.get("HTTP_ACCEPT", "*/*").split(",")]
    if not {media_type, "*/*", "application/*"} & set(accepted):
        raise RefusedError(f"The request must accept {media_type}.", 406)


def read_json(request: HttpRequest, media_type: str) -> Any:
    """The document of a request, with exact numbers."""
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != media_type:
        raise RefusedError(f"The Content-Type must be {media_type}.", 415)

    def refuse_constant(name: str) -> None:
        raise ValueError(name)

    try:
        return json.loads(request.body, parse_float=Decimal, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedError("The body is not valid JSON.") from None


def answer_json(document: Any, media_type: str, status: int = 200) -> HttpResponse:
    """A document."""
    return HttpResponse(json.dumps(document), status=status, content_type=media_type)


def answer_page(request: HttpRequest, rows: list[dict[str, Any]], media_type: str) -> HttpResponse:
    """The rows asked for by `limit`, and in the Link header where the next ones are."""
    shown, link = cut_page(request, rows)
    response = answer_json(shown, media_type)
    if link:
        response["Link"] = link
    return response


def cut_page(request: HttpRequest, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """The rows that `limit` and `page` ask for, and the Link header of the next page."""
    limit, page = request.GET.get("limit", ""), request.GET.get("page", "1")
    if not limit:
        return rows, ""
    if not (limit.isdecimal() and page.isdecimal() and int(limit) > 0 and int(page) > 0):
        raise RefusedError("limit must be a whole number greater than 0.")
    start, end = (int(page) - 1) * int(limit), int(page) * int(limit)
    if end >= len(rows):
        return rows[start:end], ""
    query = {**request.GET.dict(), "page": str(int(page) + 1)}
    return rows[start:end], f'<{addresses().issuer}{request.path}?{urlencode(query)}>; rel="next"'
