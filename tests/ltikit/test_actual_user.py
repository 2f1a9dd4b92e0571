"""Who really launches: `actual_user_*` parameters of both versions."""

from __future__ import annotations

import pytest

from ltikit.actual_user import ActualUser, read_actual_user
from ltikit.errors import ActualUserRefusedError
from ltikit.launch import Role
from tests.ltikit.v11 import signed_forms
from tests.ltikit.v13.platform import launch, make_claims

TEACHER = {"actual_user_id": "t-1", "actual_user_role": "Instructor"}


def read(custom: dict[str, str]) -> ActualUser | None:
    return read_actual_user(launch(make_claims(custom=custom)))


def test_both_versions_name_the_same_person() -> None:
    """LTI 1.1 and LTI 1.3 spell the names differently and mean the same."""
    expected = ActualUser("t-1", Role.TEACHER, "Tea@school.example", "Tea", "Cher", "Tea Cher")
    form = signed_forms.launch(
        custom_actual_user_id="t-1",
        custom_actual_user_role="Instructor",
        custom_actual_user_email="Tea@school.example",
        custom_actual_user_name_given="Tea",
        custom_actual_user_name_family="Cher",
    )
    claims = {
        **TEACHER,
        "actual_user_email": "Tea@school.example",
        "actual_user_given_name": "Tea",
        "actual_user_family_name": "Cher",
    }
    assert read_actual_user(form) == read(claims) == expected


def test_a_full_name_counts_as_it_was_sent() -> None:
    """The full name of the LMS is kept, and no part of a name is needed."""
    assert read({**TEACHER, "actual_user_full_name": "Cher"}) == ActualUser("t-1", Role.TEACHER, full_name="Cher")
    assert read_actual_user(
        signed_forms.launch(**{f"custom_{name}": value for name, value in TEACHER.items()})
    ) == ActualUser("t-1", Role.TEACHER)


def test_an_ordinary_launch_names_nobody() -> None:
    """Without the parameters, or with variables that were not expanded, there is nobody else."""
    assert read({"page": "Warm-up"}) is None
    assert read({"actual_user_id": "$ActualUser.id", "actual_user_role": "$ActualMembership.role"}) is None


def test_people_who_open_their_own_work_act_for_nobody() -> None:
    """An LMS that fills the parameters in for everybody makes an ordinary launch of an ordinary launch."""
    assert read({"actual_user_id": "user-1", "actual_user_role": "Learner"}) is None


@pytest.mark.parametrize(
    "role",
    ["Instructor", "instructor,Learner", "urn:lti:role:ims/lis/TeachingAssistant", "Administrator",
     "http://purl.imsglobal.org/vocab/lis/v2/membership#ContentDeveloper"],
)  # fmt: skip
def test_roles_that_teach(role: str) -> None:
    """Whoever teaches in the course may open a student's work, however the role is spelled."""
    user = read({**TEACHER, "actual_user_role": role})
    assert user is not None
    assert user.role is Role.TEACHER


def test_mentors_stay_mentors() -> None:
    """A mentor is named as one, so that the caller shows only what a mentor may see."""
    user = read({**TEACHER, "actual_user_role": "urn:lti:role:ims/lis/Mentor"})
    assert user is not None
    assert user.role is Role.MENTOR


@pytest.mark.parametrize(
    "role",
    ["Learner", "student", "urn:lti:role:ims/lis/Learner", "Learner/NonCreditLearner", "Guest", "Member", "true",
     "urn:lti:sysrole:ims/lis/SysAdmin", "urn:lti:instrole:ims/lis/Faculty", "$Membership.role", ""],
)  # fmt: skip
def test_roles_that_do_not_teach_are_refused(role: str) -> None:
    """A student-like, unknown, institution-wide or missing role opens nobody's work."""
    with pytest.raises(ActualUserRefusedError, match="actual_user_role"):
        read({**TEACHER, "actual_user_role": role})


@pytest.mark.parametrize("user_id", ["", "$ActualUser.id", "x" * 256])
def test_a_role_without_a_person_is_refused(user_id: str) -> None:
    """Somebody who is not named cannot act for somebody else."""
    with pytest.raises(ActualUserRefusedError, match="actual_user_id"):
        read({**TEACHER, "actual_user_id": user_id})
