"""A course that only enrolls sends no grade (F4): not the ones that wait, and not over links mapped earlier."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from django.utils import timezone

from courseway.courses.models import Course
from courseway.grades.enroll_only import count_grades
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from courseway.grades.report import drain
from tests.cast import Cast
from tests.courseway.grades.fake_lms import run_fake_lms
from tests.courseway.grades.links import place_v13

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_waits_stays_until_the_switch_is_off(cast: Cast) -> None:
    """A grade owed before is held back while the switch is on, without drain waiting for it, and goes afterwards."""
    with run_fake_lms() as lms:
        placed = place_v13(cast.operators, lms.url)
        for person in (cast.sam, cast.sue):
            placed.let_in(person)
            owe(person, cast.operators, Grade(Decimal(8), Decimal(10), True, True), now=timezone.now())
        Course.objects.filter(pk=cast.course.pk).update(enroll_only=True)
        began = time.monotonic()
        assert drain(until_empty=True, timeout=30) == {"sent": 0, "failed": 0, "waiting": 2}
        assert time.monotonic() - began < 10
        assert lms.grades == {}
        assert count_grades(cast.course) == (2, 0)
        cast.operators.course.refresh_from_db()
        assert owe(cast.sam, cast.operators, Grade(Decimal(9), Decimal(10), True, True), now=timezone.now()) == []
        Course.objects.filter(pk=cast.course.pk).update(enroll_only=False)
        assert drain(until_empty=True, timeout=30)["sent"] == 2
        assert len(lms.grades) == 2
        assert count_grades(cast.course) == (0, 2)


def test_other_courses_go_on(cast: Cast) -> None:
    """Only the course whose switch is on is held back."""
    with run_fake_lms() as lms:
        Course.objects.filter(pk=cast.course.pk).update(enroll_only=True)
        placed = place_v13(cast.foreign_assignment, lms.url)
        placed.let_in(cast.sam)
        owe(cast.sam, cast.foreign_assignment, Grade(Decimal(8), Decimal(10), True, True), now=timezone.now())
        assert drain(until_empty=True, timeout=30)["sent"] == 1
        assert Delivery.objects.get().state == Delivery.State.SENT
