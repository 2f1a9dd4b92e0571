"""Members of a context, as any version of a roster service lists them.

The container of NRPS 2.0 is read here, since platforms offer it to LTI 1.3 tools (`ltikit.v13.nrps`) and, signed in
another way, to LTI 1.1 tools (`ltikit.v11.memberships`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ltikit import vocabulary
from ltikit.answers import read_json
from ltikit.errors import ServiceUnavailableError
from ltikit.http import Response
from ltikit.launch import Outcomes, Role
from ltikit.links import linked_url, next_url
from ltikit.parameters import is_unexpanded, is_web_url
from ltikit.roles import is_test_user, strongest_role
from ltikit.services import raise_for_status

MAX_ID: Final = 255
"""Characters of a user id (LTI core 1.3 §5.3)."""


class MemberStatus(enum.StrEnum):
    """Whether somebody may come in (NRPS 2.0 §2.3). DELETED stands in a list of differences only."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a context. Everything but `user_id` may be empty: platforms withhold what privacy asks for.

    `user_id` is the `sub` (1.3) or `user_id` (1.1) of the person's launches. `legacy_user_id` is the one that the
    person had under LTI 1.1. `group_ids` are those that were asked for with `groups=true` (Course Groups 1.0).
    `outcomes` and `custom` are there when the list was asked for one link.
    """

    user_id: str
    roles: tuple[str, ...] = ()
    status: MemberStatus = MemberStatus.ACTIVE
    name: str = ""
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    sourcedid: str = ""
    legacy_user_id: str = ""
    group_ids: tuple[str, ...] = ()
    outcomes: Outcomes | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> Role:
        """What the person may do in the context, by the rules of a launch."""
        return strongest_role(self.roles)

    @property
    def is_test_user(self) -> bool:
        """True for the LMS's own preview student."""
        return is_test_user(self.roles)

    @property
    def full_name(self) -> str:
        """The name as sent, else one made of given and family name; it may be empty."""
        return self.name or f"{self.given_name} {self.family_name}".strip()


@dataclass(frozen=True, slots=True)
class MembersPage:
    """One page of a list of members.

    `next_url` is the address of the next page, None after the last: only then is the list whole, and only a whole
    list says who is not in it. `unreadable` counts entries without a usable id: with any of them the list does not
    say who is missing either. `differences_url` may be asked later for what changed since (NRPS 2.0 §2.4.2).
    """

    members: tuple[Member, ...]
    next_url: str | None = None
    differences_url: str | None = None
    unreadable: int = 0
    context_id: str = ""


def parse_members(response: Response, *, url: str) -> MembersPage:
    """One page of an NRPS 2.0 membership container. `url` is the address that was asked.

    Tolerated, since platforms do so: `members` as an object (PHP), a bare list, roles as text or with short names,
    numbers as ids, `null` for a name, `message` as an object (Blackboard).

    Raises what `ltikit.services.raise_for_status` does, `ServiceUnavailableError` for what is no container, and
    `ServiceRejectedError` when the next page is on another host.
    """
    raise_for_status(response)
    container = {"members": []} if response.status == 204 else read_json(response)
    entries = _find_entries(container)
    if entries is None:
        raise ServiceUnavailableError("the answer is not a list of members", platform_status=response.status)
    context = container.get("context") if isinstance(container, dict) else None
    members = [member for member in map(_read_member, entries) if member is not None]
    return MembersPage(
        members=tuple(members),
        next_url=next_url(response.headers, base_url=url),
        differences_url=linked_url(response.headers, "differences", base_url=url),
        unreadable=len(entries) - len(members),
        context_id=read_text(context, "id") if isinstance(context, dict) else "",
    )


def merge_members(members: Iterable[Member]) -> list[Member]:
    """Each person once, in the order met: some platforms list a person for each section, with a role in each.

    Roles and groups are added up; somebody who is active once is active.
    """
    found: dict[str, Member] = {}
    for member in members:
        known = found.get(member.user_id)
        if known is None:
            found[member.user_id] = member
            continue
        statuses = {known.status, member.status}
        found[member.user_id] = replace(
            known,
            roles=tuple(dict.fromkeys((*known.roles, *member.roles))),
            group_ids=tuple(dict.fromkeys((*known.group_ids, *member.group_ids))),
            status=next(status for status in MemberStatus if status in statuses),
            **{name: getattr(known, name) or getattr(member, name) for name in _TEXTS},
        )
    return list(found.values())


