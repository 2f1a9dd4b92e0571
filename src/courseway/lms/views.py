"""The addresses of LTI: login, launch, keyset. A launch ends on a page, with a notice, or refused with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from courseway.courses.models import Assignment
from courseway.lms import platforms, tool_keys
from courseway.lms.actual_users import check_accepted, log_review
from courseway.lms.addresses import redirect_url
from courseway.lms.arrivals import Landing, arrive, check_deployment, may_have_moved, repeat_arrival, replay_key
from courseway.lms.browser_binding import ask_for_secret, show_login
from courseway.lms.deployment_claims import confirm_claim, name_organization
from courseway.lms.detection import find_course, read_facts
from courseway.lms.frames import allow_framing, mark_browser
from courseway.lms.instructors import check_instructor
from courseway.lms.known import Known, read_known
from courseway.lms.models import Launch as LaunchRow
from courseway.lms.new_tab import lead_on
from courseway.lms.platforms import KnownPlatform
from courseway.lms.refusals import ForeignTargetError, LaunchMethodError, MissingUserError
from courseway.lms.resolve import (
    Kind,
    Resolution,
    Target,
    check_course_openable,
    check_openable,
    describe_target,
    is_as_before,
    may_want_links,
    narrow_target,
    read_target,
    resolve_course,
    resolve_enroll,
    resolve_moved,
    resolve_named,
    resolve_navigation,
)
from courseway.lms.selection import begin_selection, may_choose, read_wish, wants_links
from courseway.lms.sessions import (
    Redirect,
    landing_url,
    login_cookie_name,
    may_lose_cookies,
    open_review_session,
    open_selection_session,
    open_session,
    review_url,
    selection_url,
    set_launch_cookie,
    submission_url,
)
from courseway.lms.submission_reviews import name_link, open_review, read_reviewed
from courseway.lms.upgrades import Former, find_former
from courseway.lms.verification import Trail, begin_login, public_url_of, verify_v11, verify_v13
from courseway.orgs.ids import new_id
from courseway.orgs.models import Organization
from ltikit.actual_user import ActualUser, read_actual_user
from ltikit.errors import (
    LtiError,
    MalformedMessageError,
    MissingResourceLinkError,
    ReplayError,
    StateError,
    UnknownPlatformError,
)
from ltikit.launch import Launch, Message, Role
from ltikit.parameters import MAX_BODY, MAX_FIELDS, parse_form, write_masked
from ltikit.returns import build_return_url
from ltikit.v13 import login as v13_login
from ltikit.v13.submission_review import ForUser

LOGIN_LIFETIME = timedelta(minutes=10)


@csrf_exempt
def login(request: HttpRequest) -> HttpResponse:
    """Third-party initiated login (Security Framework 1.0 §5.1.1), by GET or POST. Costs no statement."""
    now = timezone.now()
    trail = Trail(step="login", version="1.3")
    try:
        if request.method not in ("GET", "POST"):
            raise LaunchMethodError
        request_to_login = v13_login.parse_login(_read_login_fields(request))
        platform = _find_registration(request_to_login)
        trail.platform = platform
        if platform is None or platform.is_revoked:
            raise UnknownPlatformError("no registration of this issuer and client id")
        attempt, browser_secret, state = begin_login(request_to_login, platform, now=now)
        url = v13_login.build_authentication_url(
            request_to_login,
            authentication_url=platform.authentication_url,
            client_id=platform.client_id,
            redirect_uri=redirect_url(),
            state=state,
            nonce=attempt.nonce,
        )
    except LtiError as error:
        return refuse(request, error, trail=trail, now=now)
    response: HttpResponse
    if may_lose_cookies(request):
        response = show_login(
            request, request_to_login, platform, url=url, attempt_id=attempt.id, secret=browser_secret
        )
        mark_browser(response)
    else:
        response = Redirect(url, status=302)
    cookie = login_cookie_name(attempt.id)
    set_launch_cookie(response, cookie, browser_secret, path=f"{settings.PUBLIC_PATH}/lti/", lifetime=LOGIN_LIFETIME)
    return response


@csrf_exempt
def launch(request: HttpRequest, **named: str) -> HttpResponse:
    """A launch of either version, at /lti/launch or at the address of what it opens."""
    now = timezone.now()
    trail = Trail()
    try:
        try:
            return _launch(request, trail, now)
        except (_StaleKeysError, IntegrityError):
            # Keys were changed, or two people joined into one, at this very moment: now everything is read anew.
            return _launch(request, trail, now)
    except LtiError as error:
        return refuse(request, error, trail=trail, now=now)


class _StaleKeysError(LtiError):
    """Verified with keys that are not the platform's newest: to be verified once more. Seen only in a tight race."""

    code = "stale_keys"
    hint = "The keys of the LMS were changed at this moment. Open the link again."


