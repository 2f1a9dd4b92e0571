"""Old rows go in small batches, and nothing goes that a page, a replay, a grade or a webhook still needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.conf import LazySettings as Settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from courseway.cli import main
from courseway.events.clearing import KEEP, clear_events
from courseway.events.endpoints import create_endpoint
from courseway.events.kinds import Kind
from courseway.events.models import ClearingRound, Event, WebhookDelivery
from courseway.events.recording import Happening, record_all
from courseway.events.spreading import spread_events
from courseway.grades.clearing import clear_tries
from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.outbox import Grade, owe
from courseway.lms.clearing import clear_launches, clear_selections, clear_used_codes
from courseway.lms.models import Launch, PendingSelection, Platform, UsedTabCode
from courseway.lms.org_views import with_last_launch
from courseway.lms.sent_messages import find_same_message
from courseway.old_rows import AT_ONCE
from courseway.orgs.ids import new_id
from courseway.retention import clear_old_rows, clear_when_due, next_night
from tests.cast import Cast
from tests.courseway.events.receiver import Receiver, run_receiver
from tests.courseway.grades.links import place_v13
from tests.visits import TOOL, Lms11, make_lms11, make_lms13, post_form

OK, REFUSED = Launch.Outcome.OK, Launch.Outcome.REFUSED


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


def log_launches(cast: Cast, count: int, *, at: datetime, **more: object) -> list[int]:
    """So many refused launches of one moment, as somebody who tries wrong keys leaves them."""
    values = {"organization": cast.acme, "outcome": REFUSED, "code": "bad_signature", **more}
    rows = [Launch(reference=new_id(), at=at, **values) for _ in range(count)]  # type: ignore[misc]
    return [row.pk for row in Launch.objects.bulk_create(rows)]


def sign_launch(cast: Cast) -> tuple[str, list[tuple[str, str]]]:
    """An LTI 1.1 launch as it is sent: where to, and what."""
    lms, path = make_lms11(cast.acme), f"/lti/a/{cast.operators.public_id}"
    return path, lms.sign(TOOL + path, lms.form())


@contextmanager
def count_statements() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as captured:
        yield captured


def test_old_launches_go_in_bounded_batches(cast: Cast) -> None:
    """Old rows go, newer ones stay; each thousand refused launches cost three statements, however many there are."""
    now = datetime.now(UTC)
    old = log_launches(cast, 3 * AT_ONCE + 7, at=now - timedelta(days=11))
    kept = log_launches(cast, 2 * AT_ONCE, at=now - timedelta(days=9))
    with count_statements() as captured:
        assert clear_launches(before=now - timedelta(days=10)) == len(old)
    statements = [one["sql"] for one in captured.captured_queries if "lms_launch" in one["sql"]]
    # Four batches with old rows, and the look at one that has none.
    assert len(statements) == 3 * 4 + 1
    assert all(f"LIMIT {AT_ONCE}" in sql or " IN (" in sql for sql in statements)
    assert sorted(Launch.objects.values_list("pk", flat=True)) == kept


def test_clearing_ends_between_two_batches_when_asked(cast: Cast) -> None:
    """A worker that is to end does so after the batch at hand; the next one finds the rest."""
    now = datetime.now(UTC)
    log_launches(cast, 2 * AT_ONCE, at=now - timedelta(days=11))
    answers = iter([False, True])
    assert clear_launches(before=now - timedelta(days=10), is_over=lambda: next(answers)) == AT_ONCE
    assert clear_launches(before=now - timedelta(days=10)) == AT_ONCE


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_replay_is_refused_right_after_clearing(client: Client, cast: Cast, settings: Settings, version: str) -> None:
    """With the shortest time that can be set, a message that is still valid cannot come twice."""
    settings.LAUNCH_LOG_DAYS = settings.SHORTEST_LAUNCH_LOG_DAYS
    path, pairs = sign_launch(cast) if version == "1.1" else ("/lti/launch", [])
    if version == "1.3":
        lms = make_lms13(cast.acme)
        login = lms.begin(client)
        token = lms.token(lms.claims(cast.operators, login["nonce"]))
        pairs = [("id_token", token), ("state", login["state"])]
    assert post_form(client, path, pairs).status_code == 303
    log_launches(cast, 3, at=datetime.now(UTC) - timedelta(days=8))
    removed = clear_old_rows(now=datetime.now(UTC))
    assert removed["launches"] == 3
    assert post_form(client, path, pairs).status_code == 401
    assert Launch.objects.get(outcome=REFUSED).code == "replayed"


def test_when_the_log_forgets_a_message_it_is_too_old_to_come_again(client: Client, cast: Cast) -> None:
    """Whatever the log does not know any more is refused by its own time, as long as the shortest time is kept."""
    path, pairs = sign_launch(cast)
    assert post_form(client, path, pairs).status_code == 303
    Launch.objects.all().delete()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=7)):
        assert post_form(client, path, pairs).status_code == 401
    assert Launch.objects.get().code == "expired"


class TestWhatIsKept:
    def come(self, lms: Lms11, cast: Cast, **changes: str) -> Launch:
        response = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", **changes)
        assert response.status_code == 303
        return Launch.objects.order_by("-pk")[0]

    def age(self, launches: list[Launch], days: int) -> None:
        at = datetime.now(UTC) - timedelta(days=days)
        Launch.objects.filter(pk__in=[one.pk for one in launches]).update(at=at)

    def test_the_last_launch_of_a_place(self, cast: Cast) -> None:
        """The last launch of a link stays however old it is: by it an LMS counts as connected. Earlier ones go, and so
        do refused ones."""
        lms = make_lms11(cast.acme)
        launches = [self.come(lms, cast, user_id=name) for name in ("one", "two", "three")]
        refused = Launch.objects.get(pk=log_launches(cast, 1, at=datetime.now(UTC), platform=launches[0].platform)[0])
        self.age([*launches, refused], 500)
        assert clear_old_rows(now=datetime.now(UTC))["launches"] == 3
        assert Launch.objects.get() == launches[2]
        assert with_last_launch(Platform.objects.all()).get().launched_at == Launch.objects.get().at
        assert clear_old_rows(now=datetime.now(UTC))["launches"] == 0

    def test_what_newer_launches_only_repeated(self, cast: Cast) -> None:
        """The message of a person who comes again and again is kept once: as long as newer launches show it."""
        lms = make_lms11(cast.acme)
        first, second, third = (self.come(lms, cast) for _ in range(3))
        assert (bool(first.message), second.message, third.message) == (True, "", "")
        self.age([first, second], 500)
        assert clear_old_rows(now=datetime.now(UTC))["launches"] == 1
        assert set(Launch.objects.all()) == {first, third}
        assert find_same_message(third) == first
        self.age([third], 401)
        self.come(lms, cast, user_id="another")
        assert clear_old_rows(now=datetime.now(UTC))["launches"] == 2

    def test_tries_that_say_why_a_grade_did_not_arrive(self, cast: Cast) -> None:
        """Tries of a grade that arrived go but the last; those of one that needs somebody stay."""
        now = datetime.now(UTC)
        for assignment in (cast.operators, cast.loops):
            place_v13(assignment, "http://127.0.0.1:9").let_in(cast.sam)
            owe(cast.sam, assignment, Grade(Decimal(8), Decimal(10), True, True), now=now)
        sent, stuck = Delivery.objects.order_by("pk")
        for delivery in (sent, stuck):
            for days in (500, 450, 1):
                at = now - timedelta(days=days)
                DeliveryTry.objects.create(delivery=delivery, at=at, version=1, code="server_error")
        Delivery.objects.filter(pk=sent.pk).update(state=Delivery.State.SENT, next_try_at=None)
        Delivery.objects.filter(pk=stuck.pk).update(state=Delivery.State.NEEDS_TEACHER, next_try_at=None)
        assert clear_tries(before=now - timedelta(days=400)) == 2
        assert (sent.attempts_made.count(), stuck.attempts_made.count()) == (1, 3)
        DeliveryTry.objects.filter(delivery=sent).update(at=now - timedelta(days=500))
        assert clear_tries(before=now - timedelta(days=400)) == 0

    def test_events_of_which_somebody_is_still_to_be_told(self, cast: Cast, receiver: Receiver) -> None:
        """After months without a worker, webhooks are told first: their events go when nothing is owed any more."""
        now = datetime.now(UTC)
        create_endpoint(cast.acme, url=receiver.url + "/hook", kinds=Kind.values, secret=receiver.secret, now=now)
        WebhookDelivery.objects.update(next_try_at=None)
        Event.objects.all().delete()
        record_all(cast.acme.pk, [Happening(Kind.GRADED, {})], now=now - KEEP - timedelta(days=1))
        assert clear_events(now=now) == 0
        spread_events(now=now)
        assert clear_events(now=now) == 0
        WebhookDelivery.objects.update(next_try_at=None, state=WebhookDelivery.State.SENT)
        assert clear_events(now=now) == 1


def test_what_is_over_goes_by_itself(cast: Cast) -> None:
    """Sessions, selections and codes whose time is over go, and nothing that can still be used."""
    now = datetime.now(UTC)
    lms = make_lms11(cast.acme)
    for days in (-2, 2):
        at = now + timedelta(days=days)
        Session.objects.create(session_key=f"key{days}", session_data="", expire_date=at)
        PendingSelection.objects.create(reference=new_id(), platform=lms.platform, target_kind="x", expires_at=at)
    UsedTabCode.objects.create(digest="old", used_at=now - timedelta(days=2))
    UsedTabCode.objects.create(digest="new", used_at=now)
    removed = clear_old_rows(now=now)
    assert {kind: count for kind, count in removed.items() if count} == {
        "sessions": 1,
        "selections": 1,
        "new_tab_codes": 1,
    }
    assert Session.objects.get().session_key == "key2"
    assert clear_selections(now=now) == clear_used_codes(now=now) == 0


def test_one_worker_clears_each_night(cast: Cast, settings: Settings) -> None:
    """The first who looks clears at once, then whoever looks first in the night, in the installation's time zone."""
    settings.TIME_ZONE = "Europe/Berlin"
    now = datetime(2026, 11, 2, 22, 0, tzinfo=UTC)
    log_launches(cast, 1, at=now - timedelta(days=500))
    assert clear_when_due(now=now) is True
    assert Launch.objects.count() == 0
    assert clear_when_due(now=now) is False
    night = ClearingRound.objects.get().next_try_at
    assert night == next_night(now) == datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
    assert clear_when_due(now=night - timedelta(seconds=1)) is False
    assert clear_when_due(now=night) is True


def test_a_round_that_was_cut_short_goes_on(cast: Cast) -> None:
    """A worker that is to end gives the round back, and another one goes on at once."""
    now = datetime.now(UTC)
    log_launches(cast, 1, at=now - timedelta(days=500))
    assert clear_when_due(now=now, is_over=lambda: True) is True
    assert Launch.objects.count() == 1
    assert clear_when_due(now=now) is True
    assert Launch.objects.count() == 0


def test_prune_clears_now(cast: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    """`courseway prune` does the same at once and says what went, for people and for programs."""
    log_launches(cast, 2, at=datetime.now(UTC) - timedelta(days=500))
    assert main(["prune", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["launches"] == 2
    assert main(["prune"]) == 0
    assert capsys.readouterr().out == "Nothing is older than it is kept.\n"


def test_owners_read_how_long_launches_are_kept(cast: Cast, settings: Settings) -> None:
    """The list of launches says it, as it is set."""
    settings.LAUNCH_LOG_DAYS = 123
    log_launches(cast, 1, at=datetime.now(UTC))
    owner = Client()
    owner.force_login(cast.olive)
    assert "kept for 123 days" in owner.get("/o/acme/launches").content.decode()
