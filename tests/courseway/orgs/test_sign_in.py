"""How accounts sign in: by password, by a code, by a one-time link; and how nobody else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import clear_script_prefix, set_script_prefix

from courseway.courses.models import Role
from courseway.orgs.models import Account, SignInLink
from courseway.orgs.public_address import public_address
from courseway.orgs.sign_in_links import make_sign_in_link
from tests.cast import PASSWORD, Cast
from tests.visits import open_launch

NOW = datetime.now(UTC)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_password_signs_in(cast: Cast, client: Client) -> None:
    """The right password opens a session, whatever the case of the address."""
    response = client.post("/account/login/", {"login": "Olive@Acme.example", "password": PASSWORD})
    assert response.status_code == 302
    assert is_signed_in(client)


def test_wrong_password_keeps_the_address(cast: Cast, client: Client) -> None:
    """A wrong password says so, keeps the typed address and signs nobody in."""
    response = client.post("/account/login/", {"login": cast.olive.email, "password": "wrong"})
    assert response.status_code == 200
    assert cast.olive.email in response.content.decode()
    assert "not correct" in response.content.decode()
    assert not is_signed_in(client)


def test_sign_in_leads_back(cast: Cast, client: Client) -> None:
    """Whoever was sent to the sign-in page comes back to where they wanted to go."""
    response = client.get("/o/acme/members")
    assert response.status_code == 302
    data = {"login": cast.olive.email, "password": PASSWORD, "next": "/o/acme/members"}
    assert client.post(response["Location"], data)["Location"] == "/o/acme/members"


def test_code_signs_in(cast: Cast, client: Client) -> None:
    """The code that is mailed to an account's address signs it in."""
    client.post("/account/login/code/", {"email": cast.tom.email})
    (message,) = mail.outbox
    assert message.to == [cast.tom.email]
    code = re.search(r"^ {4}(\S+)$", message.body, re.MULTILINE)
    assert code is not None
    client.post("/account/login/code/confirm/", {"code": code.group(1)})
    assert is_signed_in(client)


def test_wrong_code_signs_nobody_in(cast: Cast, client: Client) -> None:
    """A code that was not mailed is refused."""
    client.post("/account/login/code/", {"email": cast.tom.email})
    client.post("/account/login/code/confirm/", {"code": "000-000"})
    assert not is_signed_in(client)


