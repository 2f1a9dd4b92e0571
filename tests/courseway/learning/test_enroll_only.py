"""Courses that only enroll: work starts here, and no LMS is asked or told anything about grades (F4).

The LMS of these tests fails the test when anybody calls it while the switch is on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from courseway.courses.models import Course
from courseway.grades import tokens
from courseway.grades.enroll_only import count_grades
from courseway.grades.models import Delivery, LineItemSearch
from courseway.grades.outbox import resend
from courseway.grades.report import drain
from courseway.learning.due import settle
from courseway.learning.models import Submission
from courseway.learning.owing import owe_newest
from courseway.learning.scoring import mark_completed, release, reopen, set_grade, submit_attempt
from courseway.lms.models import Arrival, LmsIdentity, ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13
from tests.visits import CLAIM, Lms11, Lms13, make_lms11, make_lms13

RIGHT = {"sum": "4", "quotient": "2.5", "maker": "guido"}
SERVICE = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
HOST = {"secure": True, "HTTP_HOST": "tool.example"}


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


@pytest.fixture
def silent(lms: FakeLms) -> Iterator[FakeLms]:
    """The LMS, which nobody may call."""
    yield lms
    assert not lms.requests, f"the LMS was called: {dict(lms.requests)}"


def switch(course: Course, *, on: bool) -> None:
    """As the tab does: switched off again, the newest grades are owed."""
    course.enroll_only = on
    course.save()
    if not on:
        owe_newest(course, now=now())


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=["1.1", "1.3"])
def placed(request: pytest.FixtureRequest, cast: Cast, lms: FakeLms) -> PlacedLink:
    """Sam and Sue came through a link that was mapped before the course began to enroll only."""
    place = place_v11 if request.param == "1.1" else place_v13
    placed = place(cast.operators, lms.url)
    for person in (cast.sam, cast.sue):
        placed.let_in(person)
    return placed


def grade_everything(cast: Cast) -> None:
    """All that teachers, students and time do to grades."""
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=now())
    set_grade(assignment=cast.operators, person=cast.sue, percent=Decimal(60), complete=True, release=True, now=now())
    reopen(cast.operators, [cast.sue], now=now())
    mark_completed(cast.operators, now=now())
    release(cast.operators, now=now())
    settle(now=now())


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_the_link_enrolls_and_work_starts_on_the_dashboard(
    client: Client, cast: Cast, silent: FakeLms, version: str
) -> None:
    """A student comes by the enroll link, finds all assignments, works one through and sees the grade; the LMS, whose
    whole grade service was offered, is neither asked nor told anything, and nothing of it is stored."""
    switch(cast.course, on=True)
    target = f"/lti/e/{cast.course.public_id}"
    lms11: Lms11
    lms13: Lms13
    if version == "1.1":
        lms11 = make_lms11(cast.acme)
        response = lms11.launch(client, target, lis_outcome_service_url=f"{silent.url}/outcomes")
    else:
        lms13 = make_lms13(cast.acme)
        service = {
            "scope": [f"https://purl.imsglobal.org/spec/lti-ags/scope/{name}" for name in ("score", "lineitem")],
            "lineitems": f"{silent.url}/lineitems",
            "lineitem": f"{silent.url}/lineitems/1/lineitem",
        }
        claims = {CLAIM + "target_link_uri": f"https://tool.example{target}", SERVICE: service}
        response = lms13.launch(client, **claims)
    assert response.status_code == 303, response.content.decode()
    prefix = response["Location"].partition("/learn/")[0]
    page = client.get(response["Location"], **HOST).content.decode()
    for assignment in (cast.operators, cast.loops):
        assert f"/learn/assignments/{assignment.public_id}/" in page
    for words in ("in your LMS", "In the LMS"):
        assert words not in page.partition("<main")[2], "nothing says that work starts elsewhere"
    address = f"{prefix}/learn/assignments/{cast.loops.public_id}/"
    assert 'data-form="submit"' in client.get(address, **HOST).content.decode()
    answers = {"q-sum": "4", "q-quotient": "2.5", "q-maker": "guido"}
    assert client.post(address + "submit/", answers, follow=True, **HOST).status_code == 200
    result = client.get(address, **HOST).content.decode()
    assert "100" in result
    assert "data-delivery=" not in result
    assert drain()["sent"] == 0
    person = LmsIdentity.objects.get().person
    assert Submission.objects.get(person=person).final_percent() == 100
    assert not Delivery.objects.exists()
    assert not LineItemSearch.objects.exists()
    link, arrival = ResourceLink.objects.get(), Arrival.objects.get()
    assert not any((link.assignment, link.lineitem_url, link.lineitems_url, link.ags_scopes))
    assert not any((arrival.outcome_url, arrival.result_sourcedid_encrypted))


def test_nothing_leaves_over_links_that_were_mapped_before(cast: Cast, silent: FakeLms, placed: PlacedLink) -> None:
    """While the switch is on nothing is owed and nothing sent over older links, whatever happens to the grades."""
    switch(cast.course, on=True)
    grade_everything(cast)
    assert not Delivery.objects.exists()
    assert drain(until_empty=True, timeout=2)["sent"] == 0
    assert count_grades(Course.objects.get(pk=cast.course.pk)).waiting == 0


def test_what_waited_when_it_was_switched_on_stays_here(cast: Cast, silent: FakeLms, placed: PlacedLink) -> None:
    """Grades that were on their way wait: the worker passes them by, and sending again sends nothing either."""
    grade_everything(cast)
    assert Delivery.objects.filter(state=Delivery.State.WAITING).count() == 2
    switch(cast.course, on=True)
    assert count_grades(Course.objects.get(pk=cast.course.pk)).waiting == 2
    assert drain()["sent"] == 0
    resend(Delivery.objects.all(), now=now())
    assert drain()["sent"] == 0


def test_switched_off_again_the_newest_grades_are_owed(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """What was graded meanwhile reaches the LMS afterwards, each person's newest grade once."""
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(10), complete=True, release=True, now=now())
    assert drain(until_empty=True, timeout=20)["sent"] == 1
    before = sum(lms.requests.values())
    switch(cast.course, on=True)
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(30), now=now())
    set_grade(assignment=cast.operators, person=cast.sue, percent=Decimal(40), complete=True, release=True, now=now())
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(90), now=now())
    drain()
    assert sum(lms.requests.values()) == before
    switch(cast.course, on=False)
    assert drain(until_empty=True, timeout=20)["failed"] == 0
    held = {person: lms.grades[key] for person, key in _keys(placed, lms).items()}
    assert held == {cast.sam: _value(placed, "9"), cast.sue: _value(placed, "4")}
    assert not Delivery.objects.exclude(state=Delivery.State.SENT).exists()


def _keys(placed: PlacedLink, lms: FakeLms) -> dict[Person, str]:
    names = {person: (f"user-{person.pk}@", f"sourced-{person.pk}-") for person in placed.people}
    return {person: next(key for key in lms.grades if key.startswith(begin)) for person, begin in names.items()}


def _value(placed: PlacedLink, points: str) -> object:
    return str(Decimal(points) / 10) if placed.outcome_url else (Decimal(points), Decimal(10))
