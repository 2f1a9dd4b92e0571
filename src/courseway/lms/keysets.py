"""The public keys of platforms: kept by their own lifetime, read again at once - but not too often - for a new key."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.db.models import Q

from courseway import outbound
from courseway.lms import platforms
from courseway.lms.models import Registration
from courseway.lms.platforms import KnownPlatform
from ltikit.errors import ServiceUnavailableError
from ltikit.http import Request
from ltikit.services import raise_for_status
from ltikit.v13.keys import Keyset, parse_keyset

SHORTEST = timedelta(minutes=5)
LONGEST = timedelta(hours=24)
USUAL = timedelta(hours=1)
# An unknown key id makes us read the keyset again; forged tokens must not turn that into a flood.
COOL_DOWN = timedelta(seconds=10)


def keyset_for(platform: KnownPlatform, *, now: datetime) -> Keyset:
    """The platform's keys, from memory or the database while they live, else read anew.

    An expired copy is still used when the platform cannot be reached, and while another launch reads the keys.
    Raises ServiceUnavailableError or another ServiceError when there is none.
    """
    if living := platform.living_keyset(now):
        return living
    if platform.keyset is not None and not _may_read(platform.pk, now=now):
        return platform.keyset
    try:
        return read_keyset(platform.pk, platform.keyset_url, now=now)
    except ServiceUnavailableError:
        if platform.keyset is not None:
            return platform.keyset
        raise


def refetch_keyset(platform: KnownPlatform, *, now: datetime) -> Keyset | None:
    """The keys read anew because one was unknown; None if they were read, or asked for, only a moment ago."""
    if now.timestamp() - platform.keyset_read_at < COOL_DOWN.total_seconds():
        return None
    return read_keyset(platform.pk, platform.keyset_url, now=now) if _may_read(platform.pk, now=now) else None


def _may_read(platform_pk: int, *, now: datetime) -> bool:
    """One try in a while for a registration, whoever asks in whichever process, and also when the LMS is silent."""
    rested = Q(keyset_tried_at=None) | Q(keyset_tried_at__lte=now - COOL_DOWN) | Q(keyset_tried_at__gt=now + COOL_DOWN)
    return bool(Registration.objects.filter(rested, platform_id=platform_pk).update(keyset_tried_at=now))


def read_keyset(platform_pk: int, url: str, *, now: datetime) -> Keyset:
    """Fetches, checks and stores the keys of a platform."""
    request = Request("GET", url, {"Accept": "application/json"})
    try:
        response = outbound.send(request, deadline_seconds=10.0)
    except outbound.OutboundError as error:
        raise ServiceUnavailableError(f"The keyset could not be read: {error.detail}") from error
    raise_for_status(response, detail="The keyset could not be read")
    keyset = parse_keyset(response.body)
    lifetime = _lifetime(response.headers.get("cache-control", ""))
    Registration.objects.filter(platform_id=platform_pk).update(
        keyset=keyset.to_json(), keyset_read_at=now, keyset_expires_at=now + lifetime
    )
    platforms.forget(platform_pk)
    return keyset


def _lifetime(cache_control: str) -> timedelta:
    match = re.search(r"max-age\s*=\s*(\d{1,9})", cache_control)
    asked = timedelta(seconds=int(match.group(1))) if match else USUAL
    return min(max(asked, SHORTEST), LONGEST)
