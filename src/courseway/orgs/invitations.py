"""Asking somebody to join an organization. The link goes to the invited address alone, never to the owner's screen."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from courseway.orgs.models import Account, Invitation, Member, Organization
from courseway.orgs.organizations import get_or_create_account
from courseway.orgs.public_address import public_address
from courseway.orgs.sign_in_links import hash_token, new_token

LIFETIME = timedelta(days=14)

logger = logging.getLogger(__name__)


def invite(organization: Organization, email: str, role: str, *, invited_by: Account, now: datetime) -> bool:
    """Stores the invitation and sends it; a second one replaces the first. False if the mail did not leave."""
    token = new_token()
    Invitation.objects.update_or_create(
        organization=organization,
        email=email,
        defaults={
            "role": role,
            "token_hash": hash_token(token),
            "invited_by": invited_by,
            "expires_at": now + LIFETIME,
        },
    )
    words = {
        "organization": organization,
        "invited_by": invited_by,
        "role": Member.Role(role).label,
        "url": public_address("account_invitation", token),
        "days": LIFETIME.days,
    }
    subject = _("%(organization)s invites you to Courseway") % {"organization": organization}
    text = render_to_string("orgs/mail/invitation.txt", words)
    try:
        send_mail(" ".join(subject.split()), text, settings.DEFAULT_FROM_EMAIL, [email])
    except (OSError, SMTPException) as error:
        logger.error("An invitation could not be sent: %s", type(error).__name__)
        return False
    return True


def find_invitation(token: str, *, now: datetime) -> Invitation | None:
    """The invitation of a link, while it lasts."""
    invitations = Invitation.objects.select_related("organization", "invited_by")
    return invitations.filter(token_hash=hash_token(token), expires_at__gt=now).first()


def accept_invitation(invitation: Invitation) -> Account | None:
    """Makes the invited address a member, with a new account if it has none. None if the account is locked.

    Whoever holds the link reads that address's mail, so the address counts as proven. Whoever is a member already
    keeps the role.
    """
    with transaction.atomic():
        account = get_or_create_account(invitation.email)
        if not account.is_active:
            return None
        Member.objects.get_or_create(
            organization=invitation.organization, account=account, defaults={"role": invitation.role}
        )
        invitation.delete()
    return account
