from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from courseway.events.models import Event
from courseway.grades import tokens
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.models import Circuit, Delivery, ResultCheck
from courseway.grades.outbox import Grade, owe, resend
from courseway.grades.reconcile import keep_lms_grades, send_ours
from courseway.grades.result_checks import NIGHT_SECONDS, ask_for_checks, check_due, next_night, plan_nightly
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13

SENT, NEEDS_TEACHER, WAITING = Delivery.State.SENT, Delivery.State.NEEDS_TEACHER, Delivery.State.WAITING
LIMITS = Limits(at_once=4, lease_seconds=5.0, deadline_seconds=2.0, quiet_seconds=1.0)


@dataclass
class Stage:
    """Two students whose grades, 8 of 10, are in the LMS; `ahead` is how much time went by since."""

    cast: Cast
    lms: FakeLms
    placed: PlacedLink
    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return timezone.now() + self.ahead

    def owe(self, person: Person, score: str | None) -> None:
        value = None if score is None else Decimal(score)
        owe(person, self.placed.assignment, Grade(value, Decimal(10), True, True), now=self.now())

    def deliver(self) -> None:
        deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=self.now))
        self.ahead += timedelta(minutes=1)

    def change_in_lms(self, person: Person, score: str | None) -> None:
        key = self._key(person)
        if self.placed.outcome_url:
            self.lms.grades[key] = None if score is None else str(Decimal(score) / 10)
        else:
            self.lms.grades[key] = (None if score is None else Decimal(score), Decimal(10))

    def held_by_lms(self, person: Person) -> Decimal | None:
        held: Any = self.lms.grades[self._key(person)]
        if self.placed.outcome_url:
            return None if held is None else Decimal(held) * 10
        return held[0]  # type: ignore[no-any-return]

    def _key(self, person: Person) -> str:
        if self.placed.outcome_url:
            return f"sourced-{person.pk}-{self.placed.link.pk}"
        return f"user-{person.pk}@1"

    def compare(self) -> ResultCheck:
        ask_for_checks([self.placed.link], now=self.now())
        while check_due(now=self.now()):
            self.ahead += timedelta(seconds=3)
        return ResultCheck.objects.get()

    def of(self, person: Person) -> Delivery:
        return Delivery.objects.get(person=person)


@pytest.fixture(params=["1.1", "1.3"])
def stage(cast: Cast, request: pytest.FixtureRequest) -> Iterator[Stage]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as lms:
        place = place_v11 if request.param == "1.1" else place_v13
        stage = Stage(cast, lms, place(cast.operators, lms.url))
        for person in (cast.sam, cast.sue):
            stage.placed.let_in(person)
            stage.owe(person, "8")
        stage.deliver()
        assert Delivery.objects.filter(state=SENT).count() == 2
        yield stage


def test_equal_grades_are_left_as_they_are(stage: Stage) -> None:
    """What the LMS took and still holds is counted as the same; nothing is written on the deliveries."""
    before = list(Delivery.objects.order_by("pk").values())
    check = stage.compare()
    assert (check.same, check.different, check.unseen, check.last_error_code) == (2, 0, 0, "")
    assert check.checked_at is not None
    assert check.asked_at is None
    assert list(Delivery.objects.order_by("pk").values()) == before


def test_a_grade_that_was_changed_in_the_lms_is_shown_and_not_overwritten(stage: Stage) -> None:
    """A teacher's own change needs a teacher here: it tells what the LMS holds; newer grades wait for them."""
    stage.change_in_lms(stage.cast.sam, "9.5")
    check = stage.compare()
    assert (check.same, check.different) == (1, 1)
    delivery = stage.of(stage.cast.sam)
    assert (delivery.state, delivery.last_error_code, delivery.next_try_at) == (NEEDS_TEACHER, "changed_in_lms", None)
    assert delivery.held_percent == 95
    assert "0.95 of 1" in delivery.last_error or "9.5 of 10" in delivery.last_error
    assert Event.objects.filter(kind="grade.failed").count() == 1
    stage.owe(stage.cast.sam, "7")
    stage.deliver()
    assert stage.held_by_lms(stage.cast.sam) == Decimal("9.5")
    delivery = stage.of(stage.cast.sam)
    assert (delivery.state, delivery.wanted_score) == (NEEDS_TEACHER, 7)
    assert stage.compare().different == 1
    assert Event.objects.filter(kind="grade.failed").count() == 1


