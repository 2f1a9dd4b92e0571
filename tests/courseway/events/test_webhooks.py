"""Webhooks arrive: signed, in order, once more after failures, and never at another's expense (J1)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from standardwebhooks import Webhook, WebhookVerificationError

from courseway.events.endpoints import EndpointRefusedError, create_endpoint, enable_endpoint, redeliver, rotate_secret
from courseway.events.kinds import Kind
from courseway.events.models import Event, WebhookDelivery, WebhookEndpoint
from courseway.events.posting import Limits, Poster, post_what_is_due
from courseway.events.recording import Happening, record, record_all
from courseway.events.retry import WAITS
from tests.cast import Cast
from tests.courseway.events.receiver import Received, Receiver

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
STATES = WebhookDelivery.State


def happen(cast: Cast, kind: Kind = Kind.COMPLETED, *, times: int = 1, now: datetime | None = None) -> None:
    happenings = [Happening(kind, {"number": number}, cast.sam.pk) for number in range(times)]
    record_all(cast.acme.pk, happenings, now=now or datetime.now(UTC))


def send_at(moment: datetime, **limits: Any) -> None:
    """Everything that is due at `moment`, once."""
    poster = Poster(Limits(deadline_seconds=2.0, **limits), clock=lambda: moment)
    post_what_is_due(poster)


def answer_with(status: int, words: bytes = b"", **headers: str) -> Any:
    def answer(received: Received) -> tuple[int, bytes, dict[str, str]]:
        return (204, b"", {}) if received.content["type"] == "endpoint.test" else (status, words, headers)

    return answer


def test_an_event_arrives_signed(cast: Cast, receiver: Receiver) -> None:
    """The standard's own library accepts id, time and signature; the body says what happened, when and where."""
    receiver.endpoint(cast.acme, datetime.now(UTC))
    now = datetime.now(UTC)
    happen(cast, now=now)
    post_what_is_due()
    (event,) = receiver.verified()
    assert event["type"] == "submission.completed"
    assert datetime.fromisoformat(event["timestamp"]) == now
    assert event["data"] == {"organization": "acme", "number": 0, "person": {"id": cast.sam.public_id}}
    received = receiver.received[-1]
    assert received.id == Event.objects.get(kind=Kind.COMPLETED).public_id
    assert received.headers["content-type"] == "application/json"
    delivery = WebhookDelivery.objects.get(event__kind=Kind.COMPLETED)
    assert (delivery.state, delivery.last_status, delivery.tries) == (STATES.SENT, 204, 1)


def test_a_changed_or_old_message_is_told_by_its_signature(cast: Cast, receiver: Receiver) -> None:
    """Neither another body, nor another id, nor a replay after the standard's five minutes verifies."""
    receiver.endpoint(cast.acme, datetime.now(UTC))
    happen(cast)
    post_what_is_due()
    received, webhook = receiver.received[-1], Webhook(receiver.secret)
    assert webhook.verify(received.body, received.headers)
    for body, headers in (
        (received.body.replace(b"completed", b"released"), received.headers),
        (received.body, {**received.headers, "webhook-id": "evt_other"}),
        (received.body, {**received.headers, "webhook-timestamp": str(int(time.time()) - 60)}),
    ):
        with pytest.raises(WebhookVerificationError):
            webhook.verify(body, headers)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=6)), pytest.raises(WebhookVerificationError):
        webhook.verify(received.body, received.headers)


def test_names_are_sent_only_where_an_owner_said_so(cast: Cast, receiver: Receiver) -> None:
    """By default a person is an id; an endpoint that shares people gets name and e-mail as they are when it is sent."""
    now = datetime.now(UTC)
    receiver.endpoint(cast.acme, now, path="/bare")
    receiver.endpoint(cast.acme, now, path="/named", shares_people=True)
    happen(cast)
    assert not Event.objects.filter(data__icontains="Sam").exists()
    post_what_is_due()
    assert b"Sam" not in b"".join(one.body for one in receiver.received if one.path == "/bare")
    (event,) = receiver.verified("/named")
    assert event["data"]["person"] == {"id": cast.sam.public_id, "name": "Sam Student", "email": "sam@acme.example"}


def test_only_chosen_events_of_the_own_organization_arrive(cast: Cast, receiver: Receiver) -> None:
    """An endpoint hears of the kinds it chose, of its organization, and of nothing from before it was there."""
    happen(cast)
    receiver.endpoint(cast.acme, datetime.now(UTC), kinds=[Kind.RELEASED.value])
    for kind in (Kind.COMPLETED, Kind.RELEASED):
        happen(cast, kind)
    record(cast.umbrella.pk, Happening(Kind.RELEASED, {"number": 99}), now=datetime.now(UTC))
    post_what_is_due()
    assert [(event["type"], event["data"]["number"]) for event in receiver.verified()] == [("submission.released", 0)]


