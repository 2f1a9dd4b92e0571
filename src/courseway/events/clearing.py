"""What happened long ago is forgotten: nobody waits for it any more, and it speaks of people."""

from __future__ import annotations

from datetime import datetime, timedelta

from courseway.events.models import Event, Mail

KEEP = timedelta(days=90)
AT_ONCE = 2000


def clear_old_events(*, now: datetime) -> int:
    """Delete old events with their deliveries, some at a time. Returns how many events there were."""
    old = Event.objects.filter(at__lt=now - KEEP).order_by("at").values_list("pk", flat=True)[:AT_ONCE]
    Mail.objects.filter(next_try_at=None, created_at__lt=now - KEEP).delete()
    pks = list(old)
    if pks:
        Event.objects.filter(pk__in=pks).delete()
    return len(pks)
