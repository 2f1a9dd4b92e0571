from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from courseway.courses.models import Role
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, Wish, decide_wish, owe, owe_many, owe_missing, resend
from courseway.grades.states import delivery_states, worst_state
from courseway.lms.models import ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import NOW, place_v11, place_v13

FINAL = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)
COMPLETED = replace(FINAL, is_released=False)
DRAFT = replace(FINAL, is_completed=False, is_released=False)
NO_GRADE = replace(FINAL, score=None)
SENT, WAITING, UNCHANGED = Delivery.State.SENT, Delivery.State.WAITING, Delivery.State.UNCHANGED
FAILED, NEEDS_TEACHER = Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER


def _held(score: str | None = "8", state: str = SENT, comment: str = "") -> Delivery:
    return Delivery(
        wanted_score=None if score is None else Decimal(score),
        wanted_maximum=Decimal(10),
        wanted_comment=comment,
        state=state,
    )


RULES: list[tuple[str, Grade, Delivery | None, Wish]] = [
    # Nothing was owed before.
    ("grade_release", FINAL, None, Wish.SEND),
    ("grade_release", COMPLETED, None, Wish.NOTHING),
    ("grade_release", replace(FINAL, is_completed=False), None, Wish.NOTHING),
    ("grade_release", DRAFT, None, Wish.NOTHING),
    ("grade_release", NO_GRADE, None, Wish.NOTHING),
    ("always", DRAFT, None, Wish.SEND),
    ("always", FINAL, None, Wish.SEND),
    ("always", NO_GRADE, None, Wish.NOTHING),
    ("changed", DRAFT, None, Wish.SEND),
    ("changed", COMPLETED, None, Wish.SEND),
    ("changed", NO_GRADE, None, Wish.NOTHING),
    # The same grade once more.
    ("grade_release", FINAL, _held(), Wish.UNCHANGED),
    ("grade_release", FINAL, _held(state=UNCHANGED), Wish.NOTHING),
    ("grade_release", FINAL, _held(state=WAITING), Wish.NOTHING),
    ("grade_release", FINAL, _held(state=FAILED), Wish.SEND),
    ("grade_release", FINAL, _held(state=NEEDS_TEACHER), Wish.SEND),
    ("grade_release", COMPLETED, _held(state=FAILED), Wish.NOTHING),
    ("always", DRAFT, _held(), Wish.SEND),
    ("always", FINAL, _held(), Wish.SEND),
    ("changed", FINAL, _held(), Wish.UNCHANGED),
    ("changed", DRAFT, _held(), Wish.UNCHANGED),
    # Another grade.
    ("grade_release", FINAL, _held("7"), Wish.SEND),
    ("grade_release", COMPLETED, _held("7"), Wish.NOTHING),
    ("grade_release", replace(FINAL, score=Decimal("8.000001")), _held(), Wish.SEND),
    ("grade_release", replace(FINAL, maximum=Decimal(20)), _held(), Wish.SEND),
    ("grade_release", replace(FINAL, comment="Well done"), _held(), Wish.SEND),
    ("changed", DRAFT, _held("7"), Wish.SEND),
    # A grade that was taken back.
    ("grade_release", NO_GRADE, _held(), Wish.SEND),
    ("grade_release", NO_GRADE, _held(None), Wish.UNCHANGED),
    ("changed", NO_GRADE, _held(), Wish.SEND),
    ("always", NO_GRADE, _held(None), Wish.UNCHANGED),
    # More than the maximum counts as the maximum.
    ("grade_release", replace(FINAL, score=Decimal(12)), _held("10"), Wish.UNCHANGED),
]


@pytest.mark.parametrize(("mode", "grade", "held", "expected"), RULES)
def test_the_rules_of_send_grade(mode: str, grade: Grade, held: Delivery | None, expected: Wish) -> None:
    """Each row of the table: what a grade means for a link of that mode, given what it was told before."""
    assert decide_wish(mode, grade, held, carries_comment=True) is expected


@pytest.mark.quirk("G39")
def test_a_comment_alone_is_not_sent_where_it_cannot_be_carried() -> None:
    """LTI 1.1 carries no comment: a new one is no reason to send the same number again."""
    grade = replace(FINAL, comment="Well done")
    assert decide_wish("grade_release", grade, _held(), carries_comment=False) is Wish.UNCHANGED


