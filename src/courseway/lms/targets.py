"""What a launch address asks for, read from the address alone."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings


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
