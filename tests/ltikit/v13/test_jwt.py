"""Signed tokens: nothing that was changed after signing verifies, and nothing makes the reader crash."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltikit.errors import BadSignatureError, LtiError, UnsupportedAlgorithmError
from ltikit.v13.jwt import check_audience, check_times, peek_unverified_claims, sign_token, verify_token
from ltikit.v13.keys import build_keyset, generate_private_key, parse_keyset
from tests.ltikit.v13.platform import (
    KID,
    NONCE,
    NOW,
    REGISTRATION,
    b64,
    ec_jwk,
    ec_key,
    keyset,
    launch,
    make_claims,
    rsa_jwk,
    rsa_key,
    sign,
)

ALGORITHMS = ["RS256", "ES256"]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
T = TypeVar("T")
TOOL_KEY = generate_private_key()
TOOL_KEYS = parse_keyset(build_keyset([TOOL_KEY.public_key()]))
TOKEN = sign({"sub": "user-1", "n": 1.5})
EC_TOKEN = sign({"sub": "user-1"}, header={"alg": "ES256", "kid": "ec-1"}, key=ec_key())
KEYS = keyset(rsa_jwk(), ec_jwk(ec_key(), kid="ec-1"))


def attempt(call: Callable[[], T]) -> T | LtiError:
    """What a call returns, or which of our errors it raises; any other error fails the test."""
    try:
        return call()
    except LtiError as error:
        return error


@pytest.mark.parametrize("token", [TOKEN, EC_TOKEN], ids=["RS256", "ES256"])
@given(data=st.data())
def test_any_changed_character_of_a_token_refuses(token: str, data: st.DataObject) -> None:
    """Whatever character of a token is changed, removed or added, it does not verify any more."""
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from(ALPHABET + ".=+/ "))
    for changed in (
        token[:place] + character + token[place + 1 :],
        token[:place] + character + token[place:],
        token[:place] + token[place + 1 :],
    ):
        if changed != token:
            with pytest.raises(LtiError):
                verify_token(changed, keys=KEYS, algorithms=ALGORITHMS)


@pytest.mark.parametrize("token", [TOKEN, EC_TOKEN], ids=["RS256", "ES256"])
def test_every_spelling_of_the_last_characters_refuses(token: str) -> None:
    """The unused bits at the end of each part may not be changed either: one token, one text."""
    for end in (token.index(".") - 1, token.rindex(".") - 1, len(token) - 1):
        for character in ALPHABET:
            changed = token[:end] + character + token[end + 1 :]
            if changed != token:
                with pytest.raises(LtiError):
                    verify_token(changed, keys=KEYS, algorithms=ALGORITHMS)


@given(st.text(max_size=80))
def test_garbage_for_a_token(token: str) -> None:
    """Any text is refused with one of our errors."""
    with pytest.raises(LtiError):
        verify_token(token, keys=KEYS, algorithms=ALGORITHMS)
    assert peek_unverified_claims(token) == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(json_values)
def test_any_header(header: Any) -> None:
    """Whatever the header is, nothing but the right key and algorithm is accepted."""
    token = ".".join((b64(json.dumps(header).encode()), *TOKEN.split(".")[1:]))
    with pytest.raises(LtiError):
        verify_token(token, keys=KEYS, algorithms=ALGORITHMS)


@settings(max_examples=150)
@given(st.data())
def test_any_value_of_any_claim(data: st.DataObject) -> None:
    """A rightly signed message with a strange value in any claim gives a launch or one of our errors."""
    claims = make_claims(lis={}, custom={}, tool_platform={}, role_scope_mentor=[], azp=None, nbf=None, locale="de")
    for name in ("lti-ags/claim/endpoint", "lti-nrps/claim/namesroleservice", "lti-bo/claim/basicoutcome"):
        claims[f"https://purl.imsglobal.org/spec/{name}"] = {}
    name = data.draw(st.sampled_from(sorted(claims)))
    inner = [*("id", "scope", "type", "guid", "return_url", "lineitems", "context_memberships_url"), "person_sourcedid"]
    claims[name] = data.draw(json_values | st.dictionaries(st.sampled_from(inner), json_values, max_size=4))
    outcome = attempt(lambda: launch(claims))
    if isinstance(outcome, LtiError):
        assert 400 <= outcome.status < 500
    else:
        assert (outcome.nonce, outcome.issuer) == (NONCE, REGISTRATION.issuer)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_what_is_signed_verifies(claims: dict[str, Any]) -> None:
    """What the tool signs, its own published keys verify, claim by claim; what no JSON can hold is not signed."""
    try:
        token = sign_token(claims, key=TOOL_KEY)
    except ValueError:  # NaN, infinity
        assert "NaN" in json.dumps(claims) or "Infinity" in json.dumps(claims)
        return
    outcome = attempt(lambda: verify_token(token, keys=TOOL_KEYS, algorithms=["RS256"]))
    if isinstance(outcome, LtiError):
        assert "not text" in outcome.detail
        assert "\\u0000" in json.dumps(claims)
    else:
        assert outcome == claims


def test_signed_token_names_its_key() -> None:
    """The tool's tokens are RS256 and name their key, which platforms insist on."""
    token = sign_token({"iss": "c"}, key=TOOL_KEY)
    header = json.loads(_decode(token.split(".")[0]))
    assert header == {"alg": "RS256", "kid": TOOL_KEY.kid, "typ": "JWT"}


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def test_key_of_another_algorithm() -> None:
    """A key is used only for the algorithm it was made and published for."""
    keys = keyset(rsa_jwk(alg="RS512"), ec_jwk(ec_key(), kid="ec-1"))
    with pytest.raises(BadSignatureError, match="not for RS256"):
        verify_token(TOKEN, keys=keys, algorithms=ALGORITHMS)
    with pytest.raises(BadSignatureError, match="not for ES256"):
        verify_token(sign({}, header={"alg": "ES256", "kid": KID}), keys=keys, algorithms=ALGORITHMS)
    with pytest.raises(BadSignatureError, match="not for RS256"):
        verify_token(sign({}, header={"alg": "RS256", "kid": "ec-1"}), keys=keys, algorithms=ALGORITHMS)


