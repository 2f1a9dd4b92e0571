"""Choosing links in a tool: what was asked for, and the links that are made of the tool's answer.

A selection begins with a click on 'Add from tool' and is answered once, by whichever of the three ways the tool knows:
Deep Linking 2.0, Content-Item 1.0, or Canvas's older `ext_content_return_url`. Those verify the answer; what they
found ends up here as `ChosenItem`s.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from practice_lms.columns import LineItem, find_line_item_of_link, read_points, save_line_item
from practice_lms.courses import get_course
from practice_lms.links import Link, add_link, change_link, get_link
from practice_lms.profiles import Profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, get_tool

LIFETIME = 3600
SELECTION_PLACEMENTS = ("link_selection", "assignment_selection", "editor_button")
ITEM_TYPES = ("ltiResourceLink", "link", "html", "file", "image")


@dataclass(frozen=True)
class Selection:
    """What somebody asked a tool for. `data` has to come back exactly; `outcome` says what became of it."""

    id: str
    tool_id: str
    course_id: str
    person_id: str
    method: str
    data: str
    created_at: float
    wish: Mapping[str, Any]
    answered_at: float | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)

    @property
    def placement(self) -> str:
        """The tool's placement that was used."""
        return str(self.wish["placement"])

    @property
    def accept_types(self) -> tuple[str, ...]:
        """The kinds of items that may come back."""
        return tuple(self.wish["accept_types"])

    @property
    def accept_multiple(self) -> bool:
        """Whether more than one item may come back."""
        return bool(self.wish["accept_multiple"])

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        state = "waiting" if self.answered_at is None else str(self.outcome.get("state"))
        named = {"id": self.id, "tool": self.tool_id, "course": self.course_id, "method": self.method}
        return {**named, "wish": dict(self.wish), **self.outcome, "state": state}


@dataclass(frozen=True)
class ChosenLineItem:
    """The column that a tool wants for a link."""

    score_maximum: str
    label: str = ""
    resource_id: str = ""
    tag: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChosenItem:
    """One link that a tool gave."""

    url: str = ""
    title: str = ""
    text: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)
    line_item: ChosenLineItem | None = None
    hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a verified answer holds; `others` are items that are no links to the tool, kept as they came."""

    items: tuple[ChosenItem, ...]
    others: tuple[Mapping[str, Any], ...] = ()
    message: str = ""
    error: str = ""


def begin_selection(
    db: sqlite3.Connection, *, course_id: str, person_id: str, tool_id: str, values: Mapping[str, Any], now: float
) -> Selection:
    """Ask a tool for links. `values` may say placement, module, page, link (choose again), title, points,
    accept_multiple, accept_lineitem (null: not said) and accept_types."""
    tool = get_tool(db, tool_id)
    placement = str(values.get("placement") or _find_placement(tool))
    if placement not in SELECTION_PLACEMENTS:
        raise RefusedError(f"Links are chosen from {', '.join(SELECTION_PLACEMENTS)}.")
    tool.find_address(placement)
    accept_types = [str(one) for one in values.get("accept_types") or ["ltiResourceLink"]]
    if set(accept_types) - set(ITEM_TYPES):
        raise RefusedError(f"accept_types are {', '.join(ITEM_TYPES)}.")
    wish = {
        "placement": placement,
        "accept_types": accept_types,
        "accept_multiple": bool(values.get("accept_multiple", placement == "link_selection")),
        "accept_lineitem": values.get("accept_lineitem", True),
        **{name: str(values.get(name) or "") for name in ("module", "page", "link", "title", "points")},
    }
    if wish["link"]:
        link = get_link(db, wish["link"])
        if link.course_id != course_id or link.tool_id != tool.id:
            raise RefusedError("That link is not one of this tool in this course.", 404)
        wish["accept_multiple"] = False
    method = "deep_linking" if tool.version == "1.3" else tool.options.selection_method
    data = f'{secrets.token_hex(8)} é "&<+%20>'
    selection = Selection(secrets.token_hex(12), tool.id, course_id, person_id, method, data, now, wish)
    db.execute(
        "INSERT INTO selection (id, tool_id, course_id, person_id, method, wish, data, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (selection.id, tool.id, course_id, person_id, method, json.dumps(wish), data, now),
    )
    return selection


def find_selection(db: sqlite3.Connection, selection_id: str) -> Selection | None:
    """The selection with this id, if there is one."""
    row = db.execute("SELECT * FROM selection WHERE id = ?", (selection_id,)).fetchone()
    if row is None:
        return None
    texts = {name: json.loads(row[name]) for name in ("wish", "outcome")}
    return Selection(**{**dict(row), **texts})


def need_open_selection(
    db: sqlite3.Connection, selection_id: str, person_id: str, method: str, now: float
) -> Selection:
    """The selection that waits for an answer from this person's browser, by this method."""
    selection = find_selection(db, selection_id)
    if selection is None or selection.method != method:
        raise RefusedError("Nobody asked for links at this address.", 404)
    if selection.person_id != person_id:
        raise RefusedError("This selection was begun by somebody else, or by nobody who is signed in here.", 403)
    if selection.answered_at is not None:
        raise RefusedError("This selection was answered already.", 409)
    if now - selection.created_at > LIFETIME:
        raise RefusedError("This selection was begun more than an hour ago.", 410)
    return selection


