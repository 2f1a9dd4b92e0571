"""The services that tools call: keyset, tokens, line items, scores, results, outcomes. Each can fail on purpose."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Any
from urllib.parse import urlencode

import httpx2
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from practice_lms import outcomes
from practice_lms.columns import delete_line_item
from practice_lms.database import database
from practice_lms.faults import Fault, draw_fault
from practice_lms.installation import Addresses, build_keyset, list_addresses, need_setting
from practice_lms.line_items import (
    CONTAINER_TYPE,
    ITEM_TYPE,
    add_line_item,
    find_course_profile,
    find_line_items,
    get_line_item,
    replace_line_item,
    show_line_item,
)
from practice_lms.messages import record_exchange
from practice_lms.oauth_requests import SignedRequest, verify_signed_request
from practice_lms.refusals import RefusedError
from practice_lms.scores import RESULT_TYPE, SCORE_TYPE, list_results, take_score
from practice_lms.tokens import (
    AccessToken,
    issue_token,
    read_token_request,
    require_scope,
    verify_access_token,
    verify_assertion,
)
from practice_lms.tools import (
    ALL_SCOPES,
    SCOPE_LINE_ITEM,
    SCOPE_LINE_ITEM_READ,
    SCOPE_RESULT_READ,
    SCOPE_SCORE,
)

KEYSET_TIMEOUT = 5.0
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
                response = _refuse_politely(view, request, *args, now=now, **kwargs)
            if fault is not None and not (fault.kind == "hang" and fault.stage == "before" and response is not None):
                response = _cause_fault(request, fault, response)
            response = response or HttpResponse(status=500)
            _write_down(request, name, response, fault, now)
            return response

        return answer

    return decorate


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


def show_openid_configuration(request: HttpRequest) -> JsonResponse:
    """What the platform is, for programs."""
    here = addresses()
    return JsonResponse(
        {
            "issuer": here.issuer,
            "authorization_endpoint": here.auth_url,
            "token_endpoint": here.token_url,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "jwks_uri": here.keyset_url,
            "scopes_supported": ["openid", *ALL_SCOPES],
            "response_types_supported": ["id_token"],
            "response_modes_supported": ["form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
        }
    )


@service("keyset")
def show_keyset(request: HttpRequest, *, now: float) -> HttpResponse:
    """The public keys."""
    with database().transaction() as db:
        response = JsonResponse(build_keyset(db))
    response["Cache-Control"] = "public, max-age=60"
    return response


@service("token")
def give_token(request: HttpRequest, *, now: float) -> HttpResponse:
    """An access token for a client assertion that the tool signed."""
    _require_method(request, "POST")
    with database().transaction() as db:
        wanted = read_token_request(db, request.META.get("CONTENT_TYPE", ""), request.POST.dict())
        token_url = list_addresses(need_setting(db, "public_url")).token_url
    claims = verify_assertion(wanted, fetch_keyset(wanted.tool.keyset_url), token_url=token_url, now=now)
    with database().transaction() as db:
        token = issue_token(db, wanted, claims, now=now)
    lifetime = wanted.tool.options.token_lifetime
    answer = {
        "access_token": token.token,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": " ".join(token.scopes),
    }
    response = HttpResponse(json.dumps(answer), content_type=wanted.tool.options.token_media_type)
    response["Cache-Control"] = "no-store"
    return response


@lru_cache(maxsize=1)
def _open_client() -> httpx2.Client:
    """One client for the process. Proxies of the environment are for other networks than this machine's own."""
    return httpx2.Client(timeout=KEYSET_TIMEOUT, trust_env=False, headers={"User-Agent": "practice-lms/1.0"})


def fetch_keyset(url: str) -> dict[str, Any]:
    try:
        answer = _open_client().get(url)
        document = answer.raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise RefusedError(
            f"The tool's keyset at {url} could not be fetched: {error}.", 400, "invalid_client"
        ) from None
    if not isinstance(document, dict):
        raise RefusedError("The tool's keyset is no JSON object.", 400, "invalid_client")
    return document


@service("outcomes")
def take_outcome(request: HttpRequest, *, now: float) -> HttpResponse:
    """Basic Outcomes: an envelope in, an envelope out."""
    _require_method(request, "POST")
    url = addresses().outcomes_url + (f"?{request.META['QUERY_STRING']}" if request.META.get("QUERY_STRING") else "")
    authorization, media_type = request.META.get("HTTP_AUTHORIZATION", ""), request.META.get("CONTENT_TYPE", "")
    failure_status = 200
    try:
        if media_type.partition(";")[0].strip().lower() not in outcomes.MEDIA_TYPES:
            raise RefusedError("The request must be application/xml.")
        signed = SignedRequest(url, "POST", authorization, media_type, request.body)
        with database().transaction() as db:
            tool = verify_signed_request(db, signed, now=now)
        failure_status = tool.options.outcome_failure_status
        envelope = outcomes.parse_envelope(request.body)
        with database().transaction() as db:
            answer = outcomes.run_operation(db, tool, envelope, now=now)
    except RefusedError as refusal:
        answer = outcomes.refuse(refusal)
    status = 200 if answer.code_major == "success" else failure_status
    return HttpResponse(outcomes.build_answer(answer), status=status, content_type="application/xml")


