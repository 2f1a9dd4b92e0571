"""An organization's platforms, keys and registrations, for its owners alone."""

from __future__ import annotations

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from courseway.lms.models import (
    ConsumerKey,
    Deployment,
    DeploymentClaim,
    Launch,
    Platform,
    Registration,
    RegistrationLink,
)
from courseway.orgs.access import get_organization_to_own
from courseway.orgs.models import Organization


def get_platform_to_own(request: HttpRequest, slug: str, public_id: str) -> Platform:
    organization = get_organization_to_own(request, slug)
    platform = Platform.objects.filter(organization=organization, public_id=public_id).first()
    if platform is None:
        raise Http404(_("This organization has no such key or registration."))
    return platform


def get_consumer_key_to_own(request: HttpRequest, slug: str, public_id: str) -> ConsumerKey:
    organization = get_organization_to_own(request, slug)
    keys = ConsumerKey.objects.select_related("platform__organization")
    consumer_key = keys.filter(platform__organization=organization, platform__public_id=public_id).first()
    if consumer_key is None:
        raise Http404(_("This organization has no such key."))
    return consumer_key


def get_registration_to_own(request: HttpRequest, slug: str, public_id: str) -> Registration:
    organization = get_organization_to_own(request, slug)
    registrations = Registration.objects.select_related("platform__organization")
    registration = registrations.filter(platform__organization=organization, platform__public_id=public_id).first()
    if registration is None:
        raise Http404(_("This organization has no such registration."))
    return registration


def get_lti13_platform_to_own(request: HttpRequest, slug: str, public_id: str) -> Platform:
    """The platform of a registration of the organization's own, or its share of one of the operator's."""
    platform = get_platform_to_own(request, slug, public_id)
    if platform.version != Platform.Version.V13:
        raise Http404(_("This organization has no such registration."))
    return platform


def get_claim_to_own(request: HttpRequest, slug: str, pk: int) -> DeploymentClaim:
    organization = get_organization_to_own(request, slug)
    claim = DeploymentClaim.objects.filter(organization=organization, pk=pk).first()
    if claim is None:
        raise Http404(_("This organization has entered no such deployment."))
    return claim


def get_deployment_to_own(registration: Registration, pk: int) -> Deployment:
    """A deployment of a registration that was already fetched with permission."""
    deployment = Deployment.objects.select_related("platform").filter(platform=registration.platform, pk=pk).first()
    if deployment is None:
        raise Http404(_("This registration has no such deployment."))
    return deployment


def get_registration_link_to_own(request: HttpRequest, slug: str, pk: int) -> RegistrationLink:
    organization = get_organization_to_own(request, slug)
    link = RegistrationLink.objects.filter(organization=organization, pk=pk).first()
    if link is None:
        raise Http404(_("This organization has no such link."))
    return link


def get_launch_to_inspect(organization: Organization, reference: str) -> Launch:
    """A launch of an organization that was already fetched with permission."""
    launches = Launch.objects.select_related("platform", "context", "person", "course", "assignment")
    launch = launches.filter(organization=organization, reference=reference).first()
    if launch is None:
        raise Http404(_("This organization has no launch of this reference."))
    return launch
