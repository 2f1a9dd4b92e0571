"""Endpoints and what owners do with them. A new one is tried before it exists: an address that nobody listens at is
found at once, not with the first grade."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from courseway.events.disabling import disable_endpoint, enable_endpoint
from courseway.events.kinds import TEST
from courseway.events.letters import lock_secret, new_secret, write_letter
from courseway.events.models import Event, WebhookDelivery, WebhookEndpoint
from courseway.events.outcomes import Posted, store_try
from courseway.events.posting import post
from courseway.events.retry import Verdict
from courseway.orgs.models import Organization

# Somebody waits for the answer to a test.
TEST_SECONDS = 10.0
# So long after a rotation the old secret signs too.
OVERLAP = timedelta(hours=24)

__all__ = [
    "EndpointRefusedError",
    "change_endpoint",
    "create_endpoint",
    "disable_endpoint",
    "enable_endpoint",
    "redeliver",
    "rotate_secret",
    "send_test",
]


class EndpointRefusedError(Exception):
    """The address did not take a test event; the text says what happened and what to do."""


def create_endpoint(
    organization: Organization,
    *,
    url: str,
    kinds: Sequence[str],
    secret: str = "",
    shares_people: bool = False,
    now: datetime,
) -> WebhookEndpoint:
    """A new endpoint, after it took a signed test event. Raises EndpointRefusedError otherwise, and stores nothing."""
    endpoint = WebhookEndpoint(
        organization=organization,
        url=url,
        kinds=list(kinds),
        shares_people=shares_people,
        created_at=now,
        rotated_at=now,
        next_try_at=now,
    )
    endpoint.secret_encrypted = lock_secret(endpoint, secret or new_secret())
    event, posted = _try(endpoint, now)
    with transaction.atomic():
        endpoint.succeeded_at = now
        endpoint.save()
        _log_test(endpoint, event, posted, now)
    return endpoint


def change_endpoint(
    endpoint: WebhookEndpoint, *, url: str, kinds: Sequence[str], shares_people: bool, now: datetime
) -> None:
    """A new address is tried first; raises EndpointRefusedError and changes nothing if it does not take the event."""
    is_new_address = url != endpoint.url
    endpoint.url, endpoint.kinds, endpoint.shares_people = url, list(kinds), shares_people
    test = _try(endpoint, now) if is_new_address else None
    with transaction.atomic():
        endpoint.save(update_fields=["url", "kinds", "shares_people"])
        if test is not None:
            _log_test(endpoint, *test, now)
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
                failures_in_row=0, failing_since=None, succeeded_at=now
            )


def send_test(endpoint: WebhookEndpoint, *, now: datetime) -> Posted:
    """A test event, sent here and now; what came of it stands in the log."""
    event = _test_event(endpoint, now)
    posted = post(write_letter(event, endpoint, now=now), deadline_seconds=TEST_SECONDS, now=now)
    with transaction.atomic():
        _log_test(endpoint, event, posted, now)
    return posted


def rotate_secret(endpoint: WebhookEndpoint, *, now: datetime) -> str:
    """A new secret. Until the end of the overlap events are signed with both, so that none is refused meanwhile."""
    secret = new_secret()
    endpoint.old_secret_encrypted = endpoint.secret_encrypted
    endpoint.old_secret_until = now + OVERLAP
    endpoint.secret_encrypted = lock_secret(endpoint, secret)
    endpoint.rotated_at = now
    endpoint.save(update_fields=["secret_encrypted", "old_secret_encrypted", "old_secret_until", "rotated_at"])
    return secret


def redeliver(deliveries: QuerySet[WebhookDelivery], *, now: datetime) -> int:
    """Send once more, with the same id, so that a receiver knows what it has already. Returns how many."""
    with transaction.atomic():
        asked_for = deliveries.filter(endpoint__disabled_at=None).order_by().values("pk")
        return WebhookDelivery.objects.filter(pk__in=asked_for).update(
            state=WebhookDelivery.State.WAITING, next_try_at=now, lease_token="", tries=0, done_at=None
        )


def _try(endpoint: WebhookEndpoint, now: datetime) -> tuple[Event, Posted]:
    event = _test_event(endpoint, now)
    posted = post(write_letter(event, endpoint, now=now), deadline_seconds=TEST_SECONDS, now=now)
    if posted.verdict is not Verdict.TAKEN:
        raise EndpointRefusedError(explain_refusal(posted))
    return event, posted


def _test_event(endpoint: WebhookEndpoint, now: datetime) -> Event:
    return Event(organization=endpoint.organization, kind=TEST, at=now, data={"endpoint": endpoint.public_id})


def _log_test(endpoint: WebhookEndpoint, event: Event, posted: Posted, now: datetime) -> None:
    event.save()
    is_taken = posted.verdict is Verdict.TAKEN
    delivery = WebhookDelivery.objects.create(
        event=event,
        endpoint=endpoint,
        state=WebhookDelivery.State.SENT if is_taken else WebhookDelivery.State.FAILED,
        tries=1,
        last_status=posted.status,
        last_words=posted.words,
        done_at=now,
    )
    store_try(delivery, posted, now=now)


def explain_refusal(posted: Posted) -> str:
    """What happened to a test event, for whoever sent it."""
    if not posted.status:
        return _("The test event did not arrive: %(detail)s.") % {"detail": posted.words}
    if 300 <= posted.status < 400:
        return _(
            "The test event was answered with %(status)s, a redirection. Enter the address that it leads to: "
            "redirections are not followed."
        ) % {"status": posted.status}
    said = _("The test event was answered with %(status)s. It must be answered with 2xx, such as 204.") % {
        "status": posted.status
    }
    return f"{said} {_('The words of the answer: %(words)s') % {'words': posted.words[:200]}}" if posted.words else said
