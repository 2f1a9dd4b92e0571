"""The XML configuration of a tool (`cartridge_basiclti_link`), which an administrator gives to an LMS by its address.

Common Cartridge 1.0 §"Basic LTI links", with Canvas's extensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from ltikit.canvas_placements import DEFAULT_SIZE, PLATFORM, PRIVACY_LEVEL, Placement
from ltikit.cartridge.link_xml import BLTI, CARTRIDGE, LTICM, LTICP, add, add_properties, finish_link, start_link
from ltikit.content_items import FrameSize
from ltikit.plain_text import clean_title

__all__ = ["BLTI", "CARTRIDGE", "LTICM", "LTICP", "MEDIA_TYPE", "build_tool_xml"]

MEDIA_TYPE: Final = "application/xml"

_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


def build_tool_xml(
    *,
    title: str,
    description: str,
    launch_url: str,
    tool_id: str,
    vendor_name: str,
    vendor_code: str,
    placements: Iterable[Placement] = (),
    custom: Mapping[str, str] = _NO_PARAMETERS,
    icon_url: str = "",
    size: FrameSize = DEFAULT_SIZE,
) -> bytes:
    """The document, UTF-8 with a declaration. `launch_url` is absolute; `tool_id` and `vendor_code` are plain words.

    The extension asks Canvas to send names, addresses and roles, without which nobody could be told apart, and binds
    the tool to the host of `launch_url`. `placements` says where Canvas shows the tool; `custom` are parameters of
    every launch, whose values may be variables (`vocabulary.COURSE_VARIABLES`); `size` is that of Canvas's dialogs.

    Canvas's `lticm:options` are not in 1EdTech's schema; everything else is valid against it.
    Raises ValueError for a name that XML cannot hold.
    """
    root = start_link(CARTRIDGE, title=clean_title(title), description=description, custom=custom)
    extensions = add(root, BLTI, "extensions")
    extensions.set("platform", PLATFORM)
    properties = {
        "tool_id": tool_id,
        "privacy_level": PRIVACY_LEVEL,
        "domain": urlsplit(launch_url).netloc,
        "text": clean_title(title),
        "selection_width": str(size.width),
        "selection_height": str(size.height),
        "oauth_compliant": "true",
    }
    add_properties(extensions, {**properties, **({"icon_url": icon_url} if icon_url else {})})
    for placement in placements:
        options = add(extensions, LTICM, "options")
        options.set("name", placement.name)
        add_properties(options, _describe_placement(placement))
    return finish_link(root, launch_url=launch_url, vendor_name=vendor_name, vendor_code=vendor_code, icon_url=icon_url)


def _describe_placement(placement: Placement) -> dict[str, str]:
    """Canvas's properties of one placement. Without the message type it would send its older selection launch."""
    properties = {"url": placement.url, "text": clean_title(placement.text), "enabled": "true"}
    if placement.is_selecting:
        properties |= {
            "message_type": "ContentItemSelectionRequest",
            "selection_width": str(placement.size.width),
            "selection_height": str(placement.size.height),
        }
    if placement.icon_url:
        properties["icon_url"] = placement.icon_url
    if placement.visibility:
        properties["visibility"] = placement.visibility
    if not placement.is_enabled:
        properties["default"] = "disabled"
    return properties
