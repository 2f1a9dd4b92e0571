"""Keysets of platforms, read with care, and the tool's own keys."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import LtiError, ServiceUnavailableError
from ltikit.v13.jwt import sign_token, verify_token
from ltikit.v13.keys import Keyset, PrivateKey, build_keyset, generate_private_key, parse_keyset, public_pem
from tests.ltikit.v13.platform import ec_jwk, ec_key, keyset, number, rsa_jwk, rsa_key


def refusal(member: dict[str, Any] | Any) -> str:
    """Why this one key is not used."""
    read = parse_keyset(json.dumps({"keys": [member]}).encode())
    assert read.keys == ()
    (reason,) = read.refused.values()
    return reason


def test_keys_are_found_by_their_kid() -> None:
    """A key is found by its exact kid and by no other text."""
    keys = keyset(rsa_jwk(kid="Key:1_a"), ec_jwk(ec_key(), kid="b"))
    found = keys.find("Key:1_a")
    assert found is not None
    assert (found.kid, found.key_type, found.algorithm) == ("Key:1_a", "RSA", "")
    assert keys.find("key:1_a") is None
    assert keys.find("") is None


def test_private_members_are_dropped() -> None:
    """A platform that publishes its private key by mistake does not make us keep it."""
    careless = rsa_jwk(d="AQAB", p="AQAB", q="AQAB", dp="AQAB", dq="AQAB", qi="AQAB", use="sig", alg="RS256")
    (key,) = keyset(careless).keys
    assert key.to_jwk() == rsa_jwk(use="sig", alg="RS256")
    assert key.jose.is_private is False


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kid": None}, "kid"),
        ({"kid": ""}, "kid"),
        ({"kid": 7}, "kid"),
        ({"kid": "x" * 256}, "kid"),
        ({"kid": "a\nb"}, "kid"),
        ({"kty": "OKP"}, "type"),
        ({"kty": ["RSA"]}, "type"),
        ({"kty": None}, "type"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "type"),
        ({"use": "enc"}, "signatures"),
        ({"key_ops": ["encrypt"]}, "verifying"),
        ({"key_ops": "verify"}, "verifying"),
        ({"n": None}, "incomplete"),
        ({"n": 7}, "incomplete"),
        ({"e": ""}, "incomplete"),
        ({"n": "not base64url!"}, "bits"),
        ({"n": "ü" * 400}, "base64url"),
        ({"n": "A" * 100_000}, "too long"),
        ({"e": "AA"}, "exponent"),
        ({"e": number(2**64 + 1)}, "exponent"),
        ({"e": number(4)}, "unreadable"),
        ({"n": number(2**2047 + 1), "e": "AQA"}, "unreadable"),
    ],
)
def test_key_that_cannot_verify_a_launch(changes: dict[str, Any], reason: str) -> None:
    """A key that is unusable is left out, with its reason, and does not spoil the others."""
    member = {**rsa_jwk(), **changes}
    assert reason in refusal(member)
    mixed = keyset(member, rsa_jwk(kid="good"))
    assert mixed.find("good") is not None


def test_rsa_key_sizes() -> None:
    """RSA keys under 2048 bits are refused, and absurdly long ones too."""
    assert "1024 bits" in refusal(rsa_jwk(rsa_key("short", 1024)))
    assert "too long" in refusal(rsa_jwk() | {"n": number(2**20_000 + 1)})
    assert "8193 bits" in refusal(rsa_jwk() | {"n": number(2**8192 + 1)})


def test_other_curves_are_refused() -> None:
    """Only the curve of ES256 is used, and only with a point on it."""
    other = ec_jwk(ec.generate_private_key(ec.SECP256R1()), kid="c")
    assert "curve" in refusal({**other, "crv": "P-384"})
    assert "unreadable" in refusal({**other, "x": number(2**255 + 12345)})


@pytest.mark.parametrize("member", [None, "key", 7, []])
def test_keyset_member_that_is_no_object(member: Any) -> None:
    """A member that is no key at all is refused by its position."""
    read = parse_keyset(json.dumps({"keys": [member, rsa_jwk()]}).encode())
    assert list(read.refused) == ["key 1"]
    assert len(read.keys) == 1


def test_first_of_two_keys_with_one_kid_counts() -> None:
    """Two keys of one kid are a mistake of the platform: the first is used, as most others do."""
    keys = keyset(rsa_jwk(rsa_key("first"), kid="k"), rsa_jwk(rsa_key("second"), kid="k"))
    assert [key.members["n"] for key in keys.keys] == [rsa_jwk(rsa_key("first"))["n"]]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b"\xff", b"[" * 20_000, b'{"keys": []}' + b" " * 300_000),
        json.dumps({"keys": [{}] * 101}).encode(),
    ],
)
def test_body_that_is_no_keyset(body: bytes) -> None:
    """An answer that is no keyset, or too large, is a fault of the service and worth another try."""
    with pytest.raises(ServiceUnavailableError):
        parse_keyset(body)


def test_empty_keyset() -> None:
    """A keyset without keys is one; no kid is found in it."""
    assert parse_keyset(b'{"keys": []}') == Keyset()


@given(st.binary(max_size=300))
def test_garbage_for_a_keyset(body: bytes) -> None:
    """Any bytes give a keyset or a refusal."""
    with contextlib.suppress(LtiError):
        assert isinstance(parse_keyset(body), Keyset)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["kid", "kty", "n", "e", "alg", "use", "key_ops", "x5c"]), json_values))
def test_garbage_for_a_key(changes: dict[str, Any]) -> None:
    """A key with any members is used or refused, and the key beside it stays usable."""
    read = parse_keyset(json.dumps({"keys": [{**rsa_jwk(), **changes}, rsa_jwk(kid="good")]}).encode())
    assert read.find("good") is not None
    assert len(read.keys) + len(read.refused) == 2 or changes.get("kid") == "good"


def test_keyset_from_a_cache() -> None:
    """What was written for a cache reads back the same, refusals included."""
    keys = keyset(rsa_jwk(alg="RS256"), ec_jwk(ec_key(), kid="e"), rsa_jwk(rsa_key("short", 1024), kid="weak"))
    again = Keyset.from_json(keys.to_json())
    assert again == keys
    assert "1024" in again.refused["weak"]
    for text in ("[]", "{}", "{", '{"keys": 7}'):
        with pytest.raises(ValueError):
            Keyset.from_json(text)


def test_tool_key_round_trip() -> None:
    """A generated key is the same after PEM, signs, and its published half verifies."""
    key = generate_private_key()
    again = PrivateKey.from_pem(key.to_pem())
    assert again.kid == key.kid
    assert len(key.kid) == 43
    published = parse_keyset(build_keyset([key.public_key()]))
    assert verify_token(sign_token({"a": 1}, key=again), keys=published, algorithms=["RS256"]) == {"a": 1}


def test_published_keyset() -> None:
    """The tool's keyset holds what platforms need and nothing private."""
    key = generate_private_key()
    document = json.loads(build_keyset([key.public_key()]))
    (member,) = document["keys"]
    assert set(member) == {"kty", "kid", "n", "e", "alg", "use"}
    assert (member["kty"], member["alg"], member["use"], member["kid"]) == ("RSA", "RS256", "sig", key.kid)


def test_public_pem() -> None:
    """The PEM to paste into an LMS is the public half."""
    text = public_pem(generate_private_key().public_key())
    assert text.startswith("-----BEGIN PUBLIC KEY-----")
    assert "PRIVATE" not in text


def test_private_key_is_not_shown() -> None:
    """The key does not appear in logs or error messages."""
    key = generate_private_key()
    assert repr(key) == f"PrivateKey(kid={key.kid!r})"
    with pytest.raises(ValueError) as caught:
        PrivateKey.from_pem(key.to_pem().replace("A", "B", 3))
    assert key.to_pem()[60:80] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_unsuitable_private_keys() -> None:
    """A public key, a short one, another kind and no key at all are refused."""
    encoding = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ValueError, match="2048"):
        PrivateKey.from_pem(rsa_key("short", 1024).private_bytes(*encoding))
    with pytest.raises(ValueError, match="another kind"):
        PrivateKey.from_pem(ec_key().private_bytes(*encoding))
    for bad in (b"", "nonsense", "ünfug", public_pem(generate_private_key().public_key())):
        with pytest.raises(ValueError, match="not an RSA private key"):
            PrivateKey.from_pem(bad)
