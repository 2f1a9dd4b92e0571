"""Times that no rule of ours could have written: a clock was ahead for a while, and set right again.

What it put into the future would wait for as long as it was wrong.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from courseway.grades.models import Circuit, Delivery
from courseway.grades.retry import LONGEST_RETRY_AFTER, LONGEST_WAIT

SLACK = timedelta(seconds=60)


def heal_clock_jump(*, lease_seconds: float, now: datetime) -> int:
    """Make due what lies further ahead than any lease, pause or back-off reaches. Returns how many deliveries."""
    lease_over = now + timedelta(seconds=2 * lease_seconds) + SLACK
    asked_over = now + timedelta(seconds=LONGEST_RETRY_AFTER) + SLACK
    Circuit.objects.filter(open_until__gt=asked_over).update(open_until=now)
    open_ones = Delivery.objects.filter(next_try_at__isnull=False)
    open_ones.filter(not_before_at__gt=asked_over).update(not_before_at=None)
    # The quiet time after a request of LTI 1.1 is no longer than its lease.
    open_ones.filter(quiet_until__gt=lease_over).update(quiet_until=None)
    is_held = ~Q(lease_token="") & Q(next_try_at__gt=lease_over)
    is_fresh = Q(lease_token="", tries=0, state=Delivery.State.WAITING, next_try_at__gt=lease_over)
    may_go = Q(not_before_at=None) | Q(not_before_at__lte=now)
    is_beyond = Q(lease_token="", next_try_at__gt=now + timedelta(seconds=LONGEST_WAIT) + SLACK)
    unlikely = open_ones.filter(next_try_at__gt=lease_over).filter(is_held | (is_fresh & may_go) | is_beyond)
    return unlikely.update(next_try_at=now, lease_token="")
