"""Assignment and Grade Services 2.0: line items. What a tool may see and change are its own columns in one course."""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from practice_lms.claims import make_line_item_url
from practice_lms.columns import LineItem, check_date, find_line_item, list_line_items, save_line_item
from practice_lms.courses import find_course
from practice_lms.gradability import refuse_unknown_members
from practice_lms.installation import Addresses
from practice_lms.links import find_link
from practice_lms.profiles import Profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, get_tool, list_clones

ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
CONTAINER_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"
KNOWN_MEMBERS = (
    "id",
    "label",
    "scoreMaximum",
    "resourceId",
    "tag",
    "resourceLinkId",
    "startDateTime",
    "endDateTime",
)
KEPT_MEMBERS = ("submissionReview", "gradesReleased")
"""What is stored and given back as it came, beside extensions (whose names are addresses)."""


def find_course_profile(db: sqlite3.Connection, tool: Tool, course_id: str) -> Profile:
    """How this LMS behaves towards a tool in a course."""
    course = find_course(db, course_id)
    return choose_profile(db, tool.profile, course.profile if course else "")


def show_line_item(addresses: Addresses, item: LineItem, profile: Profile) -> dict[str, Any]:
    """A column as the specification writes it."""
    maximum = float(item.score_maximum)
    shown: dict[str, Any] = {
        "id": make_line_item_url(addresses, item, profile),
        "label": item.label,
        "scoreMaximum": int(maximum) if maximum.is_integer() else maximum,
    }
    for name, value in (
        ("resourceId", item.resource_id),
        ("tag", item.tag),
        ("resourceLinkId", item.link_id),
        ("startDateTime", item.start_at),
        ("endDateTime", item.end_at),
    ):
        if value:
            shown[name] = value
    return {**shown, **item.extra}


def get_line_item(db: sqlite3.Connection, tool: Tool, course_id: str, item_id: str, type_id: str) -> LineItem:
    """A column of this tool in this course; the query of its URL has to come along."""
    item = find_line_item(db, item_id)
    if item is None or item.course_id != course_id or item.tool_id not in list_clones(db, tool):
        raise RefusedError("There is no such line item.", 404)
    _find_tool_here(db, tool, course_id, type_id)
    return item


def find_line_items(db: sqlite3.Connection, tool: Tool, course_id: str, query: Mapping[str, str]) -> list[LineItem]:
    """The columns of this tool in a course, filtered as asked."""
    _require_course(db, course_id)
    _find_tool_here(db, tool, course_id, query.get("type_id", ""))
    for name in ("resource_link_id", "resource_id", "tag"):
        if query.get(name) == "":
            raise RefusedError(f"The filter {name} is empty.")
    return list_line_items(
        db,
        course_id,
        tool_ids=list_clones(db, tool),
        link_id=query.get("resource_link_id", ""),
        resource_id=query.get("resource_id", ""),
        tag=query.get("tag", ""),
    )


def add_line_item(db: sqlite3.Connection, tool: Tool, course_id: str, type_id: str, document: Any) -> LineItem:
    """A new column made by the tool."""
    _require_course(db, course_id)
    here = _find_tool_here(db, tool, course_id, type_id)
    return save_line_item(db, _read_document(db, here, course_id, document, ""))


def replace_line_item(db: sqlite3.Connection, tool: Tool, item: LineItem, document: Any, own_url: str) -> LineItem:
    """The column as the document says: a full replacement, members left out are emptied."""
    if isinstance(document, dict) and document.get("id") not in (None, own_url):
        raise RefusedError("The id in the document is another line item's.")
    return save_line_item(db, _read_document(db, tool, item.course_id, document, item.id))


def _read_document(db: sqlite3.Connection, tool: Tool, course_id: str, document: Any, item_id: str) -> LineItem:
    if not isinstance(document, dict):
        raise RefusedError("A line item must be a JSON object.")
    refuse_unknown_members(find_course_profile(db, tool, course_id), document, (*KNOWN_MEMBERS, *KEPT_MEMBERS))
    label, maximum = document.get("label"), document.get("scoreMaximum")
    if not isinstance(label, str) or not label.strip():
        raise RefusedError("label must be text that is not blank.")
    if isinstance(maximum, bool) or not isinstance(maximum, int | Decimal) or maximum <= 0:
        raise RefusedError("scoreMaximum must be a number greater than 0.")
    texts: dict[str, str] = {}
    for name in ("resourceId", "tag", "resourceLinkId", "startDateTime", "endDateTime"):
        value = document.get(name)
        if value is not None and not isinstance(value, str):
            raise RefusedError(f"{name} must be text.")
        texts[name] = value or ""
    for name in ("startDateTime", "endDateTime"):
        if texts[name]:
            check_date(name, texts[name])
    link = find_link(db, texts["resourceLinkId"]) if texts["resourceLinkId"] else None
    if texts["resourceLinkId"] and (
        link is None or link.course_id != course_id or link.tool_id not in list_clones(db, tool)
    ):
        raise RefusedError("resourceLinkId names no link of this tool in this course.", 404)
    return LineItem(
        id=item_id,
        course_id=course_id,
        tool_id=tool.id,
        link_id=link.id if link else None,
        label=label,
        score_maximum=Decimal(maximum),
        resource_id=texts["resourceId"],
        tag=texts["tag"],
        start_at=texts["startDateTime"],
        end_at=texts["endDateTime"],
        extra={name: _plain(value) for name, value in document.items() if name in KEPT_MEMBERS or "://" in name},
    )


def _plain(value: Any) -> Any:
    """Numbers were read as exact decimals; an extension's are only stored and given back."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _require_course(db: sqlite3.Connection, course_id: str) -> None:
    if find_course(db, course_id) is None:
        raise RefusedError("There is no such course.", 404)


def _find_tool_here(db: sqlite3.Connection, tool: Tool, course_id: str, type_id: str) -> Tool:
    """The tool, or the copy of it that the course has; where addresses carry a query, it says which (M1)."""
    clones = list_clones(db, tool)
    if find_course_profile(db, tool, course_id).has("M1"):
        if type_id not in clones:
            raise RefusedError("The address lost its query (type_id): use it exactly as it was given.", 404)
        return get_tool(db, type_id)
    return next((found for one in clones if (found := get_tool(db, one)).course_id == course_id), tool)
