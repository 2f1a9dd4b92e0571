"""Signing JWTs, good ones and, for tests, bad ones; and the access tokens that tools get for the services."""

import base64
import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, find_tool

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLOCK_LEEWAY = 10
LONGEST_ASSERTION = 3600


@dataclass(frozen=True)
class AccessToken:
    """A token that a tool holds."""

    token: str
    tool: Tool
    scopes: tuple[str, ...]
    expires_at: float


@dataclass(frozen=True)
class TokenRequest:
    """A token request whose form is right; the assertion is not yet verified."""

    tool: Tool
    assertion: str
    kid: str
    scopes: tuple[str, ...]


def sign_jwt(key: RSAKey, payload: str, wish: Mapping[str, Any] | None = None) -> str:
    """RS256 with our kid; `wish` may ask for `alg`, `kid` (null: none), `header`, `foreign_key` or `tamper`."""
    wish = wish or {}
    header: dict[str, Any] = {"typ": "JWT", "alg": str(wish.get("alg", "RS256")), "kid": key.kid}
    if "kid" in wish:
        header["kid"] = wish["kid"]
    header = {name: value for name, value in {**header, **dict(wish.get("header") or {})}.items() if value is not None}
    if not set(wish) & {"alg", "kid", "header", "foreign_key", "tamper"}:
        return jws.serialize_compact(header, payload.encode(), key, algorithms=["RS256"])
    signer = RSAKey.generate_key(2048) if wish.get("foreign_key") else key
    signing_input = f"{_encode(json.dumps(header).encode())}.{_encode(payload.encode())}"
    signature = _sign_badly(signer, key, header.get("alg"), signing_input.encode())
    if wish.get("tamper"):
        changed = {**json.loads(payload), **dict(wish["tamper"])}
        signing_input = f"{signing_input.partition('.')[0]}.{_encode(json.dumps(changed).encode())}"
    return f"{signing_input}.{_encode(signature)}"


