"""Organizations: made by an operator, run by owners, closed to everybody else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from courseway.courses.models import Role
from courseway.grades.models import Delivery
from courseway.lms.models import Launch
from courseway.orgs.models import Account, Invitation, Member, Organization
from courseway.orgs.organizations import create_organization
from tests.cast import PASSWORD, Cast
from tests.visits import make_lms11, open_launch

NOW = datetime.now(UTC)
OWNER_PAGES = ["/o/acme/members", "/o/acme/settings"]


def test_organization_with_a_password(db: None) -> None:
    """An operator makes an organization whose owner can sign in at once, with a proven address."""
    organization, account, path = create_organization("Acme", "Olive@Acme.example", password=PASSWORD, now=NOW)
    assert (organization.slug, account.email, path) == ("acme", "olive@acme.example", None)
    assert Client().login(email="olive@acme.example", password=PASSWORD)
    assert EmailAddress.objects.get(user=account).verified
    assert Member.objects.get(organization=organization, account=account).role == "owner"


def test_organization_with_an_invitation(db: None, client: Client) -> None:
    """Without a password the owner gets a link that signs in once."""
    _organization, account, path = create_organization("Acme", "olive@acme.example", password=None, now=NOW)
    assert path is not None
    client.post(path)
    assert client.session["_auth_user_id"] == str(account.pk)


def test_slugs_are_unique(db: None) -> None:
    """Organizations of the same name get addresses of their own; a name of other letters gets one too."""
    slugs = [
        create_organization(name, "olive@acme.example", password=PASSWORD, now=NOW)[0].slug
        for name in ("Acme", "Acme!", "ACME", "大学")
    ]
    assert slugs == ["acme", "acme-2", "acme-3", "organization"]


def test_owner_of_a_second_organization_keeps_the_password(cast: Cast) -> None:
    """An account that exists is not taken over by naming it again."""
    _organization, account, path = create_organization("Two", cast.olive.email, password="another one", now=NOW)
    assert (account, path) == (cast.olive, None)
    assert Client().login(email=cast.olive.email, password=PASSWORD)


@pytest.mark.parametrize(("name", "email"), [("", "a@b.example"), ("  ", "a@b.example"), ("Acme", "olive"), ("A", "")])
def test_wrong_values_are_refused(db: None, name: str, email: str) -> None:
    """An organization without a name or an owner without an address leaves no row behind."""
    with pytest.raises(ValidationError):
        create_organization(name, email, password=None, now=NOW)
    assert not Organization.objects.exists()
    assert not Account.objects.exists()


@pytest.mark.parametrize("page", OWNER_PAGES)
def test_only_owners_run_an_organization(cast: Cast, page: str) -> None:
    """Owner 200; teacher, owner of another organization and launches 403; nobody signs in first."""
    expected = {cast.olive: 200, cast.tom: 403, cast.oscar: 403}
    for account, status in expected.items():
        client = Client()
        client.force_login(account)
        assert client.get(page).status_code == status, account
    assert Client().get(page)["Location"].startswith("/account/login/")
    launched = Client()
    prefix = open_launch(launched, cast.tom_person, cast.course, Role.TEACHER, covers_whole_course=True)
    assert launched.get(prefix + page).status_code == 403


def test_list_shows_mine_alone(cast: Cast, client: Client) -> None:
    """The list of organizations holds those of the account, with the role."""
    client.force_login(cast.tom)
    page = client.get("/o/").content.decode()
    assert "Acme University" in page
    assert "Umbrella" not in page


def test_home_of_an_owner(cast: Cast, client: Client) -> None:
    """The home shows launches and grades of the week, what needs somebody, and courses by last launch."""
    client.force_login(cast.olive)
    assert "No LMS is connected yet" in client.get("/o/acme/").content.decode()
    lms = make_lms11(cast.acme)
    assert "Everything is healthy" in client.get("/o/acme/").content.decode()
    browser = Client()
    assert lms.launch(browser, f"/lti/a/{cast.operators.public_id}").status_code == 303
    assert lms.launch(browser, f"/lti/a/{cast.operators.public_id}", signing={"secret": "wrong"}).status_code >= 400
    person = Launch.objects.get(outcome="ok").person
    assert person is not None
    link = person.arrivals.get().resource_link
    Delivery.objects.create(
        organization=cast.acme,
        platform=lms.platform,
        person=person,
        resource_link=link,
        assignment=cast.operators,
        state=Delivery.State.FAILED,
        wanted_maximum=10,
    )
    page = client.get("/o/acme/").content.decode()
    assert "1 grade did not reach the LMS." in page
    assert "1 launch was refused in the last 24 hours." in page
    assert 'aria-label="1 opened, 1 refused.' in page
    assert "Python basics" in page


def test_home_counts_only_the_own_organization(cast: Cast, client: Client) -> None:
    """Launches and courses of another organization are not counted or named."""
    lms = make_lms11(cast.umbrella)
    assert lms.launch(Client(), f"/lti/a/{cast.foreign_assignment.public_id}").status_code == 303
    client.force_login(cast.olive)
    page = client.get("/o/acme/").content.decode()
    assert "Secrets of Umbrella" not in page
    assert "Nothing in the last 7 days." in page


def test_home_of_a_teacher(cast: Cast, client: Client) -> None:
    """A teacher sees the role and whom to ask, but neither launches nor tabs of owners."""
    client.force_login(cast.tom)
    page = client.get("/o/acme/").content.decode()
    assert cast.olive.email in page
    assert "/o/acme/lti" not in page


def test_home_is_closed_to_outsiders(cast: Cast, client: Client) -> None:
    """Whoever is not in the organization gets 403, the same for one that does not exist."""
    client.force_login(cast.oscar)
    assert client.get("/o/acme/").status_code == 403
    assert client.get("/o/nowhere/").status_code == 403


def test_settings_rename(cast: Cast, client: Client) -> None:
    """A name is changed; an empty one is refused, says why and changes nothing."""
    client.force_login(cast.olive)
    refused = client.post("/o/acme/settings", {"name": ""})
    assert refused.status_code == 400
    assert "field-error" in refused.content.decode()
    cast.acme.refresh_from_db()
    assert cast.acme.name == "Acme University"
    client.post("/o/acme/settings", {"name": "Acme Institute"})
    cast.acme.refresh_from_db()
    assert (cast.acme.name, cast.acme.slug) == ("Acme Institute", "acme")


def member_of(account: Account, organization: Organization) -> Member:
    return Member.objects.get(account=account, organization=organization)


def test_roles_are_changed(cast: Cast, client: Client) -> None:
    """An owner makes another owner, who may then open the owners' pages."""
    client.force_login(cast.olive)
    client.post(f"/o/acme/members/{member_of(cast.tom, cast.acme).pk}/role", {"role": "owner"})
    tom = Client()
    tom.force_login(cast.tom)
    assert tom.get("/o/acme/members").status_code == 200


