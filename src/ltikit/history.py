"""Which links and courses a copied link or course was made from, in every spelling that LMSs use.

A copy has new ids. Where the platform keeps account of it, the launch names the ids that were copied, newest first
(LTI core 1.3 C, `ResourceLink.id.history` and `Context.id.history`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from ltikit.launch import Launch
from ltikit.parameters import clean_value

MAX_IDS: Final = 1000
"""Ids of one history that are read; Canvas sends no more."""
MAX_ID: Final = 255
"""Characters of an id (LTI core 1.3 §5.3); longer ones name nothing."""

_BRIGHTSPACE = "http://www.brightspace.com"
_TRUNCATED = "truncated"  # Canvas writes it after the last id when there were more
_SEPARATORS = re.compile(r"[^a-z0-9]")
_BAD_ID = re.compile("[\x00\ud800-\udfff]")

# Names without case and separators: `ResourceLink.id.history`, `resource_link_id_history` (Blackboard) and
# `resourcelink_id_history` (as LTI 1.1 mangles it) are one.
_LINK_HISTORY = "resourcelinkidhistory"
_CONTEXT_HISTORY = "contextidhistory"


@dataclass(frozen=True, slots=True)
class LinkHistory:
    """Earlier ids of the launched link and of its context, newest first; () if nothing was copied or nobody says."""

    resource_link_ids: tuple[str, ...] = ()
    context_ids: tuple[str, ...] = ()


def read_history(launch: Launch) -> LinkHistory:
    """The whole chain of copies that a verified launch names, from all places where platforms put it.

    Custom parameters of any usual spelling, parameters of the LTI 1.1 form (`resource_link_id_history`,
    `ext_d2l_resource_link_id_history`) and Brightspace's own claim. Ids are URL-decoded, named once, and never the
    launch's own. Variables that were not expanded, blanks and what cannot be an id are left out; nothing is refused.
    """
    found: dict[str, dict[str, None]] = {_LINK_HISTORY: {}, _CONTEXT_HISTORY: {}}
    for name, value in _list_parameters(launch):
        ids = found.get(_squash(name))
        if ids is not None:
            ids.update(dict.fromkeys(_split_history(value)))
    own_link = launch.resource_link.id if launch.resource_link else ""
    own_context = launch.context.id if launch.context else ""
    return LinkHistory(
        resource_link_ids=tuple(one for one in found[_LINK_HISTORY] if one != own_link)[:MAX_IDS],
        context_ids=tuple(one for one in found[_CONTEXT_HISTORY] if one != own_context)[:MAX_IDS],
    )


def _list_parameters(launch: Launch) -> Iterator[tuple[str, str]]:
    """Names and values that may be a history; what the platform itself says comes before custom parameters."""
    claim = launch.raw.get(_BRIGHTSPACE)
    members: Mapping[str, Any] = claim if isinstance(claim, dict) else {}
    own = launch.raw if launch.version == "1.1" else {}
    for name, value in (*members.items(), *own.items(), *launch.custom_lists.items()):
        values: Iterable[object] = value if isinstance(value, tuple) else (value,)
        for one in values:
            if isinstance(one, str):
                yield name, one


def _squash(name: str) -> str:
    return _SEPARATORS.sub("", name.lower().removeprefix("ext_d2l_"))


def _split_history(value: str) -> Iterator[str]:
    parts = [part.strip() for part in clean_value(value).split(",")]
    if parts[-1] == _TRUNCATED and len(parts) > 1:
        parts.pop()
    for part in parts:
        one = _decode(part)
        if one and len(one) <= MAX_ID and not _BAD_ID.search(one):
            yield one


def _decode(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        return part  # a percent sign of its own, from a platform that does not encode
