"""A Blackboard that the operator registered, over real HTTP: claimed, confirmed, then rosters and grades as ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from courseway.grades.models import Delivery
from courseway.grades.report import drain
from courseway.grades.trial import send_test_score
from courseway.learning.scoring import set_grade
from courseway.lms.deployment_claims import claim_deployment
from courseway.lms.models import LmsIdentity, Platform
from courseway.lms.registrations import test_connection as try_connection
from tests.cast import Cast
from tests.courseway.lms.test_rosters import come_as_teacher, enrolled, read_now
from tests.courseway.practice_school import School, make_school13
from tests.practice_lms.running import PracticeLms


@pytest.fixture
def claimed(practice_lms: PracticeLms, cast: Cast) -> Iterator[School]:
    """A school whose platform is the organization's share, after an administrator's launch."""
    with make_school13(practice_lms, None, profile="blackboard", shares_groups=False) as operators:
        deployment = practice_lms.get("info", tool=operators.tool["id"])["deployment_id"]
        claim_deployment(cast.acme, operators.platform, deployment, claimed_by=None, now=datetime.now(UTC))
        link = operators.place(cast.operators)
        teacher = operators.add_person("Tea Cher", "teacher")
        refused = operators.launch(Client(), teacher, link)
        assert b"deployment_not_confirmed" in refused.content
        admin = operators.add_person("Ad Min", "teacher", is_admin=True)
        assert operators.launch(Client(), admin, link).status_code == 303
        yield replace(operators, platform=Platform.objects.get(shared=operators.platform))


def test_rosters_come_from_a_claimed_deployment(client: Client, cast: Cast, claimed: School) -> None:
    """A teacher's launch brings the list of members, by a token of the operator's registration."""
    ada = claimed.add_person("Ada One")
    come_as_teacher(client, claimed, cast)
    assert read_now() == 1
    assert enrolled(cast, claimed)[ada] == ("student", True)
    assert set(LmsIdentity.objects.values_list("platform", flat=True)) == {claimed.platform.pk}


def test_grades_go_to_a_claimed_deployment(client: Client, cast: Cast, claimed: School) -> None:
    """The gradebook of the LMS holds the grade; so does its column for a test score."""
    ada = claimed.add_person("Ada One")
    link = claimed.place(cast.operators)
    assert claimed.launch(client, ada, link).status_code == 303
    person, now = claimed.find_person(ada), datetime.now(UTC)
    set_grade(assignment=cast.operators, person=person, percent=Decimal(80), complete=True, release=True, now=now)
    drain(until_empty=False, timeout=None)
    assert Delivery.objects.get(person=person).state == Delivery.State.SENT
    assert claimed.lms.read_grade(claimed.course, ada) == "8"
    trial = send_test_score(claimed.platform, user_id=ada, context_id=None, percent=Decimal(50), keep=False, now=now)
    assert trial.result is not None


def test_the_connection_is_tested(cast: Cast, claimed: School) -> None:
    """An owner tests keyset and token of the share; the keys that are read stay with the operator's registration."""
    assert all(one.is_good for one in try_connection(claimed.platform.registered_as, now=datetime.now(UTC)))
    owner = Client()
    owner.force_login(cast.olive)
    response = owner.post(f"/o/acme/lti/registrations/{claimed.platform.public_id}/test")
    assert response.status_code == 200
    assert "usable keys" in response.content.decode()
