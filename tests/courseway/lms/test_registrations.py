"""LTI 1.3 registrations: stored, checked, tried out; and our own keys, with which we sign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from courseway.lms import tool_keys
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.models import Deployment, Launch, Platform, Registration
from courseway.lms.registrations import create_registration, test_connection, update_registration
from courseway.orgs.models import Organization
from tests.cast import Cast
from tests.courseway.http_servers import Handler, Server, serve_http
from tests.visits import make_lms13

NOW = datetime.now(UTC)
VALUES = {
    "issuer": "https://lms.example",
    "client_id": "client-9",
    "authentication_url": "https://lms.example/auth",
    "token_url": "https://lms.example/token",
    "keyset_url": "https://lms.example/keys",
}
PAGE = "/o/acme/lti/registrations"
FORM = {**VALUES, "name": "Canvas", "deployment_policy": "any"}


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def make(organization: Organization, **changes: Any) -> Registration:
    return create_registration(organization, **{**VALUES, **changes})


def test_registration_without_deployments_accepts_any(cast: Cast) -> None:
    """No deployment named: any may come. Some named: those alone, others wait (A3)."""
    assert make(cast.acme).deployment_policy == "any"
    registration = make(cast.acme, client_id="client-10", deployment_ids=["1", " 2 ", "1", ""])
    assert registration.deployment_policy == "approved"
    deployments = Deployment.objects.filter(platform=registration.platform)
    assert list(deployments.order_by("pk").values_list("deployment_id", "approved")) == [("1", True), ("2", True)]


@pytest.mark.quirk("C12")
def test_a_registration_is_unique_in_the_installation(cast: Cast) -> None:
    """The same issuer and client ID are refused, here and in another organization, without half-made rows."""
    make(cast.acme)
    for organization, words in ((cast.acme, "already, see the list"), (cast.umbrella, "connected already")):
        with pytest.raises(IntegrationError, match=words):
            make(organization)
    assert Platform.objects.count() == 1


@pytest.mark.quirk("C46")
@pytest.mark.parametrize("field", ["authentication_url", "token_url", "keyset_url"])
@pytest.mark.parametrize(
    "address", ["", "lms.example", "javascript:alert(1)", "ftp://lms.example/", "https://", "https://u:p@lms.example/"]
)
def test_wrong_addresses_are_refused(cast: Cast, field: str, address: str) -> None:
    """What is no https address is refused, naming the field."""
    with pytest.raises(IntegrationError) as refusal:
        make(cast.acme, **{field: address})
    assert refusal.value.field == field
    assert not Platform.objects.exists()


def test_plain_http_only_in_allowed_networks(cast: Cast, settings: Any) -> None:
    """http: is accepted for private networks that the operator has allowed, and for no others."""
    make(cast.acme, keyset_url="http://127.0.0.1:8001/keys")
    with pytest.raises(IntegrationError, match="https://"):
        make(cast.acme, client_id="2", keyset_url="http://198.51.100.7/keys")
    settings.ALLOWED_PRIVATE_NETWORKS = []
    with pytest.raises(IntegrationError, match="https://"):
        make(cast.acme, client_id="3", keyset_url="http://localhost/keys")


def test_update_forgets_keys_of_another_address(cast: Cast) -> None:
    """After a new keyset URL the old keys verify nothing any more, and caches can see that they are stale."""
    registration = Registration.objects.get(platform=make_lms13(cast.acme).platform)
    values = {name: getattr(registration, name) for name in VALUES}
    update_registration(registration, **values, name="Canvas")
    assert Registration.objects.get().keyset
    update_registration(registration, **{**values, "keyset_url": "https://lms.example/other"}, name="Canvas")
    registration.refresh_from_db()
    assert (registration.keyset, registration.keyset_expires_at) == ("", None)
    assert Platform.objects.get().config_version == 3


def test_owner_adds_a_registration(cast: Cast, owner: Client) -> None:
    """The form stores what the LMS shows and leads to the registration's own page."""
    response = owner.post(f"{PAGE}/new", {**FORM, "deployment_ids": "1\n2", "deployment_policy": "approved"})
    registration = Registration.objects.get()
    assert response["Location"] == f"{PAGE}/{registration.platform.public_id}"
    assert (registration.platform.name, registration.platform.organization) == ("Canvas", cast.acme)
    assert registration.platform.deployments.count() == 2
    page = owner.get(response["Location"]).content.decode()
    assert "client-9" in page
    assert "https://tool.example/lti/keys" in page


