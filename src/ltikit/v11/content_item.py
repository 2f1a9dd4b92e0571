"""Links chosen in the tool for LTI 1.1: Content-Item Message 1.0, and the older way of Canvas before it.

Content-Item answers are signed forms. Canvas's own way is a plain redirect to `ext_content_return_url`, which proves
nothing and carries one address; Canvas itself checks that the address belongs to the tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from ltikit.content_items import (
    RESOURCE_LINK_TYPE,
    DeepLinkingSettings,
    LineItemOffer,
    ResourceLinkItem,
    check_items,
    to_json_number,
)
from ltikit.errors import (
    ItemTypeNotAcceptedError,
    MalformedMessageError,
    MissingParameterError,
    UnsupportedMessageError,
)
from ltikit.launch import Launch, Message
from ltikit.parameters import add_custom_parameters, is_web_url
from ltikit.plain_text import clean_text, clean_title
from ltikit.quirks import find_profile
from ltikit.v11.oauth1 import SIGNATURE_METHODS, sign_form

LINK_MEDIA_TYPE: Final = "application/vnd.ims.lti.v1.ltilink"
"""The media type of a link that launches a tool."""
LTI_LAUNCH_URL: Final = "lti_launch_url"
"""Canvas's return type of a link that launches the tool."""

# A string: Brightspace refuses a list here (quirk D6).
_CONTEXT = "http://purl.imsglobal.org/ctx/lti/v1/ContentItem"
_NORMAL_SCORE = "http://purl.imsglobal.org/ctx/lis/v2p1/Result#normalScore"
_LINK_RANGES = frozenset({LINK_MEDIA_TYPE, "application/*", "*/*"})
_RETURN_TYPES = frozenset({LTI_LAUNCH_URL, "url", "image_url", "iframe", "file", "oembed"})
# Before it named types of content, Canvas said what it wanted in one word.
_DIRECTIVES: Final[Mapping[str, frozenset[str]]] = {
    "select_link": frozenset({LTI_LAUNCH_URL}),
    "embed_content": frozenset({LTI_LAUNCH_URL, "url", "image_url", "iframe", "oembed"}),
    "submit_homework": frozenset({"url", "file"}),
}


def read_settings(launch: Launch) -> DeepLinkingSettings:
    """What the platform accepts, from a verified ContentItemSelectionRequest (Content-Item Message 1.0 §3.1).

    `accept_types` holds the media types as sent, and "ltiResourceLink" if links are among them. Whether line items
    count is never said. `verify_launch` has seen to it that the return address is a web address.

    Raises `UnsupportedMessageError` for any other message, `MissingParameterError` and `MalformedMessageError`.
    """
    if launch.version != "1.1" or launch.message is not Message.DEEP_LINKING:
        raise UnsupportedMessageError("not a ContentItemSelectionRequest")
    return_url = _text(launch, "content_item_return_url").strip()
    if not is_web_url(return_url):
        raise MissingParameterError("content_item_return_url is missing or not a web address")
    media_types = _entries(launch, "accept_media_types")
    if not media_types:
        raise MissingParameterError("accept_media_types")
    accepts_links = any(media_type.partition(";")[0].strip().lower() in _LINK_RANGES for media_type in media_types)
    return DeepLinkingSettings(
        return_url=return_url,
        accept_types=frozenset((*media_types, *((RESOURCE_LINK_TYPE,) if accepts_links else ()))),
        accept_multiple=_is_true(launch, "accept_multiple"),
        targets=_entries(launch, "accept_presentation_document_targets"),
        data=_text(launch, "data") if "data" in launch.raw else None,
        title=_text(launch, "title"),
        text=_text(launch, "text"),
        auto_create=_is_true(launch, "auto_create"),
    )


def build_selection(
    items: Iterable[ResourceLinkItem],
    *,
    settings: DeepLinkingSettings,
    launch: Launch,
    secret: str,
    now: datetime,
    nonce: str,
    message: str = "",
    error_message: str = "",
) -> tuple[str, list[tuple[str, str]]]:
    """The address to post to and the signed form's fields (Content-Item Message 1.0 §3.2).

    `launch` is the verified request that `settings` was read from, `secret` that of its consumer key: the answer is
    always signed, with the method of the request. Without items it says that nothing was chosen. The browser must
    post the fields as they are. Canvas drops custom parameters (quirk C19), so there the addresses carry them too.

    Raises `ItemTypeNotAcceptedError` and `TooManyItemsError` for what the platform does not accept.
    """
    chosen = check_items(items, settings)
    drops_custom = find_profile(launch.platform.family).has("C19")
    fields = [("lti_message_type", "ContentItemSelection"), ("lti_version", "LTI-1p0")]
    if chosen:
        graph = [_build_item(item, settings, carries_custom_in_url=drops_custom) for item in chosen]
        fields.append(("content_items", json.dumps({"@context": _CONTEXT, "@graph": graph}, separators=(",", ":"))))
    if settings.data is not None:
        fields.append(("data", settings.data))
    # On one line: a browser would write other line breaks than those that were signed.
    texts = {"lti_msg": message, "lti_errormsg": error_message}
    fields += [(name, " ".join(clean_text(text).split())) for name, text in texts.items() if text.strip()]
    method = _text(launch, "oauth_signature_method")
    return settings.return_url, sign_form(
        fields,
        url=settings.return_url,
        consumer_key=launch.consumer_key,
        secret=secret,
        nonce=nonce,
        now=now,
        signature_method=method if method in SIGNATURE_METHODS else "HMAC-SHA1",
    )


