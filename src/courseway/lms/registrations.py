"""LTI 1.3 registrations: what a platform told us about itself, which deployments may come, and whether it answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from courseway import outbound
from courseway.lms import keysets, tool_keys
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.keys import raise_config_version
from courseway.lms.models import Deployment, Platform, Registration
from courseway.orgs.ids import new_id
from courseway.orgs.models import Organization
from ltikit import vocabulary
from ltikit.errors import ServiceError, ServiceForbiddenError, ServiceUnauthorizedError
from ltikit.v13.token import parse_token_response, token_request

_ADDRESSES = ("authentication_url", "token_url", "keyset_url")


def create_registration(
    organization: Organization | None,
    *,
    issuer: str,
    client_id: str,
    authentication_url: str,
    token_url: str,
    keyset_url: str,
    audience: str = "",
    name: str = "",
    deployment_ids: Iterable[str] = (),
    deployment_policy: str | None = None,
) -> Registration:
    """Connects a platform by LTI 1.3; without an organization for all of them, which then claim its deployments.

    Named deployments are approved. Without a policy, naming none accepts any and naming some accepts those alone:
    others wait for approval. Raises IntegrationError, naming the field, when a value cannot be used.
    """
    wanted = [deployment.strip() for deployment in deployment_ids if deployment.strip()]
    policies = Registration.DeploymentPolicy
    registration = Registration(
        issuer=issuer.strip(),
        client_id=client_id.strip(),
        authentication_url=authentication_url.strip(),
        token_url=token_url.strip(),
        keyset_url=keyset_url.strip(),
        audience=audience.strip(),
        deployment_policy=deployment_policy or (policies.APPROVED if wanted else policies.ANY),
    )
    _check(registration)
    if any(len(deployment) > 255 for deployment in wanted):
        raise IntegrationError(_("A deployment id has at most 255 characters."), field="deployment_ids")
    try:
        with transaction.atomic():
            registration.platform = Platform.objects.create(
                organization=organization, version=Platform.Version.V13, name=name.strip()[:200]
            )
            registration.save()
            Deployment.objects.bulk_create(
                Deployment(platform=registration.platform, deployment_id=deployment, approved=True)
                for deployment in dict.fromkeys(wanted)
            )
    except IntegrityError:
        raise _taken(organization, registration) from None
    return registration


def share_registration(*, issuer: str, client_id: str, name: str = "", **values: str) -> Registration:
    """The operator's registration for all organizations; one that is shared already gets the new values.

    Raises IntegrationError as `create_registration` does, also when an organization has this client ID for itself.
    """
    mine = Registration.objects.select_related("platform").filter(
        issuer=issuer.strip(), client_id=client_id.strip(), platform__organization=None
    )
    registration = mine.first()
    named = registration.platform.name if registration else issuer.strip().removeprefix("https://")
    values |= {"issuer": issuer, "client_id": client_id, "name": name.strip() or named}
    # Nobody arrives from a deployment of it before it is an organization's own.
    values["deployment_policy"] = Registration.DeploymentPolicy.APPROVED
    if registration is None:
        return create_registration(None, **values)
    update_registration(registration, **values)
    return registration


def update_registration(
    registration: Registration,
    *,
    issuer: str,
    client_id: str,
    authentication_url: str,
    token_url: str,
    keyset_url: str,
    audience: str = "",
    name: str = "",
    deployment_policy: str = Registration.DeploymentPolicy.ANY,
) -> None:
    """Changes what the platform told us; keys read from an address that changed are forgotten."""
    platform = registration.platform
    if keyset_url.strip() != registration.keyset_url or issuer.strip() != registration.issuer:
        registration.keyset, registration.keyset_read_at, registration.keyset_expires_at = "", None, None
    registration.issuer = issuer.strip()
    registration.client_id = client_id.strip()
    registration.authentication_url = authentication_url.strip()
    registration.token_url = token_url.strip()
    registration.keyset_url = keyset_url.strip()
    registration.audience = audience.strip()
    registration.deployment_policy = deployment_policy
    _check(registration)
    try:
        with transaction.atomic():
            registration.save()
            platform.name = name.strip()[:200]
            platform.save(update_fields=["name"])
            raise_config_version(platform)
    except IntegrityError:
        raise _taken(platform.organization, registration) from None


def approve_deployment(deployment: Deployment) -> None:
    with transaction.atomic():
        deployment.approved = True
        deployment.save(update_fields=["approved"])
        raise_config_version(deployment.platform)


def add_deployment(registration: Registration, deployment_id: str) -> Deployment:
    """Approves a deployment before its first launch."""
    deployment_id = deployment_id.strip()
    if not 0 < len(deployment_id) <= 255:
        raise IntegrationError(_("A deployment id has between 1 and 255 characters."), field="deployment_id")
    with transaction.atomic():
        deployment, _is_new = Deployment.objects.update_or_create(
            platform=registration.platform, deployment_id=deployment_id, defaults={"approved": True}
        )
        raise_config_version(registration.platform)
    return deployment


@dataclass(frozen=True, slots=True)
class ConnectionFinding:
    """One thing that was tried: whether it went well, what was found, and what to do if it did not."""

    is_good: bool
    title: str
    detail: str
    hint: str = ""


def test_connection(registration: Registration, *, now: datetime) -> list[ConnectionFinding]:
    """Reads the platform's keyset and asks it for an access token, as a launch and a grade would."""
    return [_try_keyset(registration, now=now), _try_token(registration, now=now)]


