"""External tools: what the LMS knows about a program that it launches, by LTI 1.1 or by LTI 1.3."""

import json
import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from practice_lms.database import take_number
from practice_lms.profiles import check_profile
from practice_lms.refusals import RefusedError

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPE_LINE_ITEM = AGS + "lineitem"
SCOPE_LINE_ITEM_READ = AGS + "lineitem.readonly"
SCOPE_RESULT_READ = AGS + "result.readonly"
SCOPE_SCORE = AGS + "score"
SCOPE_GROUPS = "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"
SCOPE_ROSTER = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPE_NOTICES = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
ALL_SCOPES = (SCOPE_LINE_ITEM, SCOPE_LINE_ITEM_READ, SCOPE_RESULT_READ, SCOPE_SCORE)

ADDRESS = re.compile(r"[!-~]+")
"""Other characters have to be percent-encoded, or the two sides would sign different texts."""

OPTION_KINDS: dict[type, str] = {int: "a whole number", bool: "true or false", str: "text"}

SIGNATURE_METHODS = ("HMAC-SHA1", "HMAC-SHA256")

PLACEMENTS = {
    "course_navigation": "Course navigation",
    "link_selection": "Add from tool",
    "assignment_selection": "Assignments",
    "editor_button": "Editor of pages",
    "account_navigation": "Outside of courses",
}
"""Where a tool may show up besides its links. Each has an address of the tool; empty means the launch URL."""

PRIVACY = ("public", "name_only", "email_only", "anonymous")


COLUMNS = (
    "id",
    "title",
    "version",
    "launch_url",
    "consumer_key",
    "secret",
    "signature_method",
    "client_id",
    "deployment_id",
    "login_url",
    "redirect_urls",
    "keyset_url",
    "scopes",
    "options",
    "origin",
    "custom",
    "profile",
    "course_id",
    "placements",
    "state",
)


