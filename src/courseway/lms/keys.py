"""LTI 1.1 keys of an organization: made, shown, reset, revoked. Each secret is locked to the platform it belongs to."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from courseway import secrets_box
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.models import ConsumerKey, Deployment, Platform
from courseway.orgs.ids import new_id
from courseway.orgs.models import Organization

LONGEST_KEY = 255
LONGEST_SECRET = 255


def create_consumer_key(
    organization: Organization, *, name: str = "", key: str = "", secret: str = ""
) -> tuple[ConsumerKey, str]:
    """A new key with its secret. What is left empty is made up here.

    Raises IntegrationError when the key is taken, in this organization or in another.
    """
    key, secret = key.strip() or new_id(), secret.strip() or make_secret()
    _check(key, secret)
    try:
        with transaction.atomic():
            platform = Platform.objects.create(
                organization=organization, version=Platform.Version.V11, name=name.strip()[:200]
            )
            consumer_key = ConsumerKey.objects.create(
                platform=platform, key=key, secret_encrypted=secrets_box.lock(secret, place=_place_of(platform))
            )
            Deployment.objects.create(platform=platform)
    except IntegrityError:
        raise IntegrationError(_("This LTI Consumer is in use already. Choose another one."), field="key") from None
    return consumer_key, secret


def make_secret() -> str:
    return secrets.token_urlsafe(32)


def reveal_secret(consumer_key: ConsumerKey) -> str:
    """The secret in clear. Raises SecretUnreadableError when the installation's key was lost."""
    return secrets_box.unlock(consumer_key.secret_encrypted, place=_place_of(consumer_key.platform))


def reset_secret(consumer_key: ConsumerKey, *, now: datetime | None = None) -> str:
    """A new secret; launches signed with the old one are refused from this moment."""
    secret = make_secret()
    with transaction.atomic():
        raise_config_version(consumer_key.platform)
        consumer_key.secret_encrypted = secrets_box.lock(secret, place=_place_of(consumer_key.platform))
        consumer_key.reset_at = now or timezone.now()
        consumer_key.save(update_fields=["secret_encrypted", "reset_at"])
    return secret


def rename_platform(platform: Platform, name: str) -> None:
    platform.name = name.strip()[:200]
    platform.config_version = F("config_version") + 1
    platform.save(update_fields=["name", "config_version"])
    platform.refresh_from_db(fields=["config_version"])


def revoke_platform(platform: Platform, *, now: datetime | None = None) -> None:
    """Launches and services of this key or registration stop at once; what was learned through it stays."""
    _set_revoked(platform, now or timezone.now())


def reinstate_platform(platform: Platform) -> None:
    """Takes a revocation back: the same key, the same people and links."""
    _set_revoked(platform, None)


def _set_revoked(platform: Platform, at: datetime | None) -> None:
    with transaction.atomic():
        platform.revoked_at = at
        platform.save(update_fields=["revoked_at"])
        raise_config_version(platform)


def raise_config_version(platform: Platform) -> None:
    """To be called in the transaction of every change that a launch must notice. What the operator changes in a shared
    registration, launches from every share of it notice."""
    changed = Platform.objects.filter(Q(pk=platform.pk) | Q(shared=platform.pk))
    changed.update(config_version=F("config_version") + 1)
    platform.refresh_from_db(fields=["config_version"])


def _place_of(platform: Platform) -> str:
    return f"consumer_key:{platform.public_id}"


def _check(key: str, secret: str) -> None:
    if len(key) > LONGEST_KEY or not key.isprintable() or " " in key:
        message = _("An LTI Consumer has at most %(n)d characters and no blanks.") % {"n": LONGEST_KEY}
        raise IntegrationError(message, field="key")
    if len(secret) > LONGEST_SECRET or not secret.isprintable():
        message = _("An LTI Secret has at most %(n)d characters, on one line.") % {"n": LONGEST_SECRET}
        raise IntegrationError(message, field="secret")
