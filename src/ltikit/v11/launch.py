"""Launch messages of LTI 1.0, 1.1 and 1.2: a signed form becomes a `Launch` or one named error."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit

from ltikit.errors import (
    ExpiredError,
    LtiError,
    MalformedMessageError,
    MissingParameterError,
    MissingResourceLinkError,
    UnsupportedMessageError,
    UnsupportedVersionError,
)
from ltikit.launch import Context, Launch, Message, Outcomes, Person, PlatformInfo, ResourceLink, Roster, RosterKind
from ltikit.parameters import (
    is_custom,
    is_unexpanded,
    is_web_url,
    normalise_parameters,
    read_url_parameters,
    single,
)
from ltikit.roles import is_test_user, split_roles, strongest_role
from ltikit.v11.oauth1 import Pairs, verify_form_signature

MAX_KEY = 255
"""Characters of a consumer key or a nonce."""

MAX_ID = 255
"""Characters of every id that a platform gives, as in LTI 1.3 (core §5.3)."""

MAX_SKEW = 300
"""Seconds that `oauth_timestamp` may lie in the past or in the future."""

UNKNOWN_SECRET = secrets.token_urlsafe(32)
"""A secret that nobody knows, for verifying a launch with an unknown key.

The answer then takes as long as for a known key with a wrong secret, so that nobody can probe for keys.
"""

_MESSAGES = MappingProxyType(
    {"basic-lti-launch-request": Message.RESOURCE_LINK, "ContentItemSelectionRequest": Message.DEEP_LINKING}
)
RESULT_DATA = ("url", "text", "ltiLaunchUrl")
"""Kinds of result data that Canvas names (`ext_outcome_data_values_accepted`)."""

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_SEPARATORS = re.compile(r"[^a-z0-9]")
# Under these custom parameters Moodle, Canvas and tools' own settings name the LIS Membership Service.
_LIS_MEMBERSHIPS = ("contextmembershipsurl", "toolproxybindingmembershipsurl", "membershipsurl")


def looks_like_launch(form: Pairs) -> bool:
    """True if a form posted to a launch address is an LTI 1.x message, good or bad, and not one of LTI 1.3."""
    names = {name for name, _ in form}
    return "id_token" not in names and not names.isdisjoint({"lti_message_type", "oauth_consumer_key"})


def consumer_key_of(form: Pairs) -> str:
    """The consumer key, by which the caller finds the secret. Unproven until the signature is verified.

    Raises `MissingParameterError` for an unsigned launch and `MalformedMessageError` for several or over-long keys.
    """
    keys = [value for name, value in form if name == "oauth_consumer_key"]
    if not keys or not keys[0].strip():
        raise MissingParameterError("oauth_consumer_key is missing: the LMS has no key for this tool")
    if len(keys) > 1 or len(keys[0]) > MAX_KEY:
        raise MalformedMessageError("oauth_consumer_key was sent twice or is too long")
    return keys[0]


def verify_launch(form: Pairs, *, url: str, secret: str, now: datetime) -> Launch:
    """The launch that the form means, verified (LTI 1.1 §3 to §5, RFC 5849 §3.2).

    `form` is the whole body from `parse_form`; `url` the absolute public address it was posted to, with its
    query, made from the configured public address and not from headers; `secret` belongs to the consumer key
    (`UNKNOWN_SECRET` if there is none); `now` is aware. The caller must still see to it that
    (consumer key, nonce) is used only once within twice the time window of 300 seconds.

    Checked in this order: structure, signature, timestamp, meaning. From a good signature on, a raised error
    carries the way back to the LMS as `return_url`.

    Raises `MissingParameterError` (`MissingResourceLinkError` for the link id), `MalformedMessageError`,
    `UnsupportedAlgorithmError`, `BadSignatureError`, `ExpiredError`, `UnsupportedVersionError` and
    `UnsupportedMessageError`.
    """
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    consumer_key = consumer_key_of(form)
    nonce = _read_nonce(form)
    verify_form_signature(form, url=url, secret=secret)

    fields = _Fields(form)
    return_url = fields.web_url("launch_presentation_return_url")
    try:
        issued_at = _check_timestamp(fields.text("oauth_timestamp"), now)
        message = _read_message(fields)
        return _build_launch(fields, message, url=url, consumer_key=consumer_key, nonce=nonce, issued_at=issued_at)
    except LtiError as error:
        error.return_url = return_url
        raise


class _Fields:
    """The fields of a correctly signed form by name; a name of LTI has one value (LTI 1.1 §3)."""

    def __init__(self, form: Pairs) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in form:
            self._values[name].append(value)
        self.form = form

    def exact(self, name: str) -> str:
        """The value as sent, "" if absent; two different values for one name are refused."""
        values = self._values.get(name)
        if values is None:
            return ""
        if len(values) > 1 and len(set(values)) > 1:
            raise MalformedMessageError(f"{name} was sent twice with different values")
        return values[0]

    def text(self, name: str) -> str:
        """The value without blanks around it; "" if absent or an unexpanded `$Variable`."""
        value = self.exact(name).strip()
        return "" if value[:1] == "$" and is_unexpanded(value) else value

    def id(self, name: str) -> str:
        """An id of the platform: the text, refused when it is longer than any id may be."""
        value = self.text(name)
        if len(value) > MAX_ID:
            raise MalformedMessageError(f"{name} is longer than {MAX_ID} characters")
        return value

    def web_url(self, name: str) -> str:
        """The value if it is an absolute http(s) URL, else ""."""
        values = self._values.get(name, [])
        return values[0].strip() if values and is_web_url(values[0].strip()) else ""

    def entries(self, name: str) -> tuple[str, ...]:
        """The entries of a comma-separated value."""
        return split_roles(self.text(name))

    def as_mapping(self) -> Mapping[str, Any]:
        """Text by name; a tuple of texts where a name was repeated."""
        return MappingProxyType(
            {name: values[0] if len(values) == 1 else tuple(values) for name, values in self._values.items()}
        )


def _read_nonce(form: Pairs) -> str:
    nonces = [value for name, value in form if name == "oauth_nonce"]
    if not nonces or not nonces[0]:
        raise MissingParameterError("oauth_nonce is missing")
    if len(nonces) > 1 or len(nonces[0]) > MAX_KEY:
        raise MalformedMessageError("oauth_nonce was sent twice or is too long")
    return nonces[0]


def _check_timestamp(text: str, now: datetime) -> datetime:
    """The signed time, at most `MAX_SKEW` seconds away on either side (RFC 5849 §3.3)."""
    if not re.fullmatch(r"[0-9]{1,11}", text):
        raise ExpiredError("oauth_timestamp is missing or not a number of seconds")
    issued_at = datetime.fromtimestamp(int(text), UTC)
    age = (now - issued_at).total_seconds()
    if abs(age) > MAX_SKEW:
        side = "behind" if age > 0 else "ahead of"
        raise ExpiredError(f"the time of the launch is {abs(age):.0f} s {side} ours, more than {MAX_SKEW} s")
    return issued_at


def _read_message(fields: _Fields) -> Message:
    """Which message this is, its version and required parameters checked (LTI 1.1 §3)."""
    version = fields.text("lti_version")
    if not version:
        raise MissingParameterError("lti_version is missing")
    if version == "LTI-2p0":
        raise UnsupportedVersionError("lti_version is LTI-2p0: LTI 2.0 was withdrawn, use LTI 1.1 or LTI 1.3")
    if version != "LTI-1p0":
        raise UnsupportedVersionError(f"lti_version is {version[:40]!r}, not LTI-1p0")
    message_type = fields.text("lti_message_type")
    if not message_type:
        raise MissingParameterError("lti_message_type is missing")
    message = _MESSAGES.get(message_type)
    if message is None:
        raise UnsupportedMessageError(f"lti_message_type is {message_type[:60]!r}")
    if message is Message.RESOURCE_LINK and not fields.text("resource_link_id") and not _asks_for_selection(fields):
        raise MissingResourceLinkError("resource_link_id is missing")
    if message is Message.DEEP_LINKING and not fields.web_url("content_item_return_url"):
        raise MissingParameterError("content_item_return_url is missing or not a web address")
    return message


def _asks_for_selection(fields: _Fields) -> bool:
    """True for Canvas's older way to have a link chosen: no link is there yet (see `read_canvas_selection`)."""
    return bool(fields.text("ext_content_return_types") or fields.text("selection_directive"))


