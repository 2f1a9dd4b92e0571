"""Who may do what in an organization. The last owner always stays, or nobody could let anybody in again."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from courseway.orgs.models import Member, Organization


class LastOwnerError(Exception):
    """The organization would be left without an owner."""

    def __init__(self) -> None:
        super().__init__(_("An organization needs an owner. Make somebody else an owner first."))


def change_role(member: Member, role: str) -> None:
    with transaction.atomic():
        _keep_an_owner(member, becomes=role)
        member.role = role
        member.save(update_fields=["role"])


def remove_member(member: Member) -> None:
    """Ends the membership. Courses and the people of the organization stay as they are."""
    with transaction.atomic():
        _keep_an_owner(member, becomes="")
        member.delete()


def _keep_an_owner(member: Member, *, becomes: str) -> None:
    """Locks the organization, so that two owners cannot remove each other at once."""
    Organization.objects.select_for_update().get(pk=member.organization_id)
    owners = Member.objects.filter(organization=member.organization_id, role=Member.Role.OWNER)
    if becomes != Member.Role.OWNER and not owners.exclude(pk=member.pk).exists():
        raise LastOwnerError
