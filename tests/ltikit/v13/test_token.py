"""Access tokens: what is asked, and what is made of the answers that LMSs give."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit import vocabulary
from ltikit.errors import (
    LtiError,
    ServiceForbiddenError,
    ServiceRateLimitedError,
    ServiceRejectedError,
    ServiceUnauthorizedError,
    ServiceUnavailableError,
)
from ltikit.http import Request, Response
from ltikit.v13.jwt import check_times, verify_token
from ltikit.v13.keys import build_keyset, generate_private_key, parse_keyset
from ltikit.v13.token import AccessToken, parse_token_response, token_request

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = generate_private_key()
SCORE, LINEITEM = vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM


def ask(**changes: Any) -> Request:
    return token_request(
        **{
            "token_url": "https://lms.example/token",
            "audience": "https://lms.example/token",
            "client_id": "c-1",
            "scopes": [SCORE, LINEITEM],
            "key": KEY,
            "now": NOW,
            "jti": "once-1",
            **changes,
        }
    )


def assertion(request: Request) -> dict[str, Any]:
    (token,) = parse_qs(request.body.decode())["client_assertion"]
    return verify_token(token, keys=parse_keyset(build_keyset([KEY.public_key()])), algorithms=["RS256"])


def answer(body: Any, *, status: int = 200, requested: tuple[str, ...] = (SCORE,)) -> AccessToken:
    """Read an answer as Moodle types it."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "text/html; charset=utf-8"}
    return parse_token_response(Response(status, headers, content), requested=requested, now=NOW)


def test_request() -> None:
    """A token is asked for by a form of exactly the required content type (Moodle compares it as a string)."""
    request = ask()
    assert (request.method, request.url) == ("POST", "https://lms.example/token")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs(request.body.decode())
    assert form["grant_type"] == ["client_credentials"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert form["scope"] == [f"{SCORE} {LINEITEM}"]


def test_assertion() -> None:
    """The assertion is issued and signed by the client, for the audience, for five minutes, with numeric times."""
    claims = assertion(ask())
    assert (claims["iss"], claims["sub"], claims["aud"], claims["jti"]) == (
        *("c-1", "c-1", "https://lms.example/token"),
        "once-1",
    )
    assert type(claims["iat"]) is int
    assert claims["exp"] - claims["iat"] == 300
    assert NOW - timedelta(seconds=10) <= check_times(claims, now=NOW) <= NOW
    assert vocabulary.DEPLOYMENT_ID not in claims


@pytest.mark.quirk("C15", "D1")
def test_audience_and_deployment_are_the_registrations() -> None:
    """The audience may differ from the token URL (Brightspace), the deployment is named when it is known."""
    claims = assertion(ask(audience="https://api.brightspace.com/auth/token", deployment_id="d-1"))
    assert claims["aud"] == "https://api.brightspace.com/auth/token"
    assert claims[vocabulary.DEPLOYMENT_ID] == "d-1"


def test_request_for_no_scope() -> None:
    """Asking for nothing is a mistake of the program."""
    with pytest.raises(ValueError, match="no scope"):
        ask(scopes=[])


@pytest.mark.quirk("M4")
def test_answer() -> None:
    """A usual answer gives the token, its scopes and when it ends, whatever its content type says."""
    token = answer({"access_token": "t-1", "token_type": "Bearer", "expires_in": 600, "scope": f"{SCORE} {LINEITEM}"})
    assert token == AccessToken("t-1", frozenset({SCORE, LINEITEM}), NOW + timedelta(seconds=600))
    assert "t-1" not in repr(token)


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (None, 3600),
        ("1800", 1800),
        (" 90 ", 90),
        (90.5, 90.5),
        (0, 0),
        (-1, 3600),
        ("soon", 3600),
        (True, 3600),
        ([], 3600),
        (10**400, 3600),
        (10**9, 86_400),
    ],
)
def test_lifetime(expires_in: Any, seconds: float) -> None:
    """The lifetime is read as number or text; what makes no sense counts as an hour, and no token lasts over a day."""
    token = answer({"access_token": "t", "expires_in": expires_in})
    assert token.expires_at == NOW + timedelta(seconds=seconds)


@pytest.mark.quirk("G21")
def test_usable_until_a_minute_before_its_end() -> None:
    """A token is renewed a minute early (quirk G21)."""
    token = answer({"access_token": "t", "expires_in": 600})
    assert token.is_usable(now=NOW + timedelta(seconds=539))
    assert not token.is_usable(now=NOW + timedelta(seconds=540))


def test_granted_scopes() -> None:
    """The platform may grant fewer scopes than asked for, says so, and without a word grants them all."""
    both = (SCORE, LINEITEM)
    part = answer({"access_token": "t", "scope": SCORE}, requested=both)
    assert part.is_good_for([SCORE])
    assert not part.is_good_for(both)
    for silent in ({}, {"scope": ""}, {"scope": None}):
        assert answer({"access_token": "t", **silent}, requested=both).is_good_for(both)
    assert answer({"access_token": "t", "scope": [SCORE]}).is_good_for([SCORE])
    with pytest.raises(ServiceForbiddenError, match="none of the scopes"):
        answer({"access_token": "t", "scope": LINEITEM})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_client"}, ServiceUnauthorizedError),
        (401, {"error": "invalid_client", "error_description": "no key"}, ServiceUnauthorizedError),
        (400, {"error": "unauthorized_client"}, ServiceUnauthorizedError),
        (400, {"error": "invalid_scope"}, ServiceForbiddenError),
        (200, {"error": "invalid_client"}, ServiceUnauthorizedError),
        (200, {"error": "weird"}, ServiceRejectedError),
        (400, {"error": "invalid_request"}, ServiceRejectedError),
        (403, {"error": "access_denied"}, ServiceForbiddenError),
        (400, b"", ServiceRejectedError),
        (401, b"", ServiceUnauthorizedError),
        (403, b"<html>no</html>", ServiceForbiddenError),
        (429, {"error": "slow_down"}, ServiceRateLimitedError),
        (500, {"error": "invalid_client"}, ServiceUnavailableError),
        (503, b"", ServiceUnavailableError),
        (302, b"", ServiceUnavailableError),
        (200, b"<html>", ServiceUnavailableError),
        (200, b"[]", ServiceUnavailableError),
        (200, {}, ServiceUnavailableError),
        (200, {"access_token": ""}, ServiceUnavailableError),
        (200, {"access_token": 7}, ServiceUnavailableError),
        (200, {"access_token": "a\r\nX-Evil: 1"}, ServiceUnavailableError),
        (200, {"access_token": "a b"}, ServiceUnavailableError),
        (200, {"access_token": "t", "token_type": "mac"}, ServiceRejectedError),
        (200, b'{"access_token": "' + b"x" * 70_000 + b'"}', ServiceUnavailableError),
    ],
)
def test_refusals(status: int, body: Any, error: type[LtiError]) -> None:
    """Each kind of failure has its error: whoever retries must know whether that helps."""
    with pytest.raises(error) as caught:
        answer(body, status=status)
    assert type(caught.value) is error


def test_words_of_a_refusal_are_kept() -> None:
    """The platform's reason reaches the person who sets up the connection."""
    with pytest.raises(ServiceUnauthorizedError, match="invalid_client: no such key") as caught:
        answer({"error": "invalid_client", "error_description": "no such key"}, status=400)
    assert caught.value.platform_status == 400


@given(st.binary(max_size=100), st.integers(100, 599))
def test_garbage_for_an_answer(body: bytes, status: int) -> None:
    """Any answer gives a token or one of our errors."""
    with pytest.raises(LtiError):
        answer(body, status=status)
