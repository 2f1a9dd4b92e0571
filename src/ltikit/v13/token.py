"""Access tokens for the platform's services, by signed client credentials (Security Framework 1.0 §4, LTI core §6)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from ltikit import vocabulary
from ltikit.answers import load_json
from ltikit.errors import (
    ServiceForbiddenError,
    ServiceRejectedError,
    ServiceUnauthorizedError,
    ServiceUnavailableError,
)
from ltikit.http import Request, Response
from ltikit.services import raise_for_status, shorten
from ltikit.v13.jwt import sign_token
from ltikit.v13.keys import PrivateKey

ASSERTION_LIFETIME: Final = timedelta(minutes=5)
BACKDATING: Final = timedelta(seconds=5)
"""Platforms refuse an assertion that was issued a moment in their future; clocks differ by seconds."""
DEFAULT_LIFETIME: Final = timedelta(hours=1)
"""When the answer has no `expires_in` (Security Framework 1.0 §4.1)."""
MAX_LIFETIME: Final = timedelta(days=1)
MAX_ANSWER: Final = 64 * 1024

_CREDENTIALS_REFUSED: Final = ("invalid_client", "unauthorized_client", "invalid_grant")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token, opaque. `scopes` are those granted, which may be fewer than were asked for."""

    value: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime

    def is_usable(self, *, now: datetime, margin: timedelta = timedelta(seconds=60)) -> bool:
        """True while it lasts for at least `margin` more: a request may be under way for a while."""
        return now + margin < self.expires_at

    def is_good_for(self, scopes: Collection[str]) -> bool:
        """True when all of `scopes` were granted."""
        return self.scopes.issuperset(scopes)


def token_request(
    *,
    token_url: str,
    audience: str,
    client_id: str,
    scopes: Sequence[str],
    key: PrivateKey,
    now: datetime,
    jti: str,
    deployment_id: str = "",
) -> Request:
    """Ask for a token with `scopes`. The answer goes to `parse_token_response`.

    `audience` is what the platform wants as `aud`: its token URL unless the registration says otherwise (Brightspace).
    `jti` must be new for each request. `deployment_id` is sent as a claim if given (core §6.2.1).
    """
    if not scopes:
        raise ValueError("a token for no scope is of no use")
    issued_at = int((now.astimezone(UTC) - BACKDATING).timestamp())
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": issued_at,
        "exp": issued_at + int(ASSERTION_LIFETIME.total_seconds()),
        "jti": jti,
    }
    if deployment_id:
        claims[vocabulary.DEPLOYMENT_ID] = deployment_id
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": vocabulary.CLIENT_ASSERTION_TYPE,
        "client_assertion": sign_token(claims, key=key),
        "scope": " ".join(scopes),
    }
    # Moodle compares the content type as a string: no charset.
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Request(method="POST", url=token_url, headers=headers, body=urlencode(form).encode())


def parse_token_response(response: Response, *, requested: Collection[str], now: datetime) -> AccessToken:
    """Read the answer to a `token_request`. Its content type is not looked at: Moodle types it text/html.

    Raises `ServiceUnauthorizedError` when the platform does not accept the client or its key, `ServiceForbiddenError`
    when it grants none of the scopes, `ServiceUnavailableError` when the answer cannot be read, `ServiceRejectedError`
    for a token that is no bearer token, and what `raise_for_status` says for any other failure.
    """
    answer = _read_answer(response)
    error = answer.get("error")
    if isinstance(error, str) and error and response.status not in (408, 429) and response.status < 500:
        _refuse(error, answer.get("error_description"), response)
    raise_for_status(response)
    value = answer.get("access_token")
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ServiceUnavailableError("the answer holds no usable access_token", platform_status=response.status)
    kind = answer.get("token_type")
    if isinstance(kind, str) and kind.lower() != "bearer":
        raise ServiceRejectedError(f"the access token is of type {shorten(kind)!r}", platform_status=response.status)
    scopes = _read_scopes(answer.get("scope"), requested)
    if not scopes.intersection(requested):
        raise ServiceForbiddenError("none of the scopes were granted", platform_status=response.status)
    return AccessToken(value=value, scopes=scopes, expires_at=now + _read_lifetime(answer.get("expires_in")))


def _read_answer(response: Response) -> dict[str, Any]:
    """The JSON object of the body, {} if there is none."""
    if len(response.body) > MAX_ANSWER:
        return {}
    try:
        answer = load_json(response.body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refuse(error: str, description: object, response: Response) -> None:
    """RFC 6749 §5.2: what went wrong is in the body, the status is 400 for nearly everything."""
    words = shorten(f"{error}: {description}" if isinstance(description, str) and description else error)
    if error in _CREDENTIALS_REFUSED:
        raise ServiceUnauthorizedError(words, platform_status=response.status)
    if error == "invalid_scope":
        raise ServiceForbiddenError(words, platform_status=response.status)
    raise_for_status(response, detail=words)
    raise ServiceRejectedError(words, platform_status=response.status)


def _read_scopes(scope: object, requested: Collection[str]) -> frozenset[str]:
    """RFC 6749 §5.1: an answer without `scope` grants what was asked for."""
    if isinstance(scope, list):
        return frozenset(one for one in scope if isinstance(one, str))
    if isinstance(scope, str) and scope.strip():
        return frozenset(scope.split())
    return frozenset(requested)


def _read_lifetime(expires_in: object) -> timedelta:
    """Seconds as a number or as text; what cannot be read counts as the default, never as for ever."""
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | Decimal | str) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if isinstance(expires_in, bool) or not math.isfinite(seconds) or seconds < 0:
        return DEFAULT_LIFETIME
    return min(timedelta(seconds=min(seconds, MAX_LIFETIME.total_seconds())), MAX_LIFETIME)