def test_form_begins_with_what_is_known_of_an_lms(cast: Cast, owner: Client) -> None:
    """Whoever chose Canvas does not have to type Canvas's addresses."""
    page = owner.get(f"{PAGE}/new?lms=canvas").content.decode()
    assert 'value="https://sso.canvaslms.com/api/lti/security/jwks"' in page


def test_refused_registration_keeps_what_was_typed(cast: Cast, owner: Client) -> None:
    """An address that is none is named at its field; all typed values are still there."""
    response = owner.post(f"{PAGE}/new", {**FORM, "token_url": "lms.example/token", "deployment_ids": "typed-id"})
    page = response.content.decode()
    assert response.status_code == 400
    assert 'id="id_token_url_error"' in page
    for value in ("client-9", "lms.example/token", "typed-id", "https://lms.example/keys"):
        assert value in page
    assert not Registration.objects.exists()


def test_owner_changes_a_registration(cast: Cast, owner: Client) -> None:
    """A change is stored; a refused one changes nothing and keeps what was typed."""
    path = f"{PAGE}/{make(cast.acme, name='Canvas').platform.public_id}"
    owner.post(path, {**FORM, "name": "Canvas 2", "audience": "https://lms.example/aud"})
    assert Registration.objects.get().audience == "https://lms.example/aud"
    refused = owner.post(path, {**FORM, "issuer": "typed issuer", "keyset_url": "nonsense"})
    assert refused.status_code == 400
    assert "typed issuer" in refused.content.decode()
    assert Registration.objects.get().issuer == "https://lms.example"
    assert Platform.objects.get().name == "Canvas 2"


@pytest.mark.parametrize("act", ["", "/test", "/deployments"])
def test_registrations_of_owners_alone(cast: Cast, act: str) -> None:
    """Teacher and owner of another organization get 403; the own slug does not open another one's registration."""
    registration = make(cast.acme)
    path = f"{PAGE}/{registration.platform.public_id}{act}"
    for account in (cast.tom, cast.oscar):
        client = Client()
        client.force_login(account)
        assert client.post(path, {**FORM, "deployment_id": "9"}).status_code == 403
    client = Client()
    client.force_login(cast.oscar)
    assert client.post(path.replace("/o/acme/", "/o/umbrella/"), {**FORM, "deployment_id": "9"}).status_code == 404
    assert not Deployment.objects.exists()
    assert Registration.objects.get().client_id == "client-9"


def test_deployments_are_approved(cast: Cast, owner: Client) -> None:
    """A deployment that waits is refused, listed, approved by an owner, and then opens the assignment (A3)."""
    lms = make_lms13(cast.acme, policy="approved")
    claim = "https://purl.imsglobal.org/spec/lti/claim/deployment_id"
    assert lms.launch(Client(), cast.operators, **{claim: "new"}).status_code == 403
    deployment = Deployment.objects.get(deployment_id="new")
    assert not deployment.approved
    path = f"{PAGE}/{lms.platform.public_id}"
    assert "waits for approval" in owner.get(path).content.decode()
    assert "1 deployment waits for your approval." in owner.get("/o/acme/").content.decode()
    owner.post(f"{path}/deployments/{deployment.pk}/approve")
    assert lms.launch(Client(), cast.operators, **{claim: "new"}).status_code == 303


def test_a_deployment_is_approved_beforehand(cast: Cast, owner: Client) -> None:
    """An owner may name a deployment before its first launch; an empty name is refused."""
    registration = make(cast.acme, deployment_policy="approved")
    path = f"{PAGE}/{registration.platform.public_id}/deployments"
    owner.post(path, {"deployment_id": "77"})
    owner.post(path, {"deployment_id": "  "})
    assert list(Deployment.objects.values_list("deployment_id", "approved")) == [("77", True)]


def test_deployment_of_another_registration(cast: Cast, owner: Client) -> None:
    """An owner approves deployments of the own registrations alone."""
    mine = make(cast.acme)
    foreign = make(cast.umbrella, client_id="foreign")
    deployment = Deployment.objects.create(platform=foreign.platform, deployment_id="1", approved=False)
    path = f"{PAGE}/{mine.platform.public_id}/deployments/{deployment.pk}/approve"
    assert owner.post(path).status_code == 404
    deployment.refresh_from_db()
    assert not deployment.approved


