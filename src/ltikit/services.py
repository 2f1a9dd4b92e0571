"""What an HTTP status of a platform's service means, for both versions: one error class per kind of failure.

Of the body only the platform's own words are looked at, and whether it is a web page.
Every phrase below was seen in answers of the LMS named beside it.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

from ltikit.errors import (
    NotPublishedError,
    PersonNotGradableError,
    ServiceConflictError,
    ServiceError,
    ServiceForbiddenError,
    ServiceNotFoundError,
    ServiceRateLimitedError,
    ServiceRejectedError,
    ServiceUnauthorizedError,
    ServiceUnavailableError,
)
from ltikit.http import Response

MAX_DETAIL = 300
"""Characters of a platform's own words that are kept."""

_PERSON_NOT_GRADABLE = (
    "user could not be found",  # Blackboard, 400
    "not enrolled",  # Brightspace, 403 "... not enrolled in the org unit"
    "user in requested score does not exist",  # Brightspace, 404
    "incorrect score",  # Moodle, 400 for teachers and people who left
    "incorrect sourcedid",  # Blackboard and others, Basic Outcomes
    "user not found",  # Open edX; Canvas, 422 "User not found in course or is not a student"
    "user is no longer in course",  # Canvas, Basic Outcomes
    "course not available for student",  # Canvas, Basic Outcomes
    "course has concluded",  # Canvas, AGS
    "maximum number of allowed attempts",  # Canvas, AGS 422
    "is not a student",  # Canvas, its test student
)

_NOT_PUBLISHED = ("still unpublished",)  # Canvas, AGS 422 for an unpublished assignment or course

_RATE_LIMIT = re.compile(r"rate.?limit|too many requests|throttl", re.IGNORECASE)
_MARKUP = re.compile(r"<(?:script|style)\b.*?</(?:script|style)\s*>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^<>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head)\b",
    re.IGNORECASE | re.DOTALL,
)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


def raise_for_status(response: Response, *, detail: str = "") -> None:
    """Return on any 2xx, else refuse as `refuse_status` does.

    Says nothing about the body: Basic Outcomes fail with 200 (see `ltikit.v11.outcomes`).
    """
    if not response.is_success:
        refuse_status(response, detail=detail)


def refuse_status(response: Response, *, detail: str = "") -> NoReturn:
    """Raise the `ServiceError` that fits an answer whose status means failure, or a 2xx whose body does.

    `detail` stands in the error instead of the platform's own words, for callers that read the body
    themselves; both count for the kind of failure.
    `platform_status` and `retry_after` are set on the error.

    401 `ServiceUnauthorizedError`; 403 `ServiceForbiddenError`, or `ServiceRateLimitedError` when its words
    speak of a rate limit; 404 and 410 `ServiceNotFoundError`; 409 `ServiceConflictError`; 429
    `ServiceRateLimitedError`; 408, 425, 5xx, redirects and 2xx `ServiceUnavailableError`; any other 4xx
    `ServiceRejectedError`. In a 400, 403, 404 or 422, words that say that this person cannot be graded
    there make it `PersonNotGradableError`, and words about an unpublished assignment `NotPublishedError`.
    """
    words = read_words(response)
    text = f"HTTP {response.status}: {detail or words}" if detail or words else f"HTTP {response.status}"
    raise _choose_error(response.status, f"{detail} {words}")(
        text, platform_status=response.status, retry_after=read_retry_after(response)
    )


def _choose_error(status: int, words: str) -> type[ServiceError]:
    if status == 401:
        return ServiceUnauthorizedError
    if status == 409:
        return ServiceConflictError
    if status == 429 or (status == 403 and _RATE_LIMIT.search(words)):
        return ServiceRateLimitedError
    if status in (408, 425) or not 400 <= status < 500:
        return ServiceUnavailableError
    meant = error_of_words(words)
    if meant is not None:
        return meant
    if status == 403:
        return ServiceForbiddenError
    if status in (404, 410):
        return ServiceNotFoundError
    return ServiceRejectedError


def error_of_words(words: str) -> type[ServiceError] | None:
    """The error that a platform's own words stand for, None if they are not among those known."""
    folded = words.casefold()
    if any(phrase in folded for phrase in _NOT_PUBLISHED):
        return NotPublishedError
    if any(phrase in folded for phrase in _PERSON_NOT_GRADABLE):
        return PersonNotGradableError
    return None


def shorten(text: str) -> str:
    """One line of at most `MAX_DETAIL` characters, without markup and control characters."""
    plain = _BLANKS.sub(" ", _MARKUP.sub(" ", text)).strip()
    return plain if len(plain) <= MAX_DETAIL else plain[: MAX_DETAIL - 1] + "…"


def read_words(response: Response) -> str:
    """The beginning of the body as one line of text, for logs and for the teacher's sync page."""
    return shorten(response.body[:8192].decode("utf-8", errors="replace"))


def is_web_page(response: Response) -> bool:
    """Whether the body is a page for people: what stands before a platform, a sign-in or a maintenance page, answers
    200 as well. The content type says nothing: Moodle labels its JSON, and an empty answer may be labelled, text/html.
    """
    return _WEB_PAGE.match(response.body[:8192]) is not None


def read_retry_after(response: Response) -> float | None:
    """Seconds that the platform asked to wait (RFC 9110 §10.2.3), None if it did not say.

    A date is measured against the answer's own `Date` header, so that neither our clock nor the
    platform's needs to be right; without one it is not used.
    """
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
        return float(value)
    until, sent = _read_http_date(value), _read_http_date(response.headers.get("date", ""))
    if until is None or sent is None:
        return None
    return max(0.0, (until - sent).total_seconds())


def _read_http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" and a missing zone give a naive time: HTTP dates are always GMT.
    return parsed if parsed.tzinfo is not None else None
