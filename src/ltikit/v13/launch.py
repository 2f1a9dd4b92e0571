"""Verify a launch (LTI core 1.3 §5, Security Framework 1.0 §5.1.3) and say what it means."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ltikit import vocabulary
from ltikit.errors import (
    LtiError,
    MalformedMessageError,
    MissingParameterError,
    MissingResourceLinkError,
    UnknownDeploymentError,
    UnsupportedMessageError,
    UnsupportedVersionError,
    WrongIssuerError,
    WrongNonceError,
)
from ltikit.launch import Ags, Context, Groups, Launch, Message, Outcomes, Person, PlatformInfo, ResourceLink, Roster
from ltikit.parameters import is_unexpanded, is_web_url, normalise_parameters, read_url_parameters, single, split_list
from ltikit.roles import is_test_user, strongest_role
from ltikit.v13.jwt import ACCEPTED_ALGORITHMS, check_audience, check_times, verify_token
from ltikit.v13.keys import Keyset

MAX_ID = 255
"""Characters of every id that a platform gives (LTI core 1.3 §5.3)."""

_MESSAGES = {
    vocabulary.RESOURCE_LINK_REQUEST: Message.RESOURCE_LINK,
    vocabulary.DEEP_LINKING_REQUEST: Message.DEEP_LINKING,
    vocabulary.SUBMISSION_REVIEW_REQUEST: Message.SUBMISSION_REVIEW,
}


@dataclass(frozen=True, slots=True)
class Registration:
    """What tool and platform agreed on.

    `issuer` and `client_id` are compared as they stand, without any normalising.
    `deployment_ids` are the deployments that are accepted; None accepts any.
    `allows_anonymous` accepts launches without a person (LTI core 1.3 §5.3.6.1); the certification wants them refused.
    """

    issuer: str
    client_id: str
    deployment_ids: frozenset[str] | None
    allows_anonymous: bool = False


def verify_launch(
    token: str,
    *,
    registration: Registration,
    keys: Keyset,
    expected_nonce: str,
    now: datetime,
    login_deployment_id: str = "",
) -> Launch:
    """Verify an id_token in the order of the specification and return what it means.

    `registration` is the one that the sign-in began with, `keys` its platform's keyset, `expected_nonce` the nonce of
    that sign-in. `login_deployment_id` is the deployment that the login request named ("" if none): the launch must
    be of that one (LTI core 1.3 §4.1.2). That a nonce is used only once is for the caller to see to.

    Raises the errors of `verify_token`, `check_times` and `check_audience`; `WrongIssuerError`, `WrongNonceError`,
    `UnknownDeploymentError`, `UnsupportedVersionError`, `UnsupportedMessageError`, `MissingParameterError`,
    `MissingResourceLinkError` and `MalformedMessageError`. When the signature was good, `error.return_url` is the way
    back to the LMS, if it named one.
    """
    claims = verify_token(token, keys=keys, algorithms=ACCEPTED_ALGORITHMS)
    try:
        # Security Framework 1.0 §5.1.3: issuer, audience, authorized party, times, nonce.
        if _require_text(claims, "iss") != registration.issuer:
            raise WrongIssuerError(f"iss is {claims['iss'][:200]!r}, expected {registration.issuer}")
        check_audience(claims, client_id=registration.client_id)
        issued_at = check_times(claims, now=now)
        _check_nonce(claims, expected_nonce)
        # LTI core 1.3 §5.3: what every message must hold.
        _check_version(claims)
        message = _read_message(claims)
        deployment_id = _check_deployment(claims, registration, login_deployment_id)
        roles = _read_roles(claims, are_required=message is not Message.DEEP_LINKING)
        person = _read_person(claims, roles, allows_anonymous=registration.allows_anonymous)
        resource_link = _read_resource_link(claims) if message is not Message.DEEP_LINKING else None
        target_link_uri = _read_target(claims, is_required=message is not Message.DEEP_LINKING)
        if message is Message.SUBMISSION_REVIEW:
            _require_id(_object(claims, vocabulary.FOR_USER), "user_id", "for_user.user_id")
        # The target is signed too: links from importers that drop custom parameters carry them there.
        custom_pairs = [*_object(claims, vocabulary.CUSTOM).items(), *read_url_parameters(target_link_uri)]
        custom_lists = normalise_parameters(custom_pairs)
        presentation = _object(claims, vocabulary.LAUNCH_PRESENTATION)
        return Launch(
            version="1.3",
            message=message,
            issuer=registration.issuer,
            client_id=registration.client_id,
            consumer_key="",
            deployment_id=deployment_id,
            person=person,
            role=strongest_role(roles),
            roles=roles,
            nonce=expected_nonce,
            issued_at=issued_at,
            context=_read_context(claims),
            resource_link=resource_link,
            target_link_uri=target_link_uri,
            custom=MappingProxyType(single(custom_lists)),
            custom_lists=MappingProxyType(custom_lists),
            outcomes=_read_outcomes(claims),
            ags=_read_ags(claims),
            roster=_read_roster(claims),
            groups=_read_groups(claims),
            platform=_read_platform(claims),
            mentor_for=_read_mentor_scope(claims),
            return_url=_url(presentation, "return_url"),
            document_target=_text(presentation, "document_target"),
            locale=_text(presentation, "locale") or _text(claims, "locale"),
            raw=MappingProxyType(claims),
        )
    except LtiError as error:
        error.return_url = _read_return_url(claims)
        raise


def _check_nonce(claims: Mapping[str, Any], expected_nonce: str) -> None:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise WrongNonceError("nonce is missing")
    if not expected_nonce or not hmac.compare_digest(nonce.encode(), expected_nonce.encode()):
        raise WrongNonceError("nonce is not the one of this sign-in")


def _check_version(claims: Mapping[str, Any]) -> None:
    version = _require_text(claims, vocabulary.VERSION)
    if version != vocabulary.LTI_VERSION_13:
        raise UnsupportedVersionError(f"version is {version[:40]!r}, expected {vocabulary.LTI_VERSION_13}")


def _read_message(claims: Mapping[str, Any]) -> Message:
    name = _require_text(claims, vocabulary.MESSAGE_TYPE)
    if name not in _MESSAGES:
        raise UnsupportedMessageError(f"message_type is {name[:100]!r}")
    return _MESSAGES[name]


def _check_deployment(claims: Mapping[str, Any], registration: Registration, login_deployment_id: str) -> str:
    deployment_id = _require_id(claims, vocabulary.DEPLOYMENT_ID, vocabulary.DEPLOYMENT_ID)
    if registration.deployment_ids is not None and deployment_id not in registration.deployment_ids:
        raise UnknownDeploymentError(f"deployment_id is {deployment_id!r}")
    if login_deployment_id and deployment_id != login_deployment_id:
        raise UnknownDeploymentError(f"deployment_id is {deployment_id!r}, the sign-in named {login_deployment_id!r}")
    return deployment_id


def _read_person(claims: Mapping[str, Any], roles: tuple[str, ...], *, allows_anonymous: bool) -> Person:
    is_anonymous = allows_anonymous and claims.get("sub") in (None, "")
    given, family = _text(claims, "given_name"), _text(claims, "family_name")
    return Person(
        user_id=None if is_anonymous else _require_id(claims, "sub", "sub"),
        name=_text(claims, "name") or f"{given} {family}".strip(),
        given_name=given,
        family_name=family,
        email=_text(claims, "email"),
        sourcedid=_expanded(_object(claims, vocabulary.LIS), "person_sourcedid"),
        is_test_user=is_test_user(roles),
    )


def _read_roles(claims: Mapping[str, Any], *, are_required: bool) -> tuple[str, ...]:
    """Missing is refused; `[]` and `[""]` are valid and mean no role (core §5.3.7; the certification sends `[""]`)."""
    roles = claims.get(vocabulary.ROLES)
    if roles is None:
        if are_required:
            raise MissingParameterError(vocabulary.ROLES)
        return ()
    if not isinstance(roles, list):
        raise MalformedMessageError("roles is not a list")
    return _texts(roles)


def _read_resource_link(claims: Mapping[str, Any]) -> ResourceLink:
    link = _object(claims, vocabulary.RESOURCE_LINK)
    link_id = _id(link, "id", "resource_link.id")
    if not link_id:
        raise MissingResourceLinkError("resource_link.id")
    return ResourceLink(id=link_id, title=_text(link, "title"), description=_text(link, "description"))


def _read_target(claims: Mapping[str, Any], *, is_required: bool) -> str:
    """Required except for deep linking, whose requests may leave it out (the certification's does)."""
    if not is_required and claims.get(vocabulary.TARGET_LINK_URI) in (None, ""):
        return ""
    _require_text(claims, vocabulary.TARGET_LINK_URI)
    target = _url(claims, vocabulary.TARGET_LINK_URI)
    if not target:
        raise MalformedMessageError("target_link_uri is not an http address")
    return target


def _read_context(claims: Mapping[str, Any]) -> Context | None:
    """None when the launch has no course (core §5.4.1: the claim is optional) or the course has no id."""
    context, lis = _object(claims, vocabulary.CONTEXT), _object(claims, vocabulary.LIS)
    context_id = _id(context, "id", "context.id")
    if not context_id:
        return None
    return Context(
        id=context_id,
        title=_text(context, "title"),
        label=_text(context, "label"),
        types=tuple(name for name in _texts(context.get("type")) if name),
        offering_sourcedid=_expanded(lis, "course_offering_sourcedid"),
        section_sourcedid=_expanded(lis, "course_section_sourcedid"),
    )


def _read_outcomes(claims: Mapping[str, Any]) -> Outcomes | None:
    outcome = _object(claims, vocabulary.BASIC_OUTCOME)
    url = _url(outcome, "lis_outcome_service_url")
    return Outcomes(url=url, sourcedid=_text(outcome, "lis_result_sourcedid")) if url else None


def _read_ags(claims: Mapping[str, Any]) -> Ags | None:
    """`lineitem` may be "" or absent: the link then has no line item, or several (AGS 2.0 §3.1)."""
    endpoint = _object(claims, vocabulary.AGS_ENDPOINT)
    lineitems, lineitem = _url(endpoint, "lineitems"), _url(endpoint, "lineitem")
    if not lineitems and not lineitem:
        return None
    scopes = endpoint.get("scope")
    return Ags(
        scopes=frozenset(filter(None, scopes.split() if isinstance(scopes, str) else _texts(scopes))),
        lineitems_url=lineitems,
        lineitem_url=lineitem,
    )


def _read_roster(claims: Mapping[str, Any]) -> Roster | None:
    service = _object(claims, vocabulary.NRPS_SERVICE)
    url = _url(service, "context_memberships_url")
    return Roster(url=url, versions=_texts(service.get("service_versions"))) if url else None


def _read_groups(claims: Mapping[str, Any]) -> Groups | None:
    service = _object(claims, vocabulary.GROUPS_SERVICE)
    url = _url(service, "context_groups_url")
    if not url:
        return None
    scopes = frozenset(filter(None, _texts(service.get("scope"))))
    return Groups(url=url, sets_url=_url(service, "context_group_sets_url"), scopes=scopes)


def _read_platform(claims: Mapping[str, Any]) -> PlatformInfo:
    platform = _object(claims, vocabulary.TOOL_PLATFORM)
    return PlatformInfo(
        guid=_text(platform, "guid"),
        name=_text(platform, "name"),
        # Moodle before 4.0 spells it family_code.
        family=_text(platform, "product_family_code") or _text(platform, "family_code"),
        version=_text(platform, "version"),
    )


def _read_mentor_scope(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The LMS user ids that a mentor may see (core §5.4.8), without unexpanded variables."""
    return split_list(_texts(claims.get(vocabulary.ROLE_SCOPE_MENTOR)))


def _read_return_url(claims: Mapping[str, Any]) -> str:
    presentation = claims.get(vocabulary.LAUNCH_PRESENTATION)
    return _url(presentation, "return_url") if isinstance(presentation, dict) else ""


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; {} when it is absent, null, or the [] that PHP makes of an empty map."""
    value = members.get(name)
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise MalformedMessageError(f"{name} is not an object")
    return value


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    values: Iterable[object] = value if isinstance(value, list) else (value,)
    return tuple([one for one in values if isinstance(one, str)])


def _expanded(members: Mapping[str, Any], name: str) -> str:
    """A text, or "" if the platform left a variable such as `$Person.sourcedId` in its place."""
    value = _text(members, name)
    return "" if is_unexpanded(value) else value


def _url(members: Mapping[str, Any], name: str) -> str:
    """An absolute http(s) address, or "": anything else must never become a link or a request."""
    value = members.get(name)
    if not value or not isinstance(value, str):
        return ""
    value = value.strip()
    return value if is_web_url(value) else ""


def _id(members: Mapping[str, Any], name: str, shown: str) -> str:
    """An opaque id of at most 255 characters, "" if absent; a whole number counts as its digits."""
    value = members.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise MalformedMessageError(f"{shown} is not text")
    if value and len(value) > MAX_ID:
        raise MalformedMessageError(f"{shown} is longer than {MAX_ID} characters")
    return value or ""


def _require_id(members: Mapping[str, Any], name: str, shown: str) -> str:
    value = _require_text(members, name, shown)
    if len(value) > MAX_ID:
        raise MalformedMessageError(f"{shown} is longer than {MAX_ID} characters")
    return value


def _require_text(members: Mapping[str, Any], name: str, shown: str = "") -> str:
    value = members.get(name)
    if value is None or value == "":
        raise MissingParameterError(shown or name)
    if not isinstance(value, str):
        raise MalformedMessageError(f"{shown or name} is not text")
    return value
