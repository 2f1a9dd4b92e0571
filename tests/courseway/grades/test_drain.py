from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from courseway.grades import report, tokens
from courseway.grades.dispatch import Limits
from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.outbox import Grade, owe, revive_reinstated
from courseway.grades.report import deliveries_as_json, drain
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13

pytestmark = pytest.mark.slow

USUAL_REST, REST = report.TRY_AGAIN_SECONDS, 0.5
QUICK = Limits(at_once=8, lease_seconds=3.0, deadline_seconds=0.5, quiet_seconds=1.0)


@pytest.fixture(autouse=True)
def shorter_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "TRY_AGAIN_SECONDS", REST)


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


@pytest.fixture
def placed(cast: Cast, lms: FakeLms) -> PlacedLink:
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    return placed


def _owe(placed: PlacedLink, person: Person, score: str = "8") -> None:
    grade = Grade(Decimal(score), Decimal(10), is_completed=True, is_released=True)
    owe(person, placed.assignment, grade, now=timezone.now())


def test_drain_delivers_what_is_due_once(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """Without more it tries each due grade once, and counts what it sent and what still waits."""
    placed.let_in(cast.sue)
    for person in (cast.sam, cast.sue):
        _owe(placed, person)
    lms.fault = lambda service, key: Misbehaviour(500) if key.startswith(f"user-{cast.sue.pk}@") else None
    assert drain(limits=QUICK) == {"sent": 1, "failed": 0, "waiting": 1}
    assert drain(limits=QUICK) == {"sent": 0, "failed": 0, "waiting": 1}
    assert DeliveryTry.objects.count() == 2


def test_drain_until_empty_waits_for_the_next_tries(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """What failed is tried again within five seconds each time, however long its back-off would be, and not at once."""
    assert USUAL_REST < 5
    _owe(placed, cast.sam)
    answers = [Misbehaviour(500), Misbehaviour(503), Misbehaviour(502)]
    lms.fault = lambda service, key: answers.pop() if service == "score" and answers else None
    Delivery.objects.update(tries=15)
    begun = time.monotonic()
    assert drain(until_empty=True, timeout=60, limits=QUICK) == {"sent": 1, "failed": 0, "waiting": 0}
    assert 3 * REST <= time.monotonic() - begun < 3 * (REST + 2)
    assert lms.requests["score"] == 4


def test_drain_until_empty_brings_forward_what_backs_off_already(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """A grade whose next try is hours away is tried now."""
    _owe(placed, cast.sam)
    lms.fault = lambda service, key: Misbehaviour(500) if service == "score" else None
    drain(limits=QUICK)
    lms.fault = lambda service, key: None
    Delivery.objects.update(next_try_at=timezone.now() + timedelta(hours=5))
    assert drain(until_empty=True, timeout=30, limits=QUICK)["sent"] == 1


def test_drain_honours_retry_after(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """An LMS that asked for two seconds gets them, also from drain, which would come again sooner."""
    _owe(placed, cast.sam)
    answers = [Misbehaviour(429, (("Retry-After", "2"),))]
    lms.fault = lambda service, key: answers.pop() if service == "score" and answers else None
    begun = time.monotonic()
    assert drain(until_empty=True, timeout=60, limits=QUICK)["sent"] == 1
    assert time.monotonic() - begun >= 2 > REST


def test_drain_stops_at_its_time(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """When the time is over, it says what still waits; the many quick tries used up no back-off."""
    _owe(placed, cast.sam)
    lms.fault = lambda service, key: Misbehaviour(500) if service == "score" else None
    begun = time.monotonic()
    assert drain(until_empty=True, timeout=2, limits=QUICK) == {"sent": 0, "failed": 0, "waiting": 1}
    assert 1.9 < time.monotonic() - begun < 6
    assert Delivery.objects.get().next_try_at is not None


def test_drain_until_empty_does_not_wait_for_people(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """A grade that needs a teacher is tried again once or twice, and then counted as failed; nothing waits."""
    _owe(placed, cast.sam)
    lms.fault = lambda service, key: Misbehaviour(400, body=b"Incorrect score") if service == "score" else None
    begun = time.monotonic()
    assert drain(until_empty=True, timeout=60, limits=QUICK) == {"sent": 0, "failed": 1, "waiting": 0}
    assert time.monotonic() - begun < 20
    assert lms.requests["score"] >= 2


def test_an_old_outcome_under_way_is_waited_for(cast: Cast, lms: FakeLms) -> None:
    """drain brings nothing forward over an LTI 1.1 request that may still arrive with an older value."""
    placed = place_v11(cast.loops, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7")
    answers = [Misbehaviour(silent_seconds=1.2)]
    lms.fault = lambda service, key: answers.pop() if answers else None
    drain(limits=QUICK)
    _owe(placed, cast.sam, "8")
    assert drain(until_empty=True, timeout=30, limits=QUICK)["sent"] == 1
    (history,) = lms.history.values()
    assert history == ["0.7", "0.8"]


def test_grades_of_a_reinstated_platform_follow(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """Grades given while a platform was revoked are stored, fail, and go out once the owner takes that back."""
    placed.platform.revoked_at = timezone.now()
    placed.platform.save()
    _owe(placed, cast.sam)
    assert drain(limits=QUICK) == {"sent": 0, "failed": 1, "waiting": 0}
    assert revive_reinstated(now=timezone.now()) == 0
    placed.platform.revoked_at = None
    placed.platform.save()
    assert revive_reinstated(now=timezone.now()) == 1
    assert drain(limits=QUICK)["sent"] == 1


def test_deliveries_as_json_is_what_the_contract_says(cast: Cast, lms: FakeLms, placed: PlacedLink) -> None:
    """Names and types of `courseway deliveries --json`; narrowed by organization and by state."""
    _owe(placed, cast.sam, "7.5")
    drain(limits=QUICK)
    (entry,) = deliveries_as_json(cast.acme, "sent")
    assert entry["person"] == "Sam Student"
    assert entry["assignment"] == "Operators"
    assert entry["platform"] == "LMS 1"
    assert (entry["state"], entry["tries"], entry["next_try_at"], entry["last_error"]) == ("sent", 1, None, "")
    assert (entry["wanted_percent"], entry["sent_percent"]) == (75.0, 75.0)
    assert deliveries_as_json(cast.umbrella) == []
    assert deliveries_as_json(cast.acme, "waiting") == []