def test_events_arrive_in_the_order_in_which_they_happened(cast: Cast, receiver: Receiver) -> None:
    """Two workers at once, more events than one lane takes: the receiver sees them in order, each once."""
    receiver.endpoint(cast.acme, datetime.now(UTC))
    happen(cast, times=180)
    limits = Limits(letters=25)
    first, second = Poster(limits), Poster(limits)
    until = time.monotonic() + 60
    while WebhookDelivery.objects.exclude(state=STATES.SENT).exists() or Event.objects.filter(is_waiting=True).exists():
        for poster in (first, second):
            poster.turn(wait_seconds=0.02)
        assert time.monotonic() < until
    first.close()
    second.close()
    assert [event["data"]["number"] for event in receiver.verified()] == list(range(180))


def test_a_failure_is_tried_again_until_it_arrives(cast: Cast, receiver: Receiver) -> None:
    """Two answers of 500, then 204: three tries can be read, all with one id, and the waits grow."""
    receiver.endpoint(cast.acme, NOW)
    happen(cast, now=NOW)
    receiver.answer = answer_with(500, b"out of order")
    send_at(NOW)
    delivery = WebhookDelivery.objects.get(event__kind=Kind.COMPLETED)
    assert (delivery.state, delivery.last_status, delivery.last_words) == (STATES.WAITING, 500, "out of order")
    assert delivery.next_try_at is not None
    assert WAITS[0] <= (delivery.next_try_at - NOW).total_seconds() <= WAITS[0] * 1.2
    send_at(NOW + timedelta(seconds=3))
    assert len(receiver.received) == 2, "it was tried before its time"
    send_at(NOW + timedelta(seconds=10))
    receiver.answer = answer_with(204)
    send_at(NOW + timedelta(minutes=10))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == (STATES.SENT, 3)
    assert [one.status for one in delivery.tries_made.all()] == [204, 500, 500]
    assert len({one.id for one in receiver.received[1:]}) == 1
    assert WebhookEndpoint.objects.get().failing_since is None


def test_tries_go_on_for_days_and_then_end(cast: Cast, receiver: Receiver) -> None:
    """An event that a receiver keeps refusing is tried for more than three days, then it has failed."""
    receiver.endpoint(cast.acme, NOW)
    happen(cast, now=NOW)
    receiver.answer = answer_with(400)
    moment = NOW
    for _ in range(len(WAITS) + 1):
        send_at(moment)
        delivery = WebhookDelivery.objects.get(event__kind=Kind.COMPLETED)
        if delivery.next_try_at is None:
            break
        moment = delivery.next_try_at
    assert (delivery.state, delivery.tries) == (STATES.FAILED, len(WAITS) + 1)
    assert moment - NOW > timedelta(days=3)


def test_one_refused_event_does_not_hold_up_the_others(cast: Cast, receiver: Receiver) -> None:
    """A 400 concerns that event; the ones after it arrive at once."""
    receiver.endpoint(cast.acme, NOW)
    happen(cast, times=3, now=NOW)
    receiver.answer = lambda one: (400 if one.content["data"].get("number") == 0 else 204, b"", {})
    send_at(NOW)
    assert WebhookDelivery.objects.filter(state=STATES.SENT, event__kind=Kind.COMPLETED).count() == 2


def test_an_endpoint_that_is_down_is_asked_with_one_event(cast: Cast, receiver: Receiver) -> None:
    """While it answers 503 the many that wait are not all spent on it; once it is back, all of them arrive in order."""
    receiver.endpoint(cast.acme, NOW)
    happen(cast, times=20, now=NOW)
    receiver.answer = answer_with(503)
    moment = NOW
    for _ in range(6):
        send_at(moment)
        moment += timedelta(minutes=2)
    assert len(receiver.received) <= 1 + 6
    untried = WebhookDelivery.objects.filter(state=STATES.WAITING, tries=0).count()
    assert untried >= 14
    receiver.answer = answer_with(204)
    for _ in range(4):
        moment += timedelta(hours=2)
        send_at(moment)
    assert not WebhookDelivery.objects.exclude(state=STATES.SENT).exists()


def test_retry_after_is_honoured(cast: Cast, receiver: Receiver) -> None:
    """A receiver that asks for an hour gets it, for all of its events."""
    receiver.endpoint(cast.acme, NOW)
    happen(cast, times=3, now=NOW)
    receiver.answer = answer_with(429, Retry_After="3600")
    send_at(NOW)
    asked = len(receiver.received)
    receiver.answer = answer_with(204)
    send_at(NOW + timedelta(minutes=59))
    assert len(receiver.received) == asked
    send_at(NOW + timedelta(minutes=61))
    assert not WebhookDelivery.objects.exclude(state=STATES.SENT).exists()


def test_gone_switches_the_endpoint_off(cast: Cast, receiver: Receiver) -> None:
    """410 means: no more. Nothing else is sent, the owners see why, and once on again all can be sent after all."""
    endpoint = receiver.endpoint(cast.acme, NOW)
    happen(cast, times=3, now=NOW)
    receiver.answer = answer_with(410)
    send_at(NOW)
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.disabled_reason) == (NOW, "gone")
    assert WebhookDelivery.objects.filter(state=STATES.FAILED).count() == 3
    (message,) = mail.outbox
    assert message.to == [cast.olive.email]
    assert "410 Gone" in str(message.body)
    assert f"https://tool.example/o/acme/webhooks/{endpoint.public_id}" in str(message.body)
    happen(cast, now=NOW)
    send_at(NOW + timedelta(days=1))
    assert len(receiver.received) == 2
    receiver.answer = answer_with(204)
    assert redeliver(endpoint.deliveries.filter(state=STATES.FAILED), now=NOW) == 0
    enable_endpoint(endpoint, now=NOW)
    assert redeliver(endpoint.deliveries.filter(state=STATES.FAILED), now=NOW) == 3
    send_at(NOW)
    assert len(receiver.received) == 5


