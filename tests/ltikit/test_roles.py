from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.launch import Role
from ltikit.roles import ParsedRole, RoleScope, is_administrator, is_test_user, parse_role, split_roles, strongest_role

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person"

TEACHERS = [
    [f"{MEMBERSHIP}#Instructor"],
    [f"{MEMBERSHIP}#ContentDeveloper"],
    [f"{MEMBERSHIP}#Administrator"],
    [f"{MEMBERSHIP}/Instructor#TeachingAssistant"],
    [f"{MEMBERSHIP}/Instructor#Grader"],
    [f"{MEMBERSHIP}/Administrator#Support"],
    [f"{MEMBERSHIP}/ContentDeveloper#Librarian"],
    ["https://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"],
    ["Instructor"],
    ["Instructor/GuestInstructor"],
    ["instructor"],
    ["  TeachingAssistant "],
    ["ContentDeveloper"],
    ["Administrator"],
    ["urn:lti:role:ims/lis/Instructor"],
    ["urn:lti:role:ims/lis/Instructor/TeachingAssistant"],
    ["urn:lti:role:ims/lis/TeachingAssistant/TeachingAssistantSection"],
    ["URN:LTI:ROLE:IMS/LIS/Administrator"],
    ["Learner", "Mentor", "Instructor"],
    ["Student,Instructor,Administrator"],
    ["urn:lti:instrole:ims/lis/Faculty", "Faculty", "urn:lti:instrole:ims/lis/Instructor", "Instructor"],
    [f"{MEMBERSHIP}#Learner", f"{MEMBERSHIP}#Instructor"],
]

MENTORS = [
    [f"{MEMBERSHIP}#Mentor"],
    [f"{MEMBERSHIP}/Mentor#Tutor"],
    ["Mentor"],
    ["Observer"],
    ["urn:lti:role:ims/lis/Mentor"],
    ["urn:lti:role:ims/lis/Mentor/Auditor"],
    ["Learner", "Mentor"],
    [f"{MEMBERSHIP}#Mentor", f"{MEMBERSHIP}/Learner#NonCreditLearner"],
    ["urn:lti:role:ims/lis/Learner/NonCreditLearner", "urn:lti:role:ims/lis/Mentor"],
    ["urn:lti:instrole:ims/lis/Observer"],
    ["urn:lti:instrole:ims/lis/Observer", "urn:lti:role:ims/lis/Learner/NonCreditLearner"],
    [f"{INSTITUTION}#Observer", f"{MEMBERSHIP}/Learner#NonCreditLearner"],
]

STUDENTS: list[list[str]] = [
    [],
    [""],
    ["  "],
    [","],
    ["Learner"],
    ["Student"],
    ["student"],
    ["Member"],
    ["Faculty"],
    ["Nobody knows this one"],
    ["Learner/Instructor"],
    ["#Instructor"],
    [f"{MEMBERSHIP}#"],
    [f"{MEMBERSHIP}/"],
    [MEMBERSHIP],
    [f"{MEMBERSHIP}#Learner"],
    [f"{MEMBERSHIP}#Officer"],
    [f"{MEMBERSHIP}/Learner#Instructor"],
    [f"{MEMBERSHIP}/Learner#NonCreditLearner"],
    [f"{MEMBERSHIP}Instructor"],
    [f"{MEMBERSHIP}sInstructor"],
    ["urn:lti:role:ims/lis.Instructor"],
    ["http://lms.example.edu/vocab/lis/v2/membership#Instructor"],
    ["urn:lti:role:ims/lis/Learner/Instructor"],
    ["urn:lti:role:ims/lisInstructor"],
    [f"{INSTITUTION}#Instructor"],
    [f"{INSTITUTION}#Administrator", f"{SYSTEM}#SysAdmin"],
    ["http://purl.imsglobal.org/vocab/lis/v2/person#Instructor"],
    ["urn:lti:instrole:ims/lis/Instructor"],
    ["urn:lti:instrole:ims/lis/Administrator", "urn:lti:sysrole:ims/lis/SysAdmin"],
    ["urn:lti:sysrole:ims/lis/Administrator"],
    ["urn:lti:instrole:ims/lis/Mentor"],
    ["Learner", "urn:lti:instrole:ims/lis/Observer"],
    [f"{INSTITUTION}#Instructor", f"{MEMBERSHIP}#Learner"],
]


