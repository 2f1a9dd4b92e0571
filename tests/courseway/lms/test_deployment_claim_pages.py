"""The short form on the page LTI integrations, and what an owner sees of a registration that is the operator's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from courseway.courses.models import Role
from courseway.lms import platforms
from courseway.lms.deployment_claims import claim_deployment
from courseway.lms.models import DeploymentClaim, Platform, Registration
from tests.cast import Cast
from tests.courseway.lms.test_deployment_claims import ADMINISTRATOR, make_shared_lms
from tests.visits import CLAIM, Lms13, make_lms13, open_launch

PAGE = "/o/acme/lti"
NEXT = "let an administrator of the LMS open it once"


@pytest.fixture
def lms(cast: Cast) -> Lms13:
    platforms.forget_all()
    return make_shared_lms()


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def enter(owner: Client, deployment_id: str, **more: str) -> Any:
    return owner.post(f"{PAGE}/deployments", {"deployment_id": deployment_id, **more}, follow=True)


def confirm(lms: Lms13, cast: Cast, deployment_id: str = "1") -> Platform:
    changes = {CLAIM + "roles": ADMINISTRATOR, CLAIM + "deployment_id": deployment_id}
    assert lms.launch(Client(), cast.operators, **changes).status_code == 303
    return Platform.objects.get(claim__deployment_id=deployment_id)


def test_no_short_form_without_a_shared_registration(cast: Cast, owner: Client) -> None:
    """Where the operator shares nothing the page says nothing of it, and a form that comes nonetheless is answered."""
    assert "deployment-claims" not in owner.get(PAGE).content.decode()
    response = enter(owner, "1")
    assert response.status_code == 200
    assert "No LMS is registered for all organizations here" in response.content.decode()


def test_only_the_deployment_id_is_asked_for(cast: Cast, owner: Client, lms: Lms13) -> None:
    """With one shared registration an owner types one value; the page shows the client ID that the LMS needs."""
    page = owner.get(PAGE).content.decode()
    form = page.partition('id="deployment-claims"')[2].partition("</form>")[0]
    assert 'name="deployment_id"' in form
    assert 'name="shared"' not in form
    assert "client-of-the-operator" in form
    page = enter(owner, " bb-1 ").content.decode()
    claim = DeploymentClaim.objects.get()
    assert (claim.organization, claim.deployment_id, claim.claimed_by) == (cast.acme, "bb-1", cast.olive)
    assert NEXT in page
    assert "waits for the administrator" in page


def test_the_lms_is_chosen_where_there_are_several(cast: Cast, owner: Client, lms: Lms13) -> None:
    """With two shared registrations the owner says which one is meant."""
    second = make_lms13(None, client_id="second-client").platform
    assert enter(owner, "1").status_code == 400
    enter(owner, "1", shared=second.public_id)
    assert DeploymentClaim.objects.get().shared == second
    foreign = make_lms13(cast.umbrella, client_id="third-client").platform
    assert enter(owner, "2", shared=foreign.public_id).status_code == 400
    assert DeploymentClaim.objects.count() == 1


def test_what_was_typed_is_kept(cast: Cast, owner: Client, lms: Lms13) -> None:
    """An id that another organization has is refused with a reason, and stands in the field still."""
    claim_deployment(cast.umbrella, lms.platform, "theirs", claimed_by=None, now=datetime.now(UTC))
    DeploymentClaim.objects.update(approved_at=datetime.now(UTC))
    response = enter(owner, "theirs")
    page = response.content.decode()
    assert response.status_code == 400
    assert "belongs to another organization" in page
    assert 'value="theirs"' in page
    assert "Umbrella" not in page


def test_a_pending_claim_is_taken_back(cast: Cast, owner: Client, lms: Lms13) -> None:
    """An owner withdraws what nobody confirmed; what was confirmed stays, and is revoked instead."""
    enter(owner, "1")
    claim = DeploymentClaim.objects.get()
    owner.post(f"{PAGE}/deployments/{claim.pk}/withdraw")
    assert not DeploymentClaim.objects.exists()
    enter(owner, "1")
    confirm(lms, cast)
    claim = DeploymentClaim.objects.get()
    page = owner.post(f"{PAGE}/deployments/{claim.pk}/withdraw", follow=True).content.decode()
    assert "is confirmed already" in page
    assert DeploymentClaim.objects.filter(pk=claim.pk).exists()


def test_owners_of_the_organization_alone(cast: Cast, lms: Lms13) -> None:
    """Neither a teacher, nor another organization's owner, nor anybody of a launch enters or withdraws a deployment."""
    claim = claim_deployment(cast.acme, lms.platform, "1", claimed_by=cast.olive, now=datetime.now(UTC))
    paths = (f"{PAGE}/deployments", f"{PAGE}/deployments/{claim.pk}/withdraw")
    for account in (cast.tom, cast.oscar):
        client = Client()
        client.force_login(account)
        assert {client.post(path, {"deployment_id": "2"}).status_code for path in paths} == {403}
    client = Client()
    prefix = open_launch(client, cast.tom_person, cast.course, Role.TEACHER, covers_whole_course=True)
    assert {client.post(prefix + path, {"deployment_id": "2"}).status_code for path in paths} == {403}
    oscar = Client()
    oscar.force_login(cast.oscar)
    assert oscar.post(f"/o/umbrella/lti/deployments/{claim.pk}/withdraw").status_code == 404
    assert {oscar.get(path).status_code for path in paths} <= {403, 405}
    assert list(DeploymentClaim.objects.all()) == [claim]


