"""What is sent to an endpoint: the body of an event, and its signature as Standard Webhooks defines it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from courseway import secrets_box
from courseway.events.models import Event, WebhookEndpoint
from ltikit.http import Request

PREFIX = "whsec_"
_NEW_SECRET_BYTES = 32
# What the standard allows for a shared secret.
_LEAST_BYTES, _MOST_BYTES = 24, 64


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, still to be signed: the signature holds the time of sending."""

    url: str
    id: str
    body: str
    secrets: tuple[str, ...]  # the newest first

    def sign(self, *, now: datetime) -> Request:
        signatures = (Webhook(secret).sign(self.id, now.astimezone(UTC), self.body) for secret in self.secrets)
        headers = {
            "Content-Type": "application/json",
            "Webhook-Id": self.id,
            "Webhook-Timestamp": str(int(now.timestamp())),
            "Webhook-Signature": " ".join(signatures),
        }
        return Request("POST", self.url, headers, self.body.encode())


def write_letter(event: Event, endpoint: WebhookEndpoint, *, now: datetime) -> Letter:
    """Raises SecretUnreadableError when the endpoint's secret does not open."""
    return Letter(endpoint.url, event.public_id, write_body(event, endpoint), read_secrets(endpoint, now=now))


def write_body(event: Event, endpoint: WebhookEndpoint) -> str:
    """The event as JSON. The person's name and e-mail, as they are now, only where an owner said so."""
    data: dict[str, Any] = {"organization": event.organization.slug, **event.data}
    person = event.person
    if person is not None:
        data["person"] = {"id": person.public_id}
        if endpoint.shares_people:
            data["person"] |= {"name": person.shown_name, "email": person.email}
    body = {"type": event.kind, "timestamp": event.at.astimezone(UTC).isoformat(), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW_SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """True for `whsec_` and 24 to 64 bytes in Base64."""
    try:
        value = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and _LEAST_BYTES <= len(value) <= _MOST_BYTES


def read_secrets(endpoint: WebhookEndpoint, *, now: datetime) -> tuple[str, ...]:
    """The secrets that sign now: after a rotation the old one too, for a while."""
    found = [secrets_box.unlock(endpoint.secret_encrypted, place=secret_place(endpoint))]
    if endpoint.old_secret_encrypted and endpoint.old_secret_until is not None and endpoint.old_secret_until > now:
        found.append(secrets_box.unlock(endpoint.old_secret_encrypted, place=secret_place(endpoint)))
    return tuple(found)


def lock_secret(endpoint: WebhookEndpoint, secret: str) -> str:
    return secrets_box.lock(secret, place=secret_place(endpoint))


def secret_place(endpoint: WebhookEndpoint) -> str:
    return f"webhook:{endpoint.public_id}"
