"""Dynamic registration: a tool is added by the one address that it gives, and describes itself.

An *offer* is one try. The tool's address is opened with where our configuration is and, mostly, a token; the tool asks
to be registered, and waits until an administrator activates it where the profile says so.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from practice_lms.installation import Addresses, list_addresses, need_setting
from practice_lms.profiles import Profile, check_profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import ALL_SCOPES, SCOPE_NOTICES, SCOPE_ROSTER, Tool, check_address, save_tool

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CANVAS = "https://canvas.instructure.com/lti/"
OFFER_LIFETIME = 3600
CANVAS_PLACEMENTS = ("link_selection", "assignment_selection", "editor_button")
PLACES = {
    "ContentArea": "link_selection",
    "RichTextEditor": "editor_button",
    **{name: name for name in (*CANVAS_PLACEMENTS, "course_navigation")},
}
"""What platforms call the places of a tool, and what they are called here."""


@dataclass(frozen=True)
class Offer:
    """One registration by address. `id` is in the configuration's address, the token is the tool's permission."""

    id: str
    token: str
    tool_url: str
    profile: str
    is_old: bool
    created_at: float
    tool_id: str
    received: Mapping[str, Any]

    @property
    def state(self) -> str:
        """`waiting` or `registered`."""
        return "registered" if self.tool_id else "waiting"


def begin_registration(
    db: sqlite3.Connection, tool_url: str, *, profile: str = "", is_old: bool = False, now: float
) -> Offer:
    """Offer a tool to be registered. `is_old` describes us as a Moodle of 2020 did."""
    check_address("registration URL", tool_url)
    offer = Offer(
        id=secrets.token_hex(8),
        token=secrets.token_urlsafe(32),
        tool_url=tool_url,
        profile=check_profile(profile),
        is_old=is_old,
        created_at=now,
        tool_id="",
        received={},
    )
    db.execute(
        "INSERT INTO offer (id, token, tool_url, profile, is_old, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (offer.id, offer.token, offer.tool_url, offer.profile, int(is_old), now),
    )
    return offer


def find_offer(db: sqlite3.Connection, offer_id: str) -> Offer:
    """The offer with this id, or a refusal."""
    row = db.execute("SELECT * FROM offer WHERE id = ?", (offer_id,)).fetchone()
    if row is None:
        raise RefusedError("There is no such registration.", 404)
    return Offer(
        id=row["id"],
        token=row["token"],
        tool_url=row["tool_url"],
        profile=row["profile"],
        is_old=bool(row["is_old"]),
        created_at=row["created_at"],
        tool_id=row["tool_id"],
        received=json.loads(row["received"]),
    )


def build_opening_url(db: sqlite3.Connection, offer: Offer) -> str:
    """What the administrator's browser opens. A Brightspace sends no token (D8); a Blackboard puts it elsewhere."""
    profile = choose_profile(db, offer.profile)
    here = list_addresses(need_setting(db, "public_url"))
    query = {"openid_configuration": f"{here.openid_configuration_url}?{urlencode({'offer': offer.id})}"}
    if not profile.has("D8") and profile.name != "blackboard":
        query["registration_token"] = offer.token
    mark = "&" if urlsplit(offer.tool_url).query else "?"
    return f"{offer.tool_url}{mark}{urlencode(query)}"


