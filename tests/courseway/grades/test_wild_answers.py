"""A grade service that answers with anything at all: the grade arrives or waits with a reason, and nothing fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from courseway.grades import tokens
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe
from courseway.lms.models import ResourceLink
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13
from tests.courseway.lms.test_wild_launches import WILD
from tests.depth import one_of

pytestmark = [pytest.mark.slow, pytest.mark.deep]

BODIES = [
    *(json.dumps(value).encode() for value in WILD),
    *(json.dumps([value]).encode() for value in WILD),
    b"",
    b"\0\xff",
    b"<html><script>alert(1)</script>",
    b"[" * 9000,
    b'{"access_token": 7}',
    b'{"id": 7}',
]


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


def deliver(placed: PlacedLink, cast: Cast) -> Delivery:
    """The delivery of a grade after it was tried once."""
    Delivery.objects.all().delete()
    grade = Grade(Decimal(7), Decimal(10), is_completed=True, is_released=True)
    owe(cast.sam, placed.assignment, grade, now=timezone.now())
    deliver_what_is_due(dispatcher=Dispatcher(Limits(at_once=4, deadline_seconds=2.0)))
    return Delivery.objects.get()


def test_any_value_of_any_member_of_a_column(cast: Cast, lms: FakeLms) -> None:
    """Beside an odd column the link's own one is found, whatever the odd one holds."""
    placed = place_v13(cast.operators, lms.url, lineitem="")
    placed.let_in(cast.sam)
    failed = []
    names = ("id", "label", "scoreMaximum", "resourceLinkId", "resourceId", "tag", "startDateTime", "endDateTime")
    for number, name in enumerate(names):
        for value in one_of(WILD, 8, deep=2, start=number):
            lms.lineitems.clear()
            own = lms.add_lineitem(2, resourceLinkId=placed.link.resource_link_id)
            odd = {"id": f"{lms.url}/lineitems/1", "label": "Odd", "scoreMaximum": 5, "resourceId": "x", name: value}
            listed = json.dumps([odd, *lms.lineitems]).encode()
            lms.fault = lambda asked, key, said=listed: Misbehaviour(200, body=said) if asked == "lineitems" else None
            ResourceLink.objects.update(lineitem_url="")
            lms.scores.clear()
            delivery = deliver(placed, cast)
            found = ResourceLink.objects.get().lineitem_url
            failed += [(name, value, delivery.last_error)] * ((delivery.state, found) != (Delivery.State.SENT, own))
    assert not failed


def some_of_them(service: str, status: int) -> Sequence[bytes]:
    """More of them where much is read than as the answer to a score, and with each kind of error."""
    number = status + len(service)
    if status == 200 and service != "score":
        return one_of(BODIES, 4, deep=1, start=number)
    return one_of(BODIES, 16, deep=4, start=number)


@pytest.mark.parametrize("service", ["token", "lineitems", "score"])
@pytest.mark.parametrize("status", [200, 400, 503])
def test_any_answer_of_any_service(cast: Cast, lms: FakeLms, service: str, status: int) -> None:
    """Whatever a service says, the delivery is sent or says why not, and no fault is ours."""
    placed = place_v13(cast.operators, lms.url, lineitem="")
    placed.let_in(cast.sam)
    failed = []
    for body in some_of_them(service, status):
        tokens.forget_kept_tokens()
        ResourceLink.objects.update(lineitem_url="")
        lms.fault = lambda asked, key, said=body: Misbehaviour(status, body=said) if asked == service else None
        delivery = deliver(placed, cast)
        is_said = delivery.state == Delivery.State.SENT or bool(delivery.last_error)
        failed += [(body[:40], delivery.last_error_code)] * (
            delivery.last_error_code == "internal_error" or not is_said
        )
    assert not failed


@pytest.mark.parametrize("status", [200, 400, 503])
def test_any_answer_to_an_outcome(cast: Cast, lms: FakeLms, status: int) -> None:
    """By LTI 1.1 only an outcome that says success is one."""
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam)
    failed: list[Any] = []
    for body in some_of_them("outcome", status):
        lms.fault = lambda asked, key, said=body: Misbehaviour(status, body=said) if asked == "outcome" else None
        delivery = deliver(placed, cast)
        is_ours = delivery.last_error_code == "internal_error"
        failed += [(body[:40], delivery.last_error_code)] * (delivery.state == Delivery.State.SENT or is_ours)
    assert not failed