_TEXTS = ("name", "given_name", "family_name", "email", "sourcedid", "legacy_user_id")


def read_status(value: object) -> MemberStatus:
    """The status of any spelling (`Inactive`, `liss:Inactive`); absent or unknown means active (NRPS 2.0 §2.3)."""
    word = value.rpartition(":")[2].rpartition("#")[2].strip().lower() if isinstance(value, str) else ""
    return next((status for status in MemberStatus if status.value.lower() == word), MemberStatus.ACTIVE)


def read_text(members: Mapping[str, Any], *names: str) -> str:
    """The first of these members that is text and not an unexpanded `$Variable`, or the digits of a whole number."""
    for name in names:
        value = members.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip() and "\0" not in value and not is_unexpanded(value):
            return value.strip()
    return ""


def read_user_id(members: Mapping[str, Any], *names: str) -> str:
    """An opaque id as it was sent; "" for one that cannot be an id."""
    user_id = read_text(members, *names)
    is_whole = user_id.isprintable() and "\ufffd" not in user_id  # else a character of it was lost on the way
    return user_id if len(user_id) <= MAX_ID and is_whole else ""


def list_entries(value: object) -> list[Any]:
    """A list as it stands; an object that PHP made of a list as its values; one thing as a list of one."""
    if value is None:
        return []
    if isinstance(value, dict):
        return list(value.values()) if value and all(str(name).isdigit() for name in value) else [value] * bool(value)
    return list(value) if isinstance(value, list) else [value]


def list_texts(value: object) -> tuple[str, ...]:
    """The texts that are not blank, of a list or of one alone in its place."""
    return tuple(one for one in list_entries(value) if isinstance(one, str) and one.strip())


def _find_entries(container: object) -> list[Any] | None:
    if isinstance(container, list):
        return container
    if isinstance(container, dict) and isinstance(container.get("members"), list | dict):
        return list_entries(container["members"])
    return None


def _read_member(entry: object) -> Member | None:
    if not isinstance(entry, dict):
        return None
    user_id = read_user_id(entry, "user_id")
    if not user_id:
        return None
    messages = [message for message in list_entries(entry.get("message")) if isinstance(message, dict)]
    return Member(
        user_id=user_id,
        roles=list_texts(entry.get("roles")),
        status=read_status(entry.get("status")),
        name=read_text(entry, "name"),
        given_name=read_text(entry, "given_name"),
        family_name=read_text(entry, "family_name"),
        email=read_text(entry, "email"),
        sourcedid=read_text(entry, "lis_person_sourcedid"),
        legacy_user_id=read_user_id(entry, "lti11_legacy_user_id"),
        group_ids=tuple(_list_groups(entry.get("group_enrollments"))),
        outcomes=next(filter(None, map(_read_outcomes, messages)), None),
        custom=next(filter(None, map(_read_custom, messages)), {}),
    )


def _list_groups(value: object) -> Iterator[str]:
    for enrollment in list_entries(value):
        group_id = read_text(enrollment, "group_id", "id") if isinstance(enrollment, dict) else ""
        if group_id:
            yield group_id


def _read_outcomes(message: Mapping[str, Any]) -> Outcomes | None:
    """Basic Outcomes of this person and the link that was asked for (LTI 1.1 Basic Outcomes with 1.3 §3)."""
    claim = message.get(vocabulary.BASIC_OUTCOME)
    if not isinstance(claim, dict):
        return None
    url, sourcedid = claim.get("lis_outcome_service_url"), claim.get("lis_result_sourcedid")
    if not (isinstance(url, str) and is_web_url(url) and isinstance(sourcedid, str) and sourcedid):
        return None
    return Outcomes(url=url, sourcedid=sourcedid)


def _read_custom(message: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = message.get(vocabulary.CUSTOM)
    return custom if isinstance(custom, dict) else {}
