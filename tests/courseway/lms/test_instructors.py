"""Instructors of an LMS whose owners want to be asked first (C5)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from courseway.courses.models import Enrollment, Role
from courseway.lms.models import InstructorApproval, LmsIdentity
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.visits import MEMBERSHIP, Lms11, Lms13, make_lms11, make_lms13

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def launch(lms: Lms11 | Lms13, cast: Cast, user: str, *, teaches: bool = True) -> Any:
    if isinstance(lms, Lms13):
        roles = [MEMBERSHIP + ("Instructor" if teaches else "Learner")]
        return lms.launch(Client(), cast.operators, sub=user, name=f"Name of {user}", **{CLAIM + "roles": roles})
    roles11 = "Instructor" if teaches else "Learner"
    names = {"lis_person_name_full": f"Name of {user}"}
    return lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", user_id=user, roles=roles11, **names)


def trust_url(lms: Lms11 | Lms13, act: str) -> str:
    return f"/o/acme/lti/platforms/{lms.platform.public_id}/{act}"


@pytest.mark.parametrize("make_lms", [make_lms11, make_lms13])
def test_an_instructor_waits_for_a_yes(cast: Cast, owner: Client, make_lms: Any) -> None:
    """Refused and listed, nothing else is made; approved, the next launch opens; withdrawn, it is refused again."""
    lms = make_lms(cast.acme)
    owner.post(trust_url(lms, "trust"), {"asks_about_instructors": "on"})
    people = Person.objects.count()
    for _ in range(2):
        refused = launch(lms, cast, "ines")
        assert refused.status_code == 403
        assert b'data-code="instructor_not_approved"' in refused.content
    approval = InstructorApproval.objects.get()
    assert (approval.name, approval.approved_at) == ("Name of ines", None)
    assert Person.objects.count() == people
    page = owner.get("/o/acme/").content.decode()
    assert "1 instructor waits for your yes" in page
    owner.post(trust_url(lms, f"instructors/{approval.pk}"), {"answer": "approve"})
    opened = launch(lms, cast, "ines")
    assert opened.status_code == 303
    assert "waits for your yes" not in owner.get("/o/acme/").content.decode()
    ines = LmsIdentity.objects.get(lms_user_id="ines").person
    assert Enrollment.objects.get(person=ines).role == Role.TEACHER
    owner.post(trust_url(lms, f"instructors/{approval.pk}"), {"answer": "forget"})
    assert not Enrollment.objects.get(person=ines).active
    assert launch(lms, cast, "ines").status_code == 403


def test_students_wait_for_nobody(cast: Cast, owner: Client) -> None:
    """Only instructors are asked about; and who is a student first and an instructor later waits then."""
    lms = make_lms11(cast.acme)
    owner.post(trust_url(lms, "trust"), {"asks_about_instructors": "on"})
    assert launch(lms, cast, "sally", teaches=False).status_code == 303
    assert launch(lms, cast, "sally").status_code == 403
    sally = LmsIdentity.objects.get(lms_user_id="sally").person
    assert Enrollment.objects.get(person=sally).role == Role.STUDENT


def test_who_teaches_already_goes_on(cast: Cast, owner: Client) -> None:
    """Switching it on shuts nobody out who taught before; switched off again, everybody teaches as the LMS says."""
    lms = make_lms11(cast.acme)
    assert launch(lms, cast, "ines").status_code == 303
    assert launch(lms, cast, "sally", teaches=False).status_code == 303
    owner.post(trust_url(lms, "trust"), {"asks_about_instructors": "on"})
    assert list(InstructorApproval.objects.exclude(approved_at=None).values_list("lms_user_id", flat=True)) == ["ines"]
    assert launch(lms, cast, "ines").status_code == 303
    assert launch(lms, cast, "ivo").status_code == 403
    owner.post(trust_url(lms, "trust"), {})
    assert launch(lms, cast, "ivo").status_code == 303


def test_owners_alone_say_yes(cast: Cast, owner: Client) -> None:
    """A teacher of the organization and an owner of another one are refused, and change nothing."""
    lms = make_lms11(cast.acme)
    owner.post(trust_url(lms, "trust"), {"asks_about_instructors": "on"})
    launch(lms, cast, "ines")
    approval = InstructorApproval.objects.get()
    for account in (cast.tom, cast.oscar):
        client = Client()
        client.force_login(account)
        answer = client.post(trust_url(lms, f"instructors/{approval.pk}"), {"answer": "approve"})
        assert answer.status_code == 403
    approval.refresh_from_db()
    assert approval.approved_at is None
