"""Access tokens: what a client assertion must be, and what a token opens."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.practice_lms.running import AGS, KeysetServer, PracticeLms, Tool13


def encode(data: bytes) -> str:
    """One part of a JWT."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_token_is_given_for_a_good_assertion(lms: PracticeLms, tool13: Tool13) -> None:
    """A signed assertion gets a bearer token with the scopes that were asked for."""
    answer = tool13.ask_token((AGS + "score",))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert body["scope"] == AGS + "score"


def test_scopes_are_what_is_asked_and_allowed(lms: PracticeLms, keyset: KeysetServer) -> None:
    """A tool gets no scope that it did not ask for or that is not allowed for it."""
    tool = Tool13(lms, keyset, scopes=[AGS + "score", AGS + "lineitem"])
    asked = (AGS + "score", AGS + "result.readonly", "https://unknown.example/scope")
    assert tool.ask_token(asked).json()["scope"] == AGS + "score"
    answer = tool.ask_token((AGS + "result.readonly",))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other"},
        {"sub": "other"},
        {"aud": "https://other.example/token"},
        {"aud": None},
        {"exp": int(time.time()) - 100},
        {"exp": None},
        {"exp": "soon"},
        {"exp": int(time.time()) + 100_000},
        {"iat": int(time.time()) + 1000, "exp": int(time.time()) + 2000},
        {"iat": None},
        {"jti": None},
        {"jti": ""},
    ],
    ids=" and ".join,  # never the values: the ids must be the same in every process of a parallel run
)
def test_wrong_claims_get_no_token(lms: PracticeLms, tool13: Tool13, claims: dict[str, Any]) -> None:
    """Issuer and subject are the client id, the audience is the token URL, times are numbers and now, jti is there."""
    answer = tool13.ask_token(assertion=tool13.make_assertion(**claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_assertion_needs_the_tools_own_key(lms: PracticeLms, tool13: Tool13, keyset: KeysetServer) -> None:
    """A foreign key, an unknown kid, no kid, or a shared secret does not sign for a tool."""
    foreign = RSAKey.generate_key(2048)
    header, payload, _ = tool13.make_assertion(key=foreign, header={"typ": "JWT"}).split(".")
    confused = (
        base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": tool13.key.kid}).encode()).rstrip(b"=").decode()
    )
    mac = hmac.new(tool13.key.as_pem(private=False), f"{confused}.{payload}".encode(), hashlib.sha256).digest()
    shared = f"{confused}.{payload}.{encode(mac)}"
    for assertion in (
        tool13.make_assertion(key=foreign),
        tool13.make_assertion(header={"kid": "unknown"}),
        tool13.make_assertion(header={"kid": None}),
        shared,
        f"{header}.{payload}.",
        "a.b.c",
        "no token",
    ):
        answer = tool13.ask_token(assertion=assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_jti_counts_once(lms: PracticeLms, tool13: Tool13) -> None:
    """Of ten requests with one assertion at the same time one gets a token."""
    assertion = tool13.make_assertion()
    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(lambda _: tool13.ask_token(assertion=assertion).status_code, range(10)))
    assert statuses == [200] + [400] * 9


@pytest.mark.parametrize(
    "form",
    [{"grant_type": "password"}, {"client_assertion_type": "other"}, {"client_assertion": ""}, {"scope": ""}],
    ids=str,
)
def test_wrong_form_gets_no_token(lms: PracticeLms, tool13: Tool13, form: dict[str, str]) -> None:
    """Grant type, assertion type, assertion and scope have to be there and right."""
    assert tool13.ask_token(**form).status_code == 400


def test_token_request_is_a_form(lms: PracticeLms, tool13: Tool13) -> None:
    """A token request as JSON is refused, and so is a GET."""
    assert lms.http.post("/lti/token", json={"grant_type": "client_credentials"}).status_code == 400
    assert lms.http.get("/lti/token").status_code == 405


def test_keyset_that_cannot_be_fetched_is_named(lms: PracticeLms, keyset: KeysetServer) -> None:
    """When the tool's keyset is not there, the refusal says so."""
    tool = Tool13(lms, keyset, keyset_url="http://127.0.0.1:1/keys")
    answer = tool.ask_token()
    assert answer.status_code == 400
    assert "http://127.0.0.1:1/keys" in answer.json()["error_description"]


def test_token_expires(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """A token opens nothing after its time, nor after tokens were forgotten, nor when it was made up."""
    tool = Tool13(lms, keyset, options={"token_lifetime": 1, "token_media_type": "text/html"})
    url = tool.place_link(course)["line_item"]["url"]
    answer = tool.ask_token()
    assert answer.headers["Content-Type"] == "text/html"
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert lms.http.get(url, headers=token).status_code == 200
    time.sleep(1.1)
    for header in (token, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}, {}):
        refused = lms.http.get(url, headers=header)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_forgotten_token_is_refused(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """After all tokens were forgotten, a token that was good answers 401."""
    url, token = tool13.place_link(course)["line_item"]["url"], tool13.get_token()
    assert lms.http.get(url, headers=token).status_code == 200
    lms.post("tokens", action="revoke")
    assert lms.http.get(url, headers=token).status_code == 401
