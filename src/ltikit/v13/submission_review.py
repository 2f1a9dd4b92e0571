"""Submission Review 1.0: whose work somebody opens from the LMS's gradebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ltikit import vocabulary
from ltikit.errors import UnsupportedMessageError
from ltikit.launch import Launch, Message

SUBMISSION_REVIEW: Final[Mapping[str, Any]] = MappingProxyType(
    {"reviewableStatus": ["InProgress", "Submitted", "Completed"]}
)
"""The member `submissionReview` of a line item: work can be opened as soon as somebody has begun, at the link's address
(Submission Review 1.0 §4)."""


@dataclass(frozen=True, slots=True)
class ForUser:
    """The person whose work is meant, as the platform names them. Everything but `user_id` may be empty."""

    user_id: str
    sourcedid: str = ""
    name: str = ""
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()


def read_submission_review(launch: Launch) -> ForUser:
    """Whose work a verified LtiSubmissionReviewRequest asks for (Submission Review 1.0 §3).

    `verify_launch` has seen to it that the id is there. Who launched is `launch.person`: a student may see only
    their own work, and that is for the caller to hold. The work is that of the line item in `launch.ags`.

    Raises `UnsupportedMessageError` for any other message.
    """
    if launch.message is not Message.SUBMISSION_REVIEW:
        raise UnsupportedMessageError("not an LtiSubmissionReviewRequest")
    person: Mapping[str, Any] = launch.raw[vocabulary.FOR_USER]
    given, family = _text(person, "given_name"), _text(person, "family_name")
    roles = person.get("roles")
    return ForUser(
        user_id=_text(person, "user_id"),
        sourcedid=_text(person, "person_sourcedid"),
        name=_text(person, "name") or f"{given} {family}".strip(),
        given_name=given,
        family_name=family,
        email=_text(person, "email"),
        roles=tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else (),
    )


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
