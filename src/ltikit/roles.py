"""Reading the roles of a launch: every spelling in use, and what they allow in the launched context.

Roles come as full URIs (LTI 1.3 core A.2), as short names (context roles only) and as URNs of LTI 1.x.
Only context roles count: what somebody is in the institution or in the LMS gives no right in a course.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ltikit.launch import Role


class RoleScope(enum.StrEnum):
    """Where a role holds."""

    CONTEXT = "context"
    INSTITUTION = "institution"
    SYSTEM = "system"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ParsedRole:
    """One role, names in lower case: `Learner/NonCreditLearner` is name "learner", sub_role "noncreditlearner"."""

    scope: RoleScope
    name: str
    sub_role: str = ""


# Role vocabularies by address, longest first: `membership/Instructor#Grader` names its principal role in the path.
_VOCABULARIES = (
    ("purl.imsglobal.org/vocab/lis/v2/membership", RoleScope.CONTEXT),
    ("purl.imsglobal.org/vocab/lis/v2/institution/person", RoleScope.INSTITUTION),
    ("purl.imsglobal.org/vocab/lis/v2/system/person", RoleScope.SYSTEM),
    ("purl.imsglobal.org/vocab/lti/system/person", RoleScope.SYSTEM),
    ("purl.imsglobal.org/vocab/lis/v2/person", RoleScope.INSTITUTION),  # deprecated, LTI 1.3 core A.2.4
    ("urn:lti:role:ims/lis", RoleScope.CONTEXT),
    ("urn:lti:instrole:ims/lis", RoleScope.INSTITUTION),
    ("urn:lti:sysrole:ims/lis", RoleScope.SYSTEM),
)

_SHORT_NAME = re.compile(r"(?:lis[ms]:)?([a-z]+)(?:[/#]([a-z]+))?")
_BLANKS = re.compile(r"\s+")

_TEACHER = frozenset({"instructor", "teachingassistant", "contentdeveloper", "administrator"})
_MENTOR = frozenset({"mentor", "observer"})
_LEARNER = frozenset({"learner", "student"})
_ADMINISTRATOR = frozenset({"administrator", "sysadmin", "accountadmin"})


def split_roles(text: str) -> tuple[str, ...]:
    """The roles of a comma-separated list as LTI 1.1 sends them, blanks and empty entries left out."""
    return tuple([role for part in text.split(",") if (role := part.strip())])


def parse_role(text: str) -> ParsedRole:
    """One role of any spelling; never fails: what is not known has scope UNKNOWN and gives no rights.

    Case and blanks do not count. The principal role decides, not the sub-role:
    `membership/Learner#Instructor` is a learner (LTI 1.3 core A.2.3.1).
    """
    return _remember_role(text) if len(text) <= _REMEMBERED else _parse_role(text)


def _parse_role(text: str) -> ParsedRole:
    folded = _BLANKS.sub("", text).casefold()
    address = folded.removeprefix("http://").removeprefix("https://")
    for vocabulary, scope in _VOCABULARIES:
        rest = address.removeprefix(vocabulary)
        if rest != address and rest[:1] in ("/", "#"):
            name, _, sub_role = rest[1:].replace("#", "/", 1).partition("/")
            return ParsedRole(scope if name else RoleScope.UNKNOWN, name, sub_role)
    short = _SHORT_NAME.fullmatch(folded)
    if short is None:
        return ParsedRole(RoleScope.UNKNOWN, folded)
    return ParsedRole(RoleScope.CONTEXT, short[1], short[2] or "")


# The few spellings of an LMS come with every launch; what is longer than any of them is not kept.
_REMEMBERED = 200
_remember_role = lru_cache(maxsize=1000)(_parse_role)


def strongest_role(roles: Iterable[str]) -> Role:
    """What the person may do in the launched context: teacher before mentor before student.

    Instructor, TeachingAssistant, ContentDeveloper and Administrator teach; Mentor and Observer read.
    Everything else, known or not, is a student: the least right. Institution and system roles give no
    rights, with one exception that takes rights away from nobody: Canvas sends its observers as
    `urn:lti:instrole:ims/lis/Observer`, with or without the context role NonCreditLearner, so that role makes
    a mentor of somebody who is no ordinary learner of the context.
    """
    parsed = _parse_all(roles)
    principal = {role.name for role in parsed if role.scope is RoleScope.CONTEXT}
    if principal & _TEACHER:
        return Role.TEACHER
    if principal & _MENTOR:
        return Role.MENTOR
    if ParsedRole(RoleScope.INSTITUTION, "observer") in parsed and not any(map(_is_ordinary_learner, parsed)):
        return Role.MENTOR
    return Role.STUDENT


def is_administrator(roles: Iterable[str]) -> bool:
    """True for whoever administers the institution's LMS (LTI 1.3 core A.2.1, A.2.2).

    A context's administrator runs one course and is none; neither is one of the sub-roles, such as support staff.
    """
    scopes = (RoleScope.INSTITUTION, RoleScope.SYSTEM)
    return any(role.scope in scopes and role.name in _ADMINISTRATOR and not role.sub_role for role in _parse_all(roles))


def is_test_user(roles: Iterable[str]) -> bool:
    """True for the LMS's own preview student, whose grades no platform accepts (LTI 1.3 core A.2.2)."""
    return any(role.scope is RoleScope.SYSTEM and role.name == "testuser" for role in _parse_all(roles))


def _parse_all(roles: Iterable[str]) -> list[ParsedRole]:
    return [parse_role(part) for entry in roles for part in split_roles(entry)]


def _is_ordinary_learner(role: ParsedRole) -> bool:
    return role.scope is RoleScope.CONTEXT and role.name in _LEARNER and role.sub_role != "noncreditlearner"