def test_a_teacher_sends_ours(stage: Stage) -> None:
    """The teacher's yes overwrites the LMS with the newest grade, and everything is as before."""
    stage.change_in_lms(stage.cast.sam, "9.5")
    stage.compare()
    stage.owe(stage.cast.sam, "7")
    assert send_ours(Delivery.objects.all(), now=stage.now()) == 1
    stage.deliver()
    assert stage.held_by_lms(stage.cast.sam) == 7
    delivery = stage.of(stage.cast.sam)
    assert (delivery.state, delivery.last_error_code, delivery.held_at) == (SENT, "", None)
    assert stage.compare().same == 2
    stage.owe(stage.cast.sam, "6")
    stage.deliver()
    assert stage.held_by_lms(stage.cast.sam) == 6


def test_a_teacher_keeps_the_grade_of_the_lms(stage: Stage) -> None:
    """What is kept is no trouble any more, also when it changes once more there; a newer grade of ours asks again."""
    stage.change_in_lms(stage.cast.sam, "9.5")
    stage.compare()
    assert keep_lms_grades(Delivery.objects.all(), now=stage.now()) == 1
    delivery = stage.of(stage.cast.sam)
    assert (delivery.state, delivery.sent_percent, delivery.sent_version) == (SENT, 95, delivery.wanted_version)
    assert (stage.compare().same, stage.compare().different) == (2, 0)
    stage.change_in_lms(stage.cast.sam, "9.9")
    assert stage.compare().different == 0
    assert stage.of(stage.cast.sam).sent_percent == 99
    stage.owe(stage.cast.sam, "8")
    assert stage.of(stage.cast.sam).state == SENT, "the same grade as before is no news"
    stage.owe(stage.cast.sam, "10")
    stage.deliver()
    delivery = stage.of(stage.cast.sam)
    assert (delivery.state, delivery.last_error_code, delivery.wanted_score) == (NEEDS_TEACHER, "changed_in_lms", 10)
    assert stage.held_by_lms(stage.cast.sam) == Decimal("9.9")
    assert delivery.last_error


def test_sending_many_again_does_not_overwrite_what_was_changed_in_the_lms(stage: Stage) -> None:
    """Only who asks for just that overwrites: sending again all that did not arrive does not."""
    stage.change_in_lms(stage.cast.sam, "9.5")
    stage.compare()
    assert resend(Delivery.objects.all(), now=stage.now()) == 1
    stage.deliver()
    assert stage.held_by_lms(stage.cast.sam) == Decimal("9.5")
    assert resend(Delivery.objects.all(), now=stage.now(), overwrites=True) == 2
    stage.deliver()
    assert stage.held_by_lms(stage.cast.sam) == 8


def test_a_grade_that_was_cleared_in_the_lms_needs_a_teacher(stage: Stage) -> None:
    """One student's grade is gone while others are shown: somebody cleared it, perhaps on purpose."""
    stage.change_in_lms(stage.cast.sam, None)
    assert stage.compare().different == 1
    delivery = stage.of(stage.cast.sam)
    assert (delivery.state, delivery.last_error_code, delivery.held_percent) == (NEEDS_TEACHER, "missing_in_lms", None)
    send_ours(Delivery.objects.all(), now=stage.now())
    stage.deliver()
    assert stage.held_by_lms(stage.cast.sam) == 8


def test_an_lms_that_shows_nobodys_grade_changed_nothing(stage: Stage) -> None:
    """Some LMSs list results only once a teacher posted them: that nothing is listed is no reason to worry."""
    stage.lms.hides_results = True
    check = stage.compare()
    assert (check.same, check.different, check.unseen) == (0, 0, 2)
    assert Delivery.objects.filter(state=SENT).count() == 2


def test_rounding_of_the_lms_is_no_difference(stage: Stage) -> None:
    """A gradebook of two decimals keeps 66.67 of 100 for two thirds."""
    stage.owe(stage.cast.sam, "6.666667")
    stage.deliver()
    stage.change_in_lms(stage.cast.sam, "6.67")
    assert stage.compare().different == 0


def test_what_is_put_right_in_the_lms_is_right_here(stage: Stage) -> None:
    """When the LMS holds again what was sent, a newer grade that waited goes; when it holds the newer, all is well."""
    for person in (stage.cast.sam, stage.cast.sue):
        stage.change_in_lms(person, "1")
    stage.compare()
    stage.owe(stage.cast.sam, "7")
    stage.owe(stage.cast.sue, "7")
    stage.change_in_lms(stage.cast.sam, "8")
    stage.change_in_lms(stage.cast.sue, "7")
    assert stage.compare().same == 2
    assert stage.of(stage.cast.sam).state == WAITING
    assert stage.of(stage.cast.sue).state == SENT
    stage.deliver()
    assert [stage.held_by_lms(person) for person in (stage.cast.sam, stage.cast.sue)] == [7, 7]
    assert Delivery.objects.filter(state=SENT, last_error_code="").count() == 2


