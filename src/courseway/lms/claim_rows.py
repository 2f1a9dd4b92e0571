"""Which deployment of the operator's shared registration is whose. Part of `models.py`."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from courseway.orgs.models import Account, Organization


class DeploymentClaim(models.Model):
    """An organization says that a deployment is its own. That counts once an administrator of the LMS has launched
    something of that organization from there (`deployment_claims.py`); until then others may claim it too."""

    shared = models.ForeignKey("lms.Platform", on_delete=models.PROTECT, related_name="claims")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="deployment_claims")
    deployment_id = models.CharField(max_length=255)
    claimed_by = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_at = models.DateTimeField(default=timezone.now)
    approved_at = models.DateTimeField(null=True, blank=True)
    # The organization's own platform, made with the approval: people, links and grades hang on it.
    platform = models.OneToOneField("lms.Platform", on_delete=models.CASCADE, null=True, related_name="claim")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shared", "organization", "deployment_id"], name="claim_once_per_organization"
            ),
            models.UniqueConstraint(
                fields=["shared", "deployment_id"],
                condition=models.Q(approved_at__isnull=False),
                name="one_approved_claim_per_deployment",
            ),
        ]

    def __str__(self) -> str:
        return self.deployment_id
