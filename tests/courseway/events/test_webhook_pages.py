"""The pages of webhooks: owners add, watch and mend; nobody else sees that there are any (J1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook

from courseway.courses.models import Role
from courseway.events.endpoints import disable_endpoint
from courseway.events.kinds import Kind
from courseway.events.letters import new_secret, read_secrets
from courseway.events.models import WebhookDelivery, WebhookEndpoint
from courseway.events.posting import post_what_is_due
from courseway.events.recording import Happening, record_all
from tests.cast import Cast
from tests.courseway.events.receiver import Receiver
from tests.visits import open_launch

PAGE = "/o/acme/webhooks"
STATES = WebhookDelivery.State
ACTS = ["change", "secret", "rotate", "test", "off", "on", "delete", "again"]


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


@pytest.fixture
def endpoint(cast: Cast, receiver: Receiver) -> WebhookEndpoint:
    return receiver.endpoint(cast.acme, datetime.now(UTC))


def form(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"url": f"{receiver.url}/hook", "secret": receiver.secret, "kinds": Kind.values, **more}


def test_owners_alone(cast: Cast, endpoint: WebhookEndpoint) -> None:
    """Owner 200; teacher, owner of another organization, every launch 403; nobody signs in first."""
    event = endpoint.deliveries.get().event.public_id
    pages = ["", "/new", f"/{endpoint.public_id}", f"/{endpoint.public_id}/events/{event}"]
    for page in (PAGE + end for end in pages):
        for account, status in {cast.olive: 200, cast.tom: 403, cast.oscar: 403}.items():
            client = Client()
            client.force_login(account)
            assert client.get(page).status_code == status, (account, page)
        assert Client().get(page)["Location"] == f"/account/login/?next={page}"
        for person, role in {cast.tom_person: Role.TEACHER, cast.mia: Role.MENTOR, cast.sam: Role.STUDENT}.items():
            client = Client()
            prefix = open_launch(client, person, cast.course, role, cast.operators, covers_whole_course=True)
            assert client.get(prefix + page).status_code == 403, role


@pytest.mark.parametrize("act", ACTS)
def test_acts_of_owners_alone(
    cast: Cast, endpoint: WebhookEndpoint, receiver: Receiver, owner: Client, act: str
) -> None:
    """Nobody else changes a webhook or gets its secret, not even by its address in an organization of one's own."""
    path = f"{PAGE}/{endpoint.public_id}/{act}"
    before = WebhookEndpoint.objects.values().get()
    for account, organization, status in (
        (cast.tom, "acme", 403),
        (cast.oscar, "acme", 403),
        (cast.oscar, "umbrella", 404),
    ):
        client = Client()
        client.force_login(account)
        response = client.post(
            path.replace("/acme/", f"/{organization}/"), form(receiver), HTTP_ACCEPT="application/json"
        )
        assert response.status_code == status
        assert receiver.secret not in response.content.decode()
    assert Client().post(path).status_code == 302
    assert owner.get(path).status_code == 405
    assert WebhookEndpoint.objects.values().get() == before


def test_adding_sends_a_test_event(cast: Cast, receiver: Receiver, owner: Client) -> None:
    """The receiver got a test event that it could verify before the webhook was stored; the log shows it."""
    response = owner.post(f"{PAGE}/new", form(receiver, kinds=["grade.sent"], shares_people="on"))
    endpoint = WebhookEndpoint.objects.get()
    assert response["Location"] == f"{PAGE}/{endpoint.public_id}"
    assert (endpoint.kinds, endpoint.shares_people) == (["grade.sent"], True)
    received = receiver.received[0]
    event = Webhook(receiver.secret).verify(received.body, received.headers)
    assert event["type"] == "endpoint.test"
    assert endpoint.deliveries.get().state == STATES.SENT
    assert "endpoint.test" in owner.get(response["Location"]).content.decode()


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (404, {}, "was answered with 404. It must be answered with 2xx"),
        (500, {}, "The words of the answer: not today"),
        (302, {"Location": "https://elsewhere.example/"}, "redirections are not followed"),
    ],
)
def test_an_address_that_does_not_take_it_is_not_stored(
    receiver: Receiver, owner: Client, cast: Cast, status: int, headers: dict[str, str], said: str
) -> None:
    """The form says what happened and keeps address, secret, choice and switch as they were typed."""
    receiver.answer = lambda one: (status, b"not today", headers)
    typed = form(receiver, kinds=["grade.sent", "grade.failed"], shares_people="on")
    response = owner.post(f"{PAGE}/new", typed)
    page = response.content.decode()
    assert response.status_code == 400
    assert said in page
    assert typed["url"] in page
    assert typed["secret"] in page
    assert page.count(" checked") == 3
    assert not WebhookEndpoint.objects.exists()


