"""Profiles: which LMS this one imitates, chosen for the installation, a course or a tool, and which quirks are on.

A tool's choice counts before its course's, that before the installation's. The profile `practice` imitates nobody.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from practice_lms.database import read_setting, write_setting
from practice_lms.quirks import BY_NUMBER, QUIRKS
from practice_lms.refusals import RefusedError


@dataclass(frozen=True)
class Profile:
    """How an LMS behaves; `quirks` are the numbers that are on."""

    name: str
    title: str
    family_code: str
    version: str = "1.0"
    sourcedid_places: tuple[str, ...] = ("offering", "section")
    """Where a launch carries the course's SIS id: as that of the offering, of the section, of both or nowhere."""
    keeps_sourcedid_on_copy: bool = False
    clones_course_tools: bool = True
    names_11: str = "mangled"
    """Names of custom parameters in LTI 1.1: `mangled`, or `both` (mangled and as written)."""
    names_13: str = "written"
    """In LTI 1.3: as `written`, or `both`."""
    unknown_variables: tuple[str, ...] = ()
    """Variables (or beginnings of such) that this LMS leaves as they stand, besides those that nobody knows."""
    knows_canvas_variables: bool = False
    cartridge_versions: tuple[str, ...] = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
    keeps_cartridge_custom: bool = True
    always_offers_line_items: bool = False
    stores_data: bool = True
    """Whether its pages keep data for tools, by postMessage."""
    refuses_unknown_keys: bool = False
    """Whether reading what nobody put there is an error (`key_not_found`), not an empty answer."""
    lists_differences: bool = False
    """Whether the last page of the roster says where changes since then are listed."""
    memberships_11: tuple[str, ...] = ()
    """What an LTI 1.1 launch names the roster by: `nrps`, `lis`, `pox`; nothing: only where a variable asks for it."""
    quirks: frozenset[str] = frozenset()

    @property
    def offers_line_items(self) -> bool:
        """Whether a launch without a column of its own still names the list of columns (M12)."""
        return self.always_offers_line_items or self.has("M12")

    @property
    def storage_target(self) -> str:
        """What the login names as the place of the storage: a frame of its own in a Canvas (C41); nothing for none."""
        if not self.stores_data:
            return ""
        return "post_message_forwarding" if self.has("C41") else "_parent"

    @property
    def message_prefix(self) -> str:
        """How the subjects of its messages begin (G18)."""
        return "org.imsglobal.lti." if self.has("G18") else "lti."

    def has(self, number: str) -> bool:
        """Whether the quirk with this number is on."""
        if number not in BY_NUMBER:
            raise KeyError(number)
        return number in self.quirks


_HISTORY_OF_LINKS = "$ResourceLink.id.history"
_CATALOGUE = (
    Profile(
        "practice",
        "Practice LMS",
        "practice_lms",
        names_13="both",
        lists_differences=True,
        memberships_11=("nrps", "lis", "pox"),
    ),
    Profile(
        "canvas",
        "Canvas",
        "canvas",
        "cloud",
        sourcedid_places=("offering",),
        knows_canvas_variables=True,
        always_offers_line_items=True,
    ),
    Profile(
        "moodle",
        "Moodle",
        "moodle",
        "2024100700",
        sourcedid_places=("section",),
        names_13="both",
        unknown_variables=(
            "$CourseOffering.",
            "$Membership.role.scope",
            "$Context.sourcedId",
            "$ResourceLink.available.",
            "$ResourceLink.submission.",
        ),
        memberships_11=("nrps", "lis"),
        cartridge_versions=("1.0.0", "1.1.0"),
        keeps_cartridge_custom=False,
        stores_data=False,
    ),
    Profile(
        "blackboard",
        "Blackboard",
        "BlackboardLearn",
        "3900.100",
        clones_course_tools=False,
        always_offers_line_items=True,
    ),
    Profile(
        "brightspace",
        "Brightspace",
        "desire2learn",
        "20.24",
        clones_course_tools=False,
        always_offers_line_items=True,
        refuses_unknown_keys=True,
    ),
    Profile(
        "schoology",
        "Schoology",
        "schoology",
        sourcedid_places=(),
        stores_data=False,
        unknown_variables=(_HISTORY_OF_LINKS, "$Context.id.history", "$CourseOffering.", "$CourseSection."),
    ),
    Profile(
        "sakai",
        "Sakai",
        "sakai",
        "23.3",
        keeps_sourcedid_on_copy=True,
        names_11="both",
        always_offers_line_items=True,
        memberships_11=("pox",),
    ),
)
PROFILES_BY_NAME = {one.name: one for one in _CATALOGUE}


