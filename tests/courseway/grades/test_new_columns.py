"""Making a gradebook column where platforms take less than the specification allows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.utils import timezone

from courseway.grades import tokens
from courseway.grades.dispatch import Dispatcher, deliver_what_is_due
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import place_v13

WHOLE_POINTS_ONLY = Misbehaviour(400, body=b'{"scoreMaximum":["A valid integer is required."]}')  # Open edX's words


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


def deliver(cast: Cast, lms: FakeLms, score: str, maximum: str) -> Delivery:
    """One person's grade at a link that has no column yet."""
    placed = place_v13(cast.operators, lms.url, lineitem="")
    placed.let_in(cast.sam)
    grade = Grade(Decimal(score), Decimal(maximum), is_completed=True, is_released=True)
    owe(cast.sam, cast.operators, grade, now=timezone.now())
    deliver_what_is_due(dispatcher=Dispatcher())
    return Delivery.objects.get()


def test_a_column_of_whole_points_will_do(cast: Cast, lms: FakeLms) -> None:
    """Where fractions of points are refused the column has the next whole number, and the score is still exact."""
    cast.operators.points = Decimal("2.5")
    cast.operators.save()
    refusals = [WHOLE_POINTS_ONLY]
    lms.fault = lambda service, key: refusals.pop() if service == "create" and refusals else None
    delivery = deliver(cast, lms, "2.25", "2.5")
    assert (delivery.state, delivery.tries) == (Delivery.State.SENT, 1)
    assert [item["scoreMaximum"] for item in lms.lineitems] == [3]
    (score,) = lms.scores
    assert (score["scoreGiven"], score["scoreMaximum"]) == (Decimal("2.25"), Decimal("2.5"))


def test_a_refusal_that_is_not_about_fractions_is_final(cast: Cast, lms: FakeLms) -> None:
    """A refused column of whole points is not asked for again: a teacher reads the platform's words."""
    lms.fault = lambda service, key: Misbehaviour(400, body=b"no columns today") if service == "create" else None
    delivery = deliver(cast, lms, "8", "10")
    assert lms.requests["create"] == 1
    assert delivery.state == Delivery.State.NEEDS_TEACHER
    assert "no columns today" in delivery.last_error


def test_a_long_title_is_shortened_for_the_gradebook(cast: Cast, lms: FakeLms) -> None:
    """A column's label has at most 100 characters, the most that every platform takes."""
    cast.operators.title = "Loops and " * 25
    cast.operators.save()
    assert deliver(cast, lms, "8", "10").state == Delivery.State.SENT
    (item,) = lms.lineitems
    assert len(item["label"]) == 100
    assert item["label"].startswith("Loops and Loops")