@pytest.mark.quirk("C32")
def test_a_change_that_was_taken_back_before_it_left_sends_nothing(cast: Cast) -> None:
    """8 is in the LMS, 9 is owed, then 8 again before anything left: nothing is sent. Once 9 was tried, 8 is."""
    place_v13(cast.operators).let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=NOW)
    held = {"state": Delivery.State.SENT, "next_try_at": None, "tried_version": 1, "sent_version": 1}
    held |= {"sent_score": FINAL.score, "sent_maximum": FINAL.maximum, "sent_comment": FINAL.comment}
    Delivery.objects.update(**held)
    other = replace(FINAL, score=Decimal(9))
    owe(cast.sam, cast.operators, other, now=NOW)
    assert owe(cast.sam, cast.operators, FINAL, now=NOW) == []
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.next_try_at, delivery.wanted_score) == (Delivery.State.UNCHANGED, None, 8)
    assert delivery.sent_version == delivery.wanted_version
    owe(cast.sam, cast.operators, other, now=NOW)
    Delivery.objects.update(tried_version=F("wanted_version"))
    assert len(owe(cast.sam, cast.operators, FINAL, now=NOW)) == 1
    # An LMS that wants every occasion gets this one too.
    owe(cast.sam, cast.operators, other, now=NOW)
    Delivery.objects.update(**held)
    ResourceLink.objects.update(send_grade="always")
    assert len(owe(cast.sam, cast.operators, FINAL, now=NOW)) == 1


@pytest.mark.quirk("G35")
def test_a_grade_is_owed_to_every_link_that_the_person_came_through(cast: Cast) -> None:
    """Grades go to each place from which the student came, and to no other."""
    first, second, third = place_v11(cast.operators), place_v13(cast.operators), place_v13(cast.operators)
    first.let_in(cast.sam)
    second.let_in(cast.sam)
    third.let_in(cast.sue)
    place_v13(cast.loops).let_in(cast.sam)
    owed = owe(cast.sam, cast.operators, FINAL, now=NOW)
    assert {delivery.resource_link for delivery in owed} == {first.link, second.link}
    delivery = Delivery.objects.get(resource_link=first.link)
    assert (delivery.wanted_score, delivery.wanted_maximum, delivery.wanted_version) == (8, 10, 1)
    assert (delivery.state, delivery.next_try_at, delivery.organization) == (WAITING, NOW, cast.acme)
    assert Delivery.objects.count() == 2


@pytest.mark.quirk("C16", "C47", "M6")
def test_nothing_is_owed_where_the_lms_keeps_no_grade(cast: Cast) -> None:
    """Links without a grade service, teachers, test people and enroll-only courses owe nothing."""
    place_v11(cast.operators).let_in(cast.sam, sourcedid="")
    place_v13(cast.operators, scopes="").let_in(cast.sam)
    place_v13(cast.operators, lineitem="", lineitems="").let_in(cast.sam)
    place_v13(cast.operators).let_in(cast.sam, role=Role.TEACHER)
    place_v13(cast.operators).let_in(cast.sam, is_test_user=True)
    assert owe(cast.sam, cast.operators, FINAL, now=NOW) == []
    cast.course.enroll_only = True
    cast.course.save()
    place_v13(cast.operators).let_in(cast.sam)
    assert owe(cast.sam, cast.operators, FINAL, now=NOW) == []
    assert not Delivery.objects.exists()


def test_the_newest_wish_wins(cast: Cast) -> None:
    """A second grade overwrites the first in the same row, and its version rises."""
    place_v13(cast.operators).let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=NOW)
    owe(cast.sam, cast.operators, replace(FINAL, score=Decimal(9)), now=NOW + timedelta(seconds=5))
    delivery = Delivery.objects.get()
    assert (delivery.wanted_score, delivery.wanted_version, delivery.tries) == (9, 2, 0)


@pytest.mark.quirk("G25")
def test_the_wish_is_undone_with_the_grade(cast: Cast) -> None:
    """When the transaction that changes the grade fails, nothing is owed either."""
    place_v13(cast.operators).let_in(cast.sam)

    def change_and_fail() -> None:
        with transaction.atomic():
            owe(cast.sam, cast.operators, FINAL, now=NOW)
            raise RuntimeError("the grade could not be saved")

    with pytest.raises(RuntimeError):
        change_and_fail()
    assert not Delivery.objects.exists()


def test_a_newer_wish_waits_for_the_lease(cast: Cast) -> None:
    """While a try is under way the newer value is stored but not claimed again: there is one request at a time."""
    place_v13(cast.operators).let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=NOW)
    lease_end = NOW + timedelta(seconds=60)
    Delivery.objects.update(lease_token="somebody", next_try_at=lease_end)
    owe(cast.sam, cast.operators, replace(FINAL, score=Decimal(9)), now=NOW + timedelta(seconds=1))
    delivery = Delivery.objects.get()
    assert (delivery.wanted_version, delivery.next_try_at, delivery.lease_token) == (2, lease_end, "somebody")


