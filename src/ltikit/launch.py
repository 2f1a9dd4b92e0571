"""What a verified launch means, whichever version of LTI brought it.

`ltikit.v11.launch.verify_launch` and `ltikit.v13.launch.verify_launch` both return a `Launch`;
code that receives one never has to ask which version it was.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


class Role(enum.StrEnum):
    """What a person may do in the launched context. Only context roles count (LTI core A.2.3)."""

    TEACHER = "teacher"
    MENTOR = "mentor"
    STUDENT = "student"


class Message(enum.StrEnum):
    """What the platform asks for, in one vocabulary for both versions."""

    RESOURCE_LINK = "resource_link"
    DEEP_LINKING = "deep_linking"
    SUBMISSION_REVIEW = "submission_review"


@dataclass(frozen=True, slots=True)
class Person:
    """The person in front of the screen, as the platform names them.

    `user_id` is opaque, case-sensitive and unique per platform; None for an anonymous launch.
    Every other field may be empty: platforms withhold names and e-mail for privacy.
    `email` keeps the spelling received.
    """

    user_id: str | None
    name: str = ""
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    sourcedid: str = ""
    is_test_user: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """An LMS course or section. `id` is opaque and unique per deployment."""

    id: str
    title: str = ""
    label: str = ""
    types: tuple[str, ...] = ()
    offering_sourcedid: str = ""
    section_sourcedid: str = ""


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """One placed link. `id` is opaque and unique per deployment; a copied link has a new one."""

    id: str
    title: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Basic Outcomes 1.1 of this person and link. `sourcedid` is a capability: never log it.

    `accepts` is what the platform takes besides the score: Canvas's "url", "text", "ltiLaunchUrl", "total_score" and
    "submitted_at" (`ext_outcome_data_values_accepted` and others).
    """

    url: str
    sourcedid: str = field(default="", repr=False)
    accepts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ags:
    """The Assignment and Grade Services endpoint claim (AGS 2.0 §3.1)."""

    scopes: frozenset[str]
    lineitems_url: str = ""
    lineitem_url: str = ""


class RosterKind(enum.StrEnum):
    """Which service lists the members: NRPS 2.0, LIS Membership Service 1.0, or the older XML one (both 1.1 only)."""

    NRPS = "nrps"
    LIS = "lis"
    POX = "pox"


@dataclass(frozen=True, slots=True)
class Roster:
    """Where the membership of the context can be read (NRPS 2.0 §3.6.1.1). `id` is what POX asks for by."""

    url: str
    versions: tuple[str, ...] = ()
    kind: RosterKind = RosterKind.NRPS
    id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Groups:
    """Where the groups of the context can be read (Course Groups 1.0 §3.1)."""

    url: str
    sets_url: str = ""
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PlatformInfo:
    """Which LMS installation says it sent this. Informational: none of it is proof of identity."""

    guid: str = ""
    name: str = ""
    family: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """One verified message from a platform.

    `version` is "1.1" or "1.3", for logs only.
    `issuer` and `client_id` are empty for LTI 1.1; `consumer_key` is empty for LTI 1.3.
    `deployment_id` is "" for LTI 1.1.
    `role` is the strongest context role (see `ltikit.roles`); `roles` keeps what was sent.
    `custom` holds the custom parameters with normalised names (`ltikit.parameters`), values as
    text, unexpanded `$Variables` left out; `custom_lists` holds the same with repeated values.
    `nonce` was part of the signed message; the caller must see to it that it is used only once.
    `raw` is the verified message as received: the form of 1.1, the claims of 1.3.
    """

    version: str
    message: Message
    issuer: str
    client_id: str
    consumer_key: str
    deployment_id: str
    person: Person
    role: Role
    roles: tuple[str, ...]
    nonce: str
    issued_at: datetime
    context: Context | None = None
    resource_link: ResourceLink | None = None
    target_link_uri: str = ""
    custom: Mapping[str, str] = field(default_factory=_nothing)
    custom_lists: Mapping[str, tuple[str, ...]] = field(default_factory=_nothing)
    outcomes: Outcomes | None = None
    ags: Ags | None = None
    roster: Roster | None = None
    groups: Groups | None = None
    platform: PlatformInfo = PlatformInfo()
    mentor_for: tuple[str, ...] = ()
    return_url: str = ""
    document_target: str = ""
    locale: str = ""
    raw: Mapping[str, Any] = field(default_factory=_nothing, repr=False)