def test_list_of_algorithms_decides() -> None:
    """A good signature of an algorithm that this caller does not accept is refused."""
    assert verify_token(EC_TOKEN, keys=KEYS, algorithms=["ES256"])["sub"] == "user-1"
    with pytest.raises(UnsupportedAlgorithmError):
        verify_token(EC_TOKEN, keys=KEYS, algorithms=["RS256"])


@pytest.mark.parametrize("algorithms", [["HS256"], ["none"], ["RS256", "HS256"], []])
def test_symmetric_algorithms_cannot_be_asked_for(algorithms: list[str]) -> None:
    """No caller can switch on unsigned or symmetric tokens."""
    with pytest.raises(ValueError, match="asymmetric"):
        verify_token(TOKEN, keys=KEYS, algorithms=algorithms)


def test_unverified_claims_for_logs() -> None:
    """For a log line the claims can be read without a key; forged ones too, so they decide nothing."""
    assert peek_unverified_claims(sign({"iss": "x"}, key=rsa_key("anybody"))) == {"iss": "x"}
    assert peek_unverified_claims(TOKEN.rpartition(".")[0]) == {}


def test_times_say_when_the_token_was_issued() -> None:
    """A token within its time gives its iat in UTC."""
    claims = {"iat": 1_772_443_800, "exp": 1_772_443_860}
    assert check_times(claims, now=NOW) == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        check_times(claims, now=NOW.replace(tzinfo=None))


def test_audience_of_one() -> None:
    """An audience is one text or a list of one."""
    check_audience({"aud": "c"}, client_id="c")
    check_audience({"aud": ["c", "c"]}, client_id="c")
    check_audience({"aud": "c", "azp": "c"}, client_id="c")
