"""Signed tokens: the only place where a signature is verified or made (RFC 7515, Security Framework 1.0 §5.1.3).

`verify_token` says who signed; it says nothing about time or audience. Whoever calls it goes on with
`check_times` and `check_audience`, as `ltikit.v13.launch.verify_launch` does.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from ltikit.errors import (
    BadSignatureError,
    ExpiredError,
    MalformedMessageError,
    MissingParameterError,
    UnknownKeyError,
    UnsupportedAlgorithmError,
    WrongAudienceError,
)
from ltikit.v13.keys import TOOL_ALGORITHM, Keyset, PrivateKey, PublicKey

ACCEPTED_ALGORITHMS: Final = frozenset({"RS256", "ES256"})
"""What a launch may be signed with."""
MAX_TOKEN: Final = 128 * 1024
"""Characters of a token; the largest seen from an LMS is 12 KiB."""
LEEWAY: Final = timedelta(seconds=60)
"""How far the clocks of tool and platform may differ (Security Framework 1.0 §5.1.3: no more than a few minutes)."""
MAX_AGE: Final = timedelta(hours=24)
"""How long after `iat` a token may be used, whatever its `exp` says."""

_KEY_TYPES: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "EC",
}
_ALGORITHMS: Final = jws.JWSRegistry(algorithms=list(_KEY_TYPES))
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


def verify_token(token: str, *, keys: Keyset, algorithms: Collection[str]) -> dict[str, Any]:
    """Verify a token's signature and return its claims, whose meaning is still to be judged.

    The key is the one that the header's `kid` names in `keys`, and no other: a header without `kid` is refused before
    any key is looked at; keys offered by the header itself (`jwk`, `jku`, `x5u`, `x5c`) are ignored.
    `algorithms` is the list of what is accepted, asymmetric ones only.

    Raises `MalformedMessageError` (not a signed token, duplicate members, too long), `MissingParameterError` (no
    `kid`), `UnsupportedAlgorithmError` (not accepted, or with `crit`), `UnknownKeyError` (fetch the keyset anew,
    once) and `BadSignatureError`.
    """
    symmetric = set(algorithms) - _KEY_TYPES.keys()
    if symmetric or not algorithms:
        raise ValueError(f"not a list of asymmetric algorithms: {sorted(algorithms)}")
    header = _read_header(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise UnsupportedAlgorithmError(f"alg is {_show(algorithm)}, accepted: {', '.join(sorted(algorithms))}")
    if "crit" in header or "b64" in header:
        # RFC 7515 §4.1.11: an extension that is not understood makes the token invalid; none is understood here.
        raise UnsupportedAlgorithmError("the header has a critical extension")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise MissingParameterError("kid, in the token's header")
    key = keys.by_kid.get(kid)
    if key is None:
        reason = keys.refused.get(kid, "not in the keyset")
        raise UnknownKeyError(f"kid {_show(kid)}: {reason}")
    if key.members["kty"] != _KEY_TYPES[algorithm] or key.algorithm not in ("", algorithm):
        raise BadSignatureError(f"key {_show(kid)} is not for {algorithm}")
    signed, _, signature = token.rpartition(".")
    if not _fits(signed, signature, algorithm, key):
        raise BadSignatureError(f"the signature does not fit key {_show(kid)}")
    return _read_object(_decode(signed.partition(".")[2]), "the token")


def _fits(signed: str, signature: str, algorithm: str, key: PublicKey) -> bool:
    """joserfc's verification alone: the parts of the token were taken apart and judged before."""
    model = _ALGORITHMS.get_alg(algorithm)
    try:
        model.check_key(key.jose)
        return model.verify(signed.encode(), _decode(signature), key.jose)
    except (JoseError, MalformedMessageError, ValueError):
        return False


def sign_token(claims: Mapping[str, Any], *, key: PrivateKey) -> str:
    """Sign claims with a key of the tool: RS256, with `kid` and `typ` in the header."""
    header = {"alg": TOOL_ALGORITHM, "kid": key.kid, "typ": "JWT"}
    payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return jws.serialize_compact(header, payload, key.jose, algorithms=[TOOL_ALGORITHM])


