"""Where Canvas shows a tool, for its two kinds of configuration: XML for LTI 1.1, JSON for LTI 1.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ltikit.content_items import FrameSize

PLATFORM: Final = "canvas.instructure.com"
PRIVACY_LEVEL: Final = "public"
"""Names, e-mail addresses and roles are sent; with less nobody could be told apart in a gradebook."""
DEFAULT_SIZE: Final = FrameSize(1000, 800)


@dataclass(frozen=True, slots=True)
class Placement:
    """One place in Canvas. `name` is Canvas's own word for it.

    `url` is absolute. At a selecting placement Canvas asks for links to be chosen, in a frame of `size`, else it opens
    the tool. `icon_url` is "" for Canvas's own picture. `visibility` ("public", "members", "admins") and
    `is_enabled` say who sees a place in the menu of a course, and whether it stands there before a teacher puts it
    there; Canvas looks at both for navigation only.
    """

    name: str
    url: str
    text: str
    is_selecting: bool
    size: FrameSize = DEFAULT_SIZE
    icon_url: str = ""
    visibility: str = ""
    is_enabled: bool = True


def list_placements(
    *,
    selection_url: str,
    editor_url: str,
    navigation_url: str,
    text: str,
    icon_url: str = "",
    size: FrameSize = DEFAULT_SIZE,
    is_in_navigation: bool = False,
) -> tuple[Placement, ...]:
    """The four places of a course tool: links in modules, assignments, the editor and the menu of the course.

    `text` names the tool there. `is_in_navigation` puts it into the menu of every course; without, a teacher adds it.
    """
    return (
        Placement("link_selection", selection_url, text, is_selecting=True, size=size, icon_url=icon_url),
        Placement("assignment_selection", selection_url, text, is_selecting=True, size=size, icon_url=icon_url),
        Placement("editor_button", editor_url, text, is_selecting=True, size=size, icon_url=icon_url),
        Placement(
            "course_navigation",
            navigation_url,
            text,
            is_selecting=False,
            size=size,
            icon_url=icon_url,
            visibility="members",
            is_enabled=is_in_navigation,
        ),
    )