@service("lineitems")
def serve_line_items(request: HttpRequest, course_id: str, *, now: float) -> HttpResponse:
    """The columns of a tool in a course: GET lists them, POST makes one."""
    _require_method(request, "GET", "POST")
    token = _authorize(request, now)
    type_id = request.GET.get("type_id", "")
    if request.method == "POST":
        require_scope(token, SCOPE_LINE_ITEM)
        document = _read_json(request, ITEM_TYPE)
        with database().transaction() as db:
            item = add_line_item(db, token.tool, course_id, type_id, document)
            profile = find_course_profile(db, token.tool, course_id)
        return _answer_json(show_line_item(addresses(), item, profile), ITEM_TYPE, status=201)
    require_scope(token, SCOPE_LINE_ITEM, SCOPE_LINE_ITEM_READ)
    _require_accept(request, CONTAINER_TYPE)
    with database().transaction() as db:
        items = find_line_items(db, token.tool, course_id, request.GET.dict())
        profile = find_course_profile(db, token.tool, course_id)
    here = addresses()
    return _answer_page(request, [show_line_item(here, item, profile) for item in items], CONTAINER_TYPE)


@service("lineitems")
def serve_line_item(request: HttpRequest, course_id: str, item_id: str, *, now: float) -> HttpResponse:
    """One column: GET, PUT, DELETE."""
    _require_method(request, "GET", "PUT", "DELETE")
    token = _authorize(request, now)
    if request.method == "GET":
        require_scope(token, SCOPE_LINE_ITEM, SCOPE_LINE_ITEM_READ)
        _require_accept(request, ITEM_TYPE)
    else:
        require_scope(token, SCOPE_LINE_ITEM)
    document = _read_json(request, ITEM_TYPE) if request.method == "PUT" else None
    here = addresses()
    with database().transaction() as db:
        item = get_line_item(db, token.tool, course_id, item_id, request.GET.get("type_id", ""))
        profile = find_course_profile(db, token.tool, course_id)
        if request.method == "PUT":
            item = replace_line_item(db, token.tool, item, document, str(show_line_item(here, item, profile)["id"]))
        if request.method == "DELETE":
            delete_line_item(db, item.id)
            return HttpResponse(status=204)
    return _answer_json(show_line_item(here, item, profile), ITEM_TYPE)


@service("scores")
def take_scores(request: HttpRequest, course_id: str, item_id: str, *, now: float) -> HttpResponse:
    """A score for one person in one column."""
    _require_method(request, "POST")
    token = _authorize(request, now)
    require_scope(token, SCOPE_SCORE)
    document = _read_json(request, SCORE_TYPE)
    with database().transaction() as db:
        item = get_line_item(db, token.tool, course_id, item_id, request.GET.get("type_id", ""))
        refusal = take_score(db, token.tool, item, document, now=now)
    if refusal is not None:
        raise refusal
    return HttpResponse(status=200)


@service("results")
def serve_results(request: HttpRequest, course_id: str, item_id: str, *, now: float) -> HttpResponse:
    """The grades of a column, of everybody or of one person."""
    _require_method(request, "GET")
    token = _authorize(request, now)
    require_scope(token, SCOPE_RESULT_READ)
    _require_accept(request, RESULT_TYPE)
    here = addresses()
    with database().transaction() as db:
        item = get_line_item(db, token.tool, course_id, item_id, request.GET.get("type_id", ""))
        profile = find_course_profile(db, token.tool, course_id)
        results = list_results(db, here, item, profile, person_id=request.GET.get("user_id", ""))
    return _answer_page(request, results, RESULT_TYPE)


def _authorize(request: HttpRequest, now: float) -> AccessToken:
    with database().transaction() as db:
        return verify_access_token(db, request.META.get("HTTP_AUTHORIZATION", ""), now=now)


def _require_method(request: HttpRequest, *allowed: str) -> None:
    if request.method not in allowed:
        raise RefusedError(f"This address takes {' and '.join(allowed)} only.", 405)


def _require_accept(request: HttpRequest, media_type: str) -> None:
    accepted = [part.partition(";")[0].strip() for part in request.META.get("HTTP_ACCEPT", "*/*").split(",")]
    if not {media_type, "*/*", "application/*"} & set(accepted):
        raise RefusedError(f"The request must accept {media_type}.", 406)


def _read_json(request: HttpRequest, media_type: str) -> Any:
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != media_type:
        raise RefusedError(f"The Content-Type must be {media_type}.", 415)

    def refuse_constant(name: str) -> None:
        raise ValueError(name)

    try:
        return json.loads(request.body, parse_float=Decimal, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedError("The body is not valid JSON.") from None


def _answer_json(document: Any, media_type: str, status: int = 200) -> HttpResponse:
    return HttpResponse(json.dumps(document), status=status, content_type=media_type)


def _answer_page(request: HttpRequest, rows: list[dict[str, Any]], media_type: str) -> HttpResponse:
    """The rows asked for by `limit`, and in the Link header where the next ones are."""
    limit, page = request.GET.get("limit", ""), request.GET.get("page", "1")
    if not limit:
        return _answer_json(rows, media_type)
    if not (limit.isdecimal() and page.isdecimal() and int(limit) > 0 and int(page) > 0):
        raise RefusedError("limit must be a whole number greater than 0.")
    start, end = (int(page) - 1) * int(limit), int(page) * int(limit)
    response = _answer_json(rows[start:end], media_type)
    if end < len(rows):
        query = {**request.GET.dict(), "page": str(int(page) + 1)}
        response["Link"] = f'<{addresses().issuer}{request.path}?{urlencode(query)}>; rel="next"'
    return response
