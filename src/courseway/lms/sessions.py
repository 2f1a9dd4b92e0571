"""A session of its own for each launch: one cookie, one path, one course. It never touches the sign-in session.

The pages of a launch lie below `/at/<reference>/`. The reference is not a secret; the cookie is, and browsers send it
to that path alone, so that two launches in two tabs cannot disturb each other (B6). The cookie is a signed ticket:
it says who came and in which role, and every request checks in one statement that the LMS still says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import Morsel
from typing import Any, TypeVar
from urllib.parse import quote

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import reverse, set_script_prefix
from django.urls.base import get_script_prefix
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import RFC3986_SUBDELIMS, http_date
from django.utils.translation import gettext as _

from courseway.courses.access import remember_course
from courseway.courses.models import Enrollment, Role
from courseway.kept_queries import KeptQuery
from courseway.lms.arrivals import Landing
from courseway.lms.models import ContextMembership, CourseContext, Platform
from courseway.lms.refusals import SessionEndedError
from courseway.orgs.models import Account
from courseway.orgs.visitor import LaunchVisit, Visitor

LIFETIME = timedelta(hours=12)
KEPT_COOKIE = "cw-kept"
_FRAMES = ("iframe", "frame", "object", "embed", "fencedframe")
_SALT = "courseway.lms.sessions"
_SELECTION_SALT = _SALT + ".selection"
_REVIEW_SALT = _SALT + ".review"
_AT = "/at/"
# Below the session's path: what a selection's ticket opens.
_CHOOSE = "/choose/"
# The one page below /lti/ for people who signed in here: the LMS opens it, an owner confirms it.
_REGISTER = "/lti/register/"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the cookie of a launch's session holds."""

    reference: str
    organization: int
    person: int
    course: int
    context: int
    role: str
    assignment: str
    return_url: str
    page: str
    expires: int


@dataclass(frozen=True, slots=True)
class SelectionTicket:
    """What the cookie holds while a launch waits for a choice: it opens the pages of the choice and no others."""

    reference: str
    expires: int


@dataclass(frozen=True, slots=True)
class ReviewTicket:
    """What the cookie holds when the LMS opened a student's work for somebody else: it opens that work to be read.

    `person` is the student, `role` that of whoever looks. Nobody is signed in by it.
    """

    reference: str
    organization: int
    platform: int
    course: int
    person: int
    role: str
    assignment: str
    return_url: str
    expires: int


def _fields_of(ticket: Ticket | ReviewTicket) -> list[str | int]:
    return [getattr(ticket, name) for name in ticket.__slots__]


def open_review_session(response: HttpResponse, ticket: ReviewTicket) -> None:
    """Gives the browser the ticket of a review."""
    value = signing.dumps(_fields_of(ticket), salt=_REVIEW_SALT)
    set_launch_cookie(response, _cookie_name(ticket.reference), value, path=_session_path(ticket.reference))


def review_url(reference: str) -> str:
    """The page of a review, below the path of its session."""
    return _below(_session_path(reference), "learning:review")


def keep_return_url(url: str) -> str:
    """A cookie holds 4 KB; an address that long is of no use to a reader anyway."""
    return url if len(url) <= 1500 else ""


def open_selection_session(response: HttpResponse, reference: str, *, expires_at: datetime) -> None:
    """Gives the browser the ticket of a selection. The choice puts a launch's ticket in its place."""
    ticket = SelectionTicket(reference, int(expires_at.timestamp()))
    value = signing.dumps([ticket.reference, ticket.expires], salt=_SELECTION_SALT)
    set_launch_cookie(response, _cookie_name(reference), value, path=_session_path(reference))


def selection_url(reference: str) -> str:
    """The first page of a selection, below the path of its session."""
    return _below(_session_path(reference), "lms_choose:picker")


def open_session(response: HttpResponse, landing: Landing, *, return_url: str, page: str, now: datetime) -> None:
    """Gives the browser the ticket of this launch."""
    ticket = Ticket(
        reference=landing.reference,
        organization=landing.organization_pk,
        person=landing.person_pk,
        course=landing.course_pk,
        context=landing.context_pk,
        role=landing.role,
        assignment=landing.assignment_public_id,
        return_url=keep_return_url(return_url),
        page=page[:200],
        expires=int((now + LIFETIME).timestamp()),
    )
    value = signing.dumps(_fields_of(ticket), salt=_SALT)
    set_launch_cookie(response, _cookie_name(landing.reference), value, path=_session_path(landing.reference))


