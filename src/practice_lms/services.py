"""The services that tools call: keyset, tokens, line items, scores, results, outcomes. Each can fail on purpose."""

import json
import os
import ssl
from functools import lru_cache
from typing import Any

import httpx2
from django.http import HttpRequest, HttpResponse, JsonResponse

from practice_lms import outcomes
from practice_lms.claims import make_line_item_url
from practice_lms.columns import delete_line_item
from practice_lms.database import database
from practice_lms.installation import build_keyset, list_addresses, need_setting
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
from practice_lms.oauth_requests import SignedRequest, verify_signed_request
from practice_lms.profiles import Profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.scores import RESULT_TYPE, SCORE_TYPE, list_results, take_score
from practice_lms.service_calls import (
    addresses,
    answer_json,
    answer_page,
    authorize,
    read_json,
    refuse_forbidden,
    require_accept,
    require_method,
    require_user_agent,
    service,
)
from practice_lms.tokens import (
    AccessToken,
    issue_token,
    read_token_request,
    require_scope,
    verify_assertion,
)
from practice_lms.tools import (
    SCOPE_LINE_ITEM,
    SCOPE_LINE_ITEM_READ,
    SCOPE_RESULT_READ,
    SCOPE_SCORE,
)
from practice_lms.violations import ForbiddenCallError

KEYSET_TIMEOUT = 5.0
BRIGHTSPACE_AUDIENCE = "https://api.brightspace.com/auth/token"


@service("keyset")
def show_keyset(request: HttpRequest, *, now: float) -> HttpResponse:
    """The public keys."""
    with database().transaction() as db:
        profile = choose_profile(db)
        keyset = build_keyset(db)
    require_user_agent(request, profile, "M5")
    if profile.has("G8"):
        keyset = {"keys": [{name: value for name, value in key.items() if name != "alg"} for key in keyset["keys"]]}
    response = JsonResponse(keyset)
    response["Cache-Control"] = "public, max-age=60"
    return response


@service("token")
def give_token(request: HttpRequest, *, now: float) -> HttpResponse:
    """An access token for a client assertion that the tool signed."""
    require_method(request, "POST")
    with database().transaction() as db:
        wanted = read_token_request(db, request.META.get("CONTENT_TYPE", ""), request.POST.dict())
        profile = choose_profile(db, wanted.tool.profile)
        audience = find_token_audience(profile, list_addresses(need_setting(db, "public_url")).token_url)
    require_user_agent(request, profile, "C11")
    claims = verify_assertion(wanted, fetch_keyset(wanted.tool.keyset_url), audience=audience, now=now)
    with database().transaction() as db:
        token = issue_token(db, wanted, claims, now=now)
    lifetime = wanted.tool.options.token_lifetime
    answer = {
        "access_token": token.token,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": " ".join(token.scopes),
    }
    media_type = "text/html" if profile.has("M4") else wanted.tool.options.token_media_type
    response = HttpResponse(json.dumps(answer), content_type=media_type)
    response["Cache-Control"] = "no-store"
    return response


@lru_cache(maxsize=1)
def open_client() -> httpx2.Client:
    """One client for the process. Proxies of the environment are for other networks than this machine's own.

    A tool behind a certificate that nobody knows is believed when PRACTICE_LMS_CA_FILE names that certificate.
    """
    file = os.environ.get("PRACTICE_LMS_CA_FILE", "")
    verify = ssl.create_default_context(cafile=file) if file else True
    agent = {"User-Agent": "practice-lms/1.0"}
    return httpx2.Client(timeout=KEYSET_TIMEOUT, trust_env=False, headers=agent, verify=verify)


def fetch_keyset(url: str) -> dict[str, Any]:
    try:
        answer = open_client().get(url)
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
    require_method(request, "POST")
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
            link_id, profile = outcomes.find_outcome_place(db, envelope)
        if profile.name == "canvas":
            failure_status = 422
        require_user_agent(request, profile, "C11")
        refuse_forbidden(request, "outcomes", now, link_id=link_id)
        with database().transaction() as db:
            answer = outcomes.run_operation(db, tool, envelope, now=now)
    except ForbiddenCallError:
        raise
    except RefusedError as refusal:
        answer = outcomes.refuse(refusal)
    status = 200 if answer.code_major == "success" else failure_status
    return HttpResponse(outcomes.build_answer(answer), status=status, content_type="application/xml")