def _launch(request: HttpRequest, trail: Trail, now: datetime) -> HttpResponse:
    if request.method != "POST":
        raise LaunchMethodError
    form = _read_form(request)
    names = {name for name, _ in form}
    if names & {"id_token", "state"}:
        try:
            message = verify_v13(request, form, trail, now=now)
        except StateError:
            question = ask_for_secret(request, form, now=now)
            if question is None:
                raise
            return question
        trail.step = "target"
        # The claim counts, not the address: platforms post every LTI 1.3 launch to one redirect URI.
        target = read_target(message.target_link_uri) if message.target_link_uri else Target(Kind.ANY)
    else:
        message = verify_v11(request, form, trail, now=now)
        trail.step = "target"
        target = read_target(public_url_of(request))
    platform = trail.platform
    assert platform is not None  # noqa: S101 - nothing is verified without one
    if platform.is_shared:
        platform = _find_share(message, platform, target, trail, now)
    if target is None:
        raise ForeignTargetError("the target is not an address of this installation")
    if not message.person.user_id:
        raise MissingUserError
    if platform.asks_about_instructors and message.role is Role.TEACHER:
        trail.step = "person"
        check_instructor(message, platform.pk, now=now)
        trail.step = "target"
    target = narrow_target(message, target)
    names_somebody_else = any(name.startswith("actual_user_") for name in message.custom)
    if names_somebody_else and (actual := read_actual_user(message)):
        return _review(request, message, actual, platform, target, trail, now)
    if message.message is Message.SUBMISSION_REVIEW and (reviewed := read_reviewed(message)) is not None:
        return _open_submission(request, message, reviewed, target, trail, now)
    if may_want_links(message, target) and wants_links(message, target):
        known = _read_known(message, platform, target)
        trail.step = "arrive"
        check_deployment(message, platform, known, now)
        trail.step = "resolve"
        read_wish(message, target)
        return _ask(request, message, platform, target, now)
    if message.resource_link is None:
        raise MissingResourceLinkError("resource_link_id is missing")
    landing = _land(message, platform, target, trail, now)
    if landing is None:
        return _ask(request, message, platform, target, now)
    response = Redirect(landing_url(landing))
    open_session(response, landing, return_url=message.return_url, page=message.custom.get("page", ""), now=now)
    return lead_on(request, response) if may_lose_cookies(request) else response


def _find_share(
    message: Launch, shared: KnownPlatform, target: Target | None, trail: Trail, now: datetime
) -> KnownPlatform:
    """Whose the deployment is. From here on the launch is one of that organization's own platform (A6)."""
    share = platforms.find_share(shared, message.deployment_id, is_fresh=False)
    if share is None:
        trail.step = "deployment"
        trail.named_organization_pk = name_organization(message, target)
        confirm_claim(message, shared.pk, trail.named_organization_pk, now=now)
        share = platforms.find_share(shared, message.deployment_id, is_fresh=True)
        trail.step = "target"
    if share is None or share.shared_version != shared.config_version:
        platforms.forget(shared.pk)
        raise _StaleKeysError
    trail.platform = share
    return share


def _review(
    request: HttpRequest,
    message: Launch,
    actual: ActualUser,
    platform: KnownPlatform,
    target: Target,
    trail: Trail,
    now: datetime,
) -> HttpResponse:
    """The launch is a student's, and somebody else sits there: one submission to be read (B9)."""
    known = _read_known(message, platform, target)
    trail.step = "person"
    check_accepted(platform)
    trail.step = "resolve"
    resolution = _resolve(message, platform, target, known)
    trail.step = "arrive"
    check_deployment(message, platform, known, now)
    ticket = log_review(message, actual, platform, known, resolution, now=now)
    response = Redirect(review_url(ticket.reference))
    open_review_session(response, ticket)
    return lead_on(request, response) if may_lose_cookies(request) else response