# --- Test connection: against a real server --------------------------------------------------------------------------


class Lms(Handler):
    """An LMS with a keyset and a token endpoint that checks our signature with our published keyset."""

    keyset: bytes = b""
    refuses_with: tuple[int, dict[str, str]] | None = None
    scope: str | None = None
    ours: bytes = b""

    def do_GET(self) -> None:
        self.answer(200 if self.keyset else 404, self.keyset, Content_Type="application/json")

    def do_POST(self) -> None:
        form = {name: values[0] for name, values in parse_qs(self.read_body().decode()).items()}
        if self.refuses_with:
            status, answer = self.refuses_with
            self.answer(status, json.dumps(answer).encode())
            return
        keys = KeySet.import_key_set(json.loads(self.ours))
        claims = jwt.decode(form["client_assertion"], keys, algorithms=["RS256"]).claims
        assert claims["aud"] == "the-audience"
        answer = {"access_token": "token", "token_type": "Bearer", "scope": self.scope or form["scope"]}
        self.answer(200, json.dumps(answer).encode())


@contextmanager
def serve_lms(**attributes: Any) -> Iterator[Server]:
    usual = {"keyset": json.dumps({"keys": [_public_key()]}).encode(), "ours": tool_keys.published_keyset()}
    with serve_http(type("ThisLms", (Lms,), {**usual, **attributes})) as server:
        yield server


def _public_key() -> dict[str, Any]:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    return dict(key.as_dict(private=False))


def register(organization: Organization, server: Server) -> Registration:
    return make(
        organization,
        token_url=f"{server.url}/token",
        keyset_url=f"{server.url}/keys",
        audience="the-audience",
        name="Practice",
    )


def test_connection_that_works(cast: Cast, owner: Client) -> None:
    """Both the keyset and a token are fetched; the page says so and the keys are kept for the first launch."""
    with serve_lms() as server:
        registration = register(cast.acme, server)
        page = owner.post(f"{PAGE}/{registration.platform.public_id}/test").content.decode()
    assert "1 usable keys" in page
    assert "Granted, with all grade services." in page
    registration.refresh_from_db()
    assert registration.keyset


@pytest.mark.parametrize(
    ("attributes", "is_good", "words"),
    [
        ({"keyset": b""}, (False, True), "HTTP 404"),
        ({"keyset": b'{"keys": []}'}, (False, True), "holds no key"),
        ({"keyset": b"<html>"}, (False, True), "not JSON"),
        ({"refuses_with": (400, {"error": "invalid_client"})}, (True, False), "does not know our key"),
        ({"refuses_with": (400, {"error": "invalid_scope"})}, (True, False), "grants no grade services"),
        ({"refuses_with": (500, {})}, (True, False), "HTTP 500"),
        (
            {"scope": "https://purl.imsglobal.org/spec/lti-ags/scope/score"},
            (True, True),
            "without: lineitem, result.readonly",
        ),
    ],
)
def test_connection_that_does_not_work(
    cast: Cast, attributes: dict[str, Any], is_good: tuple[bool, bool], words: str
) -> None:
    """Each thing that is wrong is named, with what to do, and the other half is tried all the same."""
    with serve_lms(**attributes) as server:
        findings = test_connection(register(cast.acme, server), now=NOW)
    assert tuple(finding.is_good for finding in findings) == is_good
    assert words in " ".join(f"{finding.detail} {finding.hint}" for finding in findings)


def test_connection_to_nobody(cast: Cast) -> None:
    """A server that is not there is a finding, not an error page."""
    with serve_lms() as server:
        registration = register(cast.acme, server)
    findings = test_connection(registration, now=NOW)
    assert [finding.is_good for finding in findings] == [False, False]
    assert all("127.0.0.1" in finding.detail for finding in findings)


def test_a_launch_shows_in_the_list_of_deployments(cast: Cast, owner: Client) -> None:
    """A registration that was used says when, for itself and for each deployment."""
    lms = make_lms13(cast.acme)
    path = f"{PAGE}/{lms.platform.public_id}"
    assert "waiting for the first launch" in owner.get("/o/acme/lti").content.decode()
    assert lms.launch(Client(), cast.operators).status_code == 303
    at = Launch.objects.get(outcome="ok").at.isoformat(timespec="seconds")
    for page in ("/o/acme/lti", path):
        assert f'datetime="{at}"' in owner.get(page).content.decode()
