"""Who really launches when an LMS opens a student's work for somebody else, as `actual_user_*` parameters say.

The launch is then the student's, and these parameters name the teacher in front of the screen. Whoever edits a link
can set them: they prove nothing by themselves, so a tool accepts them only where an owner of the platform said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ltikit.errors import ActualUserRefusedError
from ltikit.launch import Launch, Role
from ltikit.roles import strongest_role

MAX_ID: Final = 255

_PREFIX = "actual_user_"
# LTI 1.1 links name them like lis_person_name_given, those of LTI 1.3 like the claims.
_GIVEN = ("actual_user_given_name", "actual_user_name_given")
_FAMILY = ("actual_user_family_name", "actual_user_name_family")
_FULL = ("actual_user_full_name", "actual_user_name_full")


@dataclass(frozen=True, slots=True)
class ActualUser:
    """The person in front of the screen. `user_id` is the LMS's id; `role` is teacher or mentor, never student.

    `full_name` is made of the other two where the LMS sends only those; each may be empty, and so may `email`.
    """

    user_id: str
    role: Role
    email: str = ""
    given_name: str = ""
    family_name: str = ""
    full_name: str = ""


def read_actual_user(launch: Launch) -> ActualUser | None:
    """The person that the `actual_user_*` parameters of a verified launch name.

    None without such parameters, and when they name the launching person: platforms that fill them in by themselves
    do so for everybody, and who opens their own work acts for nobody else.

    Raises `ActualUserRefusedError` when the id is missing or too long, or the role is missing or is not one that
    teaches or reads in the course.
    """
    if not any(name.startswith(_PREFIX) for name in launch.custom):
        return None
    user_id, roles = launch.custom.get("actual_user_id", ""), launch.custom.get("actual_user_role", "")
    if not user_id or len(user_id) > MAX_ID:
        raise ActualUserRefusedError("actual_user_id is missing or too long")
    if user_id == launch.person.user_id:
        return None
    role = strongest_role([roles])
    if role is Role.STUDENT:
        raise ActualUserRefusedError(f"actual_user_role is {roles[:100]!r}" if roles else "actual_user_role is missing")
    given, family = _first(launch, _GIVEN), _first(launch, _FAMILY)
    return ActualUser(
        user_id=user_id,
        role=role,
        email=launch.custom.get("actual_user_email", ""),
        given_name=given,
        family_name=family,
        full_name=_first(launch, _FULL) or f"{given} {family}".strip(),
    )


def _first(launch: Launch, names: tuple[str, ...]) -> str:
    return next((launch.custom[name] for name in names if name in launch.custom), "")
