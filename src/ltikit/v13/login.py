"""Third-party initiated login: from the unsigned request to the signed answer (Security Framework 1.0 §5.1.1).

    login = parse_login(pairs)                                  # the platform's request, GET or POST
    attempt, browser_secret = begin_login(...)                  # keep the secret in this browser, not on the server
    state = seal_attempt(attempt, ...)                          # travels with the browser, to the platform and back
    build_authentication_url(login, ..., state=state, nonce=attempt.nonce)
    ...
    id_token, state = parse_launch_form(pairs)                  # the platform's answer
    attempt = open_attempt(state, ..., browser_secret=...)      # or StateError

Nothing has to be stored between the two requests: the state is sealed with the tool's own secret and bound to the
browser by a hash of a secret that only this browser holds: in a cookie, or, where it keeps none, in the platform's
storage, for which `find_stored_secret` tells where to look.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from ltikit.errors import MalformedMessageError, MissingParameterError, PlatformRefusedError, StateError
from ltikit.parameters import percent_encode

MAX_PARAMETER = 8192
"""Characters of one parameter of a login request; Canvas sends a whole JWT as `lti_message_hint`."""
MAX_ID = 255
"""Characters of an id that a platform gives (LTI core 1.3 §5.3.3)."""
MAX_STATE = 4096
MAX_ADDRESS = 16_000
"""Characters of the address that the browser is sent to: servers and browsers take no longer ones."""

_ATTEMPT_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PURPOSE = b"ltikit login attempt 2\n"
_CLOCK_SKEW = timedelta(seconds=60)
_KEPT_TARGET = 200
_KEPT_STORAGE = 100


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What a platform sends to begin a launch. Nothing of it is signed: use it to find a registration, not to redirect.

    `lti_message_hint` is None when absent: it is echoed unaltered, and only if it was sent.
    `client_id`, `deployment_id` and `storage_target` are "" when absent.
    """

    issuer: str
    login_hint: str
    target_link_uri: str
    lti_message_hint: str | None = None
    client_id: str = ""
    deployment_id: str = ""
    storage_target: str = ""


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One sign-in under way. `id`, 22 URL-safe characters, may name a cookie; the id_token must hold `nonce`.

    `issued_at` is in whole seconds, UTC. `deployment_id` is what the login request named, "" if it named none:
    the launch must then be of that deployment. `target_link_uri` is for logs, and left out when it is long.
    `storage_target` is the frame of the platform that stores data for tools (`lti_storage_target`), "" if none does.
    """

    id: str
    registration_id: str
    nonce: str
    issued_at: datetime
    deployment_id: str = ""
    target_link_uri: str = ""
    storage_target: str = ""


class StoredSecret(NamedTuple):
    """Where a browser without cookies has the secret of an attempt: in the storage of this registration's platform.

    `storage_target` is "_parent" or the name of a frame.
    """

    attempt_id: str
    registration_id: str
    storage_target: str


class BegunLogin(NamedTuple):
    """An attempt and the secret of the browser it belongs to."""

    attempt: LoginAttempt
    browser_secret: str


class LaunchForm(NamedTuple):
    """The two fields of a platform's answer."""

    id_token: str
    state: str


def parse_login(pairs: Iterable[tuple[str, str]]) -> LoginRequest:
    """Read a login request from its parameters as received, decoded (query of a GET, form of a POST).

    Raises `MissingParameterError` for `iss`, `login_hint` or `target_link_uri`, and `MalformedMessageError` for a
    parameter that is repeated with another value, too long, or holds control characters. Unknown ones are ignored.
    """
    fields = _collect(
        pairs,
        wanted=(
            *("iss", "login_hint", "target_link_uri", "lti_message_hint", "client_id"),
            *("lti_deployment_id", "deployment_id", "lti_storage_target"),
        ),
    )
    for name in ("iss", "login_hint", "target_link_uri"):
        if not fields.get(name):
            raise MissingParameterError(name)
    for name in ("iss", "target_link_uri", "client_id", "lti_deployment_id", "deployment_id", "lti_storage_target"):
        if _CONTROL.search(fields.get(name, "")):
            raise MalformedMessageError(f"{name} holds control characters")
    # Canvas spells it `deployment_id`; the specification's name wins (LTI core 1.3 §4.1.2).
    deployment_id = fields.get("lti_deployment_id") or fields.get("deployment_id", "")
    for name, value in (("client_id", fields.get("client_id", "")), ("lti_deployment_id", deployment_id)):
        if len(value) > MAX_ID:
            raise MalformedMessageError(f"{name} is longer than {MAX_ID} characters")
    return LoginRequest(
        issuer=fields["iss"],
        login_hint=fields["login_hint"],
        target_link_uri=fields["target_link_uri"],
        lti_message_hint=fields.get("lti_message_hint"),
        client_id=fields.get("client_id", ""),
        deployment_id=deployment_id,
        storage_target=fields.get("lti_storage_target", ""),
    )


