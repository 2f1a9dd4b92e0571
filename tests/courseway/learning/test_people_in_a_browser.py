"""The pages of people, due dates and feedback links in a real browser: readable by everybody, wide and narrow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser

from courseway.learning.models import Submission
from courseway.learning.scoring import set_grade, submit_attempt
from courseway.lms.models import LmsIdentity
from tests.cast import make_cast
from tests.looks import each_look, find_faults, open_page
from tests.visits import make_lms11

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_pages_of_people_are_accessible(live_server: object, chromium: Browser) -> None:
    """axe finds nothing, and no page scrolls sideways."""
    cast = make_cast()
    cast.course.provide_feedback_link = True
    cast.course.save()
    cast.operators.due_at, cast.operators.late_percent = NOW - timedelta(days=1), Decimal(10)
    cast.operators.save()
    lms = make_lms11(cast.acme)
    for person in (cast.sam, cast.sue):
        LmsIdentity.objects.create(
            platform=lms.platform, lms_user_id=f"u{person.pk}", person=person, email="s@x.example"
        )
        submit_attempt(assignment=cast.operators, person=person, answers={"maker": "guido"}, now=NOW)
    set_grade(assignment=cast.operators, person=cast.sam, percent=None, extra=Decimal(5), comment="Well begun", now=NOW)
    signed_in = Client()
    signed_in.force_login(cast.olive)
    context = chromium.new_context()
    cookie = signed_in.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": str(live_server)}])
    page = open_page(context)
    people, course = f"/o/{cast.acme.slug}/people/", f"/courses/{cast.course.public_id}/assignments"
    token = Submission.objects.get(person=cast.sam).feedback_token
    wrong: list[str] = []
    for path in (
        people,
        f"{people}{cast.sam.public_id}/",
        f"{people}{cast.sam.public_id}/merge/{cast.sue.public_id}/",
        f"{course}/{cast.operators.public_id}/dates/",
        f"{course}/{cast.operators.public_id}/results/{cast.sam.public_id}/",
        f"/learn/shared/{token}/",
        f"/o/{cast.acme.slug}/lti",
    ):
        answer = page.goto(f"{live_server}{path}")
        assert answer is not None
        assert answer.status == 200, path
        for look in each_look(page):
            wrong += find_faults(page, f"{path} {look}")
    context.close()
    assert not wrong, "\n".join(wrong)
