"""Switching an endpoint off, by its own wish, by an owner's, or because nothing arrives there."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from courseway.events.models import WebhookDelivery, WebhookEndpoint
from courseway.orgs.models import Member
from courseway.orgs.public_address import public_address


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
    if reason != WebhookEndpoint.Reason.OWNER:
        _tell_owners(endpoint)
    return True


def _tell_owners(endpoint: WebhookEndpoint) -> None:
    organization = endpoint.organization
    words = {
        "organization": organization,
        "endpoint": endpoint,
        "reason": WebhookEndpoint.Reason(endpoint.disabled_reason).label,
        "url": public_address("events:webhook", organization.slug, endpoint.public_id),
    }
    subject = " ".join((_("A webhook of %(organization)s was switched off") % words).split())
    text = render_to_string("events/mail/disabled.txt", words)
    owners = Member.objects.filter(organization=organization, role=Member.Role.OWNER, account__is_active=True)
    for address in owners.values_list("account__email", flat=True):
        send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [address])


def enable_endpoint(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Events from now on are sent; what failed meanwhile only when it is asked for."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        disabled_at=None, disabled_reason="", failures_in_row=0, failing_since=None, next_try_at=now, lease_token=""
    )