@dataclass(frozen=True, slots=True)
class CanvasSelection:
    """What Canvas's older selection launch accepts. `intended_use` is "navigation", "embed", "homework" or ""."""

    return_url: str
    return_types: frozenset[str]
    intended_use: str = ""

    @property
    def accepts_links(self) -> bool:
        """False when no link that launches the tool can be returned."""
        return LTI_LAUNCH_URL in self.return_types


def read_canvas_selection(launch: Launch) -> CanvasSelection | None:
    """What a verified ordinary launch asks to be chosen, None if it asks for nothing and just opens the tool.

    Canvas sends `ext_content_return_types` and `ext_content_return_url`, before that `selection_directive` and the
    ordinary return address. Raises `MalformedMessageError` when there is no web address to return to.
    """
    if launch.version != "1.1" or launch.message is not Message.RESOURCE_LINK:
        return None
    words = _entries(launch, "ext_content_return_types") or _entries(launch, "selection_directive")
    # Words for several types were written into either field at their time.
    return_types = frozenset[str]().union(*(_DIRECTIVES.get(word, {word}) for word in words))
    if not return_types & _RETURN_TYPES:
        return None
    return_url = _text(launch, "ext_content_return_url").strip() or launch.return_url
    if not is_web_url(return_url):
        raise MalformedMessageError("ext_content_return_url is missing or not a web address")
    return CanvasSelection(return_url, return_types, _text(launch, "ext_content_intended_use").strip())


def build_selection_url(
    item: ResourceLinkItem, *, selection: CanvasSelection, return_type: str = LTI_LAUNCH_URL
) -> str:
    """The address to send the browser to, with the chosen link in its query.

    `return_type` is "lti_launch_url"; "iframe" (which needs `item.iframe`) and "url" are shown without a launch, so
    nobody is signed in there. Custom parameters travel in the link's own address: there is no other place for them.

    Raises `ItemTypeNotAcceptedError` for a type that Canvas did not offer.
    """
    if return_type not in selection.return_types:
        raise ItemTypeNotAcceptedError(
            f"{return_type} was chosen, the platform accepts {', '.join(sorted(selection.return_types))[:200]}"
        )
    title = clean_title(item.title)
    returned = {"return_type": return_type, "url": add_custom_parameters(item.url, item.custom), "title": title}
    if return_type == "iframe":
        if item.iframe is None:
            raise ValueError("a link shown in a frame needs the frame's size")
        returned |= {"width": str(item.iframe.width), "height": str(item.iframe.height)}
    elif return_type in (LTI_LAUNCH_URL, "url"):
        returned |= {"text": clean_text(item.text) or title}
        if item.window_target:
            returned["target"] = item.window_target
    else:
        raise ValueError(f"links are not returned as {return_type!r}")
    return _extend_query(selection.return_url, returned)


def _build_item(
    item: ResourceLinkItem, settings: DeepLinkingSettings, *, carries_custom_in_url: bool
) -> dict[str, Any]:
    """One LtiLinkItem, without members that say nothing (Content-Item Message 1.0 §4)."""
    title = clean_title(item.title)
    custom = {name: clean_text(value) for name, value in item.custom.items()}
    url = add_custom_parameters(item.url, custom) if carries_custom_in_url else item.url
    members: dict[str, Any] = {"@type": "LtiLinkItem", "mediaType": LINK_MEDIA_TYPE, "url": url, "title": title}
    if item.text:
        members["text"] = clean_text(item.text)
    if custom:
        members["custom"] = custom
    placement = _build_placement(item, settings)
    if placement:
        members["placementAdvice"] = placement
    if item.line_item is not None:
        members["lineItem"] = _build_line_item(item.line_item, title)
    return members


def _build_placement(item: ResourceLinkItem, settings: DeepLinkingSettings) -> dict[str, Any]:
    """How to show the link, in one of the ways that the platform offers: a new window before a frame."""
    size = {"displayWidth": item.iframe.width, "displayHeight": item.iframe.height} if item.iframe else {}
    if item.window_target and settings.shows_in("window"):
        return {"presentationDocumentTarget": "window", "windowTarget": item.window_target, **size}
    if item.iframe is not None:
        for target in ("iframe", "frame"):
            if settings.shows_in(target):
                return {"presentationDocumentTarget": target, **size}
    return {}


def _build_line_item(offer: LineItemOffer, title: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "@type": "LineItem",
        "label": clean_title(offer.label, fallback=title),
        "reportingMethod": _NORMAL_SCORE,
        "scoreConstraints": {"@type": "NumericLimits", "normalMaximum": to_json_number(offer.score_maximum)},
    }
    if offer.resource_id:
        members["assignedActivity"] = {"activityId": offer.resource_id}
    return members


def _extend_query(url: str, added: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query.rstrip("&"), urlencode(added, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def _text(launch: Launch, name: str) -> str:
    """The field's value as sent, the first if it was repeated; "" if absent."""
    value = launch.raw.get(name, "")
    return str(value[0]) if isinstance(value, tuple) else str(value)


def _entries(launch: Launch, name: str) -> tuple[str, ...]:
    return tuple(part for part in (entry.strip() for entry in _text(launch, name).split(",")) if part)


def _is_true(launch: Launch, name: str) -> bool:
    return _text(launch, name).strip().lower() == "true"