def test_code_for_unknown_address_looks_the_same(cast: Cast, client: Client) -> None:
    """Asking for a code tells nobody whether an address has an account."""
    known = client.post("/account/login/code/", {"email": cast.tom.email})
    unknown = Client().post("/account/login/code/", {"email": "nobody@acme.example"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_password_reset_link_is_of_our_public_address(cast: Cast, client: Client) -> None:
    """The link of a reset mail begins with PUBLIC_URL, whatever Host was asked, and sets a password that works."""
    client.post("/account/password/reset/", {"email": cast.olive.email}, HTTP_HOST="tool.example:8443")
    link = re.search(r"https://\S+", mail.outbox[0].body)
    assert link is not None
    assert link.group().startswith("https://tool.example/account/password/reset/key/")
    page = client.get(link.group().removeprefix("https://tool.example"), follow=True)
    action = page.request["PATH_INFO"]
    new = "a wholly new one"
    client.post(action, {"password1": new, "password2": new})
    assert Client().login(email=cast.olive.email, password=new)


def test_nobody_registers_alone(db: None, client: Client) -> None:
    """There is no way to make an account without an operator or an invitation."""
    data = {"email": "eve@evil.example", "password1": "some long password"}
    response = client.post("/account/signup/", data)
    assert "by invitation" in response.content.decode()
    assert not Account.objects.exists()


def test_sign_out_needs_a_post(cast: Cast, client: Client) -> None:
    """A link or an image cannot sign somebody out; the form can."""
    client.force_login(cast.olive)
    assert client.get("/account/logout/").status_code == 200
    assert is_signed_in(client)
    client.post("/account/logout/")
    assert not is_signed_in(client)


def test_inactive_account_stays_out(cast: Cast, client: Client) -> None:
    """A locked account gets in neither by password nor by link."""
    Account.objects.filter(pk=cast.tom.pk).update(is_active=False)
    client.post("/account/login/", {"login": cast.tom.email, "password": PASSWORD})
    assert not is_signed_in(client)
    assert client.post(make_sign_in_link(cast.tom, now=NOW)).status_code == 410
    assert not is_signed_in(client)


def test_link_shows_a_button_and_posts_once(cast: Cast, client: Client) -> None:
    """GET changes nothing, however often a mail scanner comes; the first POST signs in, the second is refused."""
    path = make_sign_in_link(cast.olive, now=NOW)
    for _ in range(2):
        page = client.get(path)
        assert page.status_code == 200
        assert 'method="post"' in page.content.decode()
    assert not is_signed_in(client)
    response = client.post(path)
    assert response["Location"] == "/account/new-password"
    assert is_signed_in(client)
    second = Client()
    assert second.post(path).status_code == 410
    assert second.get(path).status_code == 410
    assert not is_signed_in(second)


def test_link_expires(cast: Cast, client: Client) -> None:
    """A link whose time is over signs nobody in."""
    path = make_sign_in_link(cast.olive, now=NOW - timedelta(hours=2), lifetime=timedelta(hours=1))
    assert client.post(path).status_code == 410
    assert not is_signed_in(client)


def test_new_link_ends_the_old_one(cast: Cast, client: Client) -> None:
    """Of two links of one account only the newer works."""
    old = make_sign_in_link(cast.olive, now=NOW - timedelta(minutes=1))
    new = make_sign_in_link(cast.olive, now=NOW)
    assert client.get(old).status_code == 410
    assert client.get(new).status_code == 200


def test_link_is_not_in_the_database(cast: Cast) -> None:
    """Whoever reads the database finds no link that can be used."""
    token = make_sign_in_link(cast.olive, now=NOW).rpartition("/")[2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT token_hash, used_at, expires_at, account_id FROM orgs_signinlink")
        assert token not in repr(cursor.fetchall())
    assert SignInLink.objects.count() == 1


def test_password_after_a_link(cast: Cast, client: Client) -> None:
    """After a link a password is set without the old one, once, and other sessions end."""
    elsewhere = Client()
    elsewhere.force_login(cast.olive)
    client.post(make_sign_in_link(cast.olive, now=NOW))
    new = "a wholly new one"
    too_short = client.post("/account/new-password", {"new_password1": "short", "new_password2": "short"})
    assert too_short.status_code == 200
    assert "field-error" in too_short.content.decode()
    client.post("/account/new-password", {"new_password1": new, "new_password2": new})
    assert Client().login(email=cast.olive.email, password=new)
    assert client.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    again = client.post("/account/new-password", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert again["Location"] == "/account/password/change/"
    assert not Client().login(email=cast.olive.email, password=PASSWORD)


def test_password_is_not_set_without_a_link(cast: Cast, client: Client) -> None:
    """An ordinary session has to know the old password."""
    client.force_login(cast.olive)
    client.post("/account/new-password", {"new_password1": "a wholly new one", "new_password2": "a wholly new one"})
    assert Client().login(email=cast.olive.email, password=PASSWORD)


def test_name_is_changed(cast: Cast, client: Client) -> None:
    """The account page changes the own name and nobody else's."""
    client.force_login(cast.tom)
    client.post("/account/", {"name": "Thomas Teacher", "email": "x@evil.example"})
    cast.tom.refresh_from_db()
    cast.olive.refresh_from_db()
    assert (cast.tom.name, cast.tom.email) == ("Thomas Teacher", "tom@acme.example")
    assert cast.olive.name == "Olive Owner"


def test_address_changes_only_when_proven(cast: Cast, client: Client) -> None:
    """A new e-mail address counts after the link that was mailed to it, not before."""
    client.force_login(cast.tom)
    client.post("/account/email/", {"email": "thomas@acme.example", "action_add": ""})
    cast.tom.refresh_from_db()
    assert cast.tom.email == "tom@acme.example"
    (message,) = (message for message in mail.outbox if message.to == ["thomas@acme.example"])
    link = re.search(r"https://tool\.example(/account/confirm-email/\S+)", message.body)
    assert link is not None
    client.post(link.group(1))
    cast.tom.refresh_from_db()
    assert cast.tom.email == "thomas@acme.example"
    assert list(EmailAddress.objects.filter(user=cast.tom).values_list("email", flat=True)) == ["thomas@acme.example"]


@pytest.mark.parametrize(
    "path",
    [
        "/account/login/",
        "/account/login/code/",
        "/account/password/reset/",
        "/account/password/reset/done/",
        "/account/signup/",
        "/account/inactive/",
        "/account/link/nothing",
        "/account/invitation/nothing",
    ],
)
def test_pages_of_nobody_look_like_ours(db: None, client: Client, path: str) -> None:
    """Each page that allauth or we show to nobody has our look and one heading."""
    page = client.get(path).content.decode()
    assert "courseway/app.css" in page
    assert page.count("<h1") == 1


@pytest.mark.parametrize("path", ["/account/", "/account/email/", "/account/password/change/", "/account/logout/"])
def test_pages_of_an_account_look_like_ours(cast: Cast, client: Client, path: str) -> None:
    """Each page of an account has our look and one heading."""
    client.force_login(cast.olive)
    page = client.get(path).content.decode()
    assert "courseway/app.css" in page
    assert page.count("<h1") == 1


@pytest.mark.parametrize("page", ["/account/login/", "/account/password/reset/", "/account/signup/", "/account/"])
def test_a_launch_has_no_sign_in_pages(cast: Cast, client: Client, page: str) -> None:
    """Below the path of a launch nobody signs in or out: it never touches the sign-in session."""
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)
    assert client.get(prefix + page).status_code == 403
    response = client.post(prefix + page, {"login": cast.olive.email, "password": PASSWORD, "email": cast.olive.email})
    assert response.status_code == 403
    assert "courseway" not in response.cookies
    assert not mail.outbox


@pytest.mark.parametrize("prefix", ["/", "/courses-of-acme/", "/at/abc/"])
def test_addresses_in_mails(settings: Any, prefix: str) -> None:
    """An address in a mail is PUBLIC_URL with its own path once, whatever path a request came under."""
    settings.PUBLIC_URL, settings.PUBLIC_PATH = "https://acme.example/courses-of-acme", "/courses-of-acme"
    set_script_prefix(prefix)
    try:
        assert public_address("account_login") == "https://acme.example/courses-of-acme/account/login/"
    finally:
        clear_script_prefix()


def test_mail_that_cannot_be_sent_is_said(cast: Cast, client: Client, settings: Any) -> None:
    """A mail server that does not answer gives a message, not an error page."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    response = client.post("/account/login/code/", {"email": cast.tom.email}, follow=True)
    assert response.status_code == 200
    assert "could not be sent" in response.content.decode()
