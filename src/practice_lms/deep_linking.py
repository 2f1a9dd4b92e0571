"""Deep Linking 2.0: the request's claims, and the strict reading of the tool's answer."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from practice_lms.refusals import RefusedError
from practice_lms.scene import LaunchScene
from practice_lms.selections import Answer, ChosenItem, ChosenLineItem, Selection
from practice_lms.tools import Tool

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/"
TARGETS = ("iframe", "window", "embed")
CLOCK_LEEWAY = 10
LONGEST_ANSWER = 3600
REPEATS = "?modal=true"
"""Part of the return address, which has to be used exactly as it was given."""


def make_return_url(scene: LaunchScene, selection: Selection) -> str:
    """Where the tool posts its answer."""
    return f"{scene.addresses.issuer}/lti/selections/{selection.id}/links{REPEATS}"


def build_selection_claims(scene: LaunchScene, selection: Selection) -> dict[str, Any]:
    """What makes a launch a deep linking request."""
    settings: dict[str, Any] = {
        "deep_link_return_url": make_return_url(scene, selection),
        "accept_types": list(selection.accept_types),
        "accept_presentation_document_targets": list(TARGETS),
        "accept_multiple": selection.accept_multiple,
        "auto_create": True,
        "title": str(selection.wish["title"]),
        "text": "",
        "data": selection.data,
    }
    if selection.wish["accept_lineitem"] is not None:
        settings["accept_lineitem"] = bool(selection.wish["accept_lineitem"])
    if "file" in selection.accept_types:
        settings["accept_media_types"] = "image/*,text/html"
    return {f"{CLAIM}message_type": "LtiDeepLinkingRequest", f"{LINKING}deep_linking_settings": settings}


def read_key_id(form: Mapping[str, str]) -> str:
    """The kid of the answer's JWT, before anything is verified."""
    if set(form) != {"JWT"}:
        raise RefusedError("The answer is a form with the one field JWT.")
    try:
        header = json.loads(_decode(form["JWT"].split(".")[0]))
        kid, algorithm = header.get("kid"), header.get("alg")
    except (ValueError, AttributeError):
        raise RefusedError("The field JWT holds no JWT.") from None
    if not isinstance(kid, str) or not kid:
        raise RefusedError("The JWT's header lacks a kid.", 401)
    if algorithm != "RS256":
        raise RefusedError(f"The JWT must be signed with RS256, not {algorithm!r}.", 401)
    return kid


def verify_answer(
    token: str, kid: str, keyset: Mapping[str, Any], *, tool: Tool, issuer: str, deployment_id: str, now: float
) -> dict[str, Any]:
    """The claims of an answer that this tool signed for us, a moment ago. Its nonce is not yet used up."""
    try:
        keys = [key for key in KeySet.import_key_set({"keys": list(keyset["keys"])}).keys if key.kid == kid]
    except (KeyError, TypeError, ValueError, JoseError):
        raise RefusedError("The tool's keyset cannot be read.", 401) from None
    if not keys:
        raise RefusedError("The tool's keyset has no key with the kid of the answer.", 401)
    try:
        claims = dict(jwt.decode(token, keys[0], algorithms=["RS256"]).claims)
    except (JoseError, ValueError):
        raise RefusedError("The signature of the answer is not valid.", 401) from None
    if claims.get("iss") != tool.client_id:
        raise RefusedError("iss must be the client_id.", 401)
    audience = claims.get("aud")
    if audience not in (issuer, [issuer]):
        raise RefusedError(f"aud must be {issuer} and nobody else.", 401)
    if claims.get("azp") not in (None, issuer):
        raise RefusedError("azp must be what aud says.", 401)
    for name in ("iat", "exp"):
        if isinstance(claims.get(name), bool) or not isinstance(claims.get(name), int | float):
            raise RefusedError(f"{name} must be a number.", 401)
    if claims["exp"] <= now - CLOCK_LEEWAY or claims["exp"] - claims["iat"] > LONGEST_ANSWER:
        raise RefusedError("The answer has expired, or lives longer than an hour.", 401)
    if claims["iat"] > now + CLOCK_LEEWAY:
        raise RefusedError("iat lies in the future.", 401)
    if not isinstance(claims.get("nonce"), str) or not claims["nonce"]:
        raise RefusedError("nonce is missing (D4).", 401)
    for name, expected in (
        ("message_type", "LtiDeepLinkingResponse"),
        ("version", "1.3.0"),
        ("deployment_id", deployment_id),
    ):
        if claims.get(CLAIM + name) != expected:
            raise RefusedError(f"{name} must be {expected!r}.", 401)
    return claims


def read_answer(claims: Mapping[str, Any], selection: Selection) -> Answer:
    """The items of a verified answer, each of a kind that was asked for and complete."""
    if claims.get(f"{LINKING}data") != selection.data:
        raise RefusedError("data did not come back exactly as it was sent (D4).")
    texts = {}
    for name in ("msg", "log", "errormsg", "errorlog"):
        texts[name] = claims.get(LINKING + name, "")
        if not isinstance(texts[name], str):
            raise RefusedError(f"{name} must be text.")
    items = claims.get(f"{LINKING}content_items", [])
    if not isinstance(items, list):
        raise RefusedError("content_items must be a list.")
    links, others = [], []
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind not in selection.accept_types:
            raise RefusedError(f"An item of the type {kind!r} was not asked for.")
        if kind == "ltiResourceLink":
            links.append(_read_link(item))
        else:
            others.append(item)
    return Answer(tuple(links), tuple(others), texts["msg"], texts["errormsg"])


def read_text(item: Mapping[str, Any], name: str) -> str:
    """A member that is text, or nothing."""
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedError(f"{name} must be text.")
    return value or ""


def read_custom(item: Mapping[str, Any]) -> dict[str, str]:
    """The custom parameters of an item: text by name."""
    custom = item.get("custom")
    if custom is None:
        return {}
    if not isinstance(custom, dict) or not all(isinstance(value, str) for value in custom.values()):
        raise RefusedError("custom must be a JSON object whose values are text.")
    return dict(custom)


def read_maximum(value: Any) -> str:
    """A score maximum: a number greater than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not value > 0:
        raise RefusedError("scoreMaximum must be a number greater than 0.")
    return str(value)


def _read_link(item: Mapping[str, Any]) -> ChosenItem:
    wanted = item.get("lineItem")
    line_item = None
    if wanted is not None:
        if not isinstance(wanted, dict):
            raise RefusedError("lineItem must be a JSON object.")
        extra = {name: wanted[name] for name in ("submissionReview", "gradesReleased") if name in wanted}
        line_item = ChosenLineItem(
            score_maximum=read_maximum(wanted.get("scoreMaximum")),
            label=read_text(wanted, "label"),
            resource_id=read_text(wanted, "resourceId"),
            tag=read_text(wanted, "tag"),
            extra=extra,
        )
    hints = {name: item[name] for name in ("window", "iframe") if name in item}
    if not all(isinstance(value, dict) for value in hints.values()):
        raise RefusedError("window and iframe must be JSON objects.")
    for name in ("icon", "thumbnail"):
        if name in item and not (isinstance(item[name], dict) and isinstance(item[name].get("url"), str)):
            raise RefusedError(f"{name} must be a JSON object with a url.")
    return ChosenItem(
        url=read_text(item, "url"),
        title=read_text(item, "title"),
        text=read_text(item, "text"),
        custom=read_custom(item),
        line_item=line_item,
        hints=hints,
    )


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
