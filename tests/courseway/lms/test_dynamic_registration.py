"""An LMS registers us by a one-time link: an owner confirms, the LMS is asked, what it answers is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from django.test import Client

from courseway.lms.models import Deployment, Platform, Registration, RegistrationLink
from courseway.lms.registration_links import hold_link, make_registration_link
from courseway.orgs.models import Account
from ltikit import vocabulary
from tests.cast import PASSWORD, Cast
from tests.courseway.http_servers import Handler, Server, serve_http

NOW = datetime.now(UTC)
PLATFORM, OWN = vocabulary.PLATFORM_CONFIGURATION, vocabulary.TOOL_CONFIGURATION
CANVAS = "https://canvas.instructure.com/lti/"


@dataclass
class Lms:
    """An LMS that registers tools over real HTTP. `changes` are what its configuration says otherwise."""

    server: Server
    family: str = "moodle"
    token: str = "registration-token"
    answer: Any = None
    status: int = 200
    changes: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    def configuration(self) -> dict[str, Any]:
        members = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "registration_endpoint": f"{self.url}/register",
            "scopes_supported": ["openid", vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM],
            PLATFORM: {"product_family_code": self.family, "version": "4.5", "messages_supported": []},
            **self.changes,
        }
        return {name: value for name, value in members.items() if value is not None}

    def open(self, client: Client, address: str, **headers: str) -> Any:
        """What the LMS's page does: it opens the address with what the tool needs."""
        return client.get(self.complete(address), secure=True, headers=headers)

    def confirm(self, client: Client, address: str, name: str = "Our Moodle") -> Any:
        return client.post(self.complete(address), {"name": name}, secure=True)

    def complete(self, address: str) -> str:
        query = {"openid_configuration": f"{self.url}/config?x=1"}
        if self.token:
            query["registration_token"] = self.token
        return f"{urlsplit(address).path}?{urlencode(query)}"


@contextmanager
def run_lms(**values: Any) -> Iterator[Lms]:
    class Answers(Handler):
        def do_GET(self) -> None:
            lms.tokens.append(self.headers.get("Authorization", ""))
            self.answer(200, json.dumps(lms.configuration()).encode(), Content_Type="text/html")

        def do_POST(self) -> None:
            lms.tokens.append(self.headers.get("Authorization", ""))
            lms.asked.append(json.loads(self.read_body()))
            body = {"client_id": f"client-{len(lms.asked)}", **lms.asked[-1]} if lms.answer is None else lms.answer
            self.answer(lms.status, json.dumps(body).encode(), Content_Type="application/json")

    with serve_http(Answers) as server:
        lms = Lms(server, **values)
        yield lms


@pytest.fixture
def lms() -> Iterator[Lms]:
    with run_lms() as running:
        yield running


@pytest.fixture
def address(cast: Cast) -> str:
    return make_registration_link(cast.acme, made_by=cast.olive, now=NOW)[1]


def sign_in(account: Account) -> Client:
    client = Client()
    client.force_login(account)
    return client


@pytest.mark.quirk("M16")
def test_an_owner_connects_a_moodle(cast: Cast, lms: Lms, address: str) -> None:
    """The owner sees which LMS it is, nothing is registered before the yes, and afterwards all values are stored."""
    owner = sign_in(cast.olive)
    page = lms.open(owner, address)
    assert page.status_code == 200
    assert lms.url in page.content.decode()
    assert "Acme University" in page.content.decode()
    assert not Registration.objects.exists()
    assert lms.asked == []
    lms.answer = {"client_id": "vtOuQ", OWN: {"deployment_id": "3"}}
    done = lms.confirm(owner, address)
    assert done.status_code == 200, done.content.decode()
    assert 'data-registration="done"' in done.content.decode()
    assert "look at the new tool there and activate it" in done.content.decode()
    registration = Registration.objects.get()
    assert (registration.issuer, registration.client_id) == (lms.url, "vtOuQ")
    assert registration.authentication_url == f"{lms.url}/auth"
    assert (registration.token_url, registration.keyset_url) == (f"{lms.url}/token", f"{lms.url}/keys")
    assert (registration.platform.organization, registration.platform.name) == (cast.acme, "Our Moodle")
    assert list(Deployment.objects.values_list("deployment_id", "approved")) == [("3", True)]
    assert set(lms.tokens) == {"Bearer registration-token"}
    asked = lms.asked[0]
    assert asked["redirect_uris"] == ["https://tool.example/lti/launch"]
    assert asked[OWN]["domain"] == "tool.example"
    assert asked["scope"].split() == [vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_SCORE]
    assert "instructure" not in json.dumps(asked)


