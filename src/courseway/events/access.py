"""The only ways to an organization's webhooks: for its owners."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from courseway.events.models import WebhookDelivery, WebhookEndpoint
from courseway.orgs.access import get_organization_to_own


def get_endpoint_to_own(request: HttpRequest, slug: str, public_id: str) -> WebhookEndpoint:
    organization = get_organization_to_own(request, slug)
    endpoints = WebhookEndpoint.objects.select_related("organization")
    endpoint = endpoints.filter(organization=organization, public_id=public_id).first()
    if endpoint is None:
        raise Http404(_("This organization has no such webhook."))
    return endpoint


def get_delivery_to_own(request: HttpRequest, slug: str, public_id: str, event: str) -> WebhookDelivery:
    """What an endpoint was told of one event, with what its page shows."""
    endpoint = get_endpoint_to_own(request, slug, public_id)
    deliveries = WebhookDelivery.objects.select_related("event__organization", "event__person")
    delivery = deliveries.filter(endpoint=endpoint, event__public_id=event).first()
    if delivery is None:
        raise Http404(_("This webhook was not told of such an event."))
    delivery.endpoint = endpoint
    return delivery
