"""What signing in leaves behind is forgotten: sessions, links and codes that are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session

from courseway.old_rows import delete_batches
from courseway.orgs.models import EmailCode, SignInLink

# Whoever comes with an old link is told that it is over, which is said of a link that nobody knows too.
LINKS_KEPT = timedelta(days=30)
# Longer than codes are counted for (`email_codes.CODES_PER_ADDRESS_WITHIN`).
CODES_KEPT = timedelta(days=1)


def clear_sessions(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(Session.objects.filter(expire_date__lt=now), is_over=is_over)


def clear_sign_in_links(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(SignInLink.objects.filter(expires_at__lt=now - LINKS_KEPT), is_over=is_over)


def clear_codes(*, now: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    return delete_batches(EmailCode.objects.filter(sent_at__lt=now - CODES_KEPT), is_over=is_over)