def list_selections(db: sqlite3.Connection, *, limit: int = 50) -> list[Selection]:
    """The newest selections."""
    rows = db.execute("SELECT id FROM selection ORDER BY created_at DESC, rowid DESC LIMIT ?", (limit,)).fetchall()
    return [found for row in rows if (found := find_selection(db, row["id"])) is not None]


def finish_selection(
    db: sqlite3.Connection, selection: Selection, answer: Answer, profile: Profile, *, now: float
) -> Selection:
    """Make the links of a verified answer. One item that cannot be refuses all."""
    if len(answer.items) + len(answer.others) > 1 and not selection.accept_multiple:
        raise RefusedError("One item was asked for, more came back.")
    links = [_make_link(db, selection, item, profile) for item in answer.items]
    state = "answered" if links or answer.others else "cancelled"
    outcome = {
        "state": state,
        "links": [link.id for link in links],
        "others": [dict(one) for one in answer.others],
        "message": answer.message,
        "error": answer.error,
    }
    db.execute(
        "UPDATE selection SET answered_at = ?, outcome = ? WHERE id = ?", (now, json.dumps(outcome), selection.id)
    )
    return Selection(**{**selection.__dict__, "answered_at": now, "outcome": outcome})


def use_nonce(db: sqlite3.Connection, tool: Tool, nonce: str, now: float) -> None:
    """Use up the nonce of a verified answer."""
    cursor = db.execute("INSERT OR IGNORE INTO answer_nonce VALUES (?, ?, ?)", (tool.id, nonce, now))
    if cursor.rowcount == 0:
        raise RefusedError("The nonce was used before.", 401)


def _make_link(db: sqlite3.Connection, selection: Selection, item: ChosenItem, profile: Profile) -> Link:
    tool, wish = get_tool(db, selection.tool_id), selection.wish
    url = item.url or tool.launch_url
    _check_url(tool, url, profile)
    wanted = None if profile.has("C18") or wish["accept_lineitem"] is False else item.line_item
    drops_custom = selection.method == "content_item" and profile.has("C19")
    values: dict[str, Any] = {
        "title": item.title or str(wish["title"]) or tool.title,
        "description": item.text,
        "url": url,
        "custom": {} if drops_custom else dict(item.custom),
        "hints": dict(item.hints),
    }
    # Some LMSs give a column to what names one, others ask the teacher for points as well.
    asks_teacher = not (profile.has("B11") or profile.has("M14"))
    points = wish["points"] if asks_teacher and wanted is None else ""
    if wish["link"]:
        link = change_link(db, get_link(db, str(wish["link"])), points=points, **values)
    else:
        for name, member in (("module", "module_id"), ("page", "page_id")):
            if wish[name]:
                values[member] = wish[name]
        course = get_course(db, selection.course_id)
        link = add_link(db, course_id=course.id, tool_id=tool.id, points=points, **values)
    if wanted is not None:
        _save_column(db, link, wanted)
    return link


def _save_column(db: sqlite3.Connection, link: Link, wanted: ChosenLineItem) -> None:
    before = find_line_item_of_link(db, link.id)
    save_line_item(
        db,
        LineItem(
            id=before.id if before else "",
            course_id=link.course_id,
            tool_id=link.tool_id,
            link_id=link.id,
            label=wanted.label or link.title,
            score_maximum=read_points(wanted.score_maximum),
            resource_id=wanted.resource_id,
            tag=wanted.tag,
            extra=wanted.extra,
        ),
    )


def _check_url(tool: Tool, url: str, profile: Profile) -> None:
    mine, given = urlsplit(tool.launch_url), urlsplit(url)
    if given.scheme not in ("http", "https") or given.netloc != mine.netloc:
        raise RefusedError(f"Couldn't find a tool for {url!r}: a link must lead to {mine.scheme}://{mine.netloc}.")
    if profile.has("D5") and given.query:
        raise RefusedError(f"The URL of a chosen link may have no query: {url!r} (D5).")


def _find_placement(tool: Tool) -> str:
    for placement in SELECTION_PLACEMENTS:
        if placement in tool.placements:
            return placement
    raise RefusedError(f"{tool.title} offers no selection of links: give it the placement link_selection.", 404)
