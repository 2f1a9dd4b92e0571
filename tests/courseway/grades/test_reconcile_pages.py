from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from courseway.courses.models import Course, Enrollment, Role
from courseway.grades.models import Delivery, ResultCheck
from courseway.grades.outbox import Grade, owe
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import PlacedLink, place_v13


@pytest.fixture
def placed(cast: Cast) -> PlacedLink:
    """Sam's grade was changed in the LMS to 95 %, Sue's is as it was sent."""
    Course.objects.filter(pk=cast.course.pk).update(lti_enabled=True)
    placed = place_v13(cast.operators)
    now = timezone.now()
    for person in (cast.sam, cast.sue):
        placed.let_in(person)
        owe(person, cast.operators, Grade(Decimal(8), Decimal(10), True, True), now=now)
    sent = {"state": "sent", "sent_version": 1, "tried_version": 1, "sent_score": 8, "sent_maximum": 10}
    Delivery.objects.update(**sent, sent_at=now, next_try_at=None)
    held = {"state": "needs_teacher", "last_error_code": "changed_in_lms", "last_error": "The LMS holds 9.5 of 10."}
    Delivery.objects.filter(person=cast.sam).update(**held, held_score="9.5", held_maximum=10, held_at=now)
    return placed


def _address(cast: Cast, name: str = "lms_grades") -> str:
    return reverse(f"grades_course:{name}", args=[cast.course.public_id])


def test_a_teacher_sees_what_differs(client: Client, cast: Cast, placed: PlacedLink) -> None:
    """The page names the student, the grade here and the one in the LMS; equal ones are not listed."""
    client.force_login(cast.tom)
    page = client.get(_address(cast)).content.decode()
    assert "1 grade differs" in page
    assert "Sam Student" in page
    assert "95 %" in page
    assert "Sue Student" not in page
    gradebook = client.get(reverse("learning_course:gradebook", args=[cast.course.public_id])).content.decode()
    assert _address(cast) in gradebook


def test_comparing_is_asked_for_and_watched(client: Client, cast: Cast, placed: PlacedLink) -> None:
    """The button asks the workers; the page looks again by itself until they are done, then shows all anew."""
    client.force_login(cast.tom)
    assert client.post(_address(cast, "lms_grades_compare")).status_code == 302
    check = ResultCheck.objects.get()
    assert check.asked_at is not None
    assert check.next_try_at is not None
    assert b"being read" in client.get(_address(cast)).content
    pending = client.get(_address(cast, "lms_grades_checks"))
    assert b"hx-get" in pending.content
    assert "HX-Refresh" not in pending
    ResultCheck.objects.update(asked_at=None, checked_at=timezone.now(), same=1, different=1, next_try_at=None)
    done = client.get(_address(cast, "lms_grades_checks"))
    assert b"hx-get" not in done.content
    assert done["HX-Refresh"] == "true"


@pytest.mark.parametrize(("action", "state"), [("send", "waiting"), ("keep", "sent")])
def test_the_teacher_decides(client: Client, cast: Cast, placed: PlacedLink, action: str, state: str) -> None:
    """Ours is sent, or the LMS's is kept, for the rows that were ticked and no others."""
    client.force_login(cast.tom)
    sam, sue = Delivery.objects.get(person=cast.sam), Delivery.objects.get(person=cast.sue)
    chosen = {"action": action, "delivery": [sam.pk, sue.pk]}
    assert client.post(_address(cast, "lms_grades_decide"), chosen).status_code == 302
    sam.refresh_from_db()
    assert sam.state == state
    assert sam.is_lms_grade_kept == (action == "keep")
    assert Delivery.objects.get(person=cast.sue).wanted_version == sue.wanted_version
    assert client.post(_address(cast, "lms_grades_decide"), {"action": "odd", "delivery": sam.pk}).status_code == 400


def test_only_the_people_of_a_teacher_are_shown_and_decided(client: Client, cast: Cast, placed: PlacedLink) -> None:
    """A teacher of another LMS course of this course neither sees nor decides anything about these students."""
    Enrollment.objects.filter(course=cast.course, person=cast.tom_person).update(covers_whole_course=False)
    client.force_login(cast.tom)
    assert b"Sam Student" not in client.get(_address(cast)).content
    sam = Delivery.objects.get(person=cast.sam)
    client.post(_address(cast, "lms_grades_decide"), {"action": "send", "delivery": sam.pk})
    client.post(_address(cast, "lms_grades_decide"), {"action": "send", "all": "1"})
    client.post(_address(cast, "lms_grades_compare"))
    sam.refresh_from_db()
    assert sam.state == "needs_teacher"
    assert not ResultCheck.objects.exists()


def test_others_do_not_get_there(client: Client, cast: Cast, placed: PlacedLink) -> None:
    """An outsider and somebody signed out learn nothing, and change nothing."""
    for who in (None, cast.oscar):
        client.logout()
        if who is not None:
            client.force_login(who)
        for name in ("lms_grades", "lms_grades_checks"):
            assert client.get(_address(cast, name)).status_code in (302, 403)
        for name in ("lms_grades_compare", "lms_grades_decide"):
            assert client.post(_address(cast, name), {"action": "send", "all": "1"}).status_code in (302, 403)
    assert Delivery.objects.get(person=cast.sam).state == "needs_teacher"
    assert not ResultCheck.objects.exists()


def test_many_grades_cost_no_more_statements(client: Client, cast: Cast, placed: PlacedLink) -> None:
    """The page of forty differing grades asks the database as often as that of one."""
    client.force_login(cast.tom)
    client.get(_address(cast))
    with CaptureQueriesContext(connection) as few:
        client.get(_address(cast))
    template = Delivery.objects.get(person=cast.sam)
    for number in range(40):
        person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
        Enrollment.objects.create(course=cast.course, person=person, role=Role.STUDENT)
        template.pk, template.person = None, person
        template.save()
    with CaptureQueriesContext(connection) as many:
        page = client.get(_address(cast)).content
    assert b"41 grades differ" in page
    assert len(many) == len(few)