@dataclass(frozen=True)
class ToolOptions:
    """How this LMS treats one tool. The defaults are what a running Moodle does."""

    login_method: str = "post"
    """`post` or `get`: how the LTI 1.3 launch begins at the tool's login URL."""
    id_token_lifetime: int = 60
    """Seconds that an id_token is good for."""
    token_lifetime: int = 3600
    """Seconds that an access token is good for."""
    outcome_failure_status: int = 200
    """HTTP status of a Basic Outcomes failure: 200 as Moodle, 422 as Canvas."""
    sends_names: bool = True
    """Whether launches carry the person's name."""
    sends_email: bool = True
    """Whether launches carry the person's e-mail address."""
    sends_line_item: bool = True
    """Whether an LTI 1.3 launch of a graded link names its line item, or only the list of line items."""
    unfinished_score: str = "clear"
    """What a score that is not FullyGraded does to the grade: `clear` as Moodle, `keep` leaves the older grade."""
    token_media_type: str = "application/json"  # noqa: S105 - a media type
    """Media type of the token answer; a Moodle says `text/html`."""
    privacy: str = "public"
    """What the tool learns about people: `public`, `name_only`, `email_only` or `anonymous`."""
    oauth_compliant: bool = False
    """Whether an imitated Canvas signs an address's query where it stands (see C23)."""
    shares_roster: bool = False
    """Whether launches name the roster: Names and Role Provisioning by LTI 1.3, memberships by LTI 1.1."""
    shares_groups: bool = False
    """Whether launches of LTI 1.3 name the groups of the course (Course Groups)."""
    sends_notices: bool = False
    """Whether launches of LTI 1.3 offer notices (Platform Notification Service), and tokens register for them."""
    selection_method: str = "content_item"
    """How an LTI 1.1 tool is asked for links: `content_item`, or Canvas's older `ext_content_return_url`."""

    @property
    def shows_names(self) -> bool:
        """Whether launches name the person."""
        return self.sends_names and self.privacy in ("public", "name_only")

    @property
    def shows_email(self) -> bool:
        """Whether launches carry the e-mail address."""
        return self.sends_email and self.privacy in ("public", "email_only")

    @property
    def shows_accounts(self) -> bool:
        """Whether launches carry what the school calls the person: user name and SIS id."""
        return self.privacy != "anonymous"

    def check(self) -> None:
        """Refuse values that mean nothing."""
        for option in fields(self):
            value, kind = getattr(self, option.name), type(option.default)
            if type(value) is not kind:
                raise RefusedError(f"The option {option.name} must be {OPTION_KINDS[kind]}, not {value!r}.")
        allowed: dict[str, tuple[object, ...]] = {
            "login_method": ("post", "get"),
            "outcome_failure_status": (200, 422),
            "unfinished_score": ("clear", "keep"),
            "privacy": PRIVACY,
            "selection_method": ("content_item", "ext_content_return_url"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise RefusedError(f"The option {name} must be one of {', '.join(map(str, values))}.")
        for name in ("id_token_lifetime", "token_lifetime"):
            if not 1 <= getattr(self, name) <= 86_400:
                raise RefusedError(f"The option {name} must be 1 to 86400 seconds.")


@dataclass(frozen=True)
class Tool:
    """A tool; which fields matter depends on `version` (`1.1` or `1.3`).

    `course_id` names the course that the tool belongs to alone; empty: it is everybody's. Its `custom` parameters go
    with every launch, under those of the link.
    """

    id: str
    title: str
    version: str
    launch_url: str
    key: str = ""
    secret: str = ""
    signature_method: str = ""
    client_id: str = ""
    deployment_id: str = ""
    login_url: str = ""
    redirect_urls: tuple[str, ...] = ()
    keyset_url: str = ""
    scopes: tuple[str, ...] = ()
    options: ToolOptions = field(default_factory=ToolOptions)
    origin: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    course_id: str = ""
    placements: Mapping[str, str] = field(default_factory=dict)
    state: str = "active"
    """`active`, or `pending` until an administrator activates what registered itself."""

    @property
    def granted_scopes(self) -> tuple[str, ...]:
        """What this tool's tokens may be for."""
        roster = (SCOPE_ROSTER,) if self.options.shares_roster else ()
        groups = (SCOPE_GROUPS,) if self.options.shares_groups else ()
        return (*self.scopes, *roster, *groups, *((SCOPE_NOTICES,) if self.options.sends_notices else ()))

    def find_address(self, placement: str) -> str:
        """Where a placement of this tool leads, or a refusal: it has to be one of its own."""
        if placement not in self.placements:
            raise RefusedError(f"{self.title} has no placement {placement!r}.", 404)
        return self.placements[placement] or self.launch_url

    def is_same_program(self, other: "Tool") -> bool:
        """Whether both are one registration: a course's copy of a tool has the same key or client id."""
        if self.version == "1.1":
            return self.key == other.key
        return self.client_id != "" and self.client_id == other.client_id

    def as_json(self) -> dict[str, Any]:
        """For the API; the secret too, since tests need it and nothing here is real."""
        return asdict(self)


def save_tool(db: sqlite3.Connection, values: Mapping[str, Any], *, tool_id: str = "") -> Tool:
    """Make a tool from loose values, or change the one named by `tool_id`; a value that is left out stays."""
    before = get_tool(db, tool_id) if tool_id else None
    merged: dict[str, Any] = {**(asdict(before) if before else {}), **values}
    merged["options"] = {**(asdict(before.options) if before else {}), **dict(values.get("options") or {})}
    tool = _build_tool(before.id if before else str(values.get("id") or take_number(db)), merged)
    _check_unique(db, tool)
    row = (
        tool.id,
        tool.title,
        tool.version,
        tool.launch_url,
        tool.key,
        tool.secret,
        tool.signature_method,
        tool.client_id,
        tool.deployment_id,
        tool.login_url,
        json.dumps(tool.redirect_urls),
        tool.keyset_url,
        json.dumps(tool.scopes),
        json.dumps(asdict(tool.options)),
        tool.origin,
        json.dumps(dict(tool.custom)),
        tool.profile,
        tool.course_id,
        json.dumps(dict(tool.placements)),
        tool.state,
    )
    if before:
        assignments = ", ".join(f"{column} = ?" for column in COLUMNS)
        db.execute(f"UPDATE tool SET {assignments} WHERE id = ?", (*row, tool.id))  # noqa: S608 - own names
    else:
        marks = ", ".join("?" * len(COLUMNS))
        db.execute(f"INSERT INTO tool ({', '.join(COLUMNS)}) VALUES ({marks})", row)  # noqa: S608 - own names
    return tool


def activate_tool(db: sqlite3.Connection, tool_id: str) -> Tool:
    """Let a tool that registered itself be opened."""
    return save_tool(db, {"state": "active"}, tool_id=get_tool(db, tool_id).id)


def clone_tool(db: sqlite3.Connection, tool: Tool, course_id: str) -> Tool:
    """The same tool once more, for another course: same key and secret, or same client; settings of its own."""
    values = {**asdict(tool), "course_id": course_id, "origin": f"clone:{tool.id}"}
    return save_tool(db, {name: value for name, value in values.items() if name != "id"})


def list_clones(db: sqlite3.Connection, tool: Tool) -> list[str]:
    """The ids of all tools that are one registration with this one, its own among them."""
    column, value = ("consumer_key", tool.key) if tool.version == "1.1" else ("client_id", tool.client_id)
    rows = db.execute(f"SELECT id FROM tool WHERE {column} = ? AND version = ?", (value, tool.version))  # noqa: S608
    return [row["id"] for row in rows]


def find_tool(db: sqlite3.Connection, column: str, value: str) -> Tool | None:
    """The tool whose `id`, `consumer_key` or `client_id` is this."""
    if column not in ("id", "consumer_key", "client_id"):
        raise ValueError(column)
    query = f"SELECT * FROM tool WHERE {column} = ? AND {column} <> '' ORDER BY rowid LIMIT 1"  # noqa: S608
    row = db.execute(query, (value,)).fetchone()
    return None if row is None else _read_tool(row)


def find_seeded_tool(db: sqlite3.Connection, version: str) -> Tool | None:
    """The tool of this version that `seed` made."""
    row = db.execute("SELECT * FROM tool WHERE origin = 'seed' AND version = ?", (version,)).fetchone()
    return None if row is None else _read_tool(row)


def get_tool(db: sqlite3.Connection, tool_id: str) -> Tool:
    """The tool with this id, or a refusal that says so."""
    tool = find_tool(db, "id", tool_id)
    if tool is None:
        raise RefusedError(f"There is no tool with the id {tool_id!r}.", 404)
    return tool


def list_tools(db: sqlite3.Connection) -> list[Tool]:
    """Every tool, oldest first."""
    return [_read_tool(row) for row in db.execute("SELECT * FROM tool ORDER BY rowid")]


def delete_tool(db: sqlite3.Connection, tool_id: str) -> None:
    """Remove a tool with its links, their columns and grades."""
    get_tool(db, tool_id)
    db.execute("DELETE FROM tool WHERE id = ?", (tool_id,))


def _check_unique(db: sqlite3.Connection, tool: Tool) -> None:
    """No key or client id is used by two tools, unless each belongs to a course of its own, as copies do."""
    for column, value in (("consumer_key", tool.key), ("client_id", tool.client_id)):
        for row in db.execute(f"SELECT id, course_id FROM tool WHERE {column} = ? AND id <> ?", (value, tool.id)):  # noqa: S608
            if value and not (tool.course_id and row["course_id"]):
                raise RefusedError(f"Tool {row['id']} already uses the {column.replace('_', ' ')} {value!r}.", 409)


def _read_shared(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a tool has in either version: custom parameters, profile, course, placements."""
    custom, placements = values.get("custom") or {}, values.get("placements") or {}
    if not isinstance(custom, Mapping) or not isinstance(placements, Mapping):
        raise RefusedError("custom and placements must be JSON objects.")
    if set(placements) - set(PLACEMENTS):
        raise RefusedError(f"Placements are {', '.join(PLACEMENTS)}.")
    for name, address in placements.items():
        if address:
            check_address(name, str(address))
    return {
        "custom": {str(name): str(value) for name, value in custom.items()},
        "placements": {str(name): str(address or "") for name, address in placements.items()},
        "profile": check_profile(str(values.get("profile") or "")),
        "course_id": str(values.get("course_id") or values.get("course") or ""),
        "state": "pending" if values.get("state") == "pending" else "active",
    }


def _build_tool(tool_id: str, values: Mapping[str, Any]) -> Tool:
    version = str(values.get("version", ""))
    if version not in ("1.1", "1.3"):
        raise RefusedError("A tool needs a version: 1.1 or 1.3.")
    names = {option.name for option in fields(ToolOptions)}
    unknown = set(values["options"]) - names
    if unknown:
        raise RefusedError(f"Unknown option {sorted(unknown)[0]!r}: use {', '.join(sorted(names))}.")
    options = ToolOptions(**values["options"])
    options.check()
    title, launch_url, origin = (str(values.get(name) or "").strip() for name in ("title", "launch_url", "origin"))
    if not title:
        raise RefusedError("A tool needs a title.")
    check_address("launch_url", launch_url)
    if version == "1.1":
        method = str(values.get("signature_method") or "HMAC-SHA1")
        if method not in SIGNATURE_METHODS:
            raise RefusedError(f"The signature method must be one of {', '.join(SIGNATURE_METHODS)}.")
        key, secret = (str(values.get(name) or "").strip() for name in ("key", "secret"))
        if not key or not secret:
            raise RefusedError("An LTI 1.1 tool needs its key, and its secret, as the tool shows them.")
        return Tool(
            id=tool_id,
            version=version,
            key=key,
            secret=secret,
            signature_method=method,
            options=options,
            title=title,
            launch_url=launch_url,
            origin=origin,
            **_read_shared(values),
        )
    given = values.get("redirect_urls") or ()
    redirect_urls = tuple(
        str(url).strip() for url in ([given] if isinstance(given, str) else given) if str(url).strip()
    )
    if not redirect_urls:
        raise RefusedError("An LTI 1.3 tool needs at least one redirect URL, exactly as the tool shows it.")
    scopes = tuple(values.get("scopes") or ALL_SCOPES)
    strange = set(scopes) - set(ALL_SCOPES)
    if strange:
        raise RefusedError(f"The scope {sorted(strange)[0]!r} is unknown here.")
    login_url, keyset_url = (str(values.get(name) or "").strip() for name in ("login_url", "keyset_url"))
    addresses = (
        ("login_url", login_url),
        ("keyset_url", keyset_url),
        *(("redirect_urls", url) for url in redirect_urls),
    )
    for name, address in addresses:
        check_address(name, address)
    return Tool(
        id=tool_id,
        version=version,
        client_id=str(values.get("client_id") or secrets.token_hex(8)),
        deployment_id=str(values.get("deployment_id") or tool_id),
        redirect_urls=redirect_urls,
        scopes=scopes,
        options=options,
        login_url=login_url,
        keyset_url=keyset_url,
        title=title,
        launch_url=launch_url,
        origin=origin,
        **_read_shared(values),
    )


def check_address(name: str, address: str) -> None:
    """Refuse what no browser could be sent to."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or not ADDRESS.fullmatch(address):
        raise RefusedError(f"The {name} must be a full address that begins with http:// or https://, not {address!r}.")


def _read_tool(row: sqlite3.Row) -> Tool:
    return Tool(
        id=row["id"],
        title=row["title"],
        version=row["version"],
        launch_url=row["launch_url"],
        key=row["consumer_key"],
        secret=row["secret"],
        signature_method=row["signature_method"],
        client_id=row["client_id"],
        deployment_id=row["deployment_id"],
        login_url=row["login_url"],
        redirect_urls=tuple(json.loads(row["redirect_urls"])),
        keyset_url=row["keyset_url"],
        scopes=tuple(json.loads(row["scopes"])),
        options=ToolOptions(**json.loads(row["options"])),
        origin=row["origin"],
        custom=json.loads(row["custom"]),
        profile=row["profile"],
        course_id=row["course_id"],
        placements=json.loads(row["placements"]),
        state=row["state"],
    )
