"""What happened long ago is forgotten: nobody waits for it any more, and it speaks of people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from courseway.events.models import Event, Mail, WebhookDelivery
from courseway.old_rows import delete_batches

KEEP = timedelta(days=90)
# Each has deliveries and tries, which go with it.
EVENTS_AT_ONCE = 500


def clear_events(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Delete old events with their deliveries, unless an endpoint is still to be told. Returns how many events."""
    owed = WebhookDelivery.objects.filter(event=OuterRef("pk"), next_try_at__isnull=False, endpoint__disabled_at=None)
    old = Event.objects.filter(~Exists(owed), at__lt=now - KEEP, is_waiting=False)
    return delete_batches(old, is_over=is_over, at_once=EVENTS_AT_ONCE)


def clear_mails(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Mails that could not be sent; those that were are gone already."""
    return delete_batches(Mail.objects.filter(next_try_at=None, created_at__lt=now - KEEP), is_over=is_over)
