from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe_many
from courseway.leases import claim
from courseway.orgs.models import Person
from tests.cast import Cast, make_cast
from tests.courseway.grades.links import NOW, place_v13
from tests.courseway.grades.nursery import own_database


def _owe_to(cast: Cast, number: int) -> None:
    placed = place_v13(cast.operators)
    people = [Person.objects.create(organization=cast.acme, name=f"Person {one}") for one in range(number)]
    for person in people:
        placed.let_in(person)
    grade = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)
    owe_many(cast.operators, {person.pk: grade for person in people}, now=NOW)


def test_a_claimed_row_is_nobody_elses_until_the_lease_ends(cast: Cast) -> None:
    """A second claim gets nothing; once the lease is over, it gets the rows under a token of its own."""
    _owe_to(cast, 3)
    first = claim(Delivery.objects.all(), now=NOW, lease_seconds=60, limit=10)
    assert len(first) == 3
    assert {row.next_try_at for row in first} == {NOW + timedelta(seconds=60)}
    assert claim(Delivery.objects.all(), now=NOW + timedelta(seconds=59), limit=10) == []
    second = claim(Delivery.objects.all(), now=NOW + timedelta(seconds=60), limit=10)
    assert {row.pk for row in second} == {row.pk for row in first}
    assert {row.lease_token for row in second}.isdisjoint({row.lease_token for row in first})


def test_a_claim_takes_the_longest_due_up_to_its_limit(cast: Cast) -> None:
    """The limit holds, rows that are not due are left, and those that waited longest go first."""
    _owe_to(cast, 6)
    pks = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    for number, pk in enumerate(pks):
        Delivery.objects.filter(pk=pk).update(next_try_at=NOW + timedelta(seconds=3 - number))
    Delivery.objects.filter(pk=pks[5]).update(next_try_at=None)
    taken = claim(Delivery.objects.all(), now=NOW + timedelta(seconds=2), limit=3)
    assert [row.pk for row in taken] == [pks[2], pks[3], pks[4]]


def test_a_claim_respects_the_queryset_and_writes_with_it(cast: Cast) -> None:
    """Rows outside the queryset stay due; what is to be set is set by the same statement, related rows are read."""
    _owe_to(cast, 2)
    kept = Delivery.objects.order_by("pk").first()
    assert kept is not None
    due = Delivery.objects.select_related("platform__registration").exclude(pk=kept.pk)
    (row,) = claim(due, now=NOW, limit=10, also_set={"tries": 7})
    assert row.tries == 7
    assert row.platform.registration.client_id == "client-1"
    kept.refresh_from_db()
    assert (kept.next_try_at, kept.lease_token, kept.tries) == (NOW, "", 0)


@pytest.mark.postgresql
@pytest.mark.parametrize("limit", [1, 3])
def test_the_limit_holds_however_the_claim_is_planned(cast: Cast, limit: int) -> None:
    """PostgreSQL may look for the rows once for each row that it goes through; it must find the same ones each time."""
    _owe_to(cast, 20)
    with connection.cursor() as cursor:
        for way in ("hashagg", "hashjoin", "mergejoin", "material", "sort", "indexscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    assert len(claim(Delivery.objects.all(), now=NOW, limit=limit)) == limit


@pytest.mark.django_db(transaction=True)
def test_many_claimers_at_once_share_the_rows_without_overlap() -> None:
    """Eight threads that claim at the same time get different rows, and together all of them."""
    with own_database():
        _owe_to(make_cast(), 200)
        taken: list[int] = []
        start = threading.Barrier(8)

        def take() -> None:
            start.wait()
            try:
                while rows := claim(Delivery.objects.all(), now=NOW, limit=7):
                    taken.extend(row.pk for row in rows)
            finally:
                connection.close()

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # PostgreSQL may pass over rows that another claim is just taking; whoever comes next takes them.
        taken += [row.pk for row in claim(Delivery.objects.all(), now=NOW, limit=1000)]
        assert len(taken) == len(set(taken)) == 200