@pytest.mark.quirk("C35", "G29")
@pytest.mark.parametrize("roles", TEACHERS)
def test_teaching_roles_of_the_context_make_a_teacher(roles: list[str]) -> None:
    """Each spelling of a teaching context role gives teacher rights, whatever stands beside it."""
    assert strongest_role(roles) is Role.TEACHER


@pytest.mark.quirk("C48", "G2")
@pytest.mark.parametrize("roles", MENTORS)
def test_mentors_and_observers_only_read(roles: list[str]) -> None:
    """Mentor and Observer make a mentor, also beside the NonCreditLearner that Canvas sends with them."""
    assert strongest_role(roles) is Role.MENTOR


@pytest.mark.quirk("C35", "G29", "G1")
@pytest.mark.parametrize("roles", STUDENTS)
def test_everything_else_is_a_student(roles: list[str]) -> None:
    """No role, an unknown one, and any role of the institution or the system give the least right."""
    assert strongest_role(roles) is Role.STUDENT


@given(st.lists(st.text(max_size=60), max_size=5))
def test_no_text_fails_or_gives_rights_by_accident(roles: list[str]) -> None:
    """Any text is read without an error, and none that names no teaching role makes a teacher."""
    role = strongest_role(roles)
    joined = "".join("".join(roles).casefold().split())
    if not any(word in joined for word in ("instructor", "teachingassistant", "contentdeveloper", "administrator")):
        assert role is not Role.TEACHER


@given(st.permutations(["Learner", "Mentor", "urn:lti:instrole:ims/lis/Administrator", "Member", ""]))
def test_the_order_of_roles_does_not_count(roles: list[str]) -> None:
    """The same roles in any order mean the same."""
    assert strongest_role(roles) is Role.MENTOR


@pytest.mark.quirk("G1", "O6")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{MEMBERSHIP}/Instructor#Grader", ParsedRole(RoleScope.CONTEXT, "instructor", "grader")),
        ("urn:lti:instrole:ims/lis/Guest", ParsedRole(RoleScope.INSTITUTION, "guest")),
        (f"{SYSTEM}#SysAdmin", ParsedRole(RoleScope.SYSTEM, "sysadmin")),
        ("lism:Instructor", ParsedRole(RoleScope.CONTEXT, "instructor")),
        ("mailto:Instructor", ParsedRole(RoleScope.UNKNOWN, "mailto:instructor")),
    ],
)
def test_a_role_is_taken_apart(text: str, expected: ParsedRole) -> None:
    """Scope, principal role and sub-role are told apart in every spelling."""
    assert expected == parse_role(text)


@pytest.mark.quirk("C16")
def test_the_preview_student_is_known() -> None:
    """The system role TestUser marks a test user beside any other role, and a context role of that name does not."""
    assert is_test_user([f"{MEMBERSHIP}#Learner", "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"])
    assert is_test_user(["http://purl.imsglobal.org/vocab/lis/v2/system/person#TestUser"])
    assert not is_test_user([f"{MEMBERSHIP}#Learner", "TestUser", ""])


def test_a_list_of_roles_is_split_at_commas() -> None:
    """Blanks and empty entries of a comma-separated list are dropped."""
    assert split_roles(" Learner ,, Mentor,") == ("Learner", "Mentor")


@pytest.mark.parametrize(
    ("role", "is_one"),
    [
        (f"{INSTITUTION}#Administrator", True),
        (f"{SYSTEM}#SysAdmin", True),
        (f"{SYSTEM}#AccountAdmin", True),
        (f" {SYSTEM}#administrator ", True),
        ("urn:lti:instrole:ims/lis/Administrator", True),
        ("urn:lti:sysrole:ims/lis/SysAdmin", True),
        (f"{MEMBERSHIP}#Administrator", False),
        ("Administrator", False),
        ("urn:lti:instrole:ims/lis/Administrator/Support", False),
        (f"{SYSTEM}#SysSupport", False),
        (f"{INSTITUTION}#Faculty", False),
        (f"{MEMBERSHIP}/institution/person#Administrator", False),
        ("https://example.org/institution/person#Administrator", False),
        ("", False),
    ],
)
def test_administrators_are_those_of_the_lms(role: str, is_one: bool) -> None:
    """Administrators of the institution or the system count; a course's administrator and support staff do not."""
    assert is_administrator([f"{MEMBERSHIP}#Instructor", role]) is is_one
