from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from ltikit.services import MAX_DETAIL, raise_for_status, read_retry_after


@pytest.mark.quirk("C30", "D2")
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"User not found", ServiceUnauthorizedError),
        (403, b"", ServiceForbiddenError),
        (403, b"403 Forbidden (Rate Limit Exceeded)\n", ServiceRateLimitedError),
        (403, b"The user is not enrolled in the org unit", PersonNotGradableError),
        (404, b"<h1>Not Found</h1>", ServiceNotFoundError),
        (404, b"User in requested score does not exist", PersonNotGradableError),
        (410, b"", ServiceNotFoundError),
        (409, b"", ServiceConflictError),
        (429, b"", ServiceRateLimitedError),
        (400, b"User could not be found: _12_1", PersonNotGradableError),
        (400, b"Incorrect score received", PersonNotGradableError),
        (400, b'{"error":"invalid_scope"}', ServiceRejectedError),
        (
            422,
            b'{"errors":{"message":"User not found in course or is not a student"}}',
            PersonNotGradableError,
        ),
        (422, b"The maximum number of allowed attempts has been reached", PersonNotGradableError),
        (422, b"This course has concluded. AGS requests will no longer be accepted", PersonNotGradableError),
        (422, b"This assignment is still unpublished", NotPublishedError),
        (422, b"", ServiceRejectedError),
        (408, b"", ServiceUnavailableError),
        (425, b"", ServiceUnavailableError),
        (500, b"User not found", ServiceUnavailableError),
        (503, b"", ServiceUnavailableError),
        (302, b"", ServiceUnavailableError),
        (0, b"", ServiceUnavailableError),
    ],
)
def test_each_status_has_its_error(status: int, body: bytes, error: type[ServiceError]) -> None:
    """Status and words of a refusal give exactly one kind of error, with the status kept."""
    with pytest.raises(ServiceError) as caught:
        raise_for_status(Response(status, {}, body))
    assert error is type(caught.value)
    assert status == caught.value.platform_status
    assert f"HTTP {status}" in caught.value.detail


@given(st.integers(200, 299), st.binary(max_size=50))
def test_success_passes(status: int, body: bytes) -> None:
    """Any 2xx passes, whatever the body says."""
    raise_for_status(Response(status, {}, body))


@given(st.integers(0, 999).filter(lambda status: not 200 <= status < 300), st.binary(max_size=400))
def test_every_other_answer_is_one_service_error(status: int, body: bytes) -> None:
    """Any status and any bytes give a `ServiceError` with a short detail on one line."""
    with pytest.raises(ServiceError) as caught:
        raise_for_status(Response(status, {}, body))
    assert len(caught.value.detail) <= MAX_DETAIL + 20
    assert caught.value.detail.isprintable() or not caught.value.detail.isascii()


def test_markup_is_taken_out_of_the_words() -> None:
    """An HTML error page is shown as its text, without scripts."""
    page = b"<html><style>p{}</style><script>var a = '<b>';</script><p>Out of\n order</p></html>"
    with pytest.raises(ServiceUnavailableError, match=r"^HTTP 502: Out of order$"):
        raise_for_status(Response(502, {}, page))


def test_the_callers_words_are_preferred() -> None:
    """A detail given by a caller who read the body replaces the body's beginning and counts for the kind."""
    with pytest.raises(PersonNotGradableError, match="not enrolled"):
        raise_for_status(Response(400, {}, b"{}"), detail="not enrolled")


def test_the_bodys_words_count_beside_the_callers() -> None:
    """A caller's own detail does not hide that the answer spoke of a rate limit."""
    with pytest.raises(ServiceRateLimitedError, match=r"^HTTP 403: no keyset$"):
        raise_for_status(Response(403, {}, b"Rate Limit Exceeded"), detail="no keyset")


SENT = {"date": "Sun, 06 Nov 1994 08:49:37 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", **SENT}, 60.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:48:37 GMT", **SENT}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "yesterday"}, None),
        ({"retry-after": "Sun, 99 Nov 1994 08:50:37 GMT", **SENT}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds are taken as they are, dates against the answer's own date, and nonsense not at all."""
    assert seconds == read_retry_after(Response(429, headers))


@given(st.text(max_size=60), st.text(max_size=60))
def test_retry_after_never_fails(retry_after: str, date: str) -> None:
    """Any header gives None or a number of seconds that is not negative."""
    seconds = read_retry_after(Response(429, {"retry-after": retry_after, "date": date}))
    assert seconds is None or seconds >= 0


def test_retry_after_goes_with_the_error() -> None:
    """The time to wait is on the error, for a rate limit and for a server fault alike."""
    for status in (429, 503):
        with pytest.raises(ServiceError) as caught:
            raise_for_status(Response(status, {"retry-after": "7"}))
        assert caught.value.retry_after == 7.0
