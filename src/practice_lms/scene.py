"""What one launch is made of, whichever version carries it."""

import sqlite3
from dataclasses import dataclass

from practice_lms.courses import Course, LineItem, Link, find_line_item_of_link, get_course, get_link
from practice_lms.installation import Addresses, list_addresses, need_setting
from practice_lms.people import Membership, find_membership
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, get_tool

DOCUMENT_TARGETS = {"window": "This window", "tab": "A new tab", "frame": "A frame"}


@dataclass(frozen=True)
class LaunchScene:
    """Everything that a launch is made of: who, where, which link, and where to come back."""

    membership: Membership
    course: Course
    link: Link
    tool: Tool
    addresses: Addresses
    guid: str
    secret: str
    document_target: str
    item: LineItem | None

    @property
    def return_url(self) -> str:
        """Where the tool sends the person back to."""
        query = "?in=frame" if self.document_target == "iframe" else ""
        return f"{self.addresses.issuer}/courses/{self.course.id}/links/{self.link.id}/return{query}"


def prepare_scene(db: sqlite3.Connection, *, person_id: str, link_id: str, document_target: str) -> LaunchScene:
    """Collect what a launch needs, or refuse: only people of the course may open its links."""
    link = get_link(db, link_id)
    membership = find_membership(db, link.course_id, person_id)
    if membership is None or not membership.is_active:
        raise RefusedError("This person is not in the course of this link.", 403)
    return LaunchScene(
        membership=membership,
        course=get_course(db, link.course_id),
        link=link,
        tool=get_tool(db, link.tool_id),
        addresses=list_addresses(need_setting(db, "public_url")),
        guid=need_setting(db, "guid"),
        secret=need_setting(db, "secret"),
        document_target="iframe" if document_target == "frame" else "window",
        item=find_line_item_of_link(db, link.id),
    )
