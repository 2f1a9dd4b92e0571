"""The only ways to an organization's deliveries: for its owners."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from courseway.grades.models import Delivery
from courseway.orgs.access import get_organization_to_own
from courseway.orgs.models import Organization


def list_deliveries_to_own(request: HttpRequest, slug: str) -> tuple[Organization, QuerySet[Delivery]]:
    """All deliveries of an organization, for its owners alone."""
    organization = get_organization_to_own(request, slug)
    return organization, Delivery.objects.filter(organization=organization)


def get_delivery_to_own(request: HttpRequest, slug: str, pk: int) -> Delivery:
    """One of them, with what its page shows."""
    _organization, deliveries = list_deliveries_to_own(request, slug)
    related = ("organization", "platform", "person", "resource_link__context", "assignment__course")
    delivery = deliveries.select_related(*related).filter(pk=pk).first()
    if delivery is None:
        raise Http404(_("There is no such delivery in this organization."))
    return delivery