def describe_platform(db: sqlite3.Connection, offer: Offer | None, authorization: str) -> dict[str, Any]:
    """The OpenID configuration, as the profile of the offer has it."""
    profile = choose_profile(db, offer.profile if offer else "")
    here = list_addresses(need_setting(db, "public_url"))
    if offer is not None and profile.name == "canvas":
        _check_token(offer, authorization)
    notices = [SCOPE_NOTICES] if profile.name == "canvas" else []
    own: dict[str, Any] = {
        "product_family_code": profile.family_code,
        "version": profile.version,
        "messages_supported": _list_messages(profile),
        "variables": ["CourseOffering.sourcedId", "CourseSection.sourcedId", "Context.id.history"],
    }
    document: dict[str, Any] = {
        "issuer": here.issuer,
        "authorization_endpoint": here.auth_url,
        "token_endpoint": here.token_url,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "jwks_uri": here.keyset_url,
        "registration_endpoint": _make_endpoint(here, offer, profile),
        "scopes_supported": ["openid", *ALL_SCOPES, SCOPE_ROSTER, *notices],
        "response_types_supported": ["id_token"],
        "response_modes_supported": ["form_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
        PLATFORM: own,
    }
    if profile.has("D1"):
        document["authorization_server"] = "https://api.brightspace.com/auth/token"
    if offer is not None and offer.is_old:
        own["messages_supported"] = ["LtiResourceLink", {"type": "LtiDeepLinkingRequest", "placements": "ContentArea"}]
        document[f"{PLATFORM} "] = document.pop(PLATFORM)
    return document


def take_registration(
    db: sqlite3.Connection, offer: Offer, authorization: str, document: Mapping[str, Any], *, now: float
) -> dict[str, Any]:
    """Register the tool that describes itself by `document`, and answer with what it was made."""
    profile = choose_profile(db, offer.profile)
    if not profile.has("D8") and profile.name != "blackboard":
        _check_token(offer, authorization)
    if offer.tool_id or now - offer.created_at > OFFER_LIFETIME:
        # M11: a token is good for one registration, within the hour.
        raise RefusedError("The registration token was used, or has expired.", 401, "invalid_token")
    own = _check_document(profile, document)
    asked = str(document.get("scope") or "").split()
    tool = save_tool(db, _build_values(profile, offer, document, own, asked))
    db.execute("UPDATE offer SET tool_id = ?, received = ? WHERE id = ?", (tool.id, json.dumps(document), offer.id))
    return _build_answer(profile, document, own, tool)


def _check_token(offer: Offer, authorization: str) -> None:
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not secrets.compare_digest(token.strip().encode(), offer.token.encode()):
        raise RefusedError("The registration token is missing or wrong.", 401, "invalid_token")


def _make_endpoint(here: Addresses, offer: Offer | None, profile: Profile) -> str:
    """Where tools register. A Blackboard puts the token into this address."""
    query = {"offer": offer.id} if offer else {}
    if offer is not None and profile.name == "blackboard":
        query["registrationToken"] = offer.token
    return f"{here.issuer}/lti/registrations" + (f"?{urlencode(query)}" if query else "")


def _list_messages(profile: Profile) -> list[dict[str, Any]]:
    if profile.name == "canvas":
        selecting = [CANVAS + name for name in CANVAS_PLACEMENTS]
        return [
            {"type": "LtiResourceLinkRequest", "placements": [CANVAS + "course_navigation"]},
            {"type": "LtiDeepLinkingRequest", "placements": selecting},
        ]
    return [
        {"type": "LtiResourceLinkRequest"},
        {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
    ]


def _check_document(profile: Profile, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a Moodle insists on, and every platform needs; the tool's own part is returned."""
    own = document.get(TOOL)
    if not isinstance(own, Mapping):
        raise RefusedError("The tool configuration is missing.", 400, "invalid_client_metadata")
    for name, members in (("initiate_login_uri", document), ("jwks_uri", document), ("target_link_uri", own)):
        check_address(name, str(members.get(name) or ""))
    urls = document.get("redirect_uris")
    if not isinstance(urls, list) or not urls:
        raise RefusedError("redirect_uris is missing.", 400, "invalid_redirect_uri")
    domain = str(own.get("domain") or "").removeprefix("www.")
    if not domain or domain != urlsplit(str(own["target_link_uri"])).netloc.removeprefix("www."):
        raise RefusedError("domain is missing, or not that of target_link_uri.", 400, "invalid_client_metadata")
    expected: tuple[tuple[str, object], ...] = (
        ("application_type", "web"),
        ("response_types", ["id_token"]),
        ("token_endpoint_auth_method", "private_key_jwt"),
    )
    for name, value in expected:
        if document.get(name) != value:
            raise RefusedError(f"{name} must be {value}.", 400, "invalid_client_metadata")
    if set(document.get("grant_types") or ()) != {"client_credentials", "implicit"}:
        raise RefusedError("grant_types must be client_credentials and implicit.", 400, "invalid_client_metadata")
    if profile.has("C26") and "openid" in str(document.get("scope") or "").split():
        raise RefusedError("scopes cannot contain openid", 422, "canvas")
    return own


def _build_values(
    profile: Profile, offer: Offer, document: Mapping[str, Any], own: Mapping[str, Any], asked: list[str]
) -> dict[str, Any]:
    # A Moodle gives the right to read columns with the right to write scores.
    scopes = list(ALL_SCOPES) if profile.name == "moodle" and ALL_SCOPES[3] in asked else asked
    return {
        "title": document.get("client_name"),
        "version": "1.3",
        "launch_url": own["target_link_uri"],
        "login_url": document["initiate_login_uri"],
        "redirect_urls": document["redirect_uris"],
        "keyset_url": document["jwks_uri"],
        "scopes": [scope for scope in scopes if scope in ALL_SCOPES],
        "custom": own.get("custom_parameters") or {},
        "placements": _read_placements(own),
        "options": {
            "shares_roster": SCOPE_ROSTER in asked,
            "sends_notices": SCOPE_NOTICES in asked and profile.name == "canvas",
            "privacy": _read_privacy(profile, own),
        },
        "profile": offer.profile,
        "origin": "registration",
        "state": "pending" if profile.has("M16") else "active",
    }


def _read_placements(own: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for message in own.get("messages") or ():
        if not isinstance(message, Mapping):
            continue
        named = [PLACES.get(str(one).removeprefix(CANVAS), "") for one in message.get("placements") or ()]
        if message.get("type") == "LtiDeepLinkingRequest" and not named:
            named = ["link_selection"]
        found |= {name: str(message.get("target_link_uri") or "") for name in named if name}
    return found


def _read_privacy(profile: Profile, own: Mapping[str, Any]) -> str:
    """A Canvas tells a tool nothing about people unless it asked in Canvas's own words (C28)."""
    if profile.name != "canvas":
        return "public"
    return str(own.get(CANVAS + "privacy_level") or "anonymous")


def _build_answer(profile: Profile, document: Mapping[str, Any], own: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    answered = {**own, "version": "1.3.0"}
    if not profile.has("B7"):
        answered["deployment_id"] = tool.deployment_id
    return {**document, "client_id": tool.client_id, "scope": " ".join(tool.granted_scopes), TOOL: answered}