def _open_submission(
    request: HttpRequest, message: Launch, reviewed: ForUser, target: Target, trail: Trail, now: datetime
) -> HttpResponse:
    """A teacher, as themselves, at the work of one of their students (B9)."""
    platform = trail.platform
    assert platform is not None  # noqa: S101 - nothing is verified without one
    message = name_link(message, platform.pk)
    known = _read_known(message, platform, target)
    trail.step = "resolve"
    resolution = _resolve(message, platform, target, known)
    trail.step = "person"
    asked = describe_target(message, target)
    landing, work = open_review(message, reviewed, platform, known, resolution, asked=asked, now=now)
    response = Redirect(submission_url(landing, *work))
    open_session(response, landing, return_url=message.return_url, page="", now=now)
    return lead_on(request, response) if may_lose_cookies(request) else response


def _land(message: Launch, platform: KnownPlatform, target: Target, trail: Trail, now: datetime) -> Landing | None:
    """Where the launch leads; None when somebody has to choose first."""
    asked = describe_target(message, target)
    trail.step = "arrive"
    landing = repeat_arrival(message, platform, asked=asked, now=now)
    if landing is not None:
        return landing
    known = _read_known(message, platform, target)
    former = find_former(message, platform) if may_have_moved(message, platform) else None
    trail.step = "resolve"
    resolution = _resolve(message, platform, target, known, former)
    if resolution is None:
        return None
    trail.step = "arrive"
    return arrive(message, platform, known, resolution, asked=asked, now=now, former=former)


def _read_known(message: Launch, platform: KnownPlatform, target: Target) -> Known:
    """What is known, freshly read, of a platform that is still as it was when the message was verified."""
    known = read_known(message, platform.pk, target)
    if known is None or known.is_revoked:
        raise UnknownPlatformError("the platform was revoked")
    if known.config_version != platform.config_version:
        platforms.forget(platform.pk)
        raise _StaleKeysError
    return known


def _resolve(
    message: Launch, platform: KnownPlatform, target: Target, known: Known, former: Former | None = None
) -> Resolution | None:
    """The rules of `resolve.py`, with as much read from the database as they need."""
    organization = platform.organization_id
    is_link_known = known.link_assignment_pk is not None and is_as_before(
        message, target, link_target=known.link_target, link_context=known.link_context
    )
    named = resolve_named(
        message, target, candidate=known.candidate, organization_pk=organization, is_link_known=is_link_known
    )
    if named is not None:
        return named
    if target.kind is Kind.ENROLL:
        return resolve_enroll(find_course(target.id, organization), message.role)
    if former is not None and (carried := resolve_moved(target, former.candidate, message.role)) is not None:
        return carried
    facts = read_facts(
        message,
        platform,
        target,
        link_opened=known.candidate,
        link_target=known.link_target,
        former=(former.platform_pk, former.context_id) if former else None,
    )
    if target.kind is Kind.NAVIGATION:
        resolution = resolve_navigation(facts)
    else:
        resolution = resolve_course(facts)
    if resolution is not None and resolution.candidate is not None:
        check_openable(resolution.candidate, message.role)
    elif resolution is not None:
        check_course_openable(resolution.course or resolution.copy_of, message.role)
    return resolution


def _ask(request: HttpRequest, message: Launch, platform: KnownPlatform, target: Target, now: datetime) -> HttpResponse:
    """Somebody has to choose before this can go on: a teacher does it now, everybody else is told whom to ask."""
    is_for_lms = wants_links(message, target)
    row = LaunchRow(
        at=now,
        replay_key=replay_key(platform.pk, message.nonce),
        organization_id=platform.organization_id,
        platform_id=platform.pk,
        version=message.version,
        lms_context_id=(message.context.id if message.context else "")[:255],
        role=message.role.value,
        outcome=LaunchRow.Outcome.WAITING,
        code="links_wanted" if is_for_lms else "link_not_connected",
        step="resolve",
        message=write_masked(message.raw),
    )
    can_choose = may_choose(message)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            if can_choose:
                selection = begin_selection(message, target, platform_pk=platform.pk, reference=row.reference, now=now)
    except IntegrityError:
        raise ReplayError from None
    if not can_choose:
        context = {
            "reference": row.reference,
            "is_for_lms": is_for_lms,
            "return_url": build_return_url(message.return_url),
        }
        return allow_framing(render(request, "lms/waiting.html", context))
    response = Redirect(selection_url(row.reference))
    open_selection_session(response, row.reference, expires_at=selection.expires_at)
    return lead_on(request, response) if may_lose_cookies(request) else response


