"""Teachers are told of grades that are stuck: soon, in one mail, and never of what mends itself (H3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail

from courseway.courses.models import Enrollment
from courseway.grades.failure_mail import tell_failures
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import NOW, PlacedLink, place_v13

LATER = NOW + timedelta(minutes=31)


@pytest.fixture
def placed(cast: Cast) -> PlacedLink:
    placed = place_v13(cast.operators)
    for person in (cast.sam, cast.sue):
        placed.let_in(person)
    return placed


def get_stuck(placed: PlacedLink, person: Person, code: str, *, state: str = "needs_teacher", score: str = "8",
              now: datetime = NOW) -> None:  # fmt: skip
    grade = Grade(Decimal(score), Decimal(10), is_completed=True, is_released=True)
    owe(person, placed.assignment, grade, now=now)
    Delivery.objects.filter(person=person, resource_link=placed.link).update(state=state, last_error_code=code)


def test_the_teacher_gets_one_mail_for_many_grades(cast: Cast, placed: PlacedLink) -> None:
    """Assignment, number, reason, what to do and where: in one mail, which names no student."""
    for person in (cast.sam, cast.sue):
        get_stuck(placed, person, "person_not_gradable")
    assert tell_failures(now=LATER) == 1
    (message,) = mail.outbox
    assert message.to == [cast.tom.email]
    assert message.subject == "2 grades did not reach the LMS: Python basics"
    for words in ("Operators: 2 grades", "does not grade this person", "https://tool.example/courses/"):
        assert words in str(message.body)
    assert "Sam" not in str(message.body) + message.subject


def test_nobody_is_told_twice(cast: Cast, placed: PlacedLink) -> None:
    """The same stuck grades make no second mail, whatever time goes by."""
    get_stuck(placed, cast.sam, "person_not_gradable")
    assert [tell_failures(now=LATER + timedelta(days=days)) for days in range(4)] == [1, 0, 0, 0]
    assert len(mail.outbox) == 1


def test_at_most_one_mail_a_day(cast: Cast, placed: PlacedLink) -> None:
    """What gets stuck after a mail waits for the next day, and is then told together with the rest."""
    get_stuck(placed, cast.sam, "person_not_gradable")
    tell_failures(now=LATER)
    get_stuck(placed, cast.sue, "no_line_item", now=LATER)
    assert tell_failures(now=LATER + timedelta(hours=23)) == 0
    assert tell_failures(now=LATER + timedelta(hours=25)) == 1
    assert "2 grades" in mail.outbox[-1].subject
    get_stuck(placed, cast.sam, "person_not_gradable", score="9", now=LATER + timedelta(days=2))
    assert tell_failures(now=LATER + timedelta(days=4)) == 1


def test_what_mends_itself_is_no_news(cast: Cast, placed: PlacedLink) -> None:
    """Waiting grades, those stuck for less than half an hour, and those of a revoked platform tell nobody."""
    get_stuck(placed, cast.sam, "service_unavailable", state="waiting")
    get_stuck(placed, cast.sue, "person_not_gradable")
    assert tell_failures(now=NOW + timedelta(minutes=29)) == 0
    placed.platform.revoked_at = NOW
    placed.platform.save()
    assert tell_failures(now=LATER) == 0
    assert not mail.outbox


def test_owners_are_told_what_only_they_can_mend(cast: Cast, placed: PlacedLink) -> None:
    """Wrong credentials reach the owner too, with the page that is theirs."""
    get_stuck(placed, cast.sam, "service_unauthorized", state="failed")
    tell_failures(now=LATER)
    assert [message.to for message in mail.outbox] == [[cast.tom.email], [cast.olive.email]]
    assert "https://tool.example/o/acme/grades" in str(mail.outbox[1].body)


def test_without_a_teachers_account_the_owners_are_told(cast: Cast, placed: PlacedLink) -> None:
    """An address that only an LMS sent is not written to: it is nobody's proven address."""
    Enrollment.objects.filter(person=cast.tom_person).update(active=False)
    Person.objects.create(organization=cast.acme, name="Launched teacher", email="launched@acme.example")
    get_stuck(placed, cast.sam, "person_not_gradable")
    tell_failures(now=LATER)
    assert [message.to for message in mail.outbox] == [[cast.olive.email]]


def test_courses_are_told_apart(cast: Cast, placed: PlacedLink) -> None:
    """A teacher hears of the own course only, and a course that only enrolls of nothing."""
    foreign = place_v13(cast.foreign_assignment)
    stranger = Person.objects.create(organization=cast.umbrella, name="Stranger")
    foreign.let_in(stranger)
    get_stuck(foreign, stranger, "person_not_gradable")
    get_stuck(placed, cast.sam, "person_not_gradable")
    cast.course.enroll_only = True
    cast.course.save()
    assert tell_failures(now=LATER) == 1
    assert [message.to for message in mail.outbox] == [[cast.oscar.email]]
