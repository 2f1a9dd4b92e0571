"""One-time links by which an LMS registers us (Dynamic Registration 1.0). The database holds their hashes only.

A link is held while a registration is under way and used up by the first that succeeds; after a failure it can be
used again until it expires.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from courseway.lms.addresses import absolute
from courseway.lms.models import Platform, RegistrationLink
from courseway.orgs.models import Account, Organization
from courseway.orgs.sign_in_links import hash_token, new_token

LIFETIME = timedelta(days=7)
# Longer than the requests of a registration may take together.
HOLD = timedelta(minutes=2)


def make_registration_link(
    organization: Organization, *, made_by: Account | None, now: datetime
) -> tuple[RegistrationLink, str]:
    """A new link and its address, which cannot be shown again."""
    token = new_token()
    link = RegistrationLink.objects.create(
        organization=organization,
        token_hash=hash_token(token),
        made_by=made_by,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    return link, absolute(f"/lti/register/{token}")


def find_registration_link(token: str, *, now: datetime) -> RegistrationLink | None:
    """The link, if it can still be used."""
    links = RegistrationLink.objects.select_related("organization")
    return links.filter(token_hash=hash_token(token), used_at=None, expires_at__gt=now).first()


def list_open_links(organization: Organization, *, now: datetime) -> QuerySet[RegistrationLink]:
    links = RegistrationLink.objects.filter(organization=organization, used_at=None, expires_at__gt=now)
    return links.select_related("made_by").order_by("expires_at", "pk")


def withdraw_link(link: RegistrationLink, *, now: datetime) -> None:
    RegistrationLink.objects.filter(pk=link.pk, used_at=None).update(expires_at=now)


def hold_link(link: RegistrationLink, *, now: datetime) -> bool:
    """True for the one who may register by the link now; False while somebody else does."""
    usable = RegistrationLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now)
    return bool(usable.filter(Q(held_until=None) | Q(held_until__lte=now)).update(held_until=now + HOLD))


def release_link(link: RegistrationLink) -> None:
    """The registration failed: the link can be used again."""
    RegistrationLink.objects.filter(pk=link.pk, used_at=None).update(held_until=None)


def use_link(link: RegistrationLink, platform: Platform, *, now: datetime) -> None:
    RegistrationLink.objects.filter(pk=link.pk).update(used_at=now, held_until=None, platform=platform)
