"""LTI 1.1 keys: made, reset, revealed, revoked. Every change makes copies in memory stale (`config_version`)."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from courseway import secrets_box
from courseway.lms.models import ConsumerKey, Deployment, Platform
from courseway.orgs.ids import new_id
from courseway.orgs.models import Organization


class KeyTakenError(ValueError):
    """The consumer key is in use already, in this organization or another one."""


def create_consumer_key(
    organization: Organization, *, name: str = "", key: str = "", secret: str = ""
) -> tuple[ConsumerKey, str]:
    """A platform with a new key and its secret in clear, which is not kept in clear anywhere."""
    key = key.strip() or f"{organization.slug}-{new_id()[:12]}"
    secret = secret.strip() or secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            platform = Platform.objects.create(
                organization=organization, version=Platform.Version.V11, name=name.strip() or key
            )
            Deployment.objects.create(platform=platform, deployment_id="")
            consumer_key = ConsumerKey.objects.create(
                platform=platform, key=key, secret_encrypted=secrets_box.lock(secret, place=_place(platform))
            )
    except IntegrityError:
        raise KeyTakenError(
            _("The consumer key %(key)s is in use already. Choose another one.") % {"key": key}
        ) from None
    return consumer_key, secret


def reset_secret(consumer_key: ConsumerKey, *, now: datetime | None = None) -> str:
    """A new secret; launches signed with the old one are refused from now on."""
    secret = secrets.token_urlsafe(32)
    platform = consumer_key.platform
    with transaction.atomic():
        consumer_key.secret_encrypted = secrets_box.lock(secret, place=_place(platform))
        consumer_key.reset_at = now or timezone.now()
        consumer_key.save(update_fields=["secret_encrypted", "reset_at"])
        Platform.objects.filter(pk=platform.pk).update(config_version=F("config_version") + 1)
    return secret


def reveal_secret(consumer_key: ConsumerKey) -> str:
    return secrets_box.unlock(consumer_key.secret_encrypted, place=_place(consumer_key.platform))


def revoke_platform(platform: Platform, *, now: datetime | None = None) -> None:
    """No launch of this platform is accepted any more. What it brought stays."""
    Platform.objects.filter(pk=platform.pk).update(
        revoked_at=now or timezone.now(), config_version=F("config_version") + 1
    )
    platform.refresh_from_db()


def _place(platform: Platform) -> str:
    return f"consumer_key:{platform.public_id}"