def test_nobody_listens(receiver: Receiver, owner: Client, cast: Cast) -> None:
    """A port where nothing answers is said as such."""
    response = owner.post(f"{PAGE}/new", form(receiver, url="http://127.0.0.1:9/hook"))
    assert response.status_code == 400
    assert "The test event did not arrive: no connection to 127.0.0.1" in response.content.decode()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("url", "ftp://example.org", "must begin with https://"),
        ("url", "not an address", "must begin with https://"),
        ("url", "https://user:secret@example.org/", "must not hold a user name"),
        ("url", "", "This field is required"),
        ("secret", "whsec_short", "A secret begins with whsec_"),
        pytest.param("secret", new_secret().removeprefix("whsec_"), "A secret begins with whsec_", id="no-beginning"),
        ("kinds", [], "Choose at least one event."),
        ("kinds", ["no.such"], "Select a valid choice"),
    ],
)
def test_wrong_input_is_named(receiver: Receiver, owner: Client, cast: Cast, field: str, value: Any, said: str) -> None:
    """Each wrong value is named at its field, and nothing is sent anywhere."""
    response = owner.post(f"{PAGE}/new", form(receiver, **{field: value}))
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not receiver.received


def test_a_new_address_is_tried_first(receiver: Receiver, owner: Client, endpoint: WebhookEndpoint) -> None:
    """Changing the address to one that refuses changes nothing; to one that takes the test, everything typed."""
    path = f"{PAGE}/{endpoint.public_id}/change"
    receiver.answer = lambda one: (204 if one.path == "/good" else 401, b"", {})
    assert owner.post(path, form(receiver, url=f"{receiver.url}/bad", kinds=["grade.sent"])).status_code == 400
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.kinds) == (f"{receiver.url}/hook", Kind.values)
    assert owner.post(path, form(receiver, url=f"{receiver.url}/good", kinds=["grade.sent"])).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.kinds) == (f"{receiver.url}/good", ["grade.sent"])


def test_the_secret_is_masked_until_asked_for(receiver: Receiver, owner: Client, endpoint: WebhookEndpoint) -> None:
    """The page does not hold it; one POST shows it, no cache keeps that, and the copy button gets it as JSON."""
    path = f"{PAGE}/{endpoint.public_id}"
    assert receiver.secret not in owner.get(path).content.decode()
    shown = owner.post(f"{path}/secret")
    assert receiver.secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    answer = owner.post(f"{path}/secret", headers={"Accept": "application/json"})
    assert answer.json() == {"secret": receiver.secret}
    owner.post(f"{path}/rotate")
    endpoint.refresh_from_db()
    newest, old = read_secrets(endpoint, now=datetime.now(UTC))
    assert old == receiver.secret
    assert owner.post(f"{path}/secret", headers={"Accept": "application/json"}).json() == {"secret": newest}
    assert "the old one signs too until" in owner.get(path).content.decode()


def test_log_and_sending_again(cast: Cast, receiver: Receiver, owner: Client, endpoint: WebhookEndpoint) -> None:
    """Each event stands in the log with its answers; one or all failed ones are sent once more, with the same id."""
    receiver.answer = lambda one: (400, b"cannot read this", {})
    record_all(cast.acme.pk, [Happening(Kind.GRADED, {}, cast.sam.pk)] * 3, now=datetime.now(UTC))
    post_what_is_due()
    path = f"{PAGE}/{endpoint.public_id}"
    disable_endpoint(endpoint, WebhookEndpoint.Reason.OWNER, now=datetime.now(UTC))
    page = owner.get(f"{path}?state=failed").content.decode()
    assert page.count("HTTP 400 cannot read this") == 3
    assert "is switched off" in owner.post(f"{path}/again", follow=True).content.decode()
    owner.post(f"{path}/on")
    assert "Send all 3 failed events again" in owner.get(path).content.decode()
    first = endpoint.deliveries.filter(state=STATES.FAILED).order_by("pk")[0].event.public_id
    receiver.answer = lambda one: (200, b"", {})
    seen = len(receiver.received)
    assert owner.post(f"{path}/again", {"event": first})["Location"] == f"{path}/events/{first}"
    post_what_is_due()
    assert [one.id for one in receiver.received[seen:]] == [first]
    detail = owner.get(f"{path}/events/{first}").content.decode()
    assert "HTTP 200" in detail
    assert "HTTP 400" in detail
    assert "&quot;type&quot;: &quot;submission.graded&quot;" in detail
    owner.post(f"{path}/again")
    post_what_is_due()
    assert len(receiver.received) == seen + 3
    assert not endpoint.deliveries.exclude(state=STATES.SENT).exists()


def test_a_test_event_on_demand(receiver: Receiver, owner: Client, endpoint: WebhookEndpoint) -> None:
    """The button sends one now and says what came of it."""
    path = f"{PAGE}/{endpoint.public_id}/test"
    assert "was answered with 204" in owner.post(path, follow=True).content.decode()
    receiver.answer = lambda one: (503, b"", {})
    assert "was answered with 503. It must be answered with 2xx" in owner.post(path, follow=True).content.decode()
    assert sorted(endpoint.deliveries.values_list("last_status", flat=True)) == [204, 204, 503]


def test_deleting_takes_the_log_along(owner: Client, endpoint: WebhookEndpoint) -> None:
    """Nothing of a deleted webhook remains but the events themselves."""
    assert owner.post(f"{PAGE}/{endpoint.public_id}/delete")["Location"] == PAGE
    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_the_empty_page_teaches(cast: Cast, owner: Client) -> None:
    """Without a webhook the page says what one is for, and every event that there is."""
    page = owner.get(PAGE).content.decode()
    assert "No program listens yet" in page
    assert all(kind in page for kind in Kind.values)