def test_a_link_works_once(cast: Cast, lms: Lms, address: str) -> None:
    """After a success the link is over, for the owner as for everybody, and no second tool is made in the LMS."""
    owner = sign_in(cast.olive)
    assert lms.confirm(owner, address).status_code == 200
    for response in (lms.open(owner, address), lms.confirm(owner, address), lms.open(Client(), address)):
        assert response.status_code == 410
    assert len(lms.asked) == 1
    assert RegistrationLink.objects.get().platform == Platform.objects.get()


@pytest.mark.parametrize("what", ["expired", "withdrawn", "guessed"])
def test_a_link_ends(cast: Cast, lms: Lms, what: str) -> None:
    """An expired, a withdrawn and a guessed link register nothing, and ask the LMS nothing."""
    made_at = NOW - timedelta(days=8) if what == "expired" else NOW
    link, address = make_registration_link(cast.acme, made_by=cast.olive, now=made_at)
    owner = sign_in(cast.olive)
    if what == "withdrawn":
        owner.post(f"/o/acme/lti/registration-links/{link.pk}/withdraw", secure=True)
    elif what == "guessed":
        address = address[:-3] + "abc"
    assert lms.open(owner, address).status_code == 410
    assert lms.confirm(owner, address).status_code == 410
    assert lms.tokens == []


def test_signing_in_keeps_what_the_lms_sent(cast: Cast, lms: Lms, address: str) -> None:
    """Whoever is not signed in does that first and comes back to the same address, with all that the LMS put there."""
    client = Client()
    asked = lms.open(client, address)
    assert asked.status_code == 302
    assert lms.tokens == []
    assert asked["Location"] == f"/account/login/?next={quote(lms.complete(address))}"
    form = {"login": cast.olive.email, "password": PASSWORD, "next": lms.complete(address)}
    signed_in = client.post("/account/login/", form, secure=True)
    assert signed_in["Location"] == lms.complete(address)
    assert client.get(signed_in["Location"], secure=True).status_code == 200


def test_only_owners_of_the_links_organization_confirm(cast: Cast, lms: Lms, address: str) -> None:
    """A teacher of the organization and an owner of another one get 403, and the LMS is not even asked."""
    for account in (cast.tom, cast.oscar):
        client = sign_in(account)
        assert lms.open(client, address).status_code == 403
        assert lms.confirm(client, address).status_code == 403
    assert lms.tokens == []
    assert not Registration.objects.exists()


@pytest.mark.quirk("C27")
def test_a_frame_leads_to_a_tab(cast: Cast, lms: Lms, address: str) -> None:
    """In the LMS's frame there is no session of ours: the page may be framed, asks nothing, and offers a new tab."""
    page = lms.open(sign_in(cast.olive), address, sec_fetch_dest="iframe")
    assert page.status_code == 200
    assert "frame-ancestors *" in page["Content-Security-Policy"]
    text = page.content.decode()
    assert 'target="_blank" rel="opener"' in text
    assert "Acme University" not in text
    assert lms.tokens == []
    asking = lms.open(sign_in(cast.olive), address, sec_fetch_dest="document")
    assert "frame-ancestors 'none'" in asking["Content-Security-Policy"]