def test_the_last_owner_stays(cast: Cast, client: Client) -> None:
    """Neither a role change nor a removal leaves an organization without an owner."""
    client.force_login(cast.olive)
    owner = member_of(cast.olive, cast.acme)
    page = client.post(f"/o/acme/members/{owner.pk}/role", {"role": "teacher"}, follow=True).content.decode()
    assert "needs an owner" in page
    client.post(f"/o/acme/members/{owner.pk}/remove")
    assert member_of(cast.olive, cast.acme).role == "owner"


def test_an_owner_may_leave_when_another_stays(cast: Cast, client: Client) -> None:
    """With two owners one may step down, and lands on a page that is still open to them."""
    Member.objects.filter(account=cast.tom).update(role="owner")
    client.force_login(cast.olive)
    owner = member_of(cast.olive, cast.acme)
    page = client.post(f"/o/acme/members/{owner.pk}/remove", follow=True)
    assert page.status_code == 200
    assert not Member.objects.filter(account=cast.olive).exists()


def test_members_of_others_are_out_of_reach(cast: Cast, client: Client) -> None:
    """An owner changes nobody in another organization, by either address."""
    client.force_login(cast.olive)
    foreign = member_of(cast.oscar, cast.umbrella)
    assert client.post(f"/o/acme/members/{foreign.pk}/remove").status_code == 404
    assert client.post(f"/o/umbrella/members/{foreign.pk}/remove").status_code == 403
    assert Member.objects.filter(pk=foreign.pk).exists()


