"""A session of its own for each launch: one cookie, one path, one course. It never touches the sign-in session.

The pages of a launch lie below `/at/<reference>/`. The reference is not a secret; the cookie is, and browsers send it
to that path alone, so that two launches in two tabs cannot disturb each other (B6). The cookie is a signed ticket:
it says who came and in which role, and every request checks in one statement that the LMS still says so.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from http.cookies import Morsel
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, set_script_prefix
from django.urls.base import get_script_prefix
from django.utils import timezone
from django.utils.encoding import force_bytes, iri_to_uri
from django.utils.http import RFC3986_SUBDELIMS

from courseway.courses.models import Role
from courseway.lms.arrivals import Landing

LIFETIME = timedelta(hours=12)
KEPT_COOKIE = "cw-kept"
_FRAMES = ("iframe", "frame", "object", "embed", "fencedframe")
_SALT = "courseway.lms.sessions"
_SELECTION_SALT = _SALT + ".selection"
_REVIEW_SALT = _SALT + ".review"
AT = "/at/"
HTML = "text/html; charset=utf-8"


class Ticket(NamedTuple):
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


class SelectionTicket(NamedTuple):
    """What the cookie holds while a launch waits for a choice: it opens the pages of the choice and no others."""

    reference: str
    expires: int


class ReviewTicket(NamedTuple):
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


def open_review_session(response: HttpResponse, ticket: ReviewTicket) -> None:
    """Gives the browser the ticket of a review."""
    value = _signer(_REVIEW_SALT).sign_object(ticket, serializer=_Json)
    set_launch_cookie(response, _cookie_name(ticket.reference), value, path=session_path(ticket.reference))


def review_url(reference: str) -> str:
    """The page of a review, below the path of its session."""
    return _below(session_path(reference), "learning:review")


def keep_return_url(url: str) -> str:
    """A cookie holds 4 KB; an address that long is of no use to a reader anyway."""
    return url if len(url) <= 1500 else ""


def open_selection_session(response: HttpResponse, reference: str, *, expires_at: datetime) -> None:
    """Gives the browser the ticket of a selection. The choice puts a launch's ticket in its place."""
    ticket = SelectionTicket(reference, int(expires_at.timestamp()))
    value = _signer(_SELECTION_SALT).sign_object(ticket, serializer=_Json)
    set_launch_cookie(response, _cookie_name(reference), value, path=session_path(reference))


def selection_url(reference: str) -> str:
    """The first page of a selection, below the path of its session."""
    return _below(session_path(reference), "lms_choose:picker")


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
    value = _signer(_SALT).sign_object(ticket, serializer=_Json)
    set_launch_cookie(response, _cookie_name(landing.reference), value, path=session_path(landing.reference))


def landing_url(landing: Landing) -> str:
    """The page on which an accepted launch lands, below the path of its session."""
    path = session_path(landing.reference)
    if landing.assignment_public_id:
        return _below(path, "learning:assignment", landing.assignment_public_id)
    page = {Role.TEACHER.value: "courses:overview", Role.MENTOR.value: "learning_course:gradebook"}
    return _below(path, page.get(landing.role, "learning:course"), landing.course_public_id)


def submission_url(landing: Landing, course: str, student: str) -> str:
    """The page of a student's work, for somebody who comes as teacher or mentor."""
    path = session_path(landing.reference)
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
    return request.META.get("HTTP_SEC_FETCH_DEST") in _FRAMES and not keeps_cookies(request)


def login_cookie_name(attempt_id: str) -> str:
    return f"cw-login-{attempt_id}"


class Redirect(HttpResponseRedirect):
    """To an address of ours or of a registered platform: without the looks that Django takes at any other one."""

    def __init__(self, url: str, *, status: int = 303) -> None:
        HttpResponse.__init__(self, status=status, content_type=HTML)
        self.headers["Location"] = url if url.isascii() else iri_to_uri(url)
        self.headers["Cache-Control"] = "no-store"


class PartitionedMorsel(Morsel[str]):
    """`http.cookies` learns the Partitioned attribute only in Python 3.14."""

    def OutputString(self, attrs: Sequence[str] | None = None) -> str:  # type: ignore[override]
        return super().OutputString(None) + "; Partitioned"


def _add_cookie(
    response: HttpResponse, name: str, value: str, path: str, lifetime: timedelta | None, *, is_partitioned: bool
) -> None:
    morsel: Morsel[str] = PartitionedMorsel() if is_partitioned else Morsel()
    morsel.set(name, value, value)
    attributes: dict[str, object] = {"path": path, "httponly": True}
    if lifetime is not None:
        attributes["max-age"] = int(lifetime.total_seconds())
    if is_partitioned:
        attributes |= {"secure": True, "samesite": "None"}
    dict.update(morsel, attributes)  # past a look at each name
    # SimpleCookie would turn the Morsel into one of its own class.
    dict.__setitem__(response.cookies, name, morsel)


def ticket_of(request: HttpRequest) -> Ticket | None:
    ticket = getattr(request, "launch_ticket", None)
    return ticket if isinstance(ticket, Ticket) else None


def selection_ticket_of(request: HttpRequest) -> SelectionTicket | None:
    ticket = getattr(request, "launch_ticket", None)
    return ticket if isinstance(ticket, SelectionTicket) else None


def review_ticket_of(request: HttpRequest) -> ReviewTicket | None:
    ticket = getattr(request, "launch_ticket", None)
    return ticket if isinstance(ticket, ReviewTicket) else None


def read_ticket(request: HttpRequest, reference: str) -> Ticket | SelectionTicket | ReviewTicket | None:
    """What the browser's cookie says of this session, if it is ours and still good."""
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
        return kind(*_signer(salt).unsign_object(value, serializer=_Json))
    except (signing.BadSignature, TypeError, ValueError):
        return None


class _Json:
    """Django's `JSONSerializer`, which makes an encoder for each text."""

    _write = json.JSONEncoder(separators=(",", ":")).encode

    def dumps(self, value: Any) -> bytes:
        return self._write(value).encode("latin-1")

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class _Signer(signing.TimestampSigner):
    """Signs as Django does, with a key that is derived once."""

    def signature(self, value: str | bytes, key: str | bytes | None = None) -> str:
        derived = _derive_key(force_bytes(self.salt) + b"signer", key or self.key)
        return signing.b64_encode(hmac.digest(derived, force_bytes(value), "sha256")).decode()


@lru_cache
def _signer(salt: str) -> _Signer:
    return _Signer(salt=salt, fallback_keys=[*settings.SECRET_KEY_FALLBACKS])


@lru_cache
def _derive_key(salt: bytes, key: str | bytes) -> bytes:
    return hashlib.sha256(salt + force_bytes(key)).digest()


def _cookie_name(reference: str) -> str:
    return f"cw-{reference}"


def session_path(reference: str) -> str:
    """Where the pages of a launch lie."""
    return f"{settings.PUBLIC_PATH}{AT}{reference}/"


def _below(prefix: str, name: str, *arguments: str) -> str:
    return quote(prefix, safe=RFC3986_SUBDELIMS + "/~:@") + path_of(name, *arguments)


@lru_cache(maxsize=4096)
def path_of(name: str, *arguments: str) -> str:
    """The path of a page without the "/" before it. Django would write a pattern of its own for each prefix, and no
    two sessions have the same."""
    before = get_script_prefix()
    set_script_prefix("/")
    try:
        return reverse(name, args=arguments).removeprefix("/")
    finally:
        set_script_prefix(before)
