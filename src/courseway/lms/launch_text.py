"""A verified launch as text and back, so that it can wait in the database until a teacher has chosen.

Only ever written from a message that was verified a moment ago, and stored encrypted and bound to its row: what is
read back is as good as the message itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ltikit.launch import (
    Ags,
    Context,
    Groups,
    Launch,
    Message,
    Outcomes,
    Person,
    PlatformInfo,
    ResourceLink,
    Role,
    Roster,
    RosterKind,
)


def write_launch(launch: Launch) -> str:
    return json.dumps(_to_plain(launch), ensure_ascii=False, separators=(",", ":"))


def read_launch(text: str) -> Launch:
    """The launch that `write_launch` wrote, equal in every member."""
    plain: dict[str, Any] = json.loads(text)
    ags, context, link = plain["ags"], plain["context"], plain["resource_link"]
    # A form's repeated fields are tuples; in claims a list is a list.
    raw = {n: tuple(v) if isinstance(v, list) else v for n, v in plain["raw"].items()}
    return Launch(
        **{
            **plain,
            "message": Message(plain["message"]),
            "role": Role(plain["role"]),
            "roles": tuple(plain["roles"]),
            "issued_at": datetime.fromisoformat(plain["issued_at"]),
            "person": Person(**plain["person"]),
            "platform": PlatformInfo(**plain["platform"]),
            "context": Context(**{**context, "types": tuple(context["types"])}) if context else None,
            "resource_link": ResourceLink(**link) if link else None,
            "ags": Ags(**{**ags, "scopes": frozenset(ags["scopes"])}) if ags else None,
            "outcomes": _read_outcomes(plain["outcomes"]),
            "roster": _read_roster(plain["roster"]),
            "groups": _read_groups(plain.get("groups")),
            "mentor_for": tuple(plain["mentor_for"]),
            "custom": MappingProxyType(plain["custom"]),
            "custom_lists": MappingProxyType({n: tuple(values) for n, values in plain["custom_lists"].items()}),
            "raw": MappingProxyType(raw if plain["version"] == "1.1" else plain["raw"]),
        }
    )


# Members that came later may be missing in what was written before an upgrade.


def _read_outcomes(plain: dict[str, Any] | None) -> Outcomes | None:
    return Outcomes(**{**plain, "accepts": frozenset(plain.get("accepts", ()))}) if plain else None


def _read_roster(plain: dict[str, Any] | None) -> Roster | None:
    if not plain:
        return None
    kind = RosterKind(plain.get("kind", RosterKind.NRPS))
    return Roster(url=plain["url"], versions=tuple(plain["versions"]), kind=kind, id=plain.get("id", ""))


def _read_groups(plain: dict[str, Any] | None) -> Groups | None:
    return Groups(**{**plain, "scopes": frozenset(plain["scopes"])}) if plain else None


def _to_plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _to_plain(member) for name, member in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_to_plain(member) for member in value]
    return value.isoformat() if isinstance(value, datetime) else value