@service("lineitems")
def serve_line_items(request: HttpRequest, course_id: str, *, now: float) -> HttpResponse:
    """The columns of a tool in a course: GET lists them, POST makes one."""
    require_method(request, "GET", "POST")
    token = authorize(request, now)
    type_id = request.GET.get("type_id", "")
    if request.method == "POST":
        require_scope(token, SCOPE_LINE_ITEM)
        document = read_json(request, ITEM_TYPE)
        with database().transaction() as db:
            item = add_line_item(db, token.tool, course_id, type_id, document)
            profile = find_course_profile(db, token.tool, course_id)
        return answer_json(show_line_item(addresses(), item, profile), ITEM_TYPE, status=201)
    _require_read_scope(token, course_id)
    require_accept(request, CONTAINER_TYPE)
    with database().transaction() as db:
        items = find_line_items(db, token.tool, course_id, request.GET.dict())
        profile = find_course_profile(db, token.tool, course_id)
    here = addresses()
    return answer_page(request, [show_line_item(here, item, profile) for item in items], CONTAINER_TYPE)


@service("lineitems")
def serve_line_item(request: HttpRequest, course_id: str, item_id: str, *, now: float) -> HttpResponse:
    """One column: GET, PUT, DELETE."""
    require_method(request, "GET", "PUT", "DELETE")
    token = authorize(request, now)
    if request.method == "GET":
        _require_read_scope(token, course_id)
        require_accept(request, ITEM_TYPE)
    else:
        require_scope(token, SCOPE_LINE_ITEM)
    document = read_json(request, ITEM_TYPE) if request.method == "PUT" else None
    here = addresses()
    with database().transaction() as db:
        item = get_line_item(db, token.tool, course_id, item_id, request.GET.get("type_id", ""))
        profile = find_course_profile(db, token.tool, course_id)
        if request.method == "PUT":
            item = replace_line_item(db, token.tool, item, document, str(show_line_item(here, item, profile)["id"]))
        if request.method == "DELETE":
            delete_line_item(db, item.id)
            return HttpResponse(status=204)
    return answer_json(show_line_item(here, item, profile), ITEM_TYPE)


@service("scores")
def take_scores(request: HttpRequest, course_id: str, item_id: str, *, now: float) -> HttpResponse:
    """A score for one person in one column."""
    require_method(request, "POST")
    token = authorize(request, now)
    require_scope(token, SCOPE_SCORE)
    document = read_json(request, SCORE_TYPE)
    with database().transaction() as db:
        item = get_line_item(db, token.tool, course_id, item_id, request.GET.get("type_id", ""))
        profile = find_course_profile(db, token.tool, course_id)
        refusal = take_score(db, token.tool, item, profile, document, now=now)
    if refusal is not None:
        raise refusal
    if profile.name == "canvas":
        path, mark, query = make_line_item_url(addresses(), item, profile).partition("?")
        return answer_json({"resultUrl": f"{path}/results/{document['userId']}{mark}{query}"}, RESULT_TYPE)
    response = HttpResponse(status=200)
    if profile.has("D9"):
        del response["Content-Type"]
    return response


@service("results")
def serve_results(request: HttpRequest, course_id: str, item_id: str, *, now: float) -> HttpResponse:
    """The grades of a column, of everybody or of one person."""
    require_method(request, "GET")
    token = authorize(request, now)
    require_scope(token, SCOPE_RESULT_READ)
    require_accept(request, RESULT_TYPE)
    here = addresses()
    with database().transaction() as db:
        item = get_line_item(db, token.tool, course_id, item_id, request.GET.get("type_id", ""))
        profile = find_course_profile(db, token.tool, course_id)
        results = list_results(db, here, item, profile, person_id=request.GET.get("user_id", ""))
    return answer_page(request, results, RESULT_TYPE)


def find_token_audience(profile: Profile, token_url: str) -> str:
    """What an assertion has to name as its audience; a Brightspace has an address of its own for it (D1)."""
    return BRIGHTSPACE_AUDIENCE if profile.has("D1") else token_url


def _require_read_scope(token: AccessToken, course_id: str) -> None:
    """Reading columns; the right to change them is the right to read them, but not in a Moodle (M3)."""
    with database().transaction() as db:
        profile = find_course_profile(db, token.tool, course_id)
    scopes = (SCOPE_LINE_ITEM_READ,) if profile.has("M3") else (SCOPE_LINE_ITEM, SCOPE_LINE_ITEM_READ)
    require_scope(token, *scopes)