def landing_url(landing: Landing) -> str:
    """The page on which an accepted launch lands, below the path of its session."""
    path = _session_path(landing.reference)
    if landing.assignment_public_id:
        return _below(path, "learning:assignment", landing.assignment_public_id)
    page = {Role.TEACHER.value: "courses:overview", Role.MENTOR.value: "learning_course:gradebook"}
    return _below(path, page.get(landing.role, "learning:course"), landing.course_public_id)


def submission_url(landing: Landing, course: str, student: str) -> str:
    """The page of a student's work, for somebody who comes as teacher or mentor."""
    path = _session_path(landing.reference)
    return _below(path, "learning_course:result", course, landing.assignment_public_id, student)


def set_launch_cookie(
    response: HttpResponse, name: str, value: str, *, path: str, lifetime: timedelta | None = None
) -> None:
    """A cookie that survives in a frame of another site: partitioned, secure, SameSite=None (CHIPS).

    Over plain http, which only a demo or a test on this machine uses, browsers take a Secure cookie on loopback
    but other clients do not send it; those get a second one without attributes.
    """
    _add_cookie(response, name, value, path, lifetime, is_partitioned=True)
    if not settings.PUBLIC_IS_HTTPS:
        _add_cookie(response, name + "-http", value, path, lifetime, is_partitioned=False)


def read_launch_cookie(request: HttpRequest, name: str) -> str | None:
    value = request.COOKIES.get(name)
    if value is None and not settings.PUBLIC_IS_HTTPS:
        return request.COOKIES.get(name + "-http")
    return value


def keeps_cookies(request: HttpRequest) -> bool:
    return read_launch_cookie(request, KEPT_COOKIE) is not None


def may_lose_cookies(request: HttpRequest) -> bool:
    """True in a frame that never showed us a cookie of ours. Clients that say nothing count as ordinary windows."""
    return request.headers.get("Sec-Fetch-Dest") in _FRAMES and not keeps_cookies(request)


def login_cookie_name(attempt_id: str) -> str:
    return f"cw-login-{attempt_id}"


class PartitionedMorsel(Morsel[str]):
    """`http.cookies` learns the Partitioned attribute only in Python 3.14."""

    def OutputString(self, attrs: Sequence[str] | None = None) -> str:  # type: ignore[override]
        return super().OutputString(None) + "; Partitioned"


def _add_cookie(
    response: HttpResponse, name: str, value: str, path: str, lifetime: timedelta | None, *, is_partitioned: bool
) -> None:
    morsel: Morsel[str] = PartitionedMorsel() if is_partitioned else Morsel()
    morsel.set(name, value, value)
    morsel["path"] = path
    morsel["httponly"] = True
    if lifetime is not None:
        morsel["max-age"] = int(lifetime.total_seconds())
        morsel["expires"] = http_date(timezone.now().timestamp() + lifetime.total_seconds())
    if is_partitioned:
        morsel["secure"] = True
        morsel["samesite"] = "None"
    # SimpleCookie would turn the Morsel into one of its own class.
    dict.__setitem__(response.cookies, name, morsel)