def test_a_grade_that_changes_during_the_comparison_is_left_alone(stage: Stage) -> None:
    """What is waiting, under way or was sent a moment ago is not compared: the LMS cannot show it yet."""
    stage.owe(stage.cast.sam, "9")
    assert stage.compare().same == 1
    deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=stage.now))
    stage.change_in_lms(stage.cast.sam, "8")
    assert stage.compare().different == 0


def test_an_lms_that_is_down_is_asked_again_and_then_given_up_for_the_night(stage: Stage) -> None:
    """Troubles are tried some times more; who asked reads why; the next night it is tried anew."""
    service = "read" if stage.placed.outcome_url else "results"
    stage.lms.fault = lambda asked, key: Misbehaviour(503, body=b"moving house") if asked == service else None
    check = stage.compare()
    assert (check.last_error_code, check.tries) == ("service_unavailable", 1)
    assert check.asked_at is not None
    stage.ahead += timedelta(hours=1)
    check_due(now=stage.now())
    stage.ahead += timedelta(hours=1)
    check_due(now=stage.now())
    check = ResultCheck.objects.get()
    assert check.asked_at is None
    assert "moving house" in check.last_error
    assert check.next_try_at == next_night(stage.placed.link.pk, stage.now())
    stage.lms.fault = lambda asked, key: None
    assert stage.compare().same == 2
    assert ResultCheck.objects.get().last_error_code == ""


def test_nights_are_planned_for_what_was_sent_lately_and_spread(stage: Stage) -> None:
    """Each link has its own moment of the night; what got no grade for a month, or cannot be read, has none."""
    now = stage.now()
    assert plan_nightly(now=now) == 1
    check = ResultCheck.objects.get()
    assert check.next_try_at is not None
    assert now < check.next_try_at <= now + timedelta(days=1, seconds=NIGHT_SECONDS)
    assert plan_nightly(now=now) == 0
    stage.ahead = check.next_try_at - timezone.now() + timedelta(seconds=1)
    stage.change_in_lms(stage.cast.sam, "1")
    while check_due(now=stage.now()):
        stage.ahead += timedelta(seconds=3)
    assert stage.of(stage.cast.sam).last_error_code == "changed_in_lms"
    assert plan_nightly(now=stage.now()) == 1
    ResultCheck.objects.update(next_try_at=None)
    assert plan_nightly(now=stage.now() + timedelta(days=40)) == 0
    moments = {next_night(pk, now) for pk in range(1, 200)}
    assert max(moments) - min(moments) > timedelta(hours=3)


def test_an_lms_that_is_left_alone_is_not_read_either(stage: Stage) -> None:
    """While a platform's circuit is open, reading its grades waits too."""
    now = stage.now()
    Circuit.objects.create(
        platform=stage.placed.platform, opened_at=now, open_until=now + timedelta(hours=1), code="no_answer"
    )
    check = stage.compare()
    assert (check.checked_at, check.last_error_code) == (None, "no_answer")
    assert stage.lms.requests["results"] == stage.lms.requests["read"] == 0


def test_a_column_of_many_pages_is_read_whole(cast: Cast) -> None:
    """Results come in pages, which are followed; a token that the LMS forgot is asked for anew."""
    tokens.forget_kept_tokens()
    with run_fake_lms() as lms:
        lms.results_on_page = 3
        stage = Stage(cast, lms, place_v13(cast.operators, lms.url))
        for number in range(10):
            person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
            stage.placed.let_in(person)
            stage.owe(person, "8")
        stage.deliver()
        assert stage.compare().same == 10
        assert lms.requests["results"] == 4
        lms.valid_tokens.clear()
        assert stage.compare().same == 10


def test_many_people_of_lti_11_are_read_in_turns(cast: Cast) -> None:
    """LTI 1.1 asks person by person, some at a time, so that other links have their turn between."""
    with run_fake_lms() as lms:
        stage = Stage(cast, lms, place_v11(cast.operators, lms.url))
        people = [Person.objects.create(organization=cast.acme, name=f"Person {number}") for number in range(130)]
        for person in people:
            stage.placed.let_in(person)
            stage.owe(person, "8")
        stage.deliver()
        stage.deliver()
        stage.change_in_lms(people[120], "2")
        ask_for_checks([stage.placed.link], now=stage.now())
        assert check_due(now=stage.now())
        assert lms.requests["read"] == 100
        assert not check_due(now=stage.now())
        check = stage.compare()
        assert (check.same, check.different) == (129, 1)
