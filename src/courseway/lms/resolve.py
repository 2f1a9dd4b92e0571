"""Which assignment a launch opens: what its address asks for, then one table of rules, tried in order.

Pure; the log says which rule fired.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings

from courseway.lms.refusals import (
    CourseArchivedError,
    DeletedTargetError,
    LtiDisabledError,
    NotOfferedError,
    NotPublishedError,
    UnknownTargetError,
)
from ltikit.launch import Launch, Role


class Kind(enum.StrEnum):
    ANY = "any"  # /lti/launch: the launch itself must say where to
    ASSIGNMENT = "assignment"  # /lti/a/<assignment>
    CONTENT = "content"  # /lti/c/<content>: no course in it
    ENROLL = "enroll"  # /lti/e/<course>
    LINK = "link"  # /lti/link: whatever was chosen for this resource link
    SELECTION = "selection"  # /lti/resource_selection, /lti/editor_button
    NAVIGATION = "navigation"  # /lti/course_navigation


@dataclass(frozen=True, slots=True)
class Target:
    kind: Kind
    id: str = ""


_PATHS = (
    (re.compile(r"lti/launch/?"), Kind.ANY),
    (re.compile(r"lti/a/([a-z0-9]{16,40})/?"), Kind.ASSIGNMENT),
    (re.compile(r"lti/c/([a-z0-9]{16,40})/?"), Kind.CONTENT),
    (re.compile(r"lti/e/([a-z0-9]{16,40})/?"), Kind.ENROLL),
    (re.compile(r"lti/link/?"), Kind.LINK),
    (re.compile(r"lti/(?:resource_selection|editor_button)/?"), Kind.SELECTION),
    (re.compile(r"lti/course_navigation/?"), Kind.NAVIGATION),
    (re.compile(r""), Kind.ANY),
)


def read_target(url: str) -> Target | None:
    """The target of an absolute address of ours; None if it is not one of ours or not a launch address."""
    try:
        parts, own = urlsplit(url), urlsplit(settings.PUBLIC_URL)
        if (parts.scheme, parts.hostname, parts.port or _default_port(parts.scheme)) != (
            own.scheme,
            own.hostname,
            own.port or _default_port(own.scheme),
        ):
            return None
    except ValueError:
        return None
    if not (parts.path + "/").startswith(settings.PUBLIC_PATH + "/"):
        return None
    path = parts.path[len(settings.PUBLIC_PATH) :].lstrip("/")
    for pattern, kind in _PATHS:
        if match := pattern.fullmatch(path):
            return Target(kind, match.group(1) if match.groups() else "")
    return None


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


@dataclass(frozen=True, slots=True)
class Candidate:
    """An assignment that could be opened, with what decides whether it may be."""

    assignment_pk: int
    public_id: str
    course_pk: int
    organization_pk: int
    is_published: bool
    is_course_published: bool
    is_lti_enabled: bool
    deleted_at: datetime | str | None
    archived_at: datetime | str | None


@dataclass(frozen=True, slots=True)
class Resolution:
    candidate: Candidate
    rule: str


ADDRESS = "assignment_address"
PARAMETER = "assignment_parameter"
KNOWN_LINK = "known_link"


def name_assignment(launch: Launch, target: Target) -> tuple[str, str]:
    """The assignment that the message names itself, and the rule; two empty texts if it names none.

    An address beats a parameter: it is what the teacher placed in this very link, while a custom parameter may
    stand in the settings of the whole tool.
    """
    if target.kind is Kind.ASSIGNMENT:
        return target.id, ADDRESS
    if named := launch.custom.get("assignment_id", ""):
        return named, PARAMETER
    return "", ""


def resolve(
    launch: Launch, target: Target, *, candidate: Candidate | None, organization_pk: int, is_link_known: bool
) -> Resolution | None:
    """The assignment to open and the rule that chose it; None when no rule fires and a teacher has to choose.

    `candidate` is the assignment that the message names or, if it names none, the one remembered for its link.
    Raises UnknownTargetError, DeletedTargetError, NotPublishedError, LtiDisabledError, CourseArchivedError and
    NotOfferedError.
    """
    if target.kind in (Kind.CONTENT, Kind.ENROLL, Kind.SELECTION, Kind.NAVIGATION):
        raise NotOfferedError(target.kind.value)
    named, rule = name_assignment(launch, target)
    if not named:
        if candidate is None or not is_link_known:
            return None
        rule = KNOWN_LINK
    if candidate is None or candidate.organization_pk != organization_pk:
        raise UnknownTargetError(f"no assignment {named} in this organization")
    check_openable(candidate, launch.role)
    return Resolution(candidate, rule)


def check_openable(candidate: Candidate, role: Role) -> None:
    """Refuses what cannot be opened. A teacher may open what is not published, to see and to publish it."""
    if candidate.deleted_at is not None:
        raise DeletedTargetError
    if candidate.archived_at is not None:
        raise CourseArchivedError
    if not candidate.is_lti_enabled:
        raise LtiDisabledError
    if role is not Role.TEACHER and not (candidate.is_published and candidate.is_course_published):
        raise NotPublishedError
