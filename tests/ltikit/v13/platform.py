"""A platform that signs whatever a test wants, by RSA itself and not by the library under test."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ltikit.launch import Launch
from ltikit.v13.keys import Keyset, parse_keyset
from ltikit.v13.launch import Registration, verify_launch

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ISSUER = "https://lms.example"
CLIENT_ID = "client-1"
DEPLOYMENT = "deployment-1"
NONCE = "nonce-of-this-sign-in"
KID = "key-1"
TOOL = "https://tool.example"
RETURN_URL = "https://lms.example/back?course=7"
REGISTRATION = Registration(ISSUER, CLIENT_ID, frozenset({DEPLOYMENT}))

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"


@functools.cache
def rsa_key(name: str = KID, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same name, in one run of the tests."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(name: str = "ec-1") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def rsa_jwk(key: rsa.RSAPrivateKey | None = None, *, kid: str = KID, **members: Any) -> dict[str, Any]:
    numbers = (key or rsa_key()).public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(numbers.n), "e": number(numbers.e), **members}


def ec_jwk(key: ec.EllipticCurvePrivateKey, *, kid: str) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    x, y = (b64(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}


def keyset(*members: dict[str, Any]) -> Keyset:
    return parse_keyset(json.dumps({"keys": members or (rsa_jwk(),)}).encode())


def sign(
    payload: Mapping[str, Any] | bytes,
    *,
    header: Mapping[str, Any] | None = None,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | bytes | None = None,
) -> str:
    """A token with exactly this header and payload: RS256, ES256 or, with bytes for a key, HS256."""
    header = {"alg": "RS256", "kid": KID, "typ": "JWT"} if header is None else header
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    key = rsa_key() if key is None else key
    if isinstance(key, bytes):
        signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{signed}.{b64(signature)}"


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def make_claims(*without: str, **changes: Any) -> dict[str, Any]:
    """The claims of a full, valid launch; `without` drops claims, `changes` replaces them, by short name."""
    issued_at = int(NOW.timestamp()) - 5
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "sub": "user-1",
        "iat": issued_at,
        "exp": issued_at + 60,
        "nonce": NONCE,
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "middle_name": "King",
        "email": "ada@school.example",
        CLAIM + "message_type": "LtiResourceLinkRequest",
        CLAIM + "version": "1.3.0",
        CLAIM + "deployment_id": DEPLOYMENT,
        CLAIM + "target_link_uri": f"{TOOL}/lti/a/x1",
        CLAIM + "roles": [MEMBERSHIP + "Instructor"],
        CLAIM + "resource_link": {"id": "link-1", "title": "Week 1"},
        CLAIM + "context": {"id": "course-1", "title": "Python", "label": "PY", "type": ["CourseSection"]},
        CLAIM + "launch_presentation": {"return_url": RETURN_URL, "document_target": "iframe", "locale": "de"},
    }
    claims.update({_full_name(claims, name): value for name, value in changes.items()})
    for name in without:
        del claims[_full_name(claims, name)]
    return claims


def _full_name(claims: Mapping[str, Any], name: str) -> str:
    return name if name in claims or name in ("azp", "nbf", "locale") or "://" in name else CLAIM + name


def launch(
    claims: Mapping[str, Any] | bytes | None = None,
    *,
    registration: Registration = REGISTRATION,
    keys: Keyset | None = None,
    nonce: str = NONCE,
    now: datetime = NOW,
    login_deployment_id: str = "",
    **signing: Any,
) -> Launch:
    """Sign the claims and verify them, with whatever differs from a valid launch."""
    return verify_launch(
        sign(make_claims() if claims is None else claims, **signing),
        registration=registration,
        keys=keys or keyset(),
        expected_nonce=nonce,
        now=now,
        login_deployment_id=login_deployment_id,
    )
