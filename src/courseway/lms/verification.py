"""From an HTTP request to a verified launch, step by step; the trail tells how far it came."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

from courseway.lms import keysets, platforms
from courseway.lms.browser_binding import read_stored_secret
from courseway.lms.platforms import KnownPlatform
from courseway.lms.sessions import login_cookie_name, read_launch_cookie
from ltikit.errors import LtiError, StateError, UnknownKeyError, UnknownPlatformError
from ltikit.launch import Launch
from ltikit.v11 import launch as v11
from ltikit.v13 import login as v13_login
from ltikit.v13.jwt import peek_unverified_claims
from ltikit.v13.keys import Keyset
from ltikit.v13.launch import Registration
from ltikit.v13.launch import verify_launch as verify_launch_v13

Pairs = list[tuple[str, str]]


@dataclass
class Trail:
    """How far a message came: what the launch log and the page of a refusal can tell."""

    step: str = "read"
    version: str = ""
    platform: KnownPlatform | None = None
    launch: Launch | None = None
    # Whose address a message verified by the operator's registration names; empty once the platform tells.
    named_organization_pk: int | None = None
    unverified_context_id: str = field(default="", repr=False)
    unverified: Mapping[str, Any] = field(default_factory=dict, repr=False)


def public_url_of(request: HttpRequest) -> str:
    """The absolute address of the request as the platform saw it: made from PUBLIC_URL, never from Host headers."""
    origin = settings.PUBLIC_URL.removesuffix(settings.PUBLIC_PATH)
    query = request.META.get("QUERY_STRING", "")
    return origin + quote(request.path, safe="/~:@!$&'()*+,;=-._") + (f"?{query}" if query else "")


def verify_v11(request: HttpRequest, form: Pairs, trail: Trail, *, now: datetime) -> Launch:
    """The LTI 1.1 launch of a signed form. Raises the errors of `ltikit.v11` and UnknownPlatformError."""
    trail.version, trail.step = "1.1", "platform"
    trail.unverified_context_id = next((value for name, value in form if name == "context_id"), "")[:255]
    trail.unverified = dict(form)
    key = v11.consumer_key_of(form)
    url = public_url_of(request)

    def verify(platform: KnownPlatform | None) -> Launch:
        is_usable = platform is not None and not platform.is_revoked
        try:
            launch = v11.verify_launch(
                form, url=url, secret=platform.secret if platform and is_usable else v11.UNKNOWN_SECRET, now=now
            )
        except LtiError:
            # The time of an answer must not tell whether a key exists: an unknown one is refused after the signature.
            if not is_usable:
                raise UnknownPlatformError("unknown or revoked consumer key") from None
            raise
        assert platform is not None  # noqa: S101 - nobody knows UNKNOWN_SECRET, so no signature fits without one
        return launch

    return _verify_with_fresh_keys(
        lambda is_fresh: platforms.find_by_consumer_key(key, is_fresh=is_fresh), verify, trail, step="signature"
    )


def verify_v13(request: HttpRequest, form: Pairs, trail: Trail, *, now: datetime) -> Launch:
    """The LTI 1.3 launch of an id_token that answers a sign-in of this browser."""
    trail.version, trail.step = "1.3", "read"
    try:
        return _verify_v13(request, form, trail, now=now)
    except LtiError:
        _note_claimed_platform(form, trail)
        raise


def _verify_v13(request: HttpRequest, form: Pairs, trail: Trail, *, now: datetime) -> Launch:
    id_token, state = v13_login.parse_launch_form(form)
    trail.step = "state"
    browser_secret = read_launch_cookie(request, login_cookie_name(v13_login.peek_attempt_id(state)))
    if browser_secret is None:
        browser_secret = read_stored_secret(request, form)
    attempt = v13_login.open_attempt(
        state,
        secrets=[key.encode() for key in settings.SECRET_KEYS],
        browser_secret=browser_secret,
        now=now,
    )

    def verify(platform: KnownPlatform | None) -> Launch:
        if platform is None or platform.is_revoked:
            raise UnknownPlatformError("the registration was revoked or deleted")
        registration = Registration(platform.issuer, platform.client_id, deployment_ids=None)
        keys = platform.living_keyset(now) or keysets.keyset_for(platform, now=now)

        def verify_with(keyset: Keyset) -> Launch:
            return verify_launch_v13(
                id_token,
                registration=registration,
                keys=keyset,
                expected_nonce=attempt.nonce,
                now=now,
                login_deployment_id=attempt.deployment_id,
            )

        try:
            return verify_with(keys)
        except UnknownKeyError:
            renewed = keysets.refetch_keyset(platform, now=now)
            if renewed is None:
                raise
            return verify_with(renewed)

    if not attempt.registration_id.isdecimal():
        raise StateError("the state names no registration")
    pk = int(attempt.registration_id)
    return _verify_with_fresh_keys(
        lambda is_fresh: platforms.find_by_pk(pk, is_fresh=is_fresh), verify, trail, step="signature"
    )


def _verify_with_fresh_keys(
    find: Callable[[bool], KnownPlatform | None],
    verify: Callable[[KnownPlatform | None], Launch],
    trail: Trail,
    *,
    step: str,
) -> Launch:
    """Verifies with the platform in memory; a refusal is only given after a look into the database."""
    remembered = find(False)
    trail.platform = remembered or trail.platform
    trail.step = step if remembered else "platform"
    try:
        launch = verify(remembered)
    except LtiError:
        current = find(True)
        trail.platform = current or trail.platform
        if current is None or current == remembered:
            raise
        launch = verify(current)
    trail.launch = launch
    return launch


def begin_login(
    login: v13_login.LoginRequest, platform: KnownPlatform, *, now: datetime
) -> tuple[v13_login.LoginAttempt, str, str]:
    """A sign-in for this browser: the attempt, the browser's secret, the state. Nothing is stored."""
    attempt, browser_secret = v13_login.begin_login(
        registration_id=str(platform.pk), login=login, now=now, random_bytes=secrets.token_bytes
    )
    state = v13_login.seal_attempt(attempt, secret=settings.SECRET_KEYS[0].encode(), browser_secret=browser_secret)
    return attempt, browser_secret, state


def _note_claimed_platform(form: Pairs, trail: Trail) -> None:
    """Whose token this claims to be, unverified: only so that the refusal appears in the right launch log."""
    token = next((value for name, value in form if name == "id_token"), "")
    try:
        claims = peek_unverified_claims(token)
    except LtiError:
        return
    trail.unverified = claims
    context = claims.get("https://purl.imsglobal.org/spec/lti/claim/context")
    if isinstance(context, dict) and isinstance(context.get("id"), str):
        trail.unverified_context_id = context["id"][:255]
    issuer, audience = claims.get("iss"), claims.get("aud")
    client_ids = audience if isinstance(audience, list) else [audience]
    for client_id in client_ids[:5]:
        if isinstance(issuer, str) and isinstance(client_id, str) and client_id:
            trail.platform = trail.platform or platforms.find_by_issuer(issuer, client_id, is_fresh=False)