def check_profile(name: str) -> str:
    """The name itself when it is a profile's, or nothing; a refusal otherwise."""
    if name and name not in PROFILES_BY_NAME:
        raise RefusedError(f"There is no profile {name!r}: use one of {', '.join(PROFILES_BY_NAME)}.")
    return name


def read_profile(db: sqlite3.Connection, name: str) -> Profile:
    """The profile of this name with the quirks that are on."""
    changes = _read_changes(db).get(name, {})
    live = [
        quirk.number for quirk in QUIRKS if name in quirk.offered_in and changes.get(quirk.number, name in quirk.on_in)
    ]
    return replace(PROFILES_BY_NAME[name], quirks=frozenset(live))


def list_profiles(db: sqlite3.Connection) -> list[Profile]:
    """Every profile with the quirks that are on."""
    return [read_profile(db, name) for name in PROFILES_BY_NAME]


def read_installation_profile(db: sqlite3.Connection) -> str:
    """The profile of the installation."""
    return read_setting(db, "profile") or "practice"


def choose_profile(db: sqlite3.Connection, *names: str) -> Profile:
    """The first of these names that says something, else the installation's profile."""
    chosen = next((name for name in names if name), "") or read_installation_profile(db)
    return read_profile(db, chosen)


def use_profile(db: sqlite3.Connection, name: str, *, course_id: str = "", tool_id: str = "") -> None:
    """Set the profile of the installation, or of one course or tool; an empty name takes a choice back."""
    check_profile(name)
    if not course_id and not tool_id:
        write_setting(db, "profile", name or "practice")
    for table, row_id in (("course", course_id), ("tool", tool_id)):
        if not row_id:
            continue
        done = db.execute(f"UPDATE {table} SET profile = ? WHERE id = ?", (name, row_id))  # noqa: S608 - own names
        if done.rowcount == 0:
            raise RefusedError(f"There is no {table} with the id {row_id!r}.", 404)


def switch_quirks(db: sqlite3.Connection, name: str, wishes: dict[str, Any]) -> None:
    """Switch quirks of a profile on or off; what is left out stays."""
    if not check_profile(name):
        raise RefusedError("Say which profile the quirks belong to.")
    changes = _read_changes(db)
    for number, is_on in wishes.items():
        if number not in BY_NUMBER or name not in BY_NUMBER[number].offered_in:
            offered = ", ".join(quirk.number for quirk in QUIRKS if name in quirk.offered_in)
            raise RefusedError(f"The profile {name} has no quirk {number!r}: it has {offered}.")
        if BY_NUMBER[number].is_fixed and not is_on:
            raise RefusedError(f"The quirk {number} cannot be switched off.")
        if not isinstance(is_on, bool):
            raise RefusedError(f"The quirk {number} must be true or false.")
        changes.setdefault(name, {})[number] = is_on
    write_setting(db, "quirks", json.dumps(changes))


def reset_quirks(db: sqlite3.Connection, names: Iterable[str] = ()) -> None:
    """Every quirk as it is from the start."""
    kept = {} if not tuple(names) else {one: v for one, v in _read_changes(db).items() if one not in tuple(names)}
    write_setting(db, "quirks", json.dumps(kept))


def _read_changes(db: sqlite3.Connection) -> dict[str, dict[str, bool]]:
    return dict(json.loads(read_setting(db, "quirks") or "{}"))