def peek_unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a token that nobody has verified, {} if unreadable. For logs alone, never for a decision."""
    try:
        _read_header(token)
        return _read_object(_decode(token.split(".")[1]), "the token")
    except MalformedMessageError:
        return {}


def check_times(claims: Mapping[str, Any], *, now: datetime) -> datetime:
    """Refuse claims that are not valid at `now`, and return when they were issued, UTC.

    `exp` and `iat` are required and must be JSON numbers, `nbf` too if it is there; each may be off by `LEEWAY`.
    The token must not be older than `MAX_AGE`. Raises `ExpiredError`; its detail gives the difference in seconds.
    """
    current = now.astimezone(UTC).timestamp() if now.tzinfo else None
    if current is None:
        raise ValueError("now must have a time zone")
    leeway = LEEWAY.total_seconds()
    expires_at, issued_at = _read_time(claims, "exp"), _read_time(claims, "iat")
    if expires_at + leeway <= current:
        raise ExpiredError(f"exp was {_seconds(current - expires_at)} s ago")
    if issued_at - leeway > current:
        raise ExpiredError(f"iat is {_seconds(issued_at - current)} s in the future")
    if current - issued_at > MAX_AGE.total_seconds():
        raise ExpiredError(f"iat was {_seconds(current - issued_at)} s ago")
    if claims.get("nbf") is not None and _read_time(claims, "nbf") - leeway > current:
        raise ExpiredError("nbf is in the future")
    return datetime.fromtimestamp(issued_at, UTC)


def check_audience(claims: Mapping[str, Any], *, client_id: str) -> None:
    """Refuse claims that are not for `client_id` alone (Security Framework 1.0 §5.1.3, items 3 to 5).

    Other audiences beside ours are accepted only when `azp` names us; `azp`, if present, must name us.
    Raises `MissingParameterError`, `MalformedMessageError` or `WrongAudienceError`.
    """
    audience, party = claims.get("aud"), claims.get("azp")
    if audience is None:
        raise MissingParameterError("aud")
    if isinstance(audience, str):
        audience = [audience]
    if not isinstance(audience, list) or not all(isinstance(one, str) for one in audience):
        raise MalformedMessageError("aud is neither text nor a list of texts")
    if client_id not in audience:
        raise WrongAudienceError(f"aud is {_show(', '.join(audience))}, expected {client_id}")
    if party is not None and party != client_id:
        raise WrongAudienceError(f"azp is {_show(party)}, expected {client_id}")
    if party is None and any(one != client_id for one in audience):
        raise WrongAudienceError(f"aud names others too, without azp: {_show(', '.join(audience))}")


def _read_header(token: str) -> Mapping[str, Any]:
    if not isinstance(token, str) or len(token) > MAX_TOKEN:
        raise MalformedMessageError(f"the token is longer than {MAX_TOKEN // 1024} KiB")
    segments = token.split(".")
    if len(segments) != 3 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise MalformedMessageError("not a signed token: three parts in base64url are needed")
    return _recall_header(segments[0]) if len(segments[0]) <= _MAX_RECALLED else _parse_header(segments[0])


def _parse_header(segment: str) -> dict[str, Any]:
    return _read_object(_decode(segment), "the token's header")


_MAX_RECALLED: Final = 500
# A platform writes the same header on every token until it changes its key.
_recall_header = lru_cache(maxsize=1024)(_parse_header)


def _decode(segment: str) -> bytes:
    try:
        return urlsafe_b64decode(segment.encode())  # refuses bits that no byte takes up: each token is spelt one way
    except ValueError:
        raise MalformedMessageError("the token is not base64url") from None


def _read_object(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object without duplicate members, not-a-numbers, and text that no database takes."""
    try:
        text = data.decode("utf-8")
    except ValueError:
        raise MalformedMessageError(f"{what} is not JSON") from None
    # JSON in UTF-8 holds neither a NUL nor half a character, unless by an escape.
    may_be_unstorable = "\\u" in text

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise MalformedMessageError(f"{what} has a member twice")
        if may_be_unstorable and not all(_is_storable(name) and _is_storable(value) for name, value in pairs):
            raise MalformedMessageError(f"{what} holds characters that are not text")
        return members

    try:
        value = json.loads(
            text,
            object_pairs_hook=collect,
            parse_constant=_refuse_constant,
            parse_float=_read_finite,
        )
    except (ValueError, RecursionError):
        raise MalformedMessageError(f"{what} is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedMessageError(f"{what} is not a JSON object")
    return value


def _is_storable(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_storable(one) for one in value)
    return not (isinstance(value, str) and _UNSTORABLE.search(value))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _read_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _read_time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if value is None:
        raise ExpiredError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpiredError(f"{name} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpiredError(f"{name} is out of range")
    return number


def _seconds(difference: float) -> str:
    return f"{difference:.0f}" if difference < 1e12 else "very many"


def _show(value: object) -> str:
    """A value from outside for a log line: short and printable."""
    return repr(value)[:120]
