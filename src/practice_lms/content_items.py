"""Choosing links by LTI 1.1: Content-Item 1.0, and Canvas's older selection by `ext_content_return_url`."""

import json
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from oauthlib.oauth1 import SignatureOnlyEndpoint

from practice_lms.deep_linking import read_custom, read_maximum, read_text
from practice_lms.oauth_requests import SecretsOfOneTool, check_timestamp, use_oauth_nonce
from practice_lms.profiles import Profile
from practice_lms.refusals import RefusedError
from practice_lms.scene import LaunchScene
from practice_lms.selections import Answer, ChosenItem, ChosenLineItem, Selection
from practice_lms.tools import SIGNATURE_METHODS, Tool

LINK_TYPE = "application/vnd.ims.lti.v1.ltilink"
CONTEXT = "http://purl.imsglobal.org/ctx/lti/v1/ContentItem"
TARGETS = "iframe,window,frame"
FORM_TYPE = "application/x-www-form-urlencoded"


def build_selection_parameters(scene: LaunchScene, selection: Selection) -> dict[str, str]:
    """What makes an LTI 1.1 launch a request for links."""
    base = f"{scene.addresses.issuer}/lti/selections/{selection.id}"
    if selection.method == "ext_content_return_url":
        return {
            "selection_directive": "select_link",
            "ext_content_return_types": "lti_launch_url",
            "ext_content_return_url": f"{base}/choice?modal=true",
            "ext_content_intended_use": "navigation" if selection.placement != "editor_button" else "embed",
        }
    accepted = [LINK_TYPE] + (["*/*"] if set(selection.accept_types) != {"ltiResourceLink"} else [])
    return {
        "lti_message_type": "ContentItemSelectionRequest",
        "accept_media_types": ",".join(accepted),
        "accept_presentation_document_targets": TARGETS,
        "accept_unsigned": "false",
        "accept_multiple": str(selection.accept_multiple).lower(),
        "accept_copy_advice": "false",
        "auto_create": "true",
        "can_confirm": "false",
        "content_item_return_url": f"{base}/items?modal=true",
        "title": str(selection.wish["title"]),
        "data": selection.data,
    }


def verify_items_form(
    db: sqlite3.Connection, tool: Tool, *, url: str, body: bytes, form: Mapping[str, str], content_type: str, now: float
) -> None:
    """Refuse an answer that this tool did not sign a moment ago, or that was seen before."""
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        raise RefusedError(f"The answer must be {FORM_TYPE}.")
    for name in ("oauth_consumer_key", "oauth_signature", "oauth_timestamp", "oauth_nonce"):
        if not form.get(name):
            raise RefusedError(f"The answer is not signed: {name} is missing.", 401)
    if form.get("oauth_signature_method") not in SIGNATURE_METHODS:
        raise RefusedError("The answer must be signed with HMAC-SHA1 or HMAC-SHA256.", 401)
    if form["oauth_consumer_key"] != tool.key:
        raise RefusedError("The answer is signed with another tool's key.", 401)
    check_timestamp(form["oauth_timestamp"], now)
    endpoint = SignatureOnlyEndpoint(SecretsOfOneTool(tool))
    is_valid, _ = endpoint.validate_request(url, "POST", body.decode("utf-8", "replace"), {"Content-Type": FORM_TYPE})
    if not is_valid:
        raise RefusedError("Message signature not valid.", 401)
    use_oauth_nonce(db, tool, form["oauth_nonce"], int(form["oauth_timestamp"]), now)


def read_items_form(form: Mapping[str, str], selection: Selection, profile: Profile) -> Answer:
    """The items of a verified Content-Item answer."""
    if form.get("lti_message_type") != "ContentItemSelection":
        raise RefusedError("lti_message_type must be ContentItemSelection.")
    if form.get("lti_version") != "LTI-1p0":
        raise RefusedError("lti_version must be LTI-1p0.")
    if form.get("data") != selection.data:
        raise RefusedError("data did not come back exactly as it was sent.")
    message, error = form.get("lti_msg", ""), form.get("lti_errormsg", "")
    if "content_items" not in form:
        return Answer((), (), message, error)
    try:
        document = json.loads(form["content_items"], parse_float=Decimal)
    except ValueError:
        raise RefusedError("content_items is not valid JSON.") from None
    if not isinstance(document, dict) or not isinstance(document.get("@graph"), list):
        raise RefusedError("content_items must be a JSON object with a list @graph.")
    context = document.get("@context")
    names_context = context == CONTEXT or (isinstance(context, list) and CONTEXT in context and not profile.has("D6"))
    if not names_context:
        raise RefusedError(f"@context must be {CONTEXT}" + (" as one text (D6)." if profile.has("D6") else "."))
    links, others = [], []
    for item in document["@graph"]:
        if isinstance(item, dict) and item.get("@type") == "LtiLinkItem":
            links.append(_read_link(item))
        elif isinstance(item, dict) and set(selection.accept_types) != {"ltiResourceLink"}:
            others.append(item)
        else:
            raise RefusedError("Only items of the @type LtiLinkItem were asked for.")
    return Answer(tuple(links), tuple(others), message, error)


def read_choice(query: Mapping[str, str]) -> Answer:
    """What Canvas's older way carries in an address; nothing signs it."""
    if not query.get("return_type"):
        return Answer((), (), query.get("lti_msg", ""), query.get("lti_errormsg", ""))
    if query["return_type"] != "lti_launch_url":
        raise RefusedError("Only return_type=lti_launch_url was asked for.")
    if not query.get("url"):
        raise RefusedError("url is missing.")
    return Answer((ChosenItem(query["url"], query.get("title", ""), query.get("text", "")),))


def _read_link(item: Mapping[str, Any]) -> ChosenItem:
    if item.get("mediaType") != LINK_TYPE:
        raise RefusedError(f"mediaType of a link must be {LINK_TYPE}.")
    advice = item.get("placementAdvice") or {}
    if not isinstance(advice, dict):
        raise RefusedError("placementAdvice must be a JSON object.")
    target = advice.get("presentationDocumentTarget", "")
    size = {
        name: advice[key] for key, name in (("displayWidth", "width"), ("displayHeight", "height")) if key in advice
    }
    hints: dict[str, Any] = {}
    if target in ("iframe", "frame", "embed"):
        hints = {"iframe": size}
    elif target in ("window", "popup"):
        name = advice.get("windowTarget")
        hints = {"window": {**({"targetName": name} if name else {}), **size}}
    return ChosenItem(
        url=read_text(item, "url"),
        title=read_text(item, "title"),
        text=read_text(item, "text"),
        custom=read_custom(item),
        line_item=_read_line_item(item.get("lineItem")),
        hints=hints,
    )


def _read_line_item(wanted: Any) -> ChosenLineItem | None:
    if wanted is None:
        return None
    limits = wanted.get("scoreConstraints") if isinstance(wanted, dict) else None
    if not isinstance(limits, dict) or limits.get("@type") != "NumericLimits":
        raise RefusedError("lineItem needs scoreConstraints of the @type NumericLimits.")
    activity = wanted.get("assignedActivity") or {}
    return ChosenLineItem(
        score_maximum=read_maximum(limits.get("normalMaximum", limits.get("totalMaximum"))),
        label=read_text(wanted, "label"),
        resource_id=read_text(activity, "activityId") if isinstance(activity, dict) else "",
    )
