"""One-time links that sign an account in. The database holds their hashes, so whoever reads it cannot sign in."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from courseway.orgs.models import Account, SignInLink

PATH = "/account/link/"
LIFETIME = timedelta(days=7)


def make_sign_in_link(account: Account, *, now: datetime, lifetime: timedelta = LIFETIME) -> str:
    """The path of a new link, below PUBLIC_URL. Older links of the account stop working."""
    token = new_token()
    with transaction.atomic():
        SignInLink.objects.filter(account=account, used_at=None, expires_at__gt=now).update(expires_at=now)
        SignInLink.objects.create(account=account, token_hash=hash_token(token), expires_at=now + lifetime)
    return PATH + token


def find_sign_in_link(token: str, *, now: datetime) -> SignInLink | None:
    """The link, if it can still be used."""
    links = SignInLink.objects.select_related("account").filter(used_at=None, expires_at__gt=now)
    return links.filter(token_hash=hash_token(token), account__is_active=True).first()


def use_sign_in_link(link: SignInLink, *, now: datetime) -> bool:
    """Marks the link used; False if somebody was faster."""
    return bool(SignInLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now))


def new_token() -> str:
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """A token of 256 random bits needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


LINK_IS_OVER = _("This link was used already, or its time is over. Ask for a new one, or sign in with your password.")