test_connection.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _try_keyset(registration: Registration, *, now: datetime) -> ConnectionFinding:
    title = _("Public keyset")
    try:
        keyset = keysets.read_keyset(registration.platform_id, registration.keyset_url, now=now)
    except ServiceError as error:
        hint = _("Compare the public keyset URL with the one that the LMS shows. It must be reachable from here.")
        return ConnectionFinding(False, title, error.detail, hint)
    if not keyset.keys:
        reasons = "; ".join(f"{kid}: {reason}" for kid, reason in keyset.refused.items())
        detail = _("The keyset holds no key that can verify a launch.") + (f" ({reasons})" if reasons else "")
        return ConnectionFinding(False, title, detail, _("The LMS has to publish an RSA or P-256 key for signatures."))
    kids = ", ".join(key.kid for key in keyset.keys[:5])
    return ConnectionFinding(True, title, _("%(n)d usable keys: %(kids)s") % {"n": len(keyset.keys), "kids": kids})


def _try_token(registration: Registration, *, now: datetime) -> ConnectionFinding:
    title = _("Access token")
    scopes = [vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_RESULT_READONLY]
    request = token_request(
        token_url=registration.token_url,
        audience=registration.audience or registration.token_url,
        client_id=registration.client_id,
        scopes=scopes,
        key=tool_keys.signing_key(),
        now=now,
        jti=new_id(),
    )
    try:
        token = parse_token_response(outbound.send(request, deadline_seconds=10.0), requested=scopes, now=now)
    except outbound.OutboundError as error:
        hint = _("Compare the access token URL with the one that the LMS shows. It must be reachable from here.")
        return ConnectionFinding(False, title, error.detail, hint)
    except ServiceUnauthorizedError as error:
        hint = _(
            "The LMS does not know our key or the client ID. Enter our keyset URL there, and check the client ID "
            "and, if the LMS names one, the token audience."
        )
        return ConnectionFinding(False, title, error.detail, hint)
    except ServiceForbiddenError as error:
        hint = _("The LMS knows us but grants no grade services. Allow grades (AGS) for this tool there.")
        return ConnectionFinding(False, title, error.detail, hint)
    except ServiceError as error:
        return ConnectionFinding(False, title, error.detail, _("Compare the access token URL with the LMS's."))
    missing = [scope.rpartition("/")[2] for scope in scopes if not token.is_good_for([scope])]
    if missing:
        detail = _("Granted, but without: %(scopes)s") % {"scopes": ", ".join(missing)}
        return ConnectionFinding(True, title, detail, _("Grades may need these. Allow them for this tool in the LMS."))
    return ConnectionFinding(True, title, _("Granted, with all grade services."))


def _taken(organization: Organization | None, registration: Registration) -> IntegrationError:
    mine = Registration.objects.filter(
        issuer=registration.issuer, client_id=registration.client_id, platform__organization=organization
    )
    if organization is None:
        message = _("This issuer and client ID are registered here already. One registration serves all.")
    elif mine.exclude(pk=registration.pk).exists():
        message = _("This organization has a registration with this issuer and client ID already, see the list.")
    elif Registration.objects.filter(
        issuer=registration.issuer, client_id=registration.client_id, platform__organization=None
    ).exists():
        message = _(
            "This issuer and client ID are registered for all organizations. Enter only the deployment ID, on the page "
            "LTI integrations."
        )
    else:
        message = _("This issuer and client ID are connected already. Ask the LMS for a client ID of your own.")
    return IntegrationError(message, field="client_id")


def _check(registration: Registration) -> None:
    limits = {"issuer": 500, "client_id": 255, "audience": 2000, **dict.fromkeys(_ADDRESSES, 2000)}
    for field, longest in limits.items():
        value = getattr(registration, field)
        if not value and field != "audience":
            raise IntegrationError(_("This value is needed."), field=field)
        if len(value) > longest or not value.isprintable():
            raise IntegrationError(_("At most %(n)d characters, on one line.") % {"n": longest}, field=field)
    for field in _ADDRESSES:
        check_address(getattr(registration, field), field=field)


def check_address(address: str, *, field: str) -> None:
    """An address of an LMS begins with https://; http:// is for private networks that the operator has allowed.

    Whether the name leads into such a network is seen when it is asked (outbound), not here.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or " " in address:
        raise IntegrationError(_("This is not an address. It begins with https:// and names a host."), field=field)
    if parts.scheme == "http" and not _may_be_private(host):
        raise IntegrationError(_("The address has to begin with https://."), field=field)


def _may_be_private(host: str) -> bool:
    try:
        networks = [
            ipaddress.ip_network(network.strip(), strict=False) for network in settings.ALLOWED_PRIVATE_NETWORKS
        ]
    except ValueError:
        return False  # `courseway check` names the setting that cannot be read
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(networks)
    return any(address in network for network in networks)
