"""The pages about grades in the LMS in a real browser: readable by everybody, wide and narrow."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser

from courseway.courses.models import Course
from courseway.grades.models import Circuit, Delivery, DeliveryTry, ResultCheck
from courseway.grades.outbox import Grade, owe
from courseway.orgs.models import Person
from tests.cast import make_cast
from tests.courseway.grades.links import place_v11, place_v13
from tests.looks import each_look, find_faults, open_page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_pages_of_grades_are_accessible(live_server: object, chromium: Browser) -> None:
    """axe finds nothing, and no page scrolls sideways, with grades that differ, wait and failed."""
    cast, now = make_cast(), timezone.now()
    Course.objects.filter(pk=cast.course.pk).update(lti_enabled=True)
    first, second = place_v13(cast.operators), place_v11(cast.loops)
    for number in range(6):
        person = cast.sam if number == 0 else Person.objects.create(organization=cast.acme, name=f"Student {number}")
        for placed in (first, second):
            placed.let_in(person)
            owe(person, placed.assignment, Grade(Decimal(number + 4), Decimal(10), True, True), now=now)
    held = {"state": "needs_teacher", "last_error_code": "changed_in_lms", "last_error": "The LMS holds 9.5 of 10."}
    of_sam = Delivery.objects.filter(person=cast.sam, platform=first.platform)
    of_sam.update(**held, held_score="9.5", held_maximum=10, held_at=now, sent_score=8, sent_maximum=10, sent_version=1)
    Delivery.objects.filter(platform=second.platform).update(
        last_error_code="no_answer", last_error="no answer within 20 seconds"
    )
    Circuit.objects.create(
        platform=second.platform,
        opened_at=now - timedelta(hours=3),
        open_until=now + timedelta(minutes=4),
        code="no_answer",
        words="lms.example gave no answer within 20 seconds",
    )
    for hour in range(40):
        delivery = Delivery.objects.order_by("pk")[hour % 6]
        for code in ("sent", "sent", "no_answer")[: 1 + hour % 3]:
            DeliveryTry.objects.create(delivery=delivery, at=now - timedelta(hours=hour), version=1, code=code)
    ResultCheck.objects.create(resource_link=first.link, checked_at=now, same=4, different=1)
    ResultCheck.objects.create(
        resource_link=second.link, last_error_code="no_answer", last_error="no answer within 20 seconds"
    )
    signed_in = Client()
    signed_in.force_login(cast.olive)
    context = chromium.new_context()
    cookie = signed_in.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": str(live_server)}])
    page = open_page(context)
    wrong: list[str] = []
    for name, path in (
        ("lms-grades", f"/courses/{cast.course.public_id}/lms-grades/"),
        ("deliveries", f"/o/{cast.acme.slug}/grades"),
        ("delivery", f"/o/{cast.acme.slug}/grades/{of_sam.get().pk}"),
    ):
        answer = page.goto(f"{live_server}{path}")
        assert answer is not None
        assert answer.status == 200, path
        for look in each_look(page):
            if folder := os.environ.get("PICTURES"):
                page.screenshot(path=f"{folder}/{name}-{look}.png", full_page=True)
            wrong += find_faults(page, f"{path} {look}")
    context.close()
    assert not wrong, "\n".join(wrong)
