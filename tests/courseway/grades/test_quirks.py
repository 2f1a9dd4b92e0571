"""What LMSs do differently with grades, where no other test tells it: each by its number in docs/quirks.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from courseway.grades import tokens
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe, resend
from courseway.lms.models import Context
from ltikit import vocabulary
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13
from tests.courseway.http_servers import Handler, serve_http


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


def send(placed: PlacedLink, cast: Cast, score: str, comment: str = "") -> None:
    """A grade of ten points, delivered."""
    grade = Grade(Decimal(score), Decimal(10), is_completed=True, is_released=True, comment=comment)
    owe(cast.sam, placed.assignment, grade, now=timezone.now())
    deliver_what_is_due(dispatcher=Dispatcher(Limits(at_once=4, deadline_seconds=2.0)))


@pytest.mark.quirk("C7", "C8", "O3")
@pytest.mark.parametrize("family", ["canvas", "Canvas", "schoology", "moodle", ""])
def test_a_score_uses_up_no_attempt_in_canvas(cast: Cast, lms: FakeLms, family: str) -> None:
    """To Canvas alone a score says that it is no new submission; others get no member that they do not know."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    Context.objects.update(family=family)
    send(placed, cast, "7")
    (score,) = lms.scores
    if family.lower() == "canvas":
        assert score[vocabulary.CANVAS_SUBMISSION] == {"new_submission": False}
    else:
        assert not [name for name in score if "://" in name]


@pytest.mark.quirk("B2")
@pytest.mark.parametrize(("family", "said"), [("BlackboardLearn", "Well<br/>done"), ("canvas", "Well\ndone")])
def test_lines_of_a_comment_stay_apart(cast: Cast, lms: FakeLms, family: str, said: str) -> None:
    """Blackboard drops line breaks, so a comment to it has markup in their place."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    Context.objects.update(family=family)
    send(placed, cast, "7", "Well\ndone")
    assert [score["comment"] for score in lms.scores] == [said]


@pytest.mark.quirk("C34")
@pytest.mark.parametrize("place", [place_v11, place_v13])
def test_nothing_is_a_grade_too(cast: Cast, lms: FakeLms, place: Callable[..., PlacedLink]) -> None:
    """A work that earned nothing is sent as 0, not left out."""
    placed = place(cast.operators, lms.url)
    placed.let_in(cast.sam)
    send(placed, cast, "0")
    assert Delivery.objects.get().state == Delivery.State.SENT
    sent = [score["scoreGiven"] for score in lms.scores] or [Decimal(str(value)) for value in lms.grades.values()]
    assert sent == [0]


@pytest.mark.quirk("C29", "G24", "C11", "M5")
def test_every_outcome_request_is_another(cast: Cast) -> None:
    """The same grade sent again has another nonce and another message id, and says who sends it."""
    seen: list[tuple[Any, bytes]] = []

    class Lms(Handler):
        def do_POST(self) -> None:
            seen.append((dict(self.headers.items()), self.read_body()))
            self.answer(503)

    with serve_http(Lms) as server:
        placed = place_v11(cast.operators, server.url)
        placed.let_in(cast.sam)
        send(placed, cast, "7")
        for _ in range(2):
            resend(Delivery.objects.all(), now=timezone.now())
            Delivery.objects.update(next_try_at=timezone.now(), quiet_until=None, lease_token="")
            deliver_what_is_due(dispatcher=Dispatcher(Limits(at_once=4, deadline_seconds=2.0)))
    assert len(seen) == 3
    nonces = {re.findall(r'oauth_nonce="([^"]+)"', headers["Authorization"])[0] for headers, _ in seen}
    messages = {re.findall(rb"<imsx_messageIdentifier>([^<]+)<", body)[0] for _, body in seen}
    assert (len(nonces), len(messages)) == (3, 3)
    assert all(headers["User-Agent"].startswith("Courseway/") for headers, _ in seen)


@pytest.mark.quirk("C32")
def test_what_the_lms_holds_is_not_sent_again(cast: Cast, lms: FakeLms) -> None:
    """The same grade a second time is no message: in Canvas each one is a mail to the student."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    send(placed, cast, "7")
    send(placed, cast, "7.0")
    assert len(lms.scores) == 1
    assert json.dumps(Delivery.objects.get().state) in ('"sent"', '"unchanged"')
