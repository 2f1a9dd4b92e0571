"""The JSON configuration of a Canvas developer key (LTI 1.3), which an administrator gives to Canvas by its address."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ltikit import vocabulary
from ltikit.canvas_placements import DEFAULT_SIZE, PLATFORM, PRIVACY_LEVEL, Placement
from ltikit.content_items import FrameSize
from ltikit.plain_text import clean_text, clean_title

MEDIA_TYPE: Final = "application/json"
SCOPES: Final = (
    vocabulary.SCOPE_LINEITEM,
    vocabulary.SCOPE_RESULT_READONLY,
    vocabulary.SCOPE_SCORE,
    vocabulary.SCOPE_MEMBERSHIP_READONLY,
    vocabulary.SCOPE_NOTICE_HANDLERS,
)
"""What the tool uses: columns, results, scores, the roster, notices of course copies."""


def build_canvas_config(
    *,
    title: str,
    description: str,
    login_url: str,
    launch_url: str,
    keyset_url: str,
    tool_id: str,
    placements: Iterable[Placement],
    custom: Mapping[str, str] = vocabulary.CANVAS_VARIABLES,
    scopes: Iterable[str] = SCOPES,
    icon_url: str = "",
    size: FrameSize = DEFAULT_SIZE,
) -> bytes:
    """The document, UTF-8. All addresses are absolute; the tool's domain is the host of `launch_url`.

    `custom` are parameters of every launch, with Canvas's variables as values: those by which a course and a copy of
    it are recognised, unless others are given. Keys are named by the keyset's address alone, never by themselves, so
    that they can be changed and a private one cannot be pasted by mistake.
    """
    settings: dict[str, Any] = {
        "platform": PLATFORM,
        "text": clean_title(title),
        "selection_width": size.width,
        "selection_height": size.height,
        "placements": [_build_placement(placement) for placement in placements],
    }
    if icon_url:
        settings["icon_url"] = icon_url
    document = {
        "title": clean_title(title),
        "description": clean_text(description),
        "oidc_initiation_url": login_url,
        "target_link_uri": launch_url,
        "scopes": list(scopes),
        "public_jwk_url": keyset_url,
        "custom_fields": dict(custom),
        "extensions": [
            {
                "platform": PLATFORM,
                "domain": urlsplit(launch_url).netloc,
                "tool_id": tool_id,
                "privacy_level": PRIVACY_LEVEL,
                "settings": settings,
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def _build_placement(placement: Placement) -> dict[str, Any]:
    """One placement. The message type belongs here: without it Canvas opens the tool instead of asking for links."""
    members: dict[str, Any] = {
        "placement": placement.name,
        "enabled": True,
        "message_type": (
            vocabulary.DEEP_LINKING_REQUEST if placement.is_selecting else vocabulary.RESOURCE_LINK_REQUEST
        ),
        "target_link_uri": placement.url,
        "text": clean_title(placement.text),
    }
    if placement.icon_url:
        members["icon_url"] = placement.icon_url
    if placement.is_selecting:
        members |= {"selection_width": placement.size.width, "selection_height": placement.size.height}
    if placement.visibility:
        members["visibility"] = placement.visibility
    if not placement.is_enabled:
        members["default"] = "disabled"
    return members