def test_an_endpoint_that_never_answers_is_switched_off_after_days(cast: Cast, receiver: Receiver) -> None:
    """After five days of failures alone it is off; one success in between begins the count anew."""
    endpoint = receiver.endpoint(cast.acme, NOW)
    happen(cast, times=30, now=NOW)
    receiver.answer = answer_with(500)
    moment = NOW
    while moment < NOW + timedelta(days=5, hours=2):
        send_at(moment)
        moment += timedelta(hours=1, minutes=1)
        endpoint.refresh_from_db()
        assert (endpoint.disabled_at is None) == (moment - timedelta(hours=1, minutes=1) < NOW + timedelta(days=5))
    assert endpoint.disabled_reason == "failing"
    assert len(mail.outbox) == 1


def test_a_slow_endpoint_delays_nobody_else(cast: Cast, receiver: Receiver) -> None:
    """While one endpoint is silent, the events of another are all there long before it answers."""
    now = datetime.now(UTC)
    receiver.endpoint(cast.acme, now, path="/slow")
    receiver.endpoint(cast.acme, now, path="/quick")
    happen(cast, times=100)
    receiver.silent_seconds["/slow"] = 30.0
    poster = Poster(Limits(deadline_seconds=20.0))
    begun = time.monotonic()
    while len(receiver.verified("/quick")) < 100 and time.monotonic() < begun + 15:
        poster.turn(wait_seconds=0.05)
    assert len(receiver.verified("/quick")) == 100
    assert time.monotonic() - begun < 15
    assert len(receiver.verified("/slow")) == 1
    receiver.is_over.set()
    poster.close()


def test_after_a_rotation_both_secrets_verify_for_a_day(cast: Cast, receiver: Receiver) -> None:
    """During the overlap old and new secret accept the same message; afterwards the new one alone."""
    endpoint = receiver.endpoint(cast.acme, NOW)
    new = rotate_secret(endpoint, now=NOW)
    for moment, is_old_accepted in ((NOW + timedelta(hours=23), True), (NOW + timedelta(hours=25), False)):
        happen(cast, now=moment)
        send_at(moment)
        received = receiver.received[-1]
        with time_machine.travel(moment):
            assert Webhook(new).verify(received.body, received.headers)
            if is_old_accepted:
                assert Webhook(receiver.secret).verify(received.body, received.headers)
            else:
                with pytest.raises(WebhookVerificationError):
                    Webhook(receiver.secret).verify(received.body, received.headers)


def test_secrets_are_not_kept_in_clear(cast: Cast, receiver: Receiver) -> None:
    """Whoever reads the database cannot sign in our name."""
    endpoint = receiver.endpoint(cast.acme, NOW)
    new = rotate_secret(endpoint, now=NOW)
    kept = str(WebhookEndpoint.objects.values().get())
    assert receiver.secret.removeprefix("whsec_") not in kept
    assert new.removeprefix("whsec_") not in kept


def test_an_address_in_a_private_network_is_not_asked(cast: Cast, settings: Any) -> None:
    """A webhook cannot be used to reach into the network of the server."""
    settings.ALLOWED_PRIVATE_NETWORKS = []
    for url in ("https://127.0.0.1/hook", "https://10.0.0.1/", "https://169.254.169.254/latest", "http://example.org/"):
        with pytest.raises(EndpointRefusedError, match="did not arrive"):
            create_endpoint(cast.acme, url=url, kinds=Kind.values, now=NOW)
    assert not WebhookEndpoint.objects.exists()


def test_a_clock_that_jumps_sends_nothing_twice(cast: Cast, receiver: Receiver) -> None:
    """While one machine waits for an endpoint, another one's clock jumps an hour ahead: it leaves the event alone, and
    the signature of its own next one holds. On SQLite all processes count by the clock of their one machine."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no clock of its own")
    receiver.endpoint(cast.acme, datetime.now(UTC))
    receiver.silent_seconds["/hook"] = 1.0
    happen(cast)
    waiting, jumped = Poster(Limits(deadline_seconds=5.0)), Poster(Limits(deadline_seconds=5.0))
    assert waiting.turn(wait_seconds=0.0) > 0
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
        assert jumped.turn(wait_seconds=0.2) == 0
    waiting.close()
    receiver.silent_seconds.clear()
    assert [event["type"] for event in receiver.verified()] == [Kind.COMPLETED]
    happen(cast)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
        post_what_is_due(jumped)
    assert len(receiver.verified()) == 2
    assert set(WebhookDelivery.objects.values_list("state", "tries")) == {(STATES.SENT, 1)}