def test_without_a_configuration_the_link_explains_itself(address: str) -> None:
    """Whoever opens the link by hand reads that it is for the LMS."""
    page = Client().get(urlsplit(address).path, secure=True)
    assert page.status_code == 400
    assert address in page.content.decode()


@pytest.mark.quirk("C28", "C14")
def test_canvas_gets_its_own_words(cast: Cast, address: str) -> None:
    """Canvas is told privacy and placements (C28); a deployment that its answer does not name is learnt later (C14)."""
    with run_lms(family="canvas") as lms:
        assert lms.confirm(sign_in(cast.olive), address).status_code == 200
        own = lms.asked[0][OWN]
    assert own[CANVAS + "privacy_level"] == "public"
    placements = {message["placements"][0] for message in own["messages"]}
    assert CANVAS + "assignment_selection" in placements
    assert not Deployment.objects.exists()
    assert Registration.objects.get().deployment_policy == "any"


@pytest.mark.quirk("B7")
def test_blackboard_waits_for_deployments(cast: Cast, address: str) -> None:
    """A Blackboard registers for all its schools at once (B7): a deployment counts only after an owner's yes."""
    with run_lms(family="BlackboardLearn") as lms:
        assert lms.confirm(sign_in(cast.olive), address).status_code == 200
    assert Registration.objects.get().deployment_policy == "approved"


@pytest.mark.quirk("D1", "D8")
def test_brightspace_sends_no_token_and_has_another_audience(cast: Cast, address: str) -> None:
    """No registration token comes (D8), and assertions have to name another address than the token's (D1)."""
    audience = "https://api.brightspace.com/auth/token"
    with run_lms(family="desire2learn", token="", changes={"authorization_server": audience}) as lms:
        assert lms.confirm(sign_in(cast.olive), address).status_code == 200
        assert set(lms.tokens) == {""}
    assert Registration.objects.get().audience == audience


@pytest.mark.quirk("M11")
def test_a_refusal_can_be_tried_again(cast: Cast, lms: Lms, address: str) -> None:
    """The LMS's own words are shown (M11, C26), nothing is stored, and the same link works afterwards."""
    owner = sign_in(cast.olive)
    lms.status, lms.answer = 422, {"errors": ["domain is <b>taken</b>"]}
    refused = lms.confirm(owner, address)
    assert refused.status_code == 502
    assert "domain is taken" in refused.content.decode()
    assert 'data-code="registration_refused"' in refused.content.decode()
    assert not Platform.objects.exists()
    lms.status, lms.answer = 201, None
    assert lms.confirm(owner, address).status_code == 200


def test_another_hosts_issuer_is_refused(cast: Cast, lms: Lms, address: str) -> None:
    """A configuration that speaks for another LMS registers nothing, before and after the owner's yes."""
    lms.changes = {"issuer": "https://lms.example"}
    owner = sign_in(cast.olive)
    for response in (lms.open(owner, address), lms.confirm(owner, address)):
        assert response.status_code == 502
        assert 'data-code="foreign_issuer"' in response.content.decode()
    assert lms.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/c",
        "http://169.254.169.254/latest",
        "https://localhost.nowhere.invalid/c",
        "file:///etc/x",
        "ftp://x/",
    ],
)
def test_inner_addresses_are_not_asked(cast: Cast, address: str, url: str) -> None:
    """The address of a configuration leads into no private network and to no file; the page says that nothing came."""
    page = sign_in(cast.olive).get(urlsplit(address).path, {"openid_configuration": url}, secure=True)
    assert page.status_code == 502
    assert 'data-code="platform_configuration"' in page.content.decode()