def test_a_confirmed_deployment_is_a_registration_of_the_organization(cast: Cast, owner: Client, lms: Lms13) -> None:
    """It stands among the registrations, is renamed, trusted and revoked like one; the operator's values are shown, and
    changed by nobody here."""
    enter(owner, "bb-1")
    share = confirm(lms, cast, "bb-1")
    page = owner.get(PAGE).content.decode()
    assert NEXT not in page
    assert f'id="{share.public_id}"' in page
    path = f"{PAGE}/registrations/{share.public_id}"
    page = owner.get(path).content.decode()
    assert "bb-1" in page
    assert "client-of-the-operator" in page
    assert 'name="keyset_url"' not in page
    before = Registration.objects.values().get()
    values = dict.fromkeys(("authentication_url", "token_url", "keyset_url"), "https://evil.example/x")
    assert (
        owner.post(path, {**values, "issuer": "https://evil.example", "client_id": "c", "name": "n"}).status_code == 404
    )
    for act in ("deployments", f"deployments/{share.deployments.get().pk}/approve"):
        assert owner.post(f"{path}/{act}", {"deployment_id": "bb-2"}).status_code == 404
    assert Registration.objects.values().get() == before
    assert share.deployments.count() == 1
    assert owner.post(f"{PAGE}/platforms/{share.public_id}/trust", {"trusts_emails": "on"}).status_code == 302
    share.refresh_from_db()
    assert share.trusts_emails
    assert owner.post(f"{PAGE}/platforms/{share.public_id}/revoke").status_code == 302
    assert "revoked" in owner.get(PAGE).content.decode()


def test_the_operators_registration_is_nobodys_page(cast: Cast, owner: Client, lms: Lms13) -> None:
    """An owner reaches neither the operator's registration nor another organization's share of it."""
    claim_deployment(cast.acme, lms.platform, "1", claimed_by=None, now=datetime.now(UTC))
    share = confirm(lms, cast)
    oscar = Client()
    oscar.force_login(cast.oscar)
    for client, slug, platform in (
        (owner, "acme", lms.platform),
        (oscar, "umbrella", lms.platform),
        (oscar, "umbrella", share),
    ):
        base = f"/o/{slug}/lti"
        assert client.get(f"{base}/registrations/{platform.public_id}").status_code == 404
        for act in ("revoke", "name", "trust", "reinstate"):
            assert client.post(f"{base}/platforms/{platform.public_id}/{act}", {"name": "x"}).status_code == 404
        assert client.post(f"{base}/registrations/{platform.public_id}/test").status_code == 404
    lms.platform.refresh_from_db()
    assert (lms.platform.revoked_at, lms.platform.name) == (None, "Canvas")


def test_the_overview_says_that_a_deployment_waits(cast: Cast, owner: Client, lms: Lms13) -> None:
    """An owner sees on the organization's first page that an administrator has to do something; afterwards no more."""
    words = "waits for a launch by the administrator"
    enter(owner, "1")
    assert words in owner.get("/o/acme/").content.decode()
    confirm(lms, cast)
    assert words not in owner.get("/o/acme/").content.decode()


def test_the_guide_leads_to_the_short_form(cast: Cast, owner: Client, lms: Lms13) -> None:
    """The guide of Blackboard offers the short form where the operator has registered Blackboard, and only there."""
    guide = f"{PAGE}/guides/blackboard"
    words = "Enter the deployment ID"
    assert words not in owner.get(guide).content.decode()
    Registration.objects.update(issuer="https://blackboard.com")
    page = owner.get(guide).content.decode()
    assert words in page
    assert "client-of-the-operator" in page
    assert words not in owner.get(f"{PAGE}/guides/moodle").content.decode()
