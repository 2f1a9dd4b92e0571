"""How a course is mapped in each LMS, and what the school does when it copies the course for a new term.

One recipe for each profile of the practice LMS and each version of LTI. Between them they use every identity by which
a copied LMS course can be told from its original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PROFILES = ("canvas", "moodle", "blackboard", "brightspace", "schoology", "sakai")
VERSIONS = ("1.1", "1.3")

# The places of the two parameters that the tab LTI/LMS shows: whoever sets up the tool or the link copies them there.
TOOL, LINK, NOWHERE = "tool", "link", ""
CONSTANT_URL, DEEP_LINKING, CONTENT_ITEM = "constant URL", "deep linking", "content item"
CANVAS_CHOICE = "Canvas's choice"
"""How links come: typed in by hand, or chosen in the picker, which then sends the parameters with each link."""
OWN_TARGET = "Spring 2027, B"
"""What a teacher types in the place of the master's id; any text will do."""


@dataclass(frozen=True)
class Recipe:
    """`mapped_by` is how links come into the LMS course, `identity` what tells the copy from its original."""

    profile: str
    version: str
    identity: str
    mapped_by: str = CONSTANT_URL
    parameters_on: str = TOOL
    is_course_tool: bool = False
    """The tool belongs to the one LMS course, so that a copy has a tool of its own."""
    custom: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the tool, with variables of the LMS."""
    has_sis_ids: bool = False
    """The school gives both LMS courses SIS ids; the copy's is another one."""
    audience: str = ""
    """What this LMS wants in the token request's `aud`, where that is not the token URL (D1)."""
    prefix: str = ""
    """In front of the parameters' names: links made for another vendor's tool have one, and go on working."""

    @property
    def name(self) -> str:
        return f"{self.profile}-{self.version}"

    @property
    def is_target_replaced(self) -> bool:
        """In the copy, the teacher edits the tool: an own text instead of the master's id (LTI 1.1 without SIS ids)."""
        return self.identity == "own target"


_HISTORY = {"context_id_history": "$Context.id.history", "resource_link_id_history": "$ResourceLink.id.history"}
BRIGHTSPACE_AUDIENCE = "https://api.brightspace.com/auth/token"
RECIPES = (
    # Canvas's older choice carries an address and nothing else; the tool's own settings have the parameters.
    Recipe("canvas", "1.1", "own target", CANVAS_CHOICE, is_course_tool=True),
    Recipe(
        "canvas",
        "1.3",
        "SIS id",
        DEEP_LINKING,
        NOWHERE,
        is_course_tool=True,
        custom={**_HISTORY, "course_offering_sourcedid": "$CourseOffering.sourcedId"},
        has_sis_ids=True,
    ),
    Recipe("moodle", "1.1", "SIS id", CONTENT_ITEM, NOWHERE, has_sis_ids=True),
    Recipe("moodle", "1.3", "context history", DEEP_LINKING, NOWHERE, custom=_HISTORY),
    Recipe("blackboard", "1.1", "link history", parameters_on=LINK),
    Recipe("blackboard", "1.3", "link history", DEEP_LINKING, NOWHERE, custom=_HISTORY),
    # A copy turns its links into links of LTI 1.3 (D10): the child is made by another platform than the master's.
    Recipe("brightspace", "1.1", "SIS id", CONTENT_ITEM, NOWHERE, has_sis_ids=True, audience=BRIGHTSPACE_AUDIENCE),
    Recipe("brightspace", "1.3", "context history", DEEP_LINKING, NOWHERE, audience=BRIGHTSPACE_AUDIENCE),
    Recipe("schoology", "1.1", "own target", is_course_tool=True, prefix="codio_"),
    # Chosen links would carry the master's id themselves, over the tool's: nothing could tell the copy here.
    Recipe("schoology", "1.3", "own target", is_course_tool=True),
    Recipe("sakai", "1.1", "SIS id", has_sis_ids=True),
    Recipe("sakai", "1.3", "context history", DEEP_LINKING, NOWHERE, custom=_HISTORY),
)
