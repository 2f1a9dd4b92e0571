"""Platforms as the launch path needs them, kept in memory.

A copy may be stale, and that is safe: a launch is only accepted by a statement that compares `config_version`
(`arrivals.repeat_arrival`), or after a fresh read. A refusal is only given after a fresh read too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime

from courseway.lms.keys import reveal_secret
from courseway.lms.models import ConsumerKey, Platform, Registration
from courseway.orgs.models import Organization
from ltikit.v13.keys import Keyset

MAX_AGE_SECONDS = 60.0
MAX_KEPT = 5000


@dataclass(frozen=True, slots=True)
class KnownPlatform:
    """One platform with what verifies its messages. `deployment_policy` and the addresses are empty for LTI 1.1.

    The operator's shared registration belongs to no organization: its id is 0 there, and nothing may be stored for it.
    Once a message is verified, the share of the organization whose deployment it came from takes its place.
    """

    pk: int
    organization_id: int
    version: str
    config_version: int
    is_revoked: bool
    lti_id_field: str = "user_id"  # of the organization (`launch_details.read_lti_id`)
    trusts_emails: bool = False
    accepts_actual_user: bool = False
    is_joined: bool = False
    asks_about_instructors: bool = False
    name: str = ""
    consumer_key: str = ""
    secret: str = field(default="", repr=False)
    issuer: str = ""
    client_id: str = ""
    authentication_url: str = ""
    keyset_url: str = ""
    deployment_policy: str = ""
    keyset: Keyset | None = field(default=None, repr=False, compare=False)
    keyset_read_at: float = 0.0
    keyset_expires_at: float = 0.0
    # Of a share: the operator's registration, the version of it that this copy goes with, and the deployment.
    shared_pk: int = 0
    shared_version: int = 0
    deployment_id: str = ""
    loaded_at: float = field(default=0.0, compare=False)

    @property
    def is_shared(self) -> bool:
        return not self.organization_id

    def living_keyset(self, now: datetime) -> Keyset | None:
        """The platform's public keys as long as they may be used without asking again."""
        return self.keyset if now.timestamp() < self.keyset_expires_at else None


_by_key: dict[str, KnownPlatform] = {}
_by_registration: dict[tuple[str, str], KnownPlatform] = {}
_by_pk: dict[int, KnownPlatform] = {}
_by_deployment: dict[tuple[int, str], KnownPlatform] = {}


def find_by_consumer_key(key: str, *, is_fresh: bool) -> KnownPlatform | None:
    """The LTI 1.1 platform of a consumer key. `is_fresh` reads the database whatever is in memory."""
    if not is_fresh and (known := _still_good(_by_key.get(key))):
        return known
    row = ConsumerKey.objects.select_related("platform__organization").filter(key=key).first()
    return _keep(_from_consumer_key(row)) if row else None


def find_by_issuer(issuer: str, client_id: str, *, is_fresh: bool) -> KnownPlatform | None:
    """The LTI 1.3 platform of a login request.

    Without a client id only if the issuer has a single registration here (old Canvas sends none).
    """
    if not is_fresh and (known := _still_good(_by_registration.get((issuer, client_id)))):
        return known
    rows = Registration.objects.select_related("platform__organization").filter(
        issuer=issuer, platform__revoked_at=None
    )
    found = list(rows.filter(client_id=client_id) if client_id else rows[:2])
    if len(found) != 1:
        return None
    known = _keep(_from_registration(found[0]))
    if client_id:  # else another one may come, after which nobody is meant
        _by_registration[(issuer, client_id)] = known
    return known


def find_by_pk(pk: int, *, is_fresh: bool) -> KnownPlatform | None:
    if not is_fresh and (known := _still_good(_by_pk.get(pk))):
        return known
    related = ("organization", "registration", "consumer_key", "shared__registration", "claim")
    platform = Platform.objects.select_related(*related).filter(pk=pk).first()
    if platform is None:
        return None
    if platform.shared is not None:
        return _keep(_from_share(platform, platform.shared))
    if platform.version == Platform.Version.V13:
        platform.registration.platform = platform
        return _keep(_from_registration(platform.registration))
    platform.consumer_key.platform = platform
    return _keep(_from_consumer_key(platform.consumer_key))


