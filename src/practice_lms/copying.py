"""Copying a course into a new one, as a school does for a new term.

Contexts, links and columns get new ids. Titles, addresses, custom parameters and points stay, and of the columns that
a tool made its `resourceId` and `tag`. People, grades and tokens do not come along. Each copy remembers what it was
copied from; which of that a launch says is up to the profile.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from practice_lms.columns import list_line_items, save_line_item
from practice_lms.courses import Course, add_course, get_course
from practice_lms.links import Link, add_link, list_links
from practice_lms.modules import add_module, list_modules, list_pages, save_page
from practice_lms.notices import announce_copy
from practice_lms.people import enroll, find_membership
from practice_lms.profiles import choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, clone_tool, get_tool, list_tools


@dataclass
class CourseCopy:
    """A new course, and what in it stands for what: old id to new id."""

    course: Course
    links: dict[str, str] = field(default_factory=dict)
    line_items: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)


def copy_course(
    db: sqlite3.Connection,
    course_id: str,
    *,
    title: str = "",
    label: str = "",
    sourcedid: str | None = None,
    section_sourcedid: str | None = None,
    people: Iterable[str] = (),
) -> CourseCopy:
    """Copy a course. SIS ids that are not given are blank, or the same where the profile keeps them; `people` are
    enrolled in the copy as what they are in the original."""
    source = get_course(db, course_id)
    profile = choose_profile(db, source.profile)
    keeps = profile.keeps_sourcedid_on_copy
    course = add_course(
        db,
        title=title or f"{source.title} (copy)",
        label=label,
        sourcedid=(source.sourcedid if keeps else "") if sourcedid is None else sourcedid,
        section_sourcedid=(source.section_sourcedid if keeps else "")
        if section_sourcedid is None
        else section_sourcedid,
        profile=source.profile,
        history=(source.id, *source.history),
    )
    copy = CourseCopy(course)
    if profile.clones_course_tools:
        for tool in list_tools(db):
            if tool.course_id == source.id:
                copy.tools[tool.id] = clone_tool(db, tool, course.id).id
    for module in list_modules(db, source.id):
        copy.modules[module.id] = add_module(db, course.id, module.title).id
    for page in list_pages(db, source.id):
        copy.pages[page.id] = save_page(db, course_id=course.id, title=page.title, text=page.text).id
    for link in list_links(db, source.id):
        _copy_link(db, copy, link, turns_into_13=profile.has("D10"))
    _copy_loose_columns(db, copy, source)
    for person_id in people:
        _enroll_again(db, source, course, person_id)
    announce_copy(db, source, course, copy.tools)
    return copy


def find_twin_13(db: sqlite3.Connection, tool: Tool, *, course_ids: Iterable[str]) -> Tool | None:
    """The LTI 1.3 tool of the same maker as an LTI 1.1 tool: one whose launch URL has the same host, that these courses
    may open; one of the same profile before all others."""
    host, open_to = tool.launch_url.split("/")[2], ("", *course_ids)
    twins = [
        one
        for one in list_tools(db)
        if one.version == "1.3" and one.launch_url.split("/")[2] == host and one.course_id in open_to
    ]
    return next((one for one in twins if one.profile == tool.profile), twins[0] if twins else None)


def _copy_link(db: sqlite3.Connection, copy: CourseCopy, link: Link, *, turns_into_13: bool) -> None:
    tool = get_tool(db, copy.tools.get(link.tool_id, link.tool_id))
    if turns_into_13 and tool.version == "1.1":
        tool = find_twin_13(db, tool, course_ids=(link.course_id, copy.course.id)) or tool
    if tool.course_id == link.course_id:
        # Where tools are not copied, a course's own becomes everybody's, or its links would be dead.
        db.execute("UPDATE tool SET course_id = '' WHERE id = ?", (tool.id,))
    made = add_link(
        db,
        course_id=copy.course.id,
        tool_id=tool.id,
        title=link.title,
        description=link.description,
        url=link.url,
        custom=dict(link.custom),
        history=(link.id, *link.history),
        module_id=copy.modules.get(link.module_id or ""),
        page_id=copy.pages.get(link.page_id or ""),
        state=link.state,
        allowed_attempts=link.allowed_attempts,
        hints=dict(link.hints),
        due_at=link.due_at,
    )
    copy.links[link.id] = made.id
    for item in list_line_items(db, link.course_id, link_id=link.id):
        new = save_line_item(db, replace(item, id="", course_id=copy.course.id, tool_id=tool.id, link_id=made.id))
        copy.line_items[item.id] = new.id


def _copy_loose_columns(db: sqlite3.Connection, copy: CourseCopy, source: Course) -> None:
    """Columns that a tool made and hung on no link."""
    for item in list_line_items(db, source.id):
        if item.link_id is None:
            tool_id = copy.tools.get(item.tool_id, item.tool_id)
            new = save_line_item(db, replace(item, id="", course_id=copy.course.id, tool_id=tool_id))
            copy.line_items[item.id] = new.id


def _enroll_again(db: sqlite3.Connection, source: Course, course: Course, person_id: str) -> None:
    membership = find_membership(db, source.id, person_id)
    if membership is None:
        raise RefusedError(f"There is no person with the id {person_id!r} in the course that is copied.", 404)
    enroll(db, course.id, person_id, membership.role, membership.mentor_for)