class ContentPolicyMiddleware(CSPMiddleware):
    """django-csp's own, which writes the header of each of our few policies once instead of for each response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self._written: dict[tuple[tuple[str, tuple[str, ...]], ...], str] = {}

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        changes = {name for name in vars(response) if name.startswith("_csp_")}
        if changes - {"_csp_replace"} or hasattr(request, "_csp_nonce") or HEADER in response:
            return super().process_response(request, response)
        replaced = getattr(response, "_csp_replace", {})
        policy = tuple((name, tuple(values)) for name, values in replaced.items())
        if policy not in self._written:
            response = super().process_response(request, response)
            self._written[policy] = response.headers[HEADER]
        response.headers[HEADER] = self._written[policy]
        return response


class LaunchSessionMiddleware:
    """Recognises the pages of a launch by their path and hides the path from everything below.

    `/at/<reference>` becomes part of the script prefix, so that every `{% url %}` of the page stays in its session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(_AT):
            return self.get_response(request)
        reference, _, rest = request.path_info[len(_AT) :].partition("/")
        ticket = _read_ticket(request, reference)
        # The sign-in session of the same browser has no say here, in either direction.
        request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        request.COOKIES.pop(settings.CSRF_COOKIE_NAME, None)
        request.launch_ticket = ticket  # type: ignore[attr-defined]
        request.path_info = "/" + rest
        before = get_script_prefix()
        set_script_prefix(_session_path(reference))
        try:
            response = self.get_response(request)
        finally:
            set_script_prefix(before)
        response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]  # any LMS may frame a launch
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response


class SignInMiddleware:
    """Django's session and account, for pages that people sign in to. Launches have neither, nor pay for them.

    Messages too are kept from the addresses to which LMSs send: whatever waits there would be shown in the wrong place.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.to_lms = get_response
        self.to_launch: Callable[[HttpRequest], Any] = MessageMiddleware(get_response)
        self.to_account: Callable[[HttpRequest], Any] = SessionMiddleware(AuthenticationMiddleware(self.to_launch))

    def __call__(self, request: HttpRequest) -> Any:
        if hasattr(request, "launch_ticket"):
            return self.to_launch(request)
        return self.to_lms(request) if _is_for_lms(request) else self.to_account(request)


def _is_for_lms(request: HttpRequest) -> bool:
    return request.path_info.startswith("/lti/") and not request.path_info.startswith(_REGISTER)


class LaunchCsrfMiddleware(CsrfViewMiddleware):
    """CSRF protection without a cookie of its own for launches: frames of other sites keep no ordinary cookies.

    The secret is derived from the signed ticket, which only this browser has.
    """

    def _get_secret(self, request: HttpRequest) -> str | None:
        ticket = ticket_of(request) or selection_ticket_of(request) or review_ticket_of(request)
        if ticket is None:
            return super()._get_secret(request)  # type: ignore[misc, no-any-return]
        return salted_hmac(_SALT + ".csrf", f"{ticket.reference}:{ticket.expires}").hexdigest()[:32]

    def process_request(self, request: HttpRequest) -> None:
        if _has_ticket(request):
            request.META["CSRF_COOKIE"] = self._get_secret(request)
        else:
            super().process_request(request)

    def _set_csrf_cookie(self, request: HttpRequest, response: HttpResponse) -> None:
        if not _has_ticket(request):
            super()._set_csrf_cookie(request, response)  # type: ignore[misc]


class VisitorMiddleware:
    """Finds out who is asking: the person of a launch, or the account that signed in - never both."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if hasattr(request, "launch_ticket"):
            request.user = AnonymousUser()
            visitor: Visitor | None
            if selection_ticket_of(request) is not None:
                if not request.path_info.startswith(_CHOOSE):
                    raise PermissionDenied(_("First choose what to open."))
                visitor = Visitor()
            else:
                visitor = _visitor_of_ticket(request) or _visitor_of_review(request)
            if visitor is None:
                from courseway.lms.views import refuse  # the page lives with the launch views

                return refuse(request, SessionEndedError())
        elif _is_for_lms(request):
            visitor = Visitor()
        else:
            visitor = Visitor(account=request.user if isinstance(request.user, Account) else None)
        request.visitor = visitor  # type: ignore[attr-defined]
        return self.get_response(request)


def ticket_of(request: HttpRequest) -> Ticket | None:
    ticket = getattr(request, "launch_ticket", None)
    return ticket if isinstance(ticket, Ticket) else None


def selection_ticket_of(request: HttpRequest) -> SelectionTicket | None:
    ticket = getattr(request, "launch_ticket", None)
    return ticket if isinstance(ticket, SelectionTicket) else None


def review_ticket_of(request: HttpRequest) -> ReviewTicket | None:
    ticket = getattr(request, "launch_ticket", None)
    return ticket if isinstance(ticket, ReviewTicket) else None