def begin_login(
    *, registration_id: str, login: LoginRequest, now: datetime, random_bytes: Callable[[int], bytes]
) -> BegunLogin:
    """Make a fresh attempt and the secret that ties it to this browser.

    `random_bytes` must come from the operating system (`secrets.token_bytes`). The browser secret is 43 URL-safe
    characters; hand it to the browser alone, in a cookie of this attempt or in the platform's storage.
    """
    attempt = LoginAttempt(
        id=_encode(random_bytes(16)),
        registration_id=registration_id,
        nonce=_encode(random_bytes(16)),
        issued_at=_as_utc(now).replace(microsecond=0),
        deployment_id=login.deployment_id,
        target_link_uri=login.target_link_uri if len(login.target_link_uri) <= _KEPT_TARGET else "",
        storage_target=login.storage_target if len(login.storage_target) <= _KEPT_STORAGE else "",
    )
    return BegunLogin(attempt, _encode(random_bytes(32)))


_write_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def seal_attempt(attempt: LoginAttempt, *, secret: bytes, browser_secret: str) -> str:
    """The `state` of an attempt: URL-safe text, readable but not forgeable (HMAC-SHA256), good in one browser only."""
    if not browser_secret:
        raise ValueError("an attempt must be bound to a browser")
    content = [
        attempt.registration_id,
        attempt.nonce,
        int(attempt.issued_at.timestamp()),
        attempt.deployment_id,
        attempt.target_link_uri,
        attempt.storage_target,
        _browser_mark(browser_secret),
    ]
    text = _write_json(content)
    body = f"{attempt.id}.{_encode(text.encode())}"
    return f"{body}.{_encode(_mac(body, secret))}"


def peek_attempt_id(state: str) -> str:
    """The attempt's id, so that its cookie can be found. Nothing is verified yet; always 22 URL-safe characters.

    Raises `StateError` when `state` cannot be one of ours.
    """
    attempt_id = state[:23].partition(".")[0]
    if not _ATTEMPT_ID.fullmatch(attempt_id):
        raise StateError("the state was not made here")
    return attempt_id


def open_attempt(
    state: str,
    *,
    secrets: Sequence[bytes],
    browser_secret: str | None,
    now: datetime,
    lifetime: timedelta = timedelta(minutes=10),
) -> LoginAttempt:
    """Verify a `state` that came back and return its attempt.

    `secrets` are the tool's secrets, newest first: older ones keep sign-ins alive that began before a change.
    `browser_secret` is what this browser holds for the attempt, None if it holds nothing.
    Raises `StateError` when the state is forged, expired, of the future, of another browser, or when the browser
    holds nothing; `detail` says which. Using it only once is the caller's part (see `Launch.nonce`).
    """
    attempt, mark = _unseal(state, secrets)
    if not browser_secret:
        raise StateError("this browser holds nothing of the sign-in: its cookies are blocked, or it began elsewhere")
    if not hmac.compare_digest(mark.encode(), _browser_mark(browser_secret).encode()):
        raise StateError("the sign-in began in another browser")
    _check_age(attempt, now, lifetime)
    return attempt


def find_stored_secret(
    state: str, *, secrets: Sequence[bytes], now: datetime, lifetime: timedelta = timedelta(minutes=10)
) -> StoredSecret | None:
    """Where to look for the browser secret of a `state` that came back without a cookie; None if nowhere.

    Raises `StateError` like `open_attempt`. Nothing is bound to a browser yet: that the state is genuine only allows
    to ask this browser for the secret, and `open_attempt` decides.
    """
    attempt, _ = _unseal(state, secrets)
    _check_age(attempt, now, lifetime)
    if not attempt.storage_target:
        return None
    return StoredSecret(attempt.id, attempt.registration_id, attempt.storage_target)


