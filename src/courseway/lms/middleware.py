"""What every request goes through, in the order of `settings.MIDDLEWARE`.

Launches take a shorter way than people who sign in: they have no session of Django's and no account, and a class that
begins its lesson is in a hurry.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CSRF_ALLOWED_CHARS, CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import set_script_prefix
from django.urls.base import get_script_prefix
from django.utils.functional import SimpleLazyObject, empty
from django.utils.translation import gettext as _

from courseway.lms.refusals import SessionEndedError
from courseway.lms.sessions import (
    AT,
    Ticket,
    read_ticket,
    review_ticket_of,
    selection_ticket_of,
    session_path,
    ticket_of,
)
from courseway.lms.visitors import visitor_of_review, visitor_of_ticket
from courseway.orgs.models import Account
from courseway.orgs.visitor import Visitor

Answer = Callable[[HttpRequest], Any]

_right_hosts: set[str] = set()
_CSRF_SALT = "courseway.lms.sessions.csrf"
_CSRF_PLACES = {one: place for place, one in enumerate(CSRF_ALLOWED_CHARS)}
# Below the session's path: what a selection's ticket opens.
_CHOOSE = "/choose/"
# The one page below /lti/ for people who signed in here: the LMS opens it, an owner confirms it.
_REGISTER = "/lti/register/"


class HeadersMiddleware:
    """What a browser may do with a page: the headers of django-csp and of Django's `SecurityMiddleware`.

    There are few kinds of pages, so the headers are worked out once for each kind. No page has scripts or styles of its
    own in it, so there are no nonces; `_csp_replace` is the one way in which a page may differ.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self._policy = CSPMiddleware(get_response)
        self._security: Any = SecurityMiddleware(get_response)
        self._of_kind: dict[object, dict[str, tuple[str, str]]] = {}

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        replaced = response.__dict__.get("_csp_replace", {})
        kind = request.META["wsgi.url_scheme"], *[(name, *values) for name, values in replaced.items()]
        headers = self._of_kind.get(kind)
        if headers is None:
            headers = self._of_kind[kind] = self._work_out(request, replaced)
        # Past `response.headers[name] = value`, which looks again at every value whether it can be a header.
        there: dict[str, tuple[str, str]] = response.headers._store
        for name, header in headers.items():
            there.setdefault(name, header)
        return response

    def _work_out(self, request: HttpRequest, replaced: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
        blank = HttpResponse()
        before = set(blank.headers)
        blank._csp_replace = replaced  # type: ignore[attr-defined]
        self._security.process_response(request, self._policy.process_response(request, blank))
        return {name.lower(): (name, value) for name, value in blank.headers.items() if name not in before}


class VisitorsMiddleware:
    """Three kinds of visitors, three ways to the same views: LMSs send signed messages and have nothing else; the
    pages of a launch have a ticket; everybody else may have signed in.

    What a way does not need is not asked of it. A visitor is the person of a launch or an account, never both.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self._csrf = LaunchCsrfMiddleware(get_response)
        self._common = CommonMiddleware(get_response)
        # What goes wrong on a launch's page is said on a page of the launch.
        self._to_launch: Answer = convert_exception_to_response(self._answer_visit)
        by_account: Answer = LaunchCsrfMiddleware(self._answer_account)
        self._to_account: Answer = SessionMiddleware(AuthenticationMiddleware(MessageMiddleware(by_account)))

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(AT):
            return self._answer_launch(request)
        _check_host(request)
        if _is_for_lms(request):
            # No messages of Django's either: what waits would be shown in the wrong place.
            request.visitor = Visitor()  # type: ignore[attr-defined]
            response = self.get_response(request)
        else:
            response = self._to_account(request)
        return self._common.process_response(request, response)

    def process_view(self, request: HttpRequest, view: Any, arguments: Any, named: Any) -> HttpResponse | None:
        """Django's protection of forms; see `LaunchCsrfMiddleware`."""
        return self._csrf.process_view(request, view, arguments, named)

    def find_visitor(self, request: HttpRequest, ticket: Ticket) -> Visitor | None:
        """Who comes with a launch's ticket; None if the LMS no longer says so."""
        return visitor_of_ticket(request, ticket)

    def _answer_account(self, request: HttpRequest) -> Any:
        visitor = Visitor(account=request.user if isinstance(request.user, Account) else None)
        request.visitor = visitor  # type: ignore[attr-defined]
        return self.get_response(request)

    def _answer_launch(self, request: HttpRequest) -> Any:
        """A page of a launch is recognised by its path, which is hidden from everything below.

        `/at/<reference>` becomes part of the script prefix, so that every `{% url %}` of the page stays in its session.
        """
        reference, _, rest = request.path_info[len(AT) :].partition("/")
        ticket = read_ticket(request, reference)
        # The sign-in session of the same browser has no say here, in either direction.
        request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        request.COOKIES.pop(settings.CSRF_COOKIE_NAME, None)
        request.launch_ticket = ticket  # type: ignore[attr-defined]
        request.path_info = "/" + rest
        before = get_script_prefix()
        set_script_prefix(session_path(reference))
        try:
            _check_host(request)
            response: Any = self._common.process_response(request, self._to_launch(request))
        finally:
            set_script_prefix(before)
        response._csp_replace = {"frame-ancestors": ["*"]}  # any LMS may frame a launch
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response

    def _answer_visit(self, request: HttpRequest) -> Any:
        """With messages, as `MessageMiddleware` gives them; nearly no page has one, so they are read when asked for."""
        messages: Any = SimpleLazyObject(lambda: default_storage(request))
        request._messages = messages  # type: ignore[attr-defined]
        request.user = AnonymousUser()
        self._csrf.process_request(request)
        visitor = self._find(request)
        if visitor is None:
            from courseway.lms.views import refuse  # the page lives with the launch views

            response: Any = refuse(request, SessionEndedError())
        else:
            request.visitor = visitor  # type: ignore[attr-defined]
            response = self.get_response(request)
        response = self._csrf.process_response(request, response)
        if has_messages(request):
            messages.update(response)
        return response

    def _find(self, request: HttpRequest) -> Visitor | None:
        if selection_ticket_of(request) is not None:
            if not request.path_info.startswith(_CHOOSE):
                raise PermissionDenied(_("First choose what to open."))
            return Visitor()
        ticket = ticket_of(request)
        return self.find_visitor(request, ticket) if ticket else visitor_of_review(request)


def has_messages(request: HttpRequest) -> bool:
    """Whether something waits to be said on the page, or was said just now."""
    messages = request._messages  # type: ignore[attr-defined]
    is_untouched = isinstance(messages, SimpleLazyObject) and messages._wrapped is empty
    return CookieStorage.cookie_name in request.COOKIES or not is_untouched


def _check_host(request: HttpRequest) -> None:
    """Refuses a request to a host that we are not; what was seen to be right is not looked at again."""
    host = request.META.get("HTTP_HOST", "")
    if host not in _right_hosts:
        request.get_host()
        if len(_right_hosts) < 100:
            _right_hosts.add(host)


def _is_for_lms(request: HttpRequest) -> bool:
    return request.path_info.startswith("/lti/") and not request.path_info.startswith(_REGISTER)


@lru_cache
def _derive_csrf_key(secret: str) -> bytes:
    """As `salted_hmac` derives it anew for each text."""
    return hashlib.sha1((_CSRF_SALT + secret).encode()).digest()  # noqa: S324 - within an HMAC


class LaunchCsrfMiddleware(CsrfViewMiddleware):
    """CSRF protection without a cookie of its own for launches: frames of other sites keep no ordinary cookies.

    The secret is derived from the signed ticket, which only this browser has.
    """

    def _get_secret(self, request: HttpRequest) -> str | None:
        ticket = ticket_of(request) or selection_ticket_of(request) or review_ticket_of(request)
        if ticket is None:
            return super()._get_secret(request)  # type: ignore[misc, no-any-return]
        key = _derive_csrf_key(settings.SECRET_KEY)
        return hmac.digest(key, f"{ticket.reference}:{ticket.expires}".encode(), "sha1").hex()[:32]

    def process_request(self, request: HttpRequest) -> None:
        if _has_ticket(request):
            request.META["CSRF_COOKIE"] = self._get_secret(request)
        else:
            super().process_request(request)

    def _set_csrf_cookie(self, request: HttpRequest, response: HttpResponse) -> None:
        if not _has_ticket(request):
            super()._set_csrf_cookie(request, response)  # type: ignore[misc]


def form_token(request: HttpRequest) -> str:
    """The proof that a form is of this session's page, as `get_token` gives it for everybody.

    It is another one each time, so that nobody learns the secret by watching how well pages can be compressed; Django
    takes five hundred calls to make one.
    """
    secret: str = request.META["CSRF_COOKIE"]
    count = len(CSRF_ALLOWED_CHARS)
    mask = [byte % count for byte in secrets.token_bytes(len(secret))]
    hidden = [(_CSRF_PLACES[one] + other) % count for one, other in zip(secret, mask, strict=True)]
    return "".join([CSRF_ALLOWED_CHARS[place] for place in (*mask, *hidden)])


def _has_ticket(request: HttpRequest) -> bool:
    return getattr(request, "launch_ticket", None) is not None
