"""From an event to the endpoints that are to be told of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db import connection, transaction

from courseway.events.models import Event, WebhookDelivery, WebhookEndpoint

AT_ONCE = 500


def spread_events(*, now: datetime) -> int:
    """Make the deliveries of events that wait, oldest first. Returns how many events were looked at.

    All of it is one transaction: whoever dies in the middle leaves everything as it was.
    """
    waiting = Event.objects.filter(is_waiting=True)
    if not waiting.exists():  # a look costs no write lock
        return 0
    with transaction.atomic():
        skips = connection.features.has_select_for_update_skip_locked
        events = list(waiting.select_for_update(skip_locked=skips, of=("self",)).order_by("pk")[:AT_ONCE])
        listeners: dict[int, list[WebhookEndpoint]] = defaultdict(list)
        organizations = {event.organization_id for event in events}
        for endpoint in WebhookEndpoint.objects.filter(organization__in=organizations, disabled_at=None):
            listeners[endpoint.organization_id].append(endpoint)
        WebhookDelivery.objects.bulk_create(
            [
                WebhookDelivery(event=event, endpoint=endpoint, next_try_at=now)
                for event in events
                for endpoint in listeners[event.organization_id]
                if event.kind in endpoint.kinds
            ],
            ignore_conflicts=True,
            batch_size=AT_ONCE,
        )
        Event.objects.filter(pk__in=[event.pk for event in events]).update(is_waiting=False)
    return len(events)
