"""Times that no rule of ours could have written: a clock was ahead for a while, and set right again.

What it put into the future would wait for as long as it was wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q

from courseway.grades.lineitems import LEASE as SEARCH_LEASE
from courseway.grades.models import Circuit, Delivery, LineItemSearch
from courseway.grades.retry import LONGEST_RETRY_AFTER, LONGEST_WAIT
from courseway.lms.models import Platform

SLACK = timedelta(seconds=60)


def heal_clock_jump(*, lease_seconds: float, now: datetime) -> int:
    """Make due what lies further ahead than any lease, pause or back-off reaches, and what was put off by a clock that
    is known to have been ahead. Returns how many deliveries."""
    lease_over = now + timedelta(seconds=2 * lease_seconds) + SLACK
    asked_over = now + timedelta(seconds=LONGEST_RETRY_AFTER) + SLACK
    opened_ahead = Q(opened_at__gt=now + SLACK, open_until__gt=F("opened_at"))
    Circuit.objects.filter(Q(open_until__gt=asked_over) | opened_ahead).update(open_until=now)
    LineItemSearch.objects.filter(leased_until__gt=now + SEARCH_LEASE + SLACK).update(leased_until=now)
    open_ones = Delivery.objects.filter(next_try_at__isnull=False)
    # A try bears the time of the clock that made it; what lies beyond one of the future was put off by that clock.
    tried_ahead = Q(last_timestamp_at__gt=now + SLACK)
    asked_ahead = tried_ahead & Q(not_before_at__gt=F("last_timestamp_at"))
    open_ones.filter(Q(not_before_at__gt=asked_over) | asked_ahead).update(not_before_at=None)
    # By LTI 1.1 the holder of a lease may be sending at this moment, or the LMS be at work on what it sent, and the old
    # value would overwrite a newer one. So these wait once more for as long as a lease.
    may_be_under_way = Q(platform__in=Platform.objects.filter(version=Platform.Version.V11)) & (
        Q(quiet_until__gt=lease_over) | (~Q(lease_token="") & Q(next_try_at__gt=lease_over))
    )
    lease_ends_at = now + timedelta(seconds=lease_seconds)
    shortened = open_ones.filter(may_be_under_way).update(next_try_at=lease_ends_at, quiet_until=lease_ends_at)
    open_ones.filter(quiet_until__gt=lease_over).update(quiet_until=None)
    is_held = ~Q(lease_token="") & Q(next_try_at__gt=lease_over)
    is_fresh = Q(lease_token="", tries=0, state=Delivery.State.WAITING, next_try_at__gt=lease_over)
    may_go = Q(not_before_at=None) | Q(not_before_at__lte=now)
    is_beyond = Q(lease_token="", next_try_at__gt=now + timedelta(seconds=LONGEST_WAIT) + SLACK)
    is_ahead = tried_ahead & Q(next_try_at__gt=F("last_timestamp_at"))
    is_wrong = is_held | (is_fresh & may_go) | is_beyond | is_ahead
    unlikely = open_ones.filter(next_try_at__gt=lease_over).filter(is_wrong)
    return shortened + unlikely.update(next_try_at=now, lease_token="")
