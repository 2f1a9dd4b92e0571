"""An LMS registers us by itself (Dynamic Registration 1.0): what it offers is read, and once an owner has agreed we
ask to be registered and keep what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from courseway import outbound
from courseway.lms import addresses
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.models import Registration
from courseway.lms.registrations import check_address, create_registration
from courseway.lms.tool_config_views import TITLE, TOOL_ID, describe_tool, list_tool_placements
from courseway.orgs.models import Organization
from ltikit import vocabulary
from ltikit.errors import PlatformConfigurationError, RegistrationRefusedError
from ltikit.http import Request, Response
from ltikit.v13.registration import (
    PlatformConfiguration,
    RegisteredTool,
    ToolDescription,
    build_registration,
    choose_keyset_url,
    configuration_request,
    parse_platform_configuration,
    parse_registration_response,
    registration_request,
)

# What we use where it is offered. Moodle wants to be asked for reading columns besides changing them (M3).
SCOPES: Final = (
    vocabulary.SCOPE_LINEITEM,
    vocabulary.SCOPE_LINEITEM_READONLY,
    vocabulary.SCOPE_RESULT_READONLY,
    vocabulary.SCOPE_SCORE,
    vocabulary.SCOPE_MEMBERSHIP_READONLY,
    vocabulary.SCOPE_GROUPS_READONLY,
    vocabulary.SCOPE_NOTICE_HANDLERS,
)
MAX_BYTES: Final = 256 * 1024
SECONDS: Final = 15.0
_FAMILIES: Final = {
    "canvas": "Canvas",
    "moodle": "Moodle",
    "blackboardlearn": "Blackboard",
    "desire2learn": "Brightspace",
    "sakai": "Sakai",
    "schoology": "Schoology",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the LMS put into the address of the page that it opened. The token is the LMS's, and secret."""

    configuration_url: str
    registration_token: str = field(default="", repr=False)


def read_configuration(invitation: Invitation) -> PlatformConfiguration:
    """What the LMS says about itself. Raises PlatformConfigurationError with a reason that is safe to show."""
    try:
        check_address(invitation.configuration_url, field="openid_configuration")
    except IntegrationError as error:
        raise PlatformConfigurationError(error.message) from None
    request = configuration_request(invitation.configuration_url, registration_token=invitation.registration_token)
    try:
        response = _send(request)
    except outbound.OutboundError as error:
        raise PlatformConfigurationError(error.detail) from error
    return parse_platform_configuration(response, configuration_url=invitation.configuration_url)


def register(
    organization: Organization, configuration: PlatformConfiguration, invitation: Invitation, *, name: str
) -> Registration:
    """Asks the LMS to register us and stores what it answers.

    Raises RegistrationRefusedError when the LMS does not, IntegrationError when what it answered cannot be stored.
    """
    document = build_registration(_describe(), configuration, scopes=SCOPES)
    request = registration_request(configuration, document, registration_token=invitation.registration_token)
    try:
        response = _send(request)
    except outbound.OutboundError as error:
        raise RegistrationRefusedError(error.detail) from error
    answer = parse_registration_response(response, requested=configuration.choose_scopes(SCOPES))
    return _store(organization, configuration, answer, name=name)


def suggest_name(configuration: PlatformConfiguration) -> str:
    """A name by which owners tell their LMSs apart: what it is and where it is."""
    family = _FAMILIES.get(configuration.family.casefold(), configuration.family)
    host = urlsplit(configuration.registration_url).hostname or ""
    return " · ".join(filter(None, (family, host)))[:200]


def list_missing(configuration: PlatformConfiguration) -> list[str]:
    """What will not work because the LMS does not offer it, in words."""
    offered = set(configuration.choose_scopes(SCOPES))
    missing = []
    if vocabulary.SCOPE_SCORE not in offered:
        missing.append(_("Grades do not go back to this LMS: it does not offer to take scores."))
    if vocabulary.SCOPE_MEMBERSHIP_READONLY not in offered:
        missing.append(_("People appear with their first launch only: this LMS does not offer its rosters."))
    return missing


def _describe() -> ToolDescription:
    return ToolDescription(
        title=TITLE,
        description=describe_tool(),
        login_url=addresses.login_url(),
        launch_url=addresses.launch_url(),
        keyset_url=addresses.keyset_url(),
        deep_linking_url=addresses.deep_linking_url(),
        tool_id=TOOL_ID,
        placements=list_tool_placements(),
        tool_url=addresses.absolute("/"),
    )


def _store(
    organization: Organization, configuration: PlatformConfiguration, answer: RegisteredTool, *, name: str
) -> Registration:
    # The client id was made a moment ago for this LMS alone, so that any deployment of it is this LMS's. A Blackboard
    # registers once for all schools (B7): there, only deployments that an owner knows may come.
    policies = Registration.DeploymentPolicy
    return create_registration(
        organization,
        issuer=configuration.issuer,
        client_id=answer.client_id,
        authentication_url=configuration.authentication_url,
        token_url=configuration.token_url,
        keyset_url=choose_keyset_url(configuration, answer.client_id),
        audience=configuration.audience,
        name=name or suggest_name(configuration),
        deployment_ids=[answer.deployment_id],
        deployment_policy=policies.APPROVED if configuration.is_blackboard else policies.ANY,
    )


def _send(request: Request) -> Response:
    return outbound.send(request, deadline_seconds=SECONDS, max_bytes=MAX_BYTES)
