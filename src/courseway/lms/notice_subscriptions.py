"""Asking an LMS for its notices, in the background. Nothing depends on them: they are early hints."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from courseway import leases, outbound
from courseway.lms.addresses import notices_url
from courseway.lms.models import NoticeSubscription
from courseway.lms.platform_tokens import ask_for_token
from ltikit import vocabulary
from ltikit.errors import LtiError
from ltikit.v13.notices import CONTEXT_COPY, HELLO_WORLD, NoticeService, check_handler_response, handler_request

WANTED: Final = (HELLO_WORLD, CONTEXT_COPY)
# Schools often forget the scope in their key (C44): asked again once a day, and never more.
COOL_DOWN: Final = timedelta(hours=24)
SECONDS: Final = 15.0


def want_notices(deployment_pk: int, offered: NoticeService, *, now: datetime) -> None:
    """Notes that a deployment offers notices; the worker subscribes. Once known, a launch changes nothing more."""
    kinds = [kind for kind in WANTED if kind in offered.kinds]
    if CONTEXT_COPY not in kinds:
        return
    known = NoticeSubscription.objects.filter(deployment=deployment_pk).first()
    if known is None:
        values = {"url": offered.url, "kinds": kinds, "next_try_at": now}
        NoticeSubscription.objects.get_or_create(deployment_id=deployment_pk, defaults=values)
    elif (known.url, known.kinds) != (offered.url, kinds):
        NoticeSubscription.objects.filter(pk=known.pk).update(url=offered.url, kinds=kinds, next_try_at=now)


def subscribe_due(*, now: datetime) -> int:
    """Subscribes what is due; how many were tried."""
    due = NoticeSubscription.objects.select_related("deployment__platform__registration").filter(
        deployment__approved=True, deployment__platform__revoked_at=None
    )
    claimed = leases.claim(due, now=now, lease_seconds=120.0, limit=5)
    for one in claimed:
        _subscribe(one, now=now)
    return len(claimed)


def _subscribe(one: NoticeSubscription, *, now: datetime) -> None:
    mine = NoticeSubscription.objects.filter(pk=one.pk, lease_token=one.lease_token)
    try:
        token = ask_for_token(one.deployment.platform, [vocabulary.SCOPE_NOTICE_HANDLERS], now=now)
        for kind in one.kinds:
            request = handler_request(one.url, kind=kind, handler_url=notices_url(), access_token=token)
            check_handler_response(outbound.send(request, deadline_seconds=SECONDS))
    except (LtiError, outbound.OutboundError) as error:
        mine.update(detail=error.detail[:1000], next_try_at=now + COOL_DOWN, lease_token="")
    else:
        mine.update(subscribed_at=now, detail="", next_try_at=None, lease_token="")