def test_a_newer_wish_waits_while_an_older_request_may_still_arrive(cast: Cast) -> None:
    """A late LTI 1.1 request would overwrite a newer one, so the newer value waits; Retry-After is kept too."""
    place_v11(cast.operators).let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=NOW)
    Delivery.objects.update(
        quiet_until=NOW + timedelta(seconds=30), not_before_at=NOW + timedelta(seconds=40), next_try_at=None
    )
    owe(cast.sam, cast.operators, replace(FINAL, score=Decimal(9)), now=NOW)
    assert Delivery.objects.get().next_try_at == NOW + timedelta(seconds=40)
    Delivery.objects.update(not_before_at=None)
    resend(Delivery.objects.all(), now=NOW)
    assert Delivery.objects.get().next_try_at == NOW + timedelta(seconds=30)


def test_links_opened_later_are_told_once(cast: Cast) -> None:
    """A link opened after the grade existed is owed the grade; links that were told already are not."""
    early = place_v13(cast.operators)
    early.let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=NOW)
    Delivery.objects.update(state=SENT, next_try_at=None)
    late = place_v13(cast.operators)
    late.let_in(cast.sam)
    owed = owe_missing(cast.sam, cast.operators, FINAL, now=NOW)
    assert [delivery.resource_link for delivery in owed] == [late.link]
    assert Delivery.objects.get(resource_link=early.link).state == SENT
    assert owe_missing(cast.sam, cast.operators, FINAL, now=NOW) == []


def _count_statements(captured: CaptureQueriesContext) -> int:
    return sum(1 for query in captured if "SAVEPOINT" not in query["sql"])


def test_many_people_cost_few_statements(cast: Cast) -> None:
    """Releasing a whole class costs a few statements, not some for each person."""
    placed = place_v13(cast.operators)
    people = [Person.objects.create(organization=cast.acme, name=f"Person {number}") for number in range(120)]
    for person in people:
        placed.let_in(person)
    grades = {person.pk: FINAL for person in people}
    most = 3 if connection.vendor == "postgresql" else 12  # SQLite takes at most 999 values in a statement
    with CaptureQueriesContext(connection) as captured:
        owed = owe_many(cast.operators, grades, now=NOW)
    assert len(owed) == 120
    assert _count_statements(captured) <= most
    changed = {person.pk: replace(FINAL, score=Decimal(9)) for person in people}
    with CaptureQueriesContext(connection) as captured:
        owe_many(cast.operators, changed, now=NOW)
    assert _count_statements(captured) <= most + 1
    assert Delivery.objects.filter(wanted_score=9, wanted_version=2).count() == 120


def test_resending_owes_the_same_values_again(cast: Cast) -> None:
    """Sending again makes a newer wish of the same value, due at once, whatever became of the last one."""
    place_v13(cast.operators).let_in(cast.sam)
    owe(cast.sam, cast.operators, FINAL, now=NOW)
    Delivery.objects.update(state=FAILED, next_try_at=None, tries=9)
    assert resend(Delivery.objects.all(), now=NOW) == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.wanted_version, delivery.tries) == (WAITING, 2, 0)
    assert delivery.next_try_at == NOW


def test_states_of_many_cells_come_in_one_statement(cast: Cast, django_assert_num_queries: object) -> None:
    """A gradebook asks once for all its cells; the worst state stands for a cell with several links."""
    first, second = place_v13(cast.operators), place_v11(cast.operators)
    for person in (cast.sam, cast.sue):
        first.let_in(person)
        second.let_in(person)
        owe(person, cast.operators, FINAL, now=NOW)
    Delivery.objects.filter(resource_link=first.link).update(state=SENT)
    Delivery.objects.filter(resource_link=second.link, person=cast.sue).update(state=NEEDS_TEACHER)
    with django_assert_num_queries(1):  # type: ignore[operator]
        states = delivery_states([cast.operators.pk, cast.loops.pk], [cast.sam.pk, cast.sue.pk])
        words = {place: worst_state(deliveries) for place, deliveries in states.items()}
    assert words == {(cast.operators.pk, cast.sam.pk): WAITING, (cast.operators.pk, cast.sue.pk): NEEDS_TEACHER}
    assert worst_state([]) == ""


@pytest.mark.quirk("O5", "G37")
def test_a_score_is_stored_exactly_and_never_above_the_maximum(cast: Cast) -> None:
    """Two thirds keep six decimals; extra credit is not sent, since LTI allows no more than 100 %."""
    place_v13(cast.operators).let_in(cast.sam)
    owe(cast.sam, cast.operators, replace(FINAL, score=Decimal(20) / 3), now=NOW)
    assert Delivery.objects.get().wanted_score == Decimal("6.666667")
    owe(cast.sam, cast.operators, replace(FINAL, score=Decimal("10.5")), now=NOW)
    assert Delivery.objects.get().wanted_score == 10
    with pytest.raises(ValueError, match="finite"):
        owe(cast.sam, cast.operators, replace(FINAL, score=Decimal("NaN")), now=NOW)