def _unseal(state: str, secrets: Sequence[bytes]) -> tuple[LoginAttempt, str]:
    """The attempt of a genuine state and the mark of the browser that it is bound to."""
    attempt_id = peek_attempt_id(state)
    body, _, mac = state.rpartition(".")
    if len(state) > MAX_STATE or body.count(".") != 1 or not state.isascii():
        raise StateError("the state was not made here")
    # All secrets are tried, so that the time taken does not tell which one fits.
    fits = [hmac.compare_digest(mac.encode(), _encode(_mac(body, secret)).encode()) for secret in secrets]
    if not any(fits):
        raise StateError("the state is forged, or was sealed with a secret that is no longer used")
    registration_id, nonce, issued_at, deployment_id, target_link_uri, storage_target, mark = json.loads(
        urlsafe_b64decode(body[23:] + "=" * (-len(body[23:]) % 4))
    )
    attempt = LoginAttempt(
        id=attempt_id,
        registration_id=registration_id,
        nonce=nonce,
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        deployment_id=deployment_id,
        target_link_uri=target_link_uri,
        storage_target=storage_target,
    )
    return attempt, mark


def _check_age(attempt: LoginAttempt, now: datetime, lifetime: timedelta) -> None:
    age = _as_utc(now) - attempt.issued_at
    if age > lifetime:
        raise StateError(f"the sign-in began {int(age.total_seconds())} s ago")
    if age < -_CLOCK_SKEW:
        raise StateError("the sign-in began in the future")


def build_authentication_url(
    login: LoginRequest, *, authentication_url: str, client_id: str, redirect_uri: str, state: str, nonce: str
) -> str:
    """Where to send the browser so that the platform answers with a launch (Security Framework 1.0 §5.1.1.2).

    `redirect_uri` is compared by the platform as a string: give it exactly as registered.
    A query that `authentication_url` already has is kept. Raises `MalformedMessageError` when the hints make the
    address longer than any server takes.
    """
    added = (
        "scope=openid&response_type=id_token&response_mode=form_post&prompt=none"
        f"&client_id={percent_encode(client_id)}&redirect_uri={percent_encode(redirect_uri)}&login_hint={percent_encode(login.login_hint)}"
        f"&state={percent_encode(state)}&nonce={percent_encode(nonce)}"
    )
    if login.lti_message_hint is not None:
        added += f"&lti_message_hint={percent_encode(login.lti_message_hint)}"
    address = _begin_address(authentication_url) + added
    if len(address) > MAX_ADDRESS:
        raise MalformedMessageError("login_hint and lti_message_hint are too long to be sent back")
    return address


@lru_cache(maxsize=256)
def _begin_address(authentication_url: str) -> str:
    """Up to where further parameters go."""
    parts = urlsplit(authentication_url)
    return urlunsplit(parts._replace(query="", fragment="")) + (f"?{parts.query}&" if parts.query else "?")


def parse_launch_form(pairs: Iterable[tuple[str, str]]) -> LaunchForm:
    """Read the form that a platform posts to the redirect URI. Nothing in it is verified yet.

    Raises `PlatformRefusedError` when it answers with an error (`login_required` and the like), `StateError`
    when the state is missing, `MalformedMessageError` when the id_token is, or when a field is there twice.
    """
    fields = _collect(pairs, wanted=("id_token", "state", "error", "error_description"), limit=None)
    if fields.get("error"):
        words = " ".join(_CONTROL.sub(" ", fields["error"] + ": " + fields.get("error_description", "")).split())
        raise PlatformRefusedError(words.rstrip(":")[:300])
    if not fields.get("id_token"):
        raise MalformedMessageError("id_token is missing")
    if not fields.get("state"):
        raise StateError("state is missing")
    return LaunchForm(id_token=fields["id_token"], state=fields["state"])


def _collect(
    pairs: Iterable[tuple[str, str]], *, wanted: Sequence[str], limit: int | None = MAX_PARAMETER
) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in wanted:
            continue
        if fields.setdefault(name, value) != value:
            raise MalformedMessageError(f"{name} was sent twice with different values")
        if limit is not None and len(value) > limit:
            raise MalformedMessageError(f"{name} is longer than {limit} characters")
        if _SURROGATE.search(value):
            raise MalformedMessageError(f"{name} is not text")
    return fields


def _browser_mark(browser_secret: str) -> str:
    return _encode(hashlib.sha256(_PURPOSE + browser_secret.encode("utf-8", "replace")).digest()[:16])


def _mac(body: str, secret: bytes) -> bytes:
    if len(secret) < 16:
        raise ValueError("the secret that seals sign-ins must have at least 16 bytes")
    return hmac.digest(secret, _PURPOSE + body.encode(), "sha256")


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _as_utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("now must have a time zone")
    return now.astimezone(UTC)
