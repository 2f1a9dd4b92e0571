"""Dynamic Registration 1.0: read what a platform says about itself, offer the tool, read what it was registered as.

The caller sends the requests. It must see to it that both addresses lead where requests may go: they come from
whoever opened the registration page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from ltikit import vocabulary
from ltikit.answers import load_json
from ltikit.canvas_placements import PRIVACY_LEVEL, Placement
from ltikit.errors import ForeignIssuerError, PlatformConfigurationError, RegistrationRefusedError
from ltikit.http import Request, Response
from ltikit.parameters import is_web_url
from ltikit.plain_text import clean_text, clean_title
from ltikit.services import read_words, shorten

MAX_DOCUMENT: Final = 256 * 1024
CLAIMS: Final = ("iss", "sub", "name", "given_name", "family_name", "email")
"""What the tool wants to know about people, in the words of OpenID Connect."""
CANVAS: Final = "https://canvas.instructure.com/lti/"
"""What Canvas's own members and placements begin with."""

_HOSTED: Final = MappingProxyType(
    {
        # All schools that Instructure hosts share an issuer and have a host of their own (C12).
        **dict.fromkeys(
            ("canvas.instructure.com", "canvas.beta.instructure.com", "canvas.test.instructure.com"),
            ("instructure.com", "canvaslms.com"),
        ),
        # Blackboard registers at its developer portal, for all schools (B7).
        "blackboard.com": ("blackboard.com", "anthology.com"),
    }
)
"""Issuers that are not the host of their configuration, with the domains in which that one lies."""

_BLACKBOARD_KEYS: Final = "/.well-known/jwks.json"
_MOODLE_AUTHENTICATION: Final = "/mod/lti/auth.php"


