"""Submission Review 1.0 §3: whose work is opened."""

from __future__ import annotations

import pytest

from ltikit.errors import UnsupportedMessageError
from ltikit.v13.submission_review import ForUser, read_submission_review
from tests.ltikit.v13.platform import MEMBERSHIP, launch, make_claims


def read(**person: object) -> ForUser:
    claims = make_claims(message_type="LtiSubmissionReviewRequest", for_user={"user_id": "student-7", **person})
    return read_submission_review(launch(claims))


def test_the_person_is_read() -> None:
    """Everything that the platform says of the person is handed on."""
    person = {
        "person_sourcedid": "sis:7",
        "name": "Grace Hopper",
        "given_name": "Grace",
        "family_name": "Hopper",
        "email": "grace@school.example",
        "roles": [MEMBERSHIP + "Learner"],
    }
    assert read(**person) == ForUser(
        "student-7", "sis:7", "Grace Hopper", "Grace", "Hopper", "grace@school.example", (MEMBERSHIP + "Learner",)
    )


def test_only_the_id_is_needed() -> None:
    """Names and e-mail may be withheld, and odd values of them count as withheld."""
    assert read() == ForUser("student-7")
    assert read(name=None, email=7, roles="Learner", given_name="Ada") == ForUser(
        "student-7", name="Ada", given_name="Ada"
    )


def test_the_person_at_the_screen_stays_the_launching_one() -> None:
    """Who launched and whose work it is are two people, and neither takes the other's place."""
    claims = make_claims(message_type="LtiSubmissionReviewRequest", for_user={"user_id": "student-7"})
    launched = launch(claims)
    assert launched.person.user_id == "user-1"
    assert read_submission_review(launched).user_id == "student-7"


def test_other_messages_name_nobody() -> None:
    """A claim of that name in an ordinary launch means nothing."""
    with pytest.raises(UnsupportedMessageError):
        read_submission_review(launch(make_claims(for_user={"user_id": "student-7"})))
