"""The operator registers an LMS once for all organizations; which of its deployments is whose, an organization claims.

Whoever knows a deployment's id could claim it, so a claim alone gives nothing. It counts once an administrator of that
LMS has opened something of the claiming organization from there; until then several organizations may claim the same
deployment, and after it the deployment is that organization's for good.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.models import Deployment, DeploymentClaim, Platform
from courseway.lms.refusals import PendingDeploymentError, UnclaimedDeploymentError
from courseway.lms.resolve import Kind, Target, name_assignment, narrow_target
from courseway.orgs.models import Account, Organization
from ltikit.launch import Launch
from ltikit.roles import is_administrator

LONGEST_ID = 255
_WON = Exists(
    DeploymentClaim.objects.filter(
        shared=OuterRef("shared"), deployment_id=OuterRef("deployment_id"), approved_at__isnull=False
    )
)


def list_shared_platforms() -> QuerySet[Platform]:
    """The operator's registrations, whose deployments can be claimed."""
    return Platform.objects.filter(organization=None, revoked_at=None).order_by("name", "pk")


def list_pending_claims(organization: Organization) -> QuerySet[DeploymentClaim]:
    """`is_lost`: it was another organization's that was approved."""
    claims = DeploymentClaim.objects.filter(organization=organization, approved_at=None, shared__revoked_at=None)
    return claims.annotate(is_lost=_WON).select_related("shared", "claimed_by").order_by("pk")


def count_waiting_claims(organization: Organization) -> int:
    """Those that an administrator of the LMS can still confirm."""
    claims = DeploymentClaim.objects.filter(organization=organization, approved_at=None, shared__revoked_at=None)
    return claims.filter(~_WON).count()


def claim_deployment(
    organization: Organization, shared: Platform, deployment_id: str, *, claimed_by: Account | None, now: datetime
) -> DeploymentClaim:
    """Raises IntegrationError when the id cannot be one, or is an organization's already."""
    deployment_id = deployment_id.strip()
    if not 0 < len(deployment_id) <= LONGEST_ID or not deployment_id.isprintable():
        raise IntegrationError(_("A deployment ID has between 1 and 255 characters."), field="deployment_id")
    same = DeploymentClaim.objects.filter(shared=shared, deployment_id=deployment_id)
    if same.filter(approved_at__isnull=False).exclude(organization=organization).exists():
        message = _(
            "This deployment belongs to another organization here. Check the ID; if it is right, ask whoever runs this "
            "installation."
        )
        raise IntegrationError(message, field="deployment_id")
    claim, is_new = same.get_or_create(
        shared=shared,
        organization=organization,
        deployment_id=deployment_id,
        defaults={"claimed_by": claimed_by, "claimed_at": now},
    )
    if not is_new:
        raise IntegrationError(_("Your organization has entered this deployment ID already."), field="deployment_id")
    return claim


def withdraw_claim(claim: DeploymentClaim) -> bool:
    """Takes back a claim that nobody has confirmed; False if somebody has."""
    deleted, _rows = DeploymentClaim.objects.filter(pk=claim.pk, approved_at=None).delete()
    return bool(deleted)


def name_organization(launch: Launch, target: Target | None) -> int | None:
    """The organization whose assignment or course a verified message asks for; None if it names none, or several."""
    if target is None:
        return None
    target = narrow_target(launch, target)
    assignment_id, _rule = name_assignment(launch, target)
    if assignment_id or target.kind is Kind.CONTENT:
        named = Q(public_id=assignment_id) if assignment_id else Q(content_id=target.id)
        courses = Course.objects.filter(pk__in=Assignment.objects.filter(named).values("course"))
    else:
        ids = [target.id] if target.kind is Kind.ENROLL else launch.custom_lists.get("course_target_id", ())
        courses = Course.objects.filter(public_id__in=ids)
    found = list(courses.values_list("organization", flat=True).distinct()[:2])
    return found[0] if len(found) == 1 else None


def confirm_claim(launch: Launch, shared_pk: int, organization_pk: int | None, *, now: datetime) -> None:
    """Approves the claim of the organization that the launch names, if an administrator launches.

    `launch` is verified, and its deployment is nobody's yet. Raises UnclaimedDeploymentError or PendingDeploymentError,
    and then nothing is stored.
    """
    claims = list(
        DeploymentClaim.objects.filter(shared=shared_pk, deployment_id=launch.deployment_id).select_related("shared")
    )
    if any(one.approved_at is not None for one in claims):
        return  # by another launch, a moment ago
    if not claims:
        raise UnclaimedDeploymentError(f"deployment {launch.deployment_id!r} is claimed by no organization")
    claim = next((one for one in claims if one.organization_id == organization_pk), None)
    if not is_administrator(launch.roles) or not launch.person.user_id:
        raise PendingDeploymentError(f"deployment {launch.deployment_id!r} waits for an administrator's launch")
    if claim is None:
        raise PendingDeploymentError(f"nothing of an organization that claims {launch.deployment_id!r} was opened")
    try:
        _approve(claim, now=now)
    except IntegrityError:
        return  # another organization's was at this moment: the deployment is that one's


@transaction.atomic
def _approve(claim: DeploymentClaim, *, now: datetime) -> None:
    """The unique constraint lets one claim win; of two launches that approve the same one, the first makes the rows."""
    if not DeploymentClaim.objects.filter(pk=claim.pk, approved_at=None).update(approved_at=now):
        return
    platform = Platform.objects.create(
        organization_id=claim.organization_id,
        shared=claim.shared,
        version=Platform.Version.V13,
        name=claim.shared.name,
        created_at=now,
    )
    Deployment.objects.create(platform=platform, deployment_id=claim.deployment_id, created_at=now)
    DeploymentClaim.objects.filter(pk=claim.pk).update(platform=platform)