def _has_ticket(request: HttpRequest) -> bool:
    return getattr(request, "launch_ticket", None) is not None


def _read_ticket(request: HttpRequest, reference: str) -> Ticket | SelectionTicket | ReviewTicket | None:
    value = read_launch_cookie(request, _cookie_name(reference))
    if not value:
        return None
    ticket = (
        _unsign(value, Ticket, _SALT)
        or _unsign(value, SelectionTicket, _SELECTION_SALT)
        or _unsign(value, ReviewTicket, _REVIEW_SALT)
    )
    if ticket is None:
        return None
    is_alive = ticket.expires > timezone.now().timestamp()
    return ticket if is_alive and ticket.reference == reference else None


T = TypeVar("T", Ticket, SelectionTicket, ReviewTicket)


def _unsign(value: str, kind: type[T], salt: str) -> T | None:
    try:
        return kind(*signing.loads(value, salt=salt, fallback_keys=[*settings.SECRET_KEY_FALLBACKS]))
    except (signing.BadSignature, TypeError, ValueError):
        return None


def _visitor_of_ticket(request: HttpRequest) -> Visitor | None:
    """One statement: the enrollment is active and the LMS's last word on the role is still the ticket's."""
    ticket = ticket_of(request)
    if ticket is None:
        return None
    enrollment = _STILL_ENROLLED.first(
        course=ticket.course, person=ticket.person, context=ticket.context, role=ticket.role
    )
    if enrollment is None:
        return None
    remember_course(request, enrollment.course)
    visit = LaunchVisit(
        reference=ticket.reference,
        organization_id=ticket.organization,
        course_id=ticket.course,
        context_id=ticket.context,
        role=ticket.role,
        covers_whole_course=enrollment.covers_whole_course,
        assignment_public_id=ticket.assignment,
        return_url=ticket.return_url,
        lms_url=enrollment.own_lms_url or enrollment.course.lms_url,  # type: ignore[attr-defined]
        page=ticket.page,
    )
    return Visitor(person=enrollment.person, launch=visit)


def _find_still_enrolled(*, course: int, person: int, context: int, role: str) -> QuerySet[Enrollment]:
    still_so = ContextMembership.objects.filter(context=context, person=person, role=role, active=True)
    here = CourseContext.objects.filter(course=course, context=context)
    return (
        Enrollment.objects.select_related("person", "course")
        .filter(Exists(still_so), course=course, person=person, active=True, course__lti_enabled=True)
        .annotate(own_lms_url=Subquery(here.values("lms_url")[:1]))
    )


_STILL_ENROLLED = KeptQuery(_find_still_enrolled, course=int, person=int, context=int, role=str)


def _visitor_of_review(request: HttpRequest) -> Visitor | None:
    """One statement: the student is still in the course, and the owner still lets this LMS open students' work.

    The visitor is in no course (0), so that every page but the review refuses.
    """
    ticket = review_ticket_of(request)
    if ticket is None:
        return None
    accepted = Platform.objects.filter(pk=ticket.platform, accepts_actual_user=True, revoked_at=None)
    students = Enrollment.objects.filter(Exists(accepted), course=ticket.course, course__lti_enabled=True)
    if not students.filter(person=ticket.person, role=Role.STUDENT).exists():
        return None
    visit = LaunchVisit(
        reference=ticket.reference,
        organization_id=ticket.organization,
        course_id=0,
        context_id=0,
        role=ticket.role,
        covers_whole_course=False,
        assignment_public_id=ticket.assignment,
        return_url=ticket.return_url,
        reviewed_person_id=ticket.person,
    )
    return Visitor(launch=visit)


def _cookie_name(reference: str) -> str:
    return f"cw-{reference}"


def _session_path(reference: str) -> str:
    return f"{settings.PUBLIC_PATH}{_AT}{reference}/"


def _below(prefix: str, name: str, *arguments: str) -> str:
    # Django would write a pattern of its own for each prefix, and no two sessions have the same.
    before = get_script_prefix()
    set_script_prefix("/")
    try:
        return quote(prefix, safe=RFC3986_SUBDELIMS + "/~:@") + reverse(name, args=arguments).removeprefix("/")
    finally:
        set_script_prefix(before)
