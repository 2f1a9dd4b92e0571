"""Reading who is in a context from the LMS, by whichever service it offers: all pages, or an error and nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from courseway import outbound, secrets_box
from courseway.lms.keys import reveal_secret
from courseway.lms.models import Context, Platform
from courseway.lms.platform_tokens import ask_for_token
from courseway.lms.roster_rows import roster_place
from ltikit import vocabulary
from ltikit.answers import MAX_ANSWER
from ltikit.errors import ServiceRejectedError
from ltikit.http import Request, Response
from ltikit.launch import Roster, RosterKind
from ltikit.members import Member, MembersPage, merge_members, parse_members
from ltikit.v11.memberships import memberships_request, parse_memberships
from ltikit.v13.groups import Group, group_sets_request, groups_request, parse_group_sets, parse_groups
from ltikit.v13.nrps import members_page_request, members_request, without_link

DEADLINE_SECONDS = 30.0
PAGE_SIZE = 200  # a wish, which an LMS need not grant
MAX_PAGES = 2000
MAX_MEMBERS = 200_000

# Called after each page with the pages and members read so far; ends the reading by raising.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ReadRoster:
    """Everything that the LMS lists. `unreadable` entries mean that nobody can say who is missing."""

    members: list[Member]
    unreadable: int
    differences_url: str


def read_members(context: Context, *, differences_url: str, now: datetime, progress: Progress) -> ReadRoster:
    """The members of the context, each once; with `differences_url` those who changed.

    Raises ServiceError, OutboundError or SecretUnreadableError; then nothing is known.
    """
    ask = _asker(context, now=now)
    members: list[Member] = []
    unreadable, latest_differences = 0, ""
    page = ask(differences_url)
    asked: set[str] = set()
    for number in range(1, MAX_PAGES + 1):
        members += page.members
        unreadable += page.unreadable
        latest_differences = page.differences_url or latest_differences
        progress(number, len(members))
        if page.next_url is None:
            return ReadRoster(merge_members(members), unreadable, latest_differences)
        if page.next_url in asked or len(members) > MAX_MEMBERS:
            break
        asked.add(page.next_url)
        page = ask(page.next_url)
    raise ServiceRejectedError("the list of members has no end")


def _asker(context: Context, *, now: datetime) -> Callable[[str], MembersPage]:
    """What asks for one page: the first for "", else the one at that address."""
    platform = context.deployment.platform
    if platform.version == Platform.Version.V11:
        return _ask_by_signature(context, platform, now)
    token = ask_for_token(platform, [vocabulary.SCOPE_MEMBERSHIP_READONLY], now=now)

    def ask(page_url: str) -> MembersPage:
        if page_url:
            request = members_page_request(page_url, token=token)
        else:
            request = members_request(
                without_link(context.roster_url), token=token, limit=PAGE_SIZE, with_groups=bool(context.groups_url)
            )
        return parse_members(_send(request), url=request.url)

    return ask


def _ask_by_signature(context: Context, platform: Platform, now: datetime) -> Callable[[str], MembersPage]:
    kind = RosterKind(context.roster_kind or RosterKind.NRPS)
    place = roster_place(context.deployment_id, context.context_id)
    roster_id = secrets_box.unlock(context.roster_id_encrypted, place=place) if context.roster_id_encrypted else ""
    roster = Roster(context.roster_url, kind=kind, id=roster_id)
    secret = reveal_secret(platform.consumer_key)

    def ask(page_url: str) -> MembersPage:
        request = memberships_request(
            roster,
            consumer_key=platform.consumer_key.key,
            secret=secret,
            nonce=secrets.token_hex(16),
            now=now,
            page_url=page_url,
            limit=PAGE_SIZE,
        )
        return parse_memberships(_send(request), roster, url=request.url)

    return ask


def _send(request: Request) -> Response:
    return outbound.send(request, deadline_seconds=DEADLINE_SECONDS, max_bytes=MAX_ANSWER)


def read_groups(context: Context, *, now: datetime) -> tuple[list[Group], dict[str, str]]:
    """The groups of the context and the names of their sets. Raises as `read_members`."""
    token = ask_for_token(context.deployment.platform, [vocabulary.SCOPE_GROUPS_READONLY], now=now)
    groups: list[Group] = []
    names: dict[str, str] = {}
    url: str | None = context.groups_url
    for _page in range(MAX_PAGES):
        if url is None:
            break
        request = groups_request(url, token=token)
        found, url = parse_groups(_send(request), url=request.url)
        groups += found
    url = context.group_sets_url or None
    for _page in range(MAX_PAGES):
        if url is None:
            break
        request = group_sets_request(url, token=token)
        sets, url = parse_group_sets(_send(request), url=request.url)
        names |= {one.id: one.name for one in sets}
    return groups, names
