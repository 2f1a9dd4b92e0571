"""Access tokens of platforms, shared by all workers: one for each platform and set of scopes, encrypted at rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from courseway import secrets_box
from courseway.grades.models import AccessToken
from courseway.lms.models import Platform
from ltikit import vocabulary
from ltikit.v13.token import AccessToken as GrantedToken

RENEWED_BEFORE = timedelta(seconds=60)
MAX_KEPT = 5000

# What we do with a grade service; only what the launch offered is asked for, since platforms refuse the rest (M3).
WANTED_SCOPES = (vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_LINEITEM_READONLY)


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str
    encrypted: str
    expires_at: datetime


# A copy of the rows that this process used, so that a token costs a statement only now and then.
_kept: dict[tuple[int, str], _Kept] = {}


@lru_cache(maxsize=256)
def scopes_to_ask(offered: str) -> str:
    """The scopes for a token, separated by blanks as `offered` is, in a fixed order: they are its name in the table."""
    return " ".join(sorted(set(WANTED_SCOPES).intersection(offered.split())))


def find_token(platform: Platform, scopes: str, *, now: datetime) -> str | None:
    """A token that lasts for a minute at least, None if one must be asked for."""
    kept = _kept.get((platform.pk, scopes))
    if kept is not None and now + RENEWED_BEFORE < kept.expires_at:
        return kept.value
    row = AccessToken.objects.filter(platform=platform, scopes=scopes, expires_at__gt=now + RENEWED_BEFORE).first()
    if row is None:
        return None
    try:
        value = secrets_box.unlock(row.value_encrypted, place=_place_of(platform, scopes))
    except secrets_box.SecretUnreadableError:
        return None  # the installation's key was changed: a new token is asked for
    _keep(platform, scopes, _Kept(value, row.value_encrypted, row.expires_at))
    return value


def keep_token(platform: Platform, scopes: str, token: GrantedToken) -> None:
    """Store a new token for all workers."""
    encrypted = secrets_box.lock(token.value, place=_place_of(platform, scopes))
    AccessToken.objects.bulk_create(
        [AccessToken(platform=platform, scopes=scopes, value_encrypted=encrypted, expires_at=token.expires_at)],
        update_conflicts=True,
        unique_fields=["platform", "scopes"],
        update_fields=["value_encrypted", "expires_at"],
    )
    _keep(platform, scopes, _Kept(token.value, encrypted, token.expires_at))


def drop_token(platform: Platform, scopes: str, value: str) -> None:
    """Forget a token that the platform did not accept; one that another worker got meanwhile stays."""
    kept = _kept.get((platform.pk, scopes))
    if kept is not None and kept.value == value:
        del _kept[platform.pk, scopes]
        AccessToken.objects.filter(platform=platform, scopes=scopes, value_encrypted=kept.encrypted).delete()


def forget_kept_tokens() -> None:
    """Forget this process's copies; the rows stay."""
    _kept.clear()


def _keep(platform: Platform, scopes: str, kept: _Kept) -> None:
    if len(_kept) >= MAX_KEPT:
        _kept.clear()
    _kept[platform.pk, scopes] = kept


def _place_of(platform: Platform, scopes: str) -> str:
    return f"access_token:{platform.public_id}:{scopes}"
