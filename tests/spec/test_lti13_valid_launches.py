"""LTI Advantage certification of tools, 6.1.2 and 6.1.3: valid launches of teachers (T) and students (S).

Each must succeed; what differs is which role it gives and what is known of the person.
"""

from __future__ import annotations

from typing import Any

from ltikit.launch import Launch, Message, Role
from tests.ltikit.v13.platform import INSTITUTION, MEMBERSHIP, launch, make_claims

UNKNOWN = "http://purl.imsglobal.org/vocab/lis/v2/uknownrole/unknown#"
NAMES = ("name", "given_name", "family_name", "middle_name")


def arrive(roles: list[str], *without: str, **changes: Any) -> Launch:
    """A launch with these roles that must be accepted as the person it is about."""
    accepted = launch(make_claims(*without, roles=roles, **changes))
    assert accepted.person.user_id == "user-1"
    assert accepted.roles == tuple(roles)
    return accepted


def test_t1_teacher_full() -> None:
    """A full teacher launch gives a teacher with every name and the e-mail."""
    person = arrive([MEMBERSHIP + "Instructor"]).person
    assert (person.name, person.given_name, person.family_name) == ("Ada Lovelace", "Ada", "Lovelace")
    assert person.email == "ada@school.example"
    assert arrive([MEMBERSHIP + "Instructor"]).role is Role.TEACHER


def test_t2_teacher_multiple_roles() -> None:
    """Institution roles beside the context role change nothing, and alone they give no rights."""
    roles = [INSTITUTION + "Staff", MEMBERSHIP + "Instructor", INSTITUTION + "Other"]
    assert arrive(roles).role is Role.TEACHER
    assert arrive([INSTITUTION + "Instructor", INSTITUTION + "Administrator"]).role is Role.STUDENT


def test_t3_teacher_short_role() -> None:
    """The short name Instructor means the context role."""
    assert arrive(["Instructor"]).role is Role.TEACHER


def test_t4_teacher_unknown_role() -> None:
    """An unknown role is accepted and gives the least right."""
    assert arrive(["http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper"]).role is Role.STUDENT


def test_t5_teacher_no_role() -> None:
    """A list with one empty text, or an empty list, is accepted and gives the least right."""
    assert arrive([""]).role is Role.STUDENT
    assert arrive([]).role is Role.STUDENT


def test_t6_teacher_email_only() -> None:
    """Without any name the e-mail is there and the name is empty."""
    person = arrive([MEMBERSHIP + "Instructor"], *NAMES).person
    assert (person.name, person.email) == ("", "ada@school.example")


def test_t7_teacher_names_only() -> None:
    """Without an e-mail the names are there; of given and family name alone a name is made."""
    assert arrive([MEMBERSHIP + "Instructor"], "email").person.name == "Ada Lovelace"
    assert arrive([MEMBERSHIP + "Instructor"], "email", "name").person.name == "Ada Lovelace"
    assert arrive([MEMBERSHIP + "Instructor"], "email", "name", "given_name").person.name == "Lovelace"


def test_t8_teacher_no_personal_data() -> None:
    """With nothing but the sub the launch succeeds."""
    accepted = arrive([MEMBERSHIP + "Instructor"], *NAMES, "email")
    assert (accepted.person.name, accepted.person.email, accepted.role) == ("", "", Role.TEACHER)


def test_t9_teacher_email_without_context() -> None:
    """A launch without a course succeeds and has no context."""
    accepted = arrive([MEMBERSHIP + "Instructor"], *NAMES, "context")
    assert accepted.context is None
    assert accepted.resource_link is not None


def test_s1_student_full() -> None:
    """A full student launch gives a student, in the course and on the link that were named."""
    accepted = arrive([MEMBERSHIP + "Learner"])
    assert (accepted.role, accepted.message, accepted.version) == (Role.STUDENT, Message.RESOURCE_LINK, "1.3")
    assert accepted.context is not None
    assert accepted.resource_link is not None
    assert (accepted.context.id, accepted.resource_link.id) == ("course-1", "link-1")


def test_s2_student_multiple_roles() -> None:
    """A learner who mentors somebody in the institution stays a student here."""
    roles = [MEMBERSHIP + "Learner", INSTITUTION + "Student", INSTITUTION + "Mentor"]
    assert arrive(roles).role is Role.STUDENT


def test_s3_student_short_role() -> None:
    """The short name Learner means the context role."""
    assert arrive(["Learner"]).role is Role.STUDENT


def test_s4_student_unknown_role() -> None:
    """A role of an unknown vocabulary beside Learner changes nothing."""
    assert arrive([MEMBERSHIP + "Learner", UNKNOWN + "Unknown"]).role is Role.STUDENT


def test_s5_student_no_role() -> None:
    """A student without any role is accepted."""
    assert arrive([""]).role is Role.STUDENT


def test_s6_student_email_only() -> None:
    """A student of whom only the e-mail is known is accepted."""
    person = arrive([MEMBERSHIP + "Learner"], *NAMES).person
    assert (person.name, person.email) == ("", "ada@school.example")


def test_s7_student_names_only() -> None:
    """A student without an e-mail is accepted."""
    assert arrive([MEMBERSHIP + "Learner"], "email").person.email == ""


def test_s8_student_no_personal_data() -> None:
    """A student of whom nothing is known but the sub is accepted."""
    assert arrive([MEMBERSHIP + "Learner"], *NAMES, "email").person.name == ""


def test_s9_student_email_without_context() -> None:
    """A student's launch without a course succeeds and has no context."""
    assert arrive([MEMBERSHIP + "Learner"], *NAMES, "context").context is None
