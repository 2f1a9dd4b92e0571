"""An LMS that launched by LTI 1.1 before: who and what a launch by LTI 1.3 was there (LTI 1.3 migration guide §2)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ltikit import vocabulary
from ltikit.launch import Launch

MAX_ID = 255


@dataclass(frozen=True, slots=True)
class FormerIds:
    """The ids that the same person, course and link have under LTI 1.1; an id that was left out is the one of today.

    `consumer_key` is the key of that time, "" where the platform does not name it; `signature` is to be checked with
    its secret (`is_signed`). Without a good signature none of this proves anything: platforms are known to fill it
    with whatever they have.
    """

    user_id: str
    context_id: str
    resource_link_id: str
    consumer_key: str = ""
    signature: str = ""


def read_former_ids(launch: Launch) -> FormerIds | None:
    """What the `lti1p1` claim of a verified launch says, or Canvas's older `lti11_legacy_user_id`; None without both.

    Values that are no text, and ids longer than 255 characters, count as left out.
    """
    claim = launch.raw.get(vocabulary.LTI11_MIGRATION)
    claim = claim if isinstance(claim, dict) else {}
    user_id = _text(claim, "user_id") or _text(launch.raw, vocabulary.LTI11_LEGACY_USER_ID)
    if not claim and not user_id:
        return None
    return FormerIds(
        user_id=user_id or launch.person.user_id or "",
        context_id=_text(claim, "context_id") or (launch.context.id if launch.context else ""),
        resource_link_id=_text(claim, "resource_link_id") or (launch.resource_link.id if launch.resource_link else ""),
        consumer_key=_text(claim, "oauth_consumer_key"),
        signature=_text(claim, "oauth_consumer_key_sign"),
    )


def is_signed(former: FormerIds, launch: Launch, *, secret: str) -> bool:
    """True if whoever sent the launch knows the secret of the consumer key; compared in constant time."""
    if not former.consumer_key or not former.signature or not secret:
        return False
    expected = sign_consumer_key(
        former.consumer_key,
        secret=secret,
        deployment_id=launch.deployment_id,
        issuer=launch.issuer,
        client_id=launch.client_id,
        expires_at=launch.raw.get("exp"),
        nonce=launch.nonce,
    )
    return hmac.compare_digest(expected.encode(), former.signature.encode("utf-8", "surrogatepass"))


def sign_consumer_key(
    consumer_key: str,
    *,
    secret: str,
    deployment_id: str,
    issuer: str,
    client_id: str,
    expires_at: object,
    nonce: str,
) -> str:
    """`oauth_consumer_key_sign`: Base64 of the raw HMAC-SHA256 over what ties the key to this one token.

    `expires_at` is `exp` as it stands in the token. `client_id` is the one of the registration, also where `aud` is a
    list.
    """
    base = "&".join((consumer_key, deployment_id, issuer, client_id, str(expires_at), nonce))
    return base64.b64encode(hmac.digest(secret.encode(), base.encode("utf-8", "surrogatepass"), "sha256")).decode()


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and len(value) <= MAX_ID else ""