def test_members_are_changed_by_post_alone(cast: Cast, client: Client) -> None:
    """An address typed or linked changes nothing."""
    client.force_login(cast.olive)
    pk = member_of(cast.tom, cast.acme).pk
    for path in (f"/o/acme/members/{pk}/remove", f"/o/acme/members/{pk}/role?role=owner"):
        assert client.get(path).status_code == 405
    assert member_of(cast.tom, cast.acme).role == "teacher"


def invite(client: Client, email: str, role: str = "teacher") -> str:
    """Invites by the page; returns the path of the link that was mailed."""
    response = client.post("/o/acme/members", {"email": email, "role": role})
    assert response.status_code == 302, response.content
    message = mail.outbox[-1]
    assert message.to == [email]
    link = re.search(r"https://tool\.example(/account/invitation/\S+)", message.body)
    assert link is not None
    return link.group(1)


def test_invitation_makes_an_account(cast: Cast, client: Client) -> None:
    """Whoever is invited joins by the mailed link, with a proven address and without a password of ours."""
    client.force_login(cast.olive)
    path = invite(client, "new@acme.example")
    page = client.get("/o/acme/members").content.decode()
    assert "new@acme.example" in page
    assert path.rpartition("/")[2] not in page, "the link is for the invited person's eyes only"
    guest = Client()
    assert guest.get(path).status_code == 200
    assert not Account.objects.filter(email="new@acme.example").exists()
    assert guest.post(path)["Location"] == "/account/new-password"
    account = Account.objects.get(email="new@acme.example")
    assert guest.session["_auth_user_id"] == str(account.pk)
    assert member_of(account, cast.acme).role == "teacher"
    assert not account.has_usable_password()
    assert not Invitation.objects.exists()
    assert Client().post(path).status_code == 410


def test_invitation_of_an_account_that_exists(cast: Cast, client: Client) -> None:
    """Somebody with an account joins with it and keeps name and password."""
    client.force_login(cast.olive)
    path = invite(client, cast.oscar.email, "member")
    oscar = Client()
    oscar.force_login(cast.oscar)
    oscar.post(path)
    assert member_of(cast.oscar, cast.acme).role == "member"
    assert Client().login(email=cast.oscar.email, password=PASSWORD)


def test_invitation_is_for_its_address(cast: Cast, client: Client) -> None:
    """A link that was passed on does not bring in whoever happens to be signed in."""
    client.force_login(cast.olive)
    path = invite(client, "new@acme.example", "owner")
    oscar = Client()
    oscar.force_login(cast.oscar)
    assert oscar.post(path).status_code == 409
    assert not Member.objects.filter(account=cast.oscar, organization=cast.acme).exists()
    assert Invitation.objects.exists()


def test_invitation_expires_and_is_withdrawn(cast: Cast, client: Client) -> None:
    """An old or a withdrawn invitation brings nobody in; sending it again makes a new link."""
    client.force_login(cast.olive)
    path = invite(client, "new@acme.example")
    Invitation.objects.update(expires_at=NOW - timedelta(days=1))
    assert Client().post(path).status_code == 410
    client.post(f"/o/acme/invitations/{Invitation.objects.get().pk}/again")
    assert Client().get(path).status_code == 410
    assert len(mail.outbox) == 2
    client.post(f"/o/acme/invitations/{Invitation.objects.get().pk}/withdraw")
    link = re.search(r"/account/invitation/\S+", mail.outbox[-1].body)
    assert link is not None
    assert Client().post(link.group()).status_code == 410
    assert not Account.objects.filter(email="new@acme.example").exists()


def test_invitation_form_keeps_what_was_typed(cast: Cast, client: Client) -> None:
    """A member is not invited again; the form says so and keeps the address."""
    client.force_login(cast.olive)
    response = client.post("/o/acme/members", {"email": cast.tom.email.upper(), "role": "owner"})
    assert response.status_code == 400
    assert cast.tom.email.upper() in response.content.decode()
    assert "member already" in response.content.decode()
    assert not mail.outbox


def test_invitation_link_is_not_in_the_database(cast: Cast, client: Client) -> None:
    """Whoever reads the database finds no invitation that can be used."""
    client.force_login(cast.olive)
    token = invite(client, "new@acme.example").rpartition("/")[2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM orgs_invitation")
        assert token not in repr(cursor.fetchall())
