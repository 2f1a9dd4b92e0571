"""Deep Linking 2.0: what the platform asks for, and the signed answer with the links that were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ltikit import vocabulary
from ltikit.content_items import (
    RESOURCE_LINK_TYPE,
    DeepLinkingSettings,
    FrameSize,
    LineItemOffer,
    ResourceLinkItem,
    check_items,
    format_date,
    to_json_number,
)
from ltikit.errors import MalformedMessageError, MissingParameterError, UnsupportedMessageError
from ltikit.launch import Launch, Message
from ltikit.parameters import is_web_url
from ltikit.plain_text import clean_text, clean_title
from ltikit.v13.jwt import sign_token
from ltikit.v13.keys import PrivateKey
from ltikit.v13.submission_review import SUBMISSION_REVIEW

__all__ = [
    "DeepLinkingSettings",
    "FrameSize",
    "LineItemOffer",
    "ResourceLinkItem",
    "build_response",
    "read_settings",
]

LIFETIME: Final = timedelta(minutes=5)
"""How long an answer is good for: platforms refuse more than 5 to 60 minutes."""


def read_settings(launch: Launch) -> DeepLinkingSettings:
    """What the platform accepts, from a verified LtiDeepLinkingRequest (Deep Linking 2.0 §4.4.1).

    Raises `UnsupportedMessageError` for any other message, `MissingParameterError` without the settings, their return
    address or their types, and `MalformedMessageError` when one of them is not what it should be. The return address
    must be http or https: a browser is sent there.
    """
    if launch.version != "1.3" or launch.message is not Message.DEEP_LINKING:
        raise UnsupportedMessageError("not an LtiDeepLinkingRequest")
    settings = launch.raw.get(vocabulary.DEEP_LINKING_SETTINGS)
    if settings is None:
        raise MissingParameterError(vocabulary.DEEP_LINKING_SETTINGS)
    if not isinstance(settings, dict):
        raise MalformedMessageError("deep_linking_settings is not an object")
    return_url = settings.get("deep_link_return_url")
    if return_url in (None, ""):
        raise MissingParameterError("deep_linking_settings.deep_link_return_url")
    if not isinstance(return_url, str) or not is_web_url(return_url.strip()):
        raise MalformedMessageError("deep_linking_settings.deep_link_return_url is not an http address")
    data = settings.get("data")
    if data is not None and not isinstance(data, str):
        raise MalformedMessageError("deep_linking_settings.data is not text")
    return DeepLinkingSettings(
        return_url=return_url.strip(),
        accept_types=frozenset(_read_types(settings)),
        accept_multiple=_read_flag(settings, "accept_multiple") is True,
        accept_lineitem=_read_flag(settings, "accept_lineitem"),
        targets=_texts(settings.get("accept_presentation_document_targets")),
        data=data,
        title=_text(settings, "title"),
        text=_text(settings, "text"),
        auto_create=_read_flag(settings, "auto_create") is True,
    )


def build_response(
    items: Iterable[ResourceLinkItem],
    *,
    settings: DeepLinkingSettings,
    launch: Launch,
    key: PrivateKey,
    now: datetime,
    nonce: str,
    message: str = "",
    error_message: str = "",
) -> tuple[str, str]:
    """The address to post to and the value of the form's only field, `JWT` (Deep Linking 2.0 §4.4.2).

    `launch` is the verified request that `settings` was read from; without items the answer means that nothing was
    chosen. `nonce` must be new: Brightspace insists on one. `message` and `error_message` are for the person.
    Line items are left out where the platform says that it ignores them, frame and window where it offers none.

    Raises `ItemTypeNotAcceptedError` and `TooManyItemsError` for what the platform does not accept.
    """
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    if not nonce:
        raise ValueError("an answer needs a nonce")
    issued_at = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": launch.client_id,
        "aud": launch.issuer,
        "iat": issued_at,
        "exp": issued_at + int(LIFETIME.total_seconds()),
        "nonce": nonce,
        vocabulary.MESSAGE_TYPE: vocabulary.DEEP_LINKING_RESPONSE,
        vocabulary.VERSION: vocabulary.LTI_VERSION_13,
        vocabulary.DEPLOYMENT_ID: launch.deployment_id,
        vocabulary.CONTENT_ITEMS: [_build_item(item, settings) for item in check_items(items, settings)],
    }
    if settings.data is not None:
        claims[vocabulary.DEEP_LINKING_DATA] = settings.data
    if message:
        claims[vocabulary.DEEP_LINKING_MESSAGE] = clean_text(message)
    if error_message:
        claims[vocabulary.DEEP_LINKING_ERROR] = clean_text(error_message)
    return settings.return_url, sign_token(claims, key=key)


def _build_item(item: ResourceLinkItem, settings: DeepLinkingSettings) -> dict[str, Any]:
    """One content item, without members that say nothing (Deep Linking 2.0 §3.1)."""
    title = clean_title(item.title)
    members: dict[str, Any] = {"type": RESOURCE_LINK_TYPE, "url": item.url, "title": title}
    if item.text:
        members["text"] = clean_text(item.text)
    if item.custom:
        members["custom"] = {name: clean_text(value) for name, value in item.custom.items()}
    if item.iframe is not None and settings.shows_in("iframe", "frame", "embed"):
        members["iframe"] = {"width": item.iframe.width, "height": item.iframe.height}
    if item.window_target and settings.shows_in("window", "popup"):
        members["window"] = {"targetName": item.window_target}
    if item.line_item is not None and settings.accept_lineitem is not False:
        members["lineItem"] = _build_line_item(item.line_item, title)
    members.update(_build_dates("available", item.available_from, item.available_until))
    members.update(_build_dates("submission", item.submission_from, item.submission_until))
    return members


def _build_line_item(offer: LineItemOffer, title: str) -> dict[str, Any]:
    members: dict[str, Any] = {
        "label": clean_title(offer.label, fallback=title),
        "scoreMaximum": to_json_number(offer.score_maximum),
    }
    if offer.resource_id:
        members["resourceId"] = offer.resource_id
    if offer.tag:
        members["tag"] = offer.tag
    if offer.is_reviewable:
        members["submissionReview"] = dict(SUBMISSION_REVIEW)
    return members


def _build_dates(name: str, start: datetime | None, end: datetime | None) -> dict[str, dict[str, str]]:
    dates = {"startDateTime": start, "endDateTime": end}
    members = {member: format_date(moment) for member, moment in dates.items() if moment is not None}
    return {name: members} if members else {}


def _read_types(settings: Mapping[str, Any]) -> tuple[str, ...]:
    types = settings.get("accept_types")
    if types is None:
        raise MissingParameterError("deep_linking_settings.accept_types")
    if not isinstance(types, list | str):
        raise MalformedMessageError("deep_linking_settings.accept_types is not a list")
    return _texts(types)


def _read_flag(settings: Mapping[str, Any], name: str) -> bool | None:
    """True or false, in JSON or in words; None for anything else."""
    value = settings.get(name)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    """The texts of a list; a single text may be a comma-separated list."""
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(one.strip() for one in values if isinstance(one, str) and one.strip())
