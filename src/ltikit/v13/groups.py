"""Course Groups Service 1.0: the groups and sections that a context is divided into.

Which groups a person is in comes with the roster (`ltikit.v13.nrps.members_request`, `with_groups`), or by asking
for the groups of one person.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from ltikit import vocabulary
from ltikit.answers import read_json
from ltikit.errors import ServiceUnavailableError
from ltikit.http import Request, Response
from ltikit.links import next_url
from ltikit.members import list_entries, read_text
from ltikit.services import raise_for_status


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a context. `set_id` names the set that divides the context, "" for none; `tag` is the tool's own."""

    id: str
    name: str
    set_id: str = ""
    tag: str = ""
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class GroupSet:
    """A way in which a context is divided into groups: by section, by project team, …"""

    id: str
    name: str


def groups_request(groups_url: str, *, token: str, user_id: str = "", limit: int = 0) -> Request:
    """List the groups of a context, or those of one person. The answer goes to `parse_groups`.

    Needs the scope `vocabulary.SCOPE_GROUPS_READONLY`. For a further page give its address and nothing else.
    """
    return _read(groups_url, vocabulary.MEDIA_GROUPS, token, user_id=user_id, limit=str(limit) if limit else "")


def group_sets_request(sets_url: str, *, token: str, limit: int = 0) -> Request:
    """List the sets of groups of a context. The answer goes to `parse_group_sets`."""
    return _read(sets_url, vocabulary.MEDIA_GROUP_SETS, token, limit=str(limit) if limit else "")


def parse_groups(response: Response, *, url: str) -> tuple[list[Group], str | None]:
    """One page of groups and the address of the next, None after the last. `url` is the address that was asked."""
    found = []
    for entry in _read_entries(response, "groups"):
        group_id = read_text(entry, "id")
        if group_id:
            found.append(
                Group(
                    id=group_id,
                    name=read_text(entry, "name") or group_id,
                    set_id=read_text(entry, "set_id"),
                    tag=read_text(entry, "tag"),
                    is_hidden=entry.get("hidden") in (True, "true"),
                )
            )
    return found, next_url(response.headers, base_url=url)


def parse_group_sets(response: Response, *, url: str) -> tuple[list[GroupSet], str | None]:
    """One page of sets and the address of the next, None after the last."""
    sets = [
        GroupSet(id=read_text(entry, "id"), name=read_text(entry, "name") or read_text(entry, "id"))
        for entry in _read_entries(response, "sets")
        if read_text(entry, "id")
    ]
    return sets, next_url(response.headers, base_url=url)


def _read(url: str, media_type: str, token: str, **values: str) -> Request:
    added = urlencode({name: value for name, value in values.items() if value}, quote_via=quote)
    parts = urlsplit(url)
    address = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))
    return Request(method="GET", url=address, headers={"Accept": media_type, "Authorization": f"Bearer {token}"})


def _read_entries(response: Response, name: str) -> list[dict[str, object]]:
    raise_for_status(response)
    container = {name: []} if response.status == 204 else read_json(response)
    entries = container.get(name) if isinstance(container, dict) else container
    if not isinstance(entries, list | dict):
        raise ServiceUnavailableError(f"the answer is not a list of {name}", platform_status=response.status)
    return [entry for entry in list_entries(entries) if isinstance(entry, dict)]