def find_share(shared: KnownPlatform, deployment_id: str, *, is_fresh: bool) -> KnownPlatform | None:
    """The platform of the organization to which a deployment of the operator's registration belongs; None if none.

    Its `shared_version` says whether `shared` is still the newest: every change of that one makes shares stale too.
    """
    known = _still_good(_by_deployment.get((shared.pk, deployment_id)))
    if not is_fresh and known is not None and known.shared_version == shared.config_version:
        return known
    approved = Platform.objects.filter(
        claim__shared=shared.pk, claim__deployment_id=deployment_id, claim__approved_at__isnull=False
    )
    row = approved.select_related("organization", "shared__registration", "claim").first()
    return _keep(_from_share(row, row.shared)) if row is not None and row.shared is not None else None


def forget(pk: int) -> None:
    """Drops the copy in this process, so that the next launch reads the platform anew; of a share both."""
    known = _by_pk.pop(pk, None)
    if known is not None:
        _by_key.pop(known.consumer_key, None)
        _by_deployment.pop((known.shared_pk, known.deployment_id), None)
        if known.shared_pk:
            forget(known.shared_pk)
        for names in [names for names, other in _by_registration.items() if other.pk == pk]:
            del _by_registration[names]


def forget_all() -> None:
    for kept in (_by_key, _by_registration, _by_pk, _by_deployment):
        kept.clear()


def _still_good(known: KnownPlatform | None) -> KnownPlatform | None:
    return known if known is not None and time.monotonic() - known.loaded_at < MAX_AGE_SECONDS else None


def _keep(known: KnownPlatform) -> KnownPlatform:
    if len(_by_pk) > MAX_KEPT:
        forget_all()
    _by_pk[known.pk] = known
    if known.consumer_key:
        _by_key[known.consumer_key] = known
    elif known.shared_pk:
        _by_deployment[(known.shared_pk, known.deployment_id)] = known
    else:
        _by_registration[(known.issuer, known.client_id)] = known
    return known


def _from_platform(platform: Platform, tenant: Organization | None) -> KnownPlatform:
    """What platforms of all kinds have in common."""
    return KnownPlatform(
        pk=platform.pk,
        organization_id=tenant.pk if tenant else 0,
        version=platform.version,
        config_version=platform.config_version,
        is_revoked=platform.revoked_at is not None,
        lti_id_field=tenant.lti_id_field if tenant else "",
        trusts_emails=platform.trusts_emails,
        accepts_actual_user=platform.accepts_actual_user,
        is_joined=platform.is_joined,
        asks_about_instructors=platform.asks_about_instructors,
        name=platform.name,
        loaded_at=time.monotonic(),
    )


def _from_consumer_key(row: ConsumerKey) -> KnownPlatform:
    known = _from_platform(row.platform, row.platform.tenant)
    return replace(known, consumer_key=row.key, secret=reveal_secret(row))


def _from_registration(row: Registration) -> KnownPlatform:
    return replace(
        _from_platform(row.platform, row.platform.organization),
        issuer=row.issuer,
        client_id=row.client_id,
        authentication_url=row.authentication_url,
        keyset_url=row.keyset_url,
        deployment_policy=row.deployment_policy,
        keyset=Keyset.from_json(row.keyset) if row.keyset else None,
        keyset_read_at=row.keyset_read_at.timestamp() if row.keyset_read_at else 0.0,
        keyset_expires_at=row.keyset_expires_at.timestamp() if row.keyset_expires_at else 0.0,
    )


def _from_share(platform: Platform, shared: Platform) -> KnownPlatform:
    """Without a keyset: a message is verified before it is known whose it is. Of deployments it has this single one."""
    row = shared.registration
    known = _from_platform(platform, platform.tenant)
    return replace(
        known,
        is_revoked=known.is_revoked or shared.revoked_at is not None,
        issuer=row.issuer,
        client_id=row.client_id,
        authentication_url=row.authentication_url,
        deployment_policy=Registration.DeploymentPolicy.APPROVED,
        shared_pk=shared.pk,
        shared_version=shared.config_version,
        deployment_id=platform.claim.deployment_id,
    )
