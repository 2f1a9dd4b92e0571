"""How long what is not needed any more is kept, and that it goes: each night, once for an installation.

A row (`events.ClearingRound`) comes due each night and is leased by one worker, as everything that must not be lost;
`courseway prune` does the same at once. Work, grades and people are not touched: they go with their course.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from courseway.events.clearing import clear_events, clear_mails
from courseway.events.models import ClearingRound
from courseway.grades.clearing import clear_tokens, clear_tries
from courseway.leases import claim
from courseway.lms.clearing import clear_launches, clear_notices, clear_selections, clear_used_codes
from courseway.orgs.clearing import clear_codes, clear_sessions, clear_sign_in_links

NIGHT_HOUR = 3  # in the installation's time zone
# A turn ends long before its lease does; what is left is for the next one.
TURN_SECONDS = 120.0
LEASE_SECONDS = 600.0


def clear_old_rows(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Delete what is older than it is kept. Returns how many rows of which kind went."""
    launches_before = now - timedelta(days=settings.LAUNCH_LOG_DAYS)
    tries_before = now - timedelta(days=settings.DELIVERY_LOG_DAYS)
    return {
        "launches": clear_launches(before=launches_before, is_over=is_over),
        "delivery_tries": clear_tries(before=tries_before, is_over=is_over),
        "events": clear_events(now=now, is_over=is_over),
        "mails": clear_mails(now=now, is_over=is_over),
        "notices": clear_notices(now=now, is_over=is_over),
        "selections": clear_selections(now=now, is_over=is_over),
        "new_tab_codes": clear_used_codes(now=now, is_over=is_over),
        "access_tokens": clear_tokens(now=now, is_over=is_over),
        "sessions": clear_sessions(now=now, is_over=is_over),
        "sign_in_links": clear_sign_in_links(now=now, is_over=is_over),
        "email_codes": clear_codes(now=now, is_over=is_over),
    }


def clear_when_due(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> bool:
    """One turn of a worker: True if it was this one's to do."""
    ClearingRound.objects.get_or_create(pk=1, defaults={"next_try_at": now})
    claimed = claim(ClearingRound.objects.all(), now=now, lease_seconds=LEASE_SECONDS, limit=1)
    if not claimed:
        return False
    until = time.monotonic() + TURN_SECONDS
    is_cut_short = False

    def must_end() -> bool:
        nonlocal is_cut_short
        is_cut_short = is_cut_short or is_over() or time.monotonic() >= until
        return is_cut_short

    clear_old_rows(now=now, is_over=must_end)
    held = ClearingRound.objects.filter(pk=1, lease_token=claimed[0].lease_token)
    held.update(next_try_at=now if is_cut_short else next_night(now), lease_token="")
    return True


def next_night(now: datetime) -> datetime:
    local = timezone.localtime(now)
    night = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return night if night > local else night + timedelta(days=1)
