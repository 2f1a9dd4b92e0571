"""Switching an endpoint off, by its own wish, by an owner's, or because nothing arrives there."""

from __future__ import annotations

from datetime import datetime

from courseway.events.models import WebhookDelivery, WebhookEndpoint


def disable_endpoint(endpoint: WebhookEndpoint, reason: str, *, now: datetime) -> bool:
    """What waits for it counts as failed, and can be sent again later. False if it was off already."""
    changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(
        disabled_at=now, disabled_reason=reason
    )
    if not changed:
        return False
    endpoint.disabled_at, endpoint.disabled_reason = now, reason
    WebhookDelivery.objects.filter(endpoint=endpoint, state=WebhookDelivery.State.WAITING).update(
        state=WebhookDelivery.State.FAILED, next_try_at=None, lease_token="", done_at=now
    )
    return True


def enable_endpoint(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Events from now on are sent; what failed meanwhile only when it is asked for."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        disabled_at=None, disabled_reason="", failures_in_row=0, failing_since=None, next_try_at=now, lease_token=""
    )