def read_token_request(db: sqlite3.Connection, content_type: str, form: Mapping[str, str]) -> TokenRequest:
    """Check the form of a token request and find the tool that it claims to come from."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise RefusedError("The request must be application/x-www-form-urlencoded.", 400)
    if form.get("grant_type") != "client_credentials":
        raise RefusedError("grant_type must be client_credentials.", 400, "unsupported_grant_type")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise RefusedError(f"client_assertion_type must be {ASSERTION_TYPE}.", 400)
    assertion = form.get("client_assertion", "")
    try:
        header_text, payload_text, _ = assertion.split(".")
        header, claims = json.loads(_decode(header_text)), json.loads(_decode(payload_text))
        kid, client_id = header.get("kid"), claims.get("sub")
    except (ValueError, AttributeError):
        raise RefusedError("client_assertion is no JWT.", 400, "invalid_client") from None
    if not isinstance(kid, str) or not kid:
        raise RefusedError("The assertion's header lacks a kid.", 400, "invalid_client")
    tool = find_tool(db, "client_id", client_id) if isinstance(client_id, str) else None
    if tool is None:
        raise RefusedError("The assertion's sub is no client_id of ours.", 400, "invalid_client")
    asked = tuple(dict.fromkeys(form.get("scope", "").split()))
    granted = tuple(scope for scope in asked if scope in tool.granted_scopes)
    if not granted:
        raise RefusedError("None of the scopes asked for is allowed for this tool.", 400, "invalid_scope")
    return TokenRequest(tool, assertion, kid, granted)


def verify_assertion(request: TokenRequest, keyset: Mapping[str, Any], *, audience: str, now: float) -> dict[str, Any]:
    """The claims of a client assertion that this tool made for us, a moment ago."""

    def fail(message: str) -> RefusedError:
        return RefusedError(message, 400, "invalid_client")

    try:
        keys = KeySet.import_key_set({"keys": list(keyset["keys"])})
    except (KeyError, TypeError, ValueError, JoseError):
        raise fail("The tool's keyset cannot be read.") from None
    matching = [key for key in keys.keys if key.kid == request.kid]
    if not matching:
        raise fail("The tool's keyset has no key with the assertion's kid.")
    try:
        claims = jwt.decode(request.assertion, matching[0], algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        raise fail("The assertion's signature is not valid.") from None
    if claims.get("iss") != request.tool.client_id or claims.get("sub") != request.tool.client_id:
        raise fail("The assertion's iss and sub must both be the client_id.")
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise fail(f"The assertion's aud must be {audience}.")
    for name in ("iat", "exp"):
        if isinstance(claims.get(name), bool) or not isinstance(claims.get(name), int | float):
            raise fail(f"The assertion's {name} must be a number.")
    if claims["exp"] <= now - CLOCK_LEEWAY:
        raise fail("The assertion has expired.")
    if claims["iat"] > now + CLOCK_LEEWAY:
        raise fail("The assertion's iat lies in the future.")
    if claims["exp"] - claims["iat"] > LONGEST_ASSERTION:
        raise fail("The assertion lives longer than an hour.")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise fail("The assertion lacks a jti.")
    return dict(claims)


def issue_token(db: sqlite3.Connection, request: TokenRequest, claims: Mapping[str, Any], *, now: float) -> AccessToken:
    """Use up the assertion and give a token for it."""
    db.execute("DELETE FROM assertion WHERE expires_at < ?", (now - CLOCK_LEEWAY,))
    used = db.execute(
        "INSERT OR IGNORE INTO assertion VALUES (?, ?, ?)",
        (request.tool.client_id, claims["jti"], float(claims["exp"])),
    )
    if used.rowcount == 0:
        raise RefusedError("The assertion's jti was used before.", 400, "invalid_client")
    token = AccessToken(
        secrets.token_urlsafe(32), request.tool, request.scopes, now + request.tool.options.token_lifetime
    )
    db.execute(
        "INSERT INTO access_token VALUES (?, ?, ?, ?, ?)",
        (token.token, token.tool.id, json.dumps(token.scopes), now, token.expires_at),
    )
    return token


def verify_access_token(db: sqlite3.Connection, header: str, *, now: float) -> AccessToken:
    """The live token of an Authorization header."""
    kind, _, text = header.partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise RefusedError("The request needs an Authorization header with a Bearer token.", 401, "invalid_request")
    row = db.execute("SELECT * FROM access_token WHERE token = ?", (text.strip(),)).fetchone()
    if row is None:
        raise RefusedError("The access token is unknown.", 401, "invalid_token")
    if row["expires_at"] <= now:
        raise RefusedError("The access token has expired.", 401, "invalid_token")
    tool = find_tool(db, "id", row["tool_id"])
    if tool is None:
        raise RefusedError("The access token's tool is gone.", 401, "invalid_token")
    return AccessToken(row["token"], tool, tuple(json.loads(row["scopes"])), row["expires_at"])


def require_scope(token: AccessToken, *scopes: str) -> None:
    """Refuse a token that has none of these scopes."""
    if not set(scopes) & set(token.scopes):
        raise RefusedError(f"The access token lacks the scope {scopes[0]}.", 403, "insufficient_scope")


def list_tokens(db: sqlite3.Connection, *, limit: int = 50) -> list[dict[str, Any]]:
    """The newest tokens, shortened: what the admin page shows."""
    rows = db.execute("SELECT * FROM access_token ORDER BY issued_at DESC LIMIT ?", (limit,))
    return [
        {
            "token": row["token"][:6] + "…",
            "tool": row["tool_id"],
            "scopes": json.loads(row["scopes"]),
            "issued_at": row["issued_at"],
            "expires_at": row["expires_at"],
        }
        for row in rows
    ]


def revoke_tokens(db: sqlite3.Connection) -> int:
    """Forget every token, so that the next use of one answers 401."""
    return db.execute("DELETE FROM access_token").rowcount


def _sign_badly(signer: RSAKey, published: RSAKey, algorithm: object, data: bytes) -> bytes:
    """A signature by hand, for headers that an honest library refuses to make."""
    if algorithm == "none":
        return b""
    if algorithm == "HS256":
        # The classic confusion: the public key, which everybody has, used as a shared secret.
        return hmac.new(published.as_pem(private=False), data, hashlib.sha256).digest()
    private = signer.private_key
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("A signing key has its private half.")
    return private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
