from __future__ import annotations

import random
import time
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.outbox import Grade, owe_many
from courseway.orgs.models import Person
from tests.cast import make_cast
from tests.courseway.grades.fake_lms import FakeLms, random_faults, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13
from tests.courseway.grades.nursery import Nursery, own_database
from tests.depth import either

PEOPLE = either(50, deep=250)  # at two links each: 100 grades, or 500
ROUNDS = either(2, deep=3)
KILLS_IN_A_ROUND = 4


def _want(places: list[PlacedLink], people: list[Person], round_number: int) -> dict[int, Decimal]:
    """New grades for everybody; each round's are higher, so that an older one is told by its value."""
    chance = random.Random(round_number)
    wanted = {person.pk: Decimal(round_number * 2) + Decimal(chance.randrange(1, 200)) / 100 for person in people}
    grades = {pk: Grade(score, Decimal(10), is_completed=True, is_released=True) for pk, score in wanted.items()}
    for placed in places:
        owe_many(placed.assignment, grades, now=timezone.now())
    return wanted


def _kill_while_at_work(nursery: Nursery, lms: FakeLms) -> None:
    """Kill the oldest worker each time that the LMS saw some more requests, so that it dies in the middle of them."""
    until = time.monotonic() + 20
    for _ in range(KILLS_IN_A_ROUND):
        seen = sum(lms.requests.values())
        while sum(lms.requests.values()) < seen + 40 and time.monotonic() < until:
            time.sleep(0.005)
        nursery.kill_oldest()
        nursery.start_worker()


def _wait_until_sent(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and Delivery.objects.exclude(state=Delivery.State.SENT).exists():
        # The test has no hours for the longer waits; Retry-After and requests under way are still respected.
        now = timezone.now()
        is_allowed = Q(not_before_at=None) | Q(not_before_at__lte=now)
        is_quiet = Q(quiet_until=None) | Q(quiet_until__lte=now)
        resting = Delivery.objects.filter(is_allowed, is_quiet, lease_token="", next_try_at__gt=now)
        with transaction.atomic():
            if connection.vendor == "postgresql":
                resting = resting.select_for_update(skip_locked=True)
            Delivery.objects.filter(pk__in=resting.values("pk")).update(next_try_at=now)
        time.sleep(0.5)


def _check_history(lms: FakeLms) -> None:
    """What the LMS saw: per person and line item strictly later times, and values that never went back."""
    for key, history in lms.history.items():
        if key.startswith("user-"):
            stamps = [datetime.fromisoformat(score["timestamp"]) for score in history if score["taken"]]
            assert all(earlier < later for earlier, later in pairwise(stamps)), key
            values = [score["scoreGiven"] for score in history if score["taken"]]
        else:
            values = [Decimal(value) for value in history]
        assert values == sorted(values), key


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.timeout(180)
@pytest.mark.django_db(transaction=True)
def test_no_grade_is_lost_when_workers_are_killed() -> None:
    """Many grades change again and again while workers die and the LMS answers 500, 429, too late or not at all.

    In the end every newest grade is in the LMS, and no older one ever overwrote a newer one.
    """
    with run_fake_lms() as lms, own_database() as url:
        cast = make_cast()
        people = [Person.objects.create(organization=cast.acme, name=f"Person {number}") for number in range(PEOPLE)]
        by_score, by_outcome = place_v13(cast.operators, lms.url), place_v11(cast.loops, lms.url)
        for placed in (by_score, by_outcome):
            for person in people:
                placed.let_in(person)
        lms.fault = random_faults(7, share=0.25, silence=1.2)
        nursery = Nursery(url)
        wanted: dict[int, Decimal] = {}
        try:
            for _ in range(2):
                nursery.start_worker()
            for round_number in range(ROUNDS):
                wanted = _want([by_score, by_outcome], people, round_number)
                _kill_while_at_work(nursery, lms)
            lms.fault = random_faults(8, share=0.1, silence=1.2)
            _wait_until_sent(60)
            stayed = nursery.stop_all(15)
        finally:
            nursery.close()
        unsent = Delivery.objects.exclude(state=Delivery.State.SENT)
        assert not [(one.state, one.last_error_code, one.last_error) for one in unsent]
        for person in people:
            assert lms.grades[f"user-{person.pk}@1"][0] == wanted[person.pk]
            sourcedid = f"sourced-{person.pk}-{by_outcome.link.pk}"
            assert Decimal(lms.grades[sourcedid]) == wanted[person.pk] / 10
        _check_history(lms)
        assert not stayed, "a worker did not end when asked to"
        assert DeliveryTry.objects.exclude(code="sent").count() > PEOPLE / 5, (
            "the LMS was too kind for this test to mean much"
        )
