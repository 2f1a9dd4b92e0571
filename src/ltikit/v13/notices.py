"""Platform Notification Service 1.0: say where notices go, and verify those that come.

A notice has neither a person nor a state, and nobody asked for its nonce: that each one counts once is for the caller
to see to, by the notice's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from ltikit import vocabulary
from ltikit.errors import MalformedMessageError, MissingParameterError, UnsupportedVersionError, WrongIssuerError
from ltikit.http import Request, Response
from ltikit.launch import Context, Launch
from ltikit.parameters import is_web_url
from ltikit.services import raise_for_status
from ltikit.v13.jwt import ACCEPTED_ALGORITHMS, check_audience, check_times, verify_token
from ltikit.v13.keys import Keyset

HELLO_WORLD: Final = "LtiHelloWorldNotice"
"""Sent when a handler was registered, so that both sides see that it works."""
CONTEXT_COPY: Final = "LtiContextCopyNotice"
"""A course was copied; `Notice.context` is the new one."""
MAX_NOTICES: Final = 100
"""Notices in one message that are read."""
MAX_ID: Final = 255


@dataclass(frozen=True, slots=True)
class NoticeService:
    """What a launch says about the platform's service: where handlers are registered, and for which notices."""

    url: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """One verified notice. `origin_context_ids` are the courses that `context` was copied from, mostly one or none."""

    id: str
    kind: str
    deployment_id: str
    issued_at: datetime
    context: Context | None = None
    origin_context_ids: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)


def read_notice_service(launch: Launch) -> NoticeService | None:
    """The service that a verified launch offers to this tool, None if there is none that it may use."""
    claim = launch.raw.get(vocabulary.NOTICE_SERVICE) if launch.version == "1.3" else None
    if not isinstance(claim, Mapping):
        return None
    url, scopes, kinds = (
        claim.get(name) for name in ("platform_notification_service_url", "scope", "notice_types_supported")
    )
    if not isinstance(url, str) or not is_web_url(url) or len(url) > 2000:
        return None
    if scopes is not None and vocabulary.SCOPE_NOTICE_HANDLERS not in _texts(scopes):
        return None
    return NoticeService(url, _texts(kinds))


def handler_request(service_url: str, *, kind: str, handler_url: str, access_token: str) -> Request:
    """Ask the platform to send notices of a kind to `handler_url`; an empty one takes that back."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Authorization": f"Bearer {access_token}",
    }
    body = json.dumps({"notice_type": kind, "handler": handler_url}).encode()
    return Request("PUT", service_url, headers, body)


def check_handler_response(response: Response) -> None:
    """Raises the `ServiceError` that says why the handler was not registered."""
    raise_for_status(response)


def parse_notices(body: bytes) -> tuple[str, ...]:
    """The signed notices in a message to the handler, still to be verified.

    Raises `MalformedMessageError` for anything but `{"notices": [{"jwt": …}]}` with 1 to `MAX_NOTICES` notices.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedMessageError("the message is not JSON") from None
    members = document.get("notices") if isinstance(document, dict) else None
    if not isinstance(members, list) or not 0 < len(members) <= MAX_NOTICES:
        raise MalformedMessageError(f'the message has no list "notices" of 1 to {MAX_NOTICES}')
    tokens = [one.get("jwt") if isinstance(one, dict) else None for one in members]
    if not all(isinstance(token, str) and token for token in tokens):
        raise MalformedMessageError("a notice has no jwt")
    return tuple(str(token) for token in tokens)


def verify_notice(token: str, *, issuer: str, client_id: str, keys: Keyset, now: datetime) -> Notice:
    """Verify a notice's signature, issuer, audience and times, and read it.

    Whether the deployment is one of ours is for the caller to judge. Raises what `verify_token`, `check_audience` and
    `check_times` raise, `WrongIssuerError`, `UnsupportedVersionError`, `MissingParameterError` and
    `MalformedMessageError`.
    """
    claims = verify_token(token, keys=keys, algorithms=ACCEPTED_ALGORITHMS)
    if claims.get("iss") != issuer:
        raise WrongIssuerError(f"iss is {str(claims.get('iss'))[:200]!r}, expected {issuer}")
    check_audience(claims, client_id=client_id)
    issued_at = check_times(claims, now=now)
    if claims.get(vocabulary.VERSION) != vocabulary.LTI_VERSION_13:
        raise UnsupportedVersionError("the notice's version is not 1.3.0")
    own = claims.get(vocabulary.NOTICE)
    members = own if isinstance(own, Mapping) else {}
    origins = claims.get(vocabulary.ORIGIN_CONTEXTS)
    return Notice(
        id=_id(members, "id", "notice.id"),
        kind=_id(members, "type", "notice.type"),
        deployment_id=_id(claims, vocabulary.DEPLOYMENT_ID, "deployment_id"),
        issued_at=issued_at,
        context=_read_context(claims.get(vocabulary.CONTEXT)),
        origin_context_ids=tuple(one for one in _texts(origins) if len(one) <= MAX_ID),
        raw=MappingProxyType(claims),
    )


def _read_context(value: object) -> Context | None:
    members = value if isinstance(value, Mapping) else {}
    context_id = members.get("id")
    if not isinstance(context_id, str) or not 0 < len(context_id) <= MAX_ID:
        return None
    title, label = (text if isinstance(text := members.get(name), str) else "" for name in ("title", "label"))
    return Context(id=context_id, title=title, label=label)


def _id(members: Mapping[str, Any], name: str, shown: str) -> str:
    value = members.get(name)
    if value is None or value == "":
        raise MissingParameterError(shown)
    if not isinstance(value, str) or len(value) > MAX_ID:
        raise MalformedMessageError(f"{shown} is not a text of at most {MAX_ID} characters")
    return value


def _texts(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(one for one in values if isinstance(one, str) and one)