def _build_launch(
    fields: _Fields, message: Message, *, url: str, consumer_key: str, nonce: str, issued_at: datetime
) -> Launch:
    roles = fields.entries("roles") or fields.entries("ext_roles")
    custom_lists = _read_custom(fields.form, url)
    custom = single(custom_lists)
    return Launch(
        version="1.1",
        message=message,
        issuer="",
        client_id="",
        consumer_key=consumer_key,
        deployment_id="",
        person=_read_person(fields, roles),
        role=strongest_role(roles),
        roles=roles,
        nonce=nonce,
        issued_at=issued_at,
        context=_read_context(fields),
        resource_link=_read_resource_link(fields),
        target_link_uri=url,
        custom=MappingProxyType(custom),
        custom_lists=MappingProxyType(custom_lists),
        outcomes=_read_outcomes(fields),
        roster=_read_roster(fields, custom),
        platform=PlatformInfo(
            guid=fields.text("tool_consumer_instance_guid"),
            name=fields.text("tool_consumer_instance_name"),
            family=fields.text("tool_consumer_info_product_family_code"),
            version=fields.text("tool_consumer_info_version"),
        ),
        mentor_for=tuple(unquote(person) for person in fields.entries("role_scope_mentor")),
        return_url=fields.web_url("launch_presentation_return_url"),
        document_target=fields.text("launch_presentation_document_target"),
        locale=fields.text("launch_presentation_locale"),
        raw=fields.as_mapping(),
    )