def refuse(
    request: HttpRequest, error: LtiError, *, trail: Trail | None = None, now: datetime | None = None
) -> HttpResponse:
    """The page of a refused launch, and its row in the launch log. Never a redirect, never a stack trace."""
    trail = trail or Trail(step="session")
    reference = new_id()
    message = trail.launch
    if trail.step != "session":
        LaunchRow.objects.create(
            reference=reference,
            at=now or timezone.now(),
            organization_id=_organization_of(request, trail),
            platform_id=trail.platform.pk if trail.platform else None,
            version=trail.version,
            lms_context_id=(message.context.id if message and message.context else trail.unverified_context_id).replace(
                "\0", ""
            )[:255],
            role=message.role.value if message else "",
            outcome=LaunchRow.Outcome.REFUSED,
            code=error.code,
            step=trail.step,
            detail=error.detail.replace("\0", "")[:1000],
            message=write_masked(message.raw if message else trail.unverified),
        )
    # The way back is believed only from a message whose signature was good.
    return_url = message.return_url if message else error.return_url
    context = {
        "code": error.code,
        "hint": error.hint,
        "student_hint": error.student_hint,
        "detail": error.detail,
        "reference": reference,
        "step": trail.step,
        "platform_name": trail.platform.name if trail.platform and message else "",
        # A key or an issuer that is unknown here may belong to another installation (A8).
        "our_address": settings.PUBLIC_URL if isinstance(error, UnknownPlatformError) else "",
        "return_url": build_return_url(return_url, error_message=f"{error.hint} ({reference})") if return_url else "",
        "is_student": message is not None and message.role is not Role.TEACHER,
    }
    return allow_framing(render(request, "lms/refused.html", context, status=error.status))


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Our keyset (RFC 7517), which platforms read to verify what we sign."""
    response = HttpResponse(tool_keys.published_keyset(), content_type="application/json")
    response.headers["Cache-Control"] = f"public, max-age={tool_keys.KEYSET_SECONDS}"
    return response


def _read_login_fields(request: HttpRequest) -> list[tuple[str, str]]:
    query = request.META.get("QUERY_STRING", "")
    if request.method == "GET" and query.isascii():
        try:
            return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise MalformedMessageError(f"the login request has more than {MAX_FIELDS} parameters") from error
    parameters = request.POST if request.method == "POST" else request.GET
    return [(name, value) for name, values in parameters.lists() for value in values]


def _read_form(request: HttpRequest) -> list[tuple[str, str]]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise MalformedMessageError("the message is not a form (application/x-www-form-urlencoded)")
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        raise MalformedMessageError("the form is too large")
    return parse_form(request.body)


def _find_registration(login: v13_login.LoginRequest) -> KnownPlatform | None:
    known = platforms.find_by_issuer(login.issuer, login.client_id, is_fresh=False)
    if known is not None and known.is_revoked:  # taken back meanwhile, perhaps, by another process
        return platforms.find_by_issuer(login.issuer, login.client_id, is_fresh=True)
    return known


def _organization_of(request: HttpRequest, trail: Trail) -> int | None:
    """Whose launch log shows a refusal: the platform's, else the target's, else the only organization's there is.

    What only claims to come from a shared registration, or from a deployment that is nobody's, is no organization's.
    """
    if trail.platform is not None and not trail.platform.is_shared:
        return trail.platform.organization_id
    if trail.named_organization_pk is not None:
        return trail.named_organization_pk
    target = read_target(public_url_of(request)) if trail.platform is None else None
    if target is not None and target.kind is Kind.ASSIGNMENT:
        found = Assignment.objects.filter(public_id=target.id).values_list("course__organization_id", flat=True).first()
        if found is not None:
            return found
    organizations = list(Organization.objects.values_list("pk", flat=True)[:2])
    return organizations[0] if len(organizations) == 1 else None
