"""One delivery through everything that can happen to it, in any order that hypothesis thinks of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from courseway.grades import tokens
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.lineitems import allow_new_lineitem
from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.outbox import Grade, owe, resend
from courseway.lms.models import ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, outcome_answer, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13
from tests.depth import either

pytestmark = [pytest.mark.slow, pytest.mark.deep]

LIMITS = Limits(at_once=4, lease_seconds=60.0, deadline_seconds=0.08, quiet_seconds=30.0)

MISBEHAVIOURS = [
    Misbehaviour(500),
    Misbehaviour(503, (("Retry-After", "40"),)),
    Misbehaviour(429),
    Misbehaviour(429, (("Retry-After", "3"),)),
    Misbehaviour(401, body=b"expired"),
    Misbehaviour(403, body=b"no"),
    Misbehaviour(409, body=b"later"),
    Misbehaviour(422, body=b"odd"),
    Misbehaviour(200, body=outcome_answer("failure", "LTI outcome request failed")),
    Misbehaviour(loses_answer=True),
    *[Misbehaviour(silent_seconds=0.16)] * 4,
]
faults = st.lists(st.sampled_from(MISBEHAVIOURS), max_size=2)
steps_up = st.sampled_from([Decimal("0.01"), Decimal("0.5"), None])


class DeliveryLife(RuleBasedStateMachine):
    """Grades change, workers run, fail, crash and come back late; in the end the newest value is in the LMS."""

    cast: Cast
    lms: FakeLms
    version: str

    def __init__(self) -> None:
        super().__init__()
        self.lms.lineitems.clear()
        self.lms.gone.clear()
        place = place_v13 if self.version == "1.3" else place_v11
        self.placed: PlacedLink = place(self.cast.operators, self.lms.url)
        self.person = Person.objects.create(organization=self.cast.acme, name="Somebody")
        self.placed.let_in(self.person)
        self.ahead = timedelta()
        self.highest = Decimal(1)
        self.newest: Decimal | None = None
        self.abandoned: list[tuple[Dispatcher, timedelta]] = []
        self.stamps: list[datetime] = []
        self.change_grade(Decimal(1))

    @property
    def delivery(self) -> Delivery:
        return Delivery.objects.get(person=self.person)

    def clock(self) -> datetime:
        return timezone.now() + self.ahead

    # What can happen

    @rule(step=steps_up)
    def change_grade(self, step: Decimal | None) -> None:
        """Each new grade is higher than all before, or the grade is taken back."""
        if step is None and self.newest is None:
            return
        self.highest += step or 0
        self.newest = None if step is None else self.highest
        grade = Grade(self.newest, Decimal(100), is_completed=True, is_released=True)
        owe(self.person, self.cast.operators, grade, now=self.clock())

    @rule(misbehaviours=faults)
    def run_worker(self, misbehaviours: list[Misbehaviour]) -> None:
        self._wait_until_due()
        self._misbehave(misbehaviours)
        deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=self.clock))
        self._note_timestamp()

    @rule(misbehaviours=faults, is_sent=st.booleans())
    def crash_worker(self, misbehaviours: list[Misbehaviour], is_sent: bool) -> None:
        """A worker takes the delivery and dies: before anything left, or with a request on its way."""
        self._wait_until_due()
        self._misbehave(misbehaviours)
        dispatcher = Dispatcher(LIMITS, clock=self.clock)
        if is_sent:
            before = sum(self.lms.requests.values())
            dispatcher.turn(wait_seconds=0)
            until = time.monotonic() + (0.0 if dispatcher.is_idle else 1.0)
            while sum(self.lms.requests.values()) == before and time.monotonic() < until:
                time.sleep(0.005)
        else:
            dispatcher._claim()
        self.abandoned.append((dispatcher, self.ahead))
        self._note_timestamp()

    @rule(misbehaviours=faults, step=steps_up)
    def change_at_once_after_a_try(self, misbehaviours: list[Misbehaviour], step: Decimal | None) -> None:
        """The newer value is wanted when the fate of the older one may still be open."""
        self.run_worker(misbehaviours)
        self.change_grade(step)
        self.run_worker([])

    @rule(misbehaviours=faults, step=steps_up)
    def change_during_a_try(self, misbehaviours: list[Misbehaviour], step: Decimal | None) -> None:
        """The value changes while a worker sends the older one, and another worker looks for work."""
        self.crash_worker(misbehaviours, is_sent=True)
        self.change_grade(step)
        deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=self.clock))
        self.come_back_late()

    @rule(misbehaviours=faults, step=steps_up)
    def come_back_after_another_claim(self, misbehaviours: list[Misbehaviour], step: Decimal | None) -> None:
        """A worker's result comes when its lease is over and another one, with a newer value, died before sending."""
        self.crash_worker(misbehaviours, is_sent=True)
        self.change_grade(step)
        self.crash_worker([], is_sent=False)
        self.come_back_late(-2)

    @precondition(lambda self: self.abandoned)
    @rule()
    def come_back_late(self, position: int = -1) -> None:
        """A worker that was thought dead goes on where it stood, with a lease that may be over."""
        dispatcher, ahead = self.abandoned.pop(position)
        for job in [*dispatcher._stories, *(job for lane in dispatcher._lanes for job in lane.waiting)]:
            job.claimed_at -= (self.ahead - ahead).total_seconds()  # for its own clock, time passed too
        for _ in range(20):
            if dispatcher.is_idle:
                break
            dispatcher.turn(wait_seconds=0.05, may_claim=False)
        self._note_timestamp()

    @rule(seconds=st.sampled_from([-70, -7, 5, 31, 3600, 40000]))
    def let_time_pass(self, seconds: int) -> None:
        self._wait_for_lms()
        self.ahead += timedelta(seconds=seconds)

    @rule()
    def expire_tokens(self) -> None:
        """The LMS forgets all tokens that it gave, long before their time."""
        self.lms.valid_tokens.clear()

    @precondition(lambda self: self.version == "1.3")
    @rule()
    def delete_column(self) -> None:
        """Somebody deletes the column in the LMS, with the grades in it."""
        url = ResourceLink.objects.values_list("lineitem_url", flat=True).get(pk=self.placed.link.pk)
        if url:
            self.lms.gone.add(url)

    @precondition(lambda self: self.delivery.last_error_code == "line_item_gone")
    @rule()
    def say_yes_to_a_new_column(self) -> None:
        allow_new_lineitem(self.placed.link, now=self.clock())
        self.send_again()

    @rule(misbehaviours=faults)
    def run_two_workers(self, misbehaviours: list[Misbehaviour]) -> None:
        """Two workers look for work at the same time, again and again."""
        self._wait_until_due()
        self._misbehave(misbehaviours)
        workers = [Dispatcher(LIMITS, clock=self.clock) for _ in range(2)]
        for _ in range(4):
            for worker in workers:
                worker.turn(wait_seconds=0.01)
        for worker in workers:
            worker.close()
        self._note_timestamp()

    @rule()
    def send_again(self) -> None:
        resend(Delivery.objects.filter(person=self.person), now=self.clock())

    # What must hold at all times

    @invariant()
    def a_state_tells_the_truth(self) -> None:
        delivery = self.delivery
        if delivery.state == Delivery.State.SENT:
            assert delivery.sent_version == delivery.wanted_version
            assert delivery.next_try_at is None
        if delivery.state in (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER):
            assert delivery.last_error_code
            assert delivery.last_error
        if delivery.state == Delivery.State.WAITING:
            assert delivery.next_try_at is not None

    def teardown(self) -> None:
        """The LMS behaves, time passes, workers run: now the newest value is there, and every try has its row."""
        self._wait_for_lms()
        self.lms.fault = lambda service, key: None
        for _ in range(8):
            self.ahead += timedelta(days=1)
            deliver_what_is_due(dispatcher=Dispatcher(LIMITS, clock=self.clock))
        delivery = self.delivery
        if delivery.state in (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER):
            assert delivery.next_try_at is None, "given up only after all tries"
            assert delivery.last_error
        else:
            assert delivery.state == Delivery.State.SENT
            assert self._held_by_lms() == self.newest
        assert DeliveryTry.objects.filter(delivery=delivery, code="sent").exists() == (delivery.sent_version > 0)
        assert all(earlier < later for earlier, later in pairwise(self.stamps))
        for taken in self._values_taken():
            assert taken == sorted(taken), "an older value overwrote a newer one"
        delivery.delete()
        super().teardown()

    # Helpers

    def _wait_until_due(self) -> None:
        due_at = self.delivery.next_try_at
        if due_at is not None and due_at > self.clock():
            self._wait_for_lms()
            self.ahead += due_at - self.clock()

    def _misbehave(self, misbehaviours: list[Misbehaviour]) -> None:
        # A score that is answered by 200 is taken; only outcomes can fail so.
        left = [one for one in misbehaviours if self.version == "1.1" or one.status != 200]
        self.lms.fault = lambda service, key: left.pop() if left and service in ("score", "outcome") else None

    def _wait_for_lms(self) -> None:
        """An LMS does not work for ever on an old request: what it still has is done before time passes."""
        until = time.monotonic() + 5
        while self.lms.at_once and time.monotonic() < until:
            time.sleep(0.01)

    def _note_timestamp(self) -> None:
        stamp = self.delivery.last_timestamp_at
        if stamp is not None and (not self.stamps or stamp != self.stamps[-1]):
            self.stamps.append(stamp)

    def _values_taken(self) -> list[list[Decimal]]:
        """All values that each column of the LMS stored, in the order in which it did."""
        if self.version == "1.3":
            mine = [history for key, history in self.lms.history.items() if key.startswith(f"user-{self.person.pk}@")]
            return [
                [Decimal(one["scoreGiven"]) for one in history if one["taken"] and "scoreGiven" in one]
                for history in mine
            ]
        history = self.lms.history[f"sourced-{self.person.pk}-{self.placed.link.pk}"]
        return [[Decimal(one) for one in history if one is not None]]

    def _held_by_lms(self) -> Decimal | None:
        if self.version == "1.3":
            url = ResourceLink.objects.values_list("lineitem_url", flat=True).get(pk=self.placed.link.pk)
            number = url.removeprefix(f"{self.lms.url}/lineitems/").partition("/")[0]
            held = self.lms.grades[f"user-{self.person.pk}@{number}"][0]
            return None if held is None else Decimal(held)
        held = self.lms.grades[f"sourced-{self.person.pk}-{self.placed.link.pk}"]
        return None if held is None else Decimal(held) * 100


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_delivery_ends_with_the_newest_value_or_a_reason(cast: Cast, lms: FakeLms, version: str) -> None:
    """Whatever order of changes, lost answers, crashes, double runs and errors: the newest value arrives, or a stated
    reason remains; at every moment the state shown is true, and timestamps only rise."""
    machine = type("DeliveryLifeHere", (DeliveryLife,), {"cast": cast, "lms": lms, "version": version})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=either(2, deep=8),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # its steps take real time: a failure is shown as found, not made smaller
            suppress_health_check=list(HealthCheck),
        ),
    )