def test_an_inner_registration_endpoint_is_not_asked(cast: Cast, lms: Lms, address: str) -> None:
    """What the configuration names is no more trusted than the configuration's address, and redirects are refused."""
    lms.changes = {"registration_endpoint": "http://10.0.0.1/register"}
    refused = lms.confirm(sign_in(cast.olive), address)
    assert refused.status_code == 502
    assert "10.0.0.1 was not asked" in refused.content.decode()
    lms.changes, lms.status = {}, 302
    assert lms.confirm(sign_in(cast.olive), address).status_code == 502
    assert not Registration.objects.exists()


def test_a_client_that_is_known_already_is_not_stored_twice(cast: Cast, lms: Lms, address: str) -> None:
    """An LMS that answers with a client ID of before gets a page that says so, and the link stays."""
    owner = sign_in(cast.olive)
    lms.answer = {"client_id": "same"}
    assert lms.confirm(owner, address).status_code == 200
    second = make_registration_link(cast.acme, made_by=cast.olive, now=NOW)[1]
    refused = lms.confirm(owner, second)
    assert refused.status_code == 409
    assert 'data-code="registration_unusable"' in refused.content.decode()
    assert Registration.objects.count() == 1


def test_two_confirmations_at_once_register_once(cast: Cast, lms: Lms, address: str) -> None:
    """While a registration is under way another one by the same link is told so; after two minutes it may try."""
    now = datetime.now(UTC)
    link = RegistrationLink.objects.get()
    assert hold_link(link, now=now)
    assert not hold_link(link, now=now)
    refused = lms.confirm(sign_in(cast.olive), address)
    assert refused.status_code == 409
    assert lms.asked == []
    RegistrationLink.objects.update(held_until=now - timedelta(seconds=1))
    assert lms.confirm(sign_in(cast.olive), address).status_code == 200


def test_a_confirmation_needs_a_name_and_a_csrf_token(cast: Cast, lms: Lms, address: str) -> None:
    """Without a name the form comes back; a POST that another site sends is refused."""
    assert lms.confirm(sign_in(cast.olive), address, name=" ").status_code == 400
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.olive)
    assert lms.confirm(strict, address).status_code == 403
    assert lms.asked == []


def test_owners_make_and_withdraw_links(cast: Cast, lms: Lms) -> None:
    """A link is shown once; the list says until when it works and takes it back. The database holds its hash alone."""
    owner = sign_in(cast.olive)
    made = owner.post("/o/acme/lti/registration-links", secure=True)
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    address = made.content.decode().partition('value="https://tool.example/lti/register/')[2].partition('"')[0]
    assert len(address) > 30
    link = RegistrationLink.objects.get()
    assert address not in str(list(RegistrationLink.objects.values()))
    assert "Withdraw" in owner.get("/o/acme/lti", secure=True).content.decode()
    assert lms.open(owner, f"/lti/register/{address}").status_code == 200
    for account in (cast.tom, cast.oscar):
        assert sign_in(account).post("/o/acme/lti/registration-links", secure=True).status_code == 403
        act = f"/o/acme/lti/registration-links/{link.pk}/withdraw"
        assert sign_in(account).post(act, secure=True).status_code == 403
    assert sign_in(cast.oscar).post(f"/o/umbrella/lti/registration-links/{link.pk}/withdraw").status_code == 404
    owner.post(f"/o/acme/lti/registration-links/{link.pk}/withdraw", secure=True)
    assert lms.open(owner, f"/lti/register/{address}").status_code == 410
    assert "Withdraw" not in owner.get("/o/acme/lti", secure=True).content.decode()


@pytest.mark.django_db(transaction=True)
def test_many_confirmations_at_once_register_once(cast: Cast, lms: Lms, address: str) -> None:
    """However often the button is pressed at the same moment, the LMS is asked once and one registration is stored."""
    from django.db import connection

    clients, statuses = [sign_in(cast.olive) for _ in range(8)], []

    def press(client: Client) -> None:
        try:
            statuses.append(lms.confirm(client, address).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 410}
    assert len(lms.asked) == Registration.objects.count() == 1