def _read_custom(form: Pairs, url: str) -> dict[str, tuple[str, ...]]:
    """Custom parameters of the form and of the launch URL, which is signed as well."""
    return normalise_parameters([*(pair for pair in form if is_custom(pair[0])), *read_url_parameters(url)])


def _read_person(fields: _Fields, roles: tuple[str, ...]) -> Person:
    return Person(
        user_id=fields.id("user_id") or None,
        name=_decode_name(fields.text("lis_person_name_full")),
        given_name=_decode_name(fields.text("lis_person_name_given")),
        family_name=_decode_name(fields.text("lis_person_name_family")),
        email=fields.text("lis_person_contact_email_primary"),
        sourcedid=fields.text("lis_person_sourcedid"),
        is_test_user=is_test_user(roles),
    )


def _read_context(fields: _Fields) -> Context | None:
    context_id = fields.id("context_id")
    if not context_id:
        return None
    return Context(
        id=context_id,
        title=fields.text("context_title"),
        label=fields.text("context_label"),
        types=fields.entries("context_type"),
        offering_sourcedid=fields.text("lis_course_offering_sourcedid"),
        section_sourcedid=fields.text("lis_course_section_sourcedid"),
    )


def _read_resource_link(fields: _Fields) -> ResourceLink | None:
    link_id = fields.id("resource_link_id")
    if not link_id:
        return None
    return ResourceLink(
        id=link_id,
        title=fields.text("resource_link_title"),
        description=fields.text("resource_link_description"),
    )


def _read_outcomes(fields: _Fields) -> Outcomes | None:
    """Where this person's grade goes. Teachers and some platforms give a URL without a sourcedid (LTI 1.1 §6)."""
    service_url = fields.web_url("lis_outcome_service_url")
    if not service_url:
        return None
    sourcedid = fields.exact("lis_result_sourcedid")  # opaque: sent back exactly as it came
    return Outcomes(
        url=service_url,
        sourcedid="" if is_unexpanded(sourcedid) else sourcedid,
        accepts=frozenset(_list_accepted(fields)),
    )


def _list_accepted(fields: _Fields) -> Iterator[str]:
    """What Canvas takes with a score, besides the score."""
    yield from (value for value in fields.entries("ext_outcome_data_values_accepted") if value in RESULT_DATA)
    for name in ("total_score", "submitted_at"):
        place = "result" if name == "total_score" else "submission"
        if fields.text(f"ext_outcome_{place}_{name}_accepted").lower() == "true":
            yield name


def _read_roster(fields: _Fields, custom: Mapping[str, str]) -> Roster | None:
    """The best of the services that list members: NRPS 2.0, then LIS Membership Service, then the older XML one.

    Whoever edits a link can write custom parameters, so an address among them counts only on a host that the platform
    itself named: nobody else may say who is in a course.
    """
    own = (fields.web_url(name) for name in ("lis_outcome_service_url", "launch_presentation_return_url"))
    hosts = {urlsplit(address).netloc.lower() for address in own if address}
    named = {
        _SEPARATORS.sub("", name): value
        for name, value in custom.items()
        if is_web_url(value) and urlsplit(value).netloc.lower() in hosts
    }
    if url := named.get("contextmembershipsv2url"):
        return Roster(url=url, versions=("2.0",))
    for name in _LIS_MEMBERSHIPS:
        if url := named.get(name):
            return Roster(url=url, versions=("1.0",), kind=RosterKind.LIS)
    url, membership_id = fields.web_url("ext_ims_lis_memberships_url"), fields.exact("ext_ims_lis_memberships_id")
    if url and membership_id and not is_unexpanded(membership_id):
        return Roster(url=url, kind=RosterKind.POX, id=membership_id)
    return None


def _decode_name(name: str) -> str:
    """The name as people write it: Open edX sends names URL-encoded (xblock-lti-consumer#176, #248).

    A name with a blank is not encoded. One with percent escapes is, if they are UTF-8; one with a plus sign
    is too, unless it is an e-mail address, which some platforms send for want of a name.
    """
    if any(character.isspace() for character in name) or "@" in name:
        return name
    if not _ESCAPE.search(name) and "+" not in name:
        return name
    try:
        return unquote_plus(name, errors="strict").replace("\0", "").strip()
    except UnicodeDecodeError:
        return name