@dataclass(frozen=True, slots=True)
class PlatformConfiguration:
    """What a platform says about itself. Every address is absolute; empty texts and tuples stand for what is unsaid.

    `scopes` are those that it offers, None if it does not say. `messages` has the placements of each message type.
    `audience` is what assertions for access tokens have to name, "" for the token URL.
    """

    issuer: str
    authentication_url: str
    token_url: str
    keyset_url: str
    registration_url: str
    audience: str = ""
    scopes: tuple[str, ...] | None = None
    claims: tuple[str, ...] = ()
    family: str = ""
    version: str = ""
    messages: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    notice_types: tuple[str, ...] = ()

    @property
    def is_canvas(self) -> bool:
        """True for the family of Canvas, which is told what only Canvas knows."""
        return self.family.casefold() == "canvas"

    @property
    def is_blackboard(self) -> bool:
        """True for the family of Blackboard, which registers once for all schools."""
        return self.family.casefold().startswith("blackboard")

    def choose_scopes(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Those of `wanted` that are offered. `openid` is never asked for, though Canvas offers it (C26)."""
        return tuple(one for one in wanted if one != "openid" and (self.scopes is None or one in self.scopes))


@dataclass(frozen=True, slots=True)
class ToolDescription:
    """The tool, in its own words. Addresses are absolute and of one host, which becomes its domain."""

    title: str
    description: str
    login_url: str
    launch_url: str
    keyset_url: str
    deep_linking_url: str
    tool_id: str
    placements: tuple[Placement, ...] = ()
    """Where Canvas shows it; no other platform is told."""
    custom: Mapping[str, str] = field(default_factory=lambda: vocabulary.COURSE_VARIABLES)
    tool_url: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredTool:
    """What the platform made of it. `deployment_id` is "" where it is learnt from the first launch instead.

    `scopes` are those granted, in any number: Moodle grants more than was asked for.
    """

    client_id: str
    deployment_id: str
    scopes: tuple[str, ...]


def configuration_request(url: str, *, registration_token: str) -> Request:
    """Ask for the configuration; with the token if there is one, which Canvas wants to see even here."""
    return Request("GET", url, {"Accept": "application/json", **_bearer(registration_token)})


def parse_platform_configuration(response: Response, *, configuration_url: str) -> PlatformConfiguration:
    """Read the platform's OpenID configuration, which came from `configuration_url` (§3.4).

    The host of the issuer must be the one that was asked, or anybody could register in another platform's name. All
    addresses are https, unless the configuration itself came by http.
    Tolerated: blanks around names of members, a missing authorization endpoint (Moodle 3.10), messages as texts
    instead of objects, placements as one text, `LtiResourceLink` as a message type.
    Raises `PlatformConfigurationError`, or `ForeignIssuerError` for another host.
    """
    if not response.is_success:
        words = read_words(response)
        raise PlatformConfigurationError(f"HTTP {response.status}: {words}" if words else f"HTTP {response.status}")
    document = _read_document(response.body)
    if document is None:
        raise PlatformConfigurationError("the configuration is not a JSON object")
    own = _members(document.get(vocabulary.PLATFORM_CONFIGURATION))
    family, issuer = _text(own, "product_family_code"), _text(document, "issuer")
    _check_issuer(issuer, configuration_url)
    may_be_plain = urlsplit(configuration_url).scheme == "http"

    def read_address(name: str, fallback: str = "") -> str:
        address = _text(document, name) or fallback
        if not address:
            raise PlatformConfigurationError(f"{name} is missing")
        if not is_web_url(address) or (not may_be_plain and not address.startswith("https://")):
            raise PlatformConfigurationError(f"{name} is not an https address")
        return address

    fallback = issuer.rstrip("/") + _MOODLE_AUTHENTICATION if family.casefold() == "moodle" else ""
    return PlatformConfiguration(
        issuer=issuer,
        authentication_url=read_address("authorization_endpoint", fallback),
        token_url=read_address("token_endpoint"),
        keyset_url=read_address("jwks_uri"),
        registration_url=read_address("registration_endpoint"),
        audience=_text(document, "authorization_server")[:2000],
        scopes=_texts(document["scopes_supported"]) if "scopes_supported" in document else None,
        claims=_texts(document.get("claims_supported")),
        family=family[:60],
        version=_text(own, "version")[:100],
        messages=_read_messages(own.get("messages_supported")),
        notice_types=_texts(own.get("notice_types_supported")),
    )


def build_registration(
    tool: ToolDescription, configuration: PlatformConfiguration, *, scopes: Iterable[str]
) -> dict[str, Any]:
    """The document by which the tool asks to be registered (§3.5): of `scopes` only what is offered, and Canvas's own
    members for Canvas alone."""
    claims = [one for one in CLAIMS if one in ("iss", "sub", *configuration.claims) or not configuration.claims]
    own: dict[str, Any] = {
        # Moodle compares it with the host of the target.
        "domain": urlsplit(tool.launch_url).netloc,
        "target_link_uri": tool.launch_url,
        "description": clean_text(tool.description),
        "custom_parameters": dict(tool.custom),
        "claims": claims,
        "messages": _build_messages(tool, configuration),
    }
    if configuration.is_canvas:
        own |= {CANVAS + "privacy_level": PRIVACY_LEVEL, CANVAS + "tool_id": tool.tool_id}
        own["custom_parameters"] = {**vocabulary.CANVAS_VARIABLES, **tool.custom}
    document: dict[str, Any] = {
        "application_type": "web",
        "grant_types": ["client_credentials", "implicit"],
        "response_types": ["id_token"],
        "redirect_uris": [tool.launch_url],
        "initiate_login_uri": tool.login_url,
        "client_name": clean_title(tool.title),
        "jwks_uri": tool.keyset_url,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(configuration.choose_scopes(scopes)),
        vocabulary.TOOL_CONFIGURATION: own,
    }
    if tool.tool_url:
        document["client_uri"] = tool.tool_url
    return document


def registration_request(
    configuration: PlatformConfiguration, document: Mapping[str, Any], *, registration_token: str
) -> Request:
    """Ask for the registration. The answer goes to `parse_registration_response`."""
    headers = {"Content-Type": "application/json", "Accept": "application/json", **_bearer(registration_token)}
    body = json.dumps(document, ensure_ascii=False).encode()
    return Request("POST", configuration.registration_url, headers, body)


def parse_registration_response(response: Response, *, requested: Iterable[str]) -> RegisteredTool:
    """Read what the platform answered. An answer that names no scopes granted what was asked for.

    Raises `RegistrationRefusedError` with the platform's own words.
    """
    document = _read_document(response.body)
    if not response.is_success:
        words = _read_refusal(document) or read_words(response)
        raise RegistrationRefusedError(f"HTTP {response.status}: {words}" if words else f"HTTP {response.status}")
    if document is None:
        raise RegistrationRefusedError("the answer is not a JSON object")
    client_id = _read_id(document, "client_id")
    if not client_id:
        raise RegistrationRefusedError("the answer names no client_id")
    own = _members(document.get(vocabulary.TOOL_CONFIGURATION))
    scope = document.get("scope")
    granted = _texts(scope.split() if isinstance(scope, str) else scope)
    return RegisteredTool(client_id, _read_id(own, "deployment_id"), granted or tuple(requested))


def choose_keyset_url(configuration: PlatformConfiguration, client_id: str) -> str:
    """Where the platform publishes its keys: for the portal of Blackboard an address of each application's own, though
    its configuration names another one."""
    parts = urlsplit(configuration.keyset_url)
    host = parts.hostname or ""
    is_portal = configuration.is_blackboard and _is_within(host, _HOSTED["blackboard.com"])
    if is_portal and parts.path == _BLACKBOARD_KEYS:
        return f"{parts.scheme}://{parts.netloc}/api/v1/management/applications/{client_id}/jwks.json"
    return configuration.keyset_url


def _check_issuer(issuer: str, configuration_url: str) -> None:
    if not is_web_url(issuer):
        raise PlatformConfigurationError("issuer is missing or no address")
    issuing, asked = ((urlsplit(url).hostname or "").casefold() for url in (issuer, configuration_url))
    if issuing != asked and not _is_within(asked, _HOSTED.get(issuing, ())):
        raise ForeignIssuerError(f"{asked} speaks for the issuer {issuer[:200]}")


def _is_within(host: str, domains: Iterable[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _build_messages(tool: ToolDescription, configuration: PlatformConfiguration) -> list[dict[str, Any]]:
    if configuration.is_canvas and tool.placements:
        return [_build_canvas_message(placement, configuration) for placement in tool.placements]
    label = clean_title(tool.title)
    selection: dict[str, Any] = {
        "type": vocabulary.DEEP_LINKING_REQUEST,
        "target_link_uri": tool.deep_linking_url,
        "label": label,
    }
    if placements := configuration.messages.get(vocabulary.DEEP_LINKING_REQUEST):
        selection["placements"] = [one for one in placements if one in ("ContentArea", "RichTextEditor")] or placements
    return [
        {"type": vocabulary.RESOURCE_LINK_REQUEST, "target_link_uri": tool.launch_url, "label": label},
        selection,
    ]


def _build_canvas_message(placement: Placement, configuration: PlatformConfiguration) -> dict[str, Any]:
    kind = vocabulary.DEEP_LINKING_REQUEST if placement.is_selecting else vocabulary.RESOURCE_LINK_REQUEST
    is_short = placement.name in configuration.messages.get(kind, ())
    message: dict[str, Any] = {
        "type": kind,
        "target_link_uri": placement.url,
        "label": clean_title(placement.text),
        "placements": [placement.name if is_short else CANVAS + placement.name],
    }
    if placement.icon_url:
        message["icon_uri"] = placement.icon_url
    if placement.visibility:
        message[CANVAS + "visibility"] = placement.visibility
    if not placement.is_selecting:
        message[f"{CANVAS}{placement.name}/default_enabled"] = placement.is_enabled
    return message


def _read_messages(value: object) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in value if isinstance(value, list) else ():
        members = {"type": one} if isinstance(one, str) else _members(one)
        kind = _text(members, "type")
        if kind == "LtiResourceLink":
            kind = vocabulary.RESOURCE_LINK_REQUEST
        if kind:
            found[kind] = (*found.get(kind, ()), *_texts(members.get("placements")))
    return MappingProxyType(found)


def _read_refusal(document: Mapping[str, Any] | None) -> str:
    """The reason in an answer of a known shape: OAuth's, or Canvas's list of errors."""
    if document is None:
        return ""
    words = [_text(document, name) for name in ("error", "error_description", "message")]
    errors = document.get("errors")
    for one in errors if isinstance(errors, list) else (errors,):
        words.append(one if isinstance(one, str) else _text(_members(one), "message"))
    return shorten(": ".join(filter(None, words)))


def _bearer(token: str) -> dict[str, str]:
    is_usable = bool(token) and token.isascii() and token.isprintable() and " " not in token
    return {"Authorization": f"Bearer {token}"} if is_usable else {}


def _read_document(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a body, whatever it is labelled (Moodle labels JSON as text/html); None if there is none."""
    if len(body) > MAX_DOCUMENT:
        return None
    try:
        document = load_json(body)
    except (ValueError, RecursionError):
        return None
    return _members(document) if isinstance(document, dict) else None


def _members(value: object) -> dict[str, Any]:
    """The members of an object, names without blanks around them; {} for anything else."""
    return {name.strip(): member for name, member in value.items()} if isinstance(value, dict) else {}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value.strip() if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(dict.fromkeys(one.strip() for one in values if isinstance(one, str) and one.strip()))


def _read_id(members: Mapping[str, Any], name: str) -> str:
    """An id as text; "" if there is none, or one that nobody could send back."""
    value = members.get(name)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > 255 or not text.isprintable():
        return ""
    return text.strip()
