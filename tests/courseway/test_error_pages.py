"""The pages for what went wrong: ours, helpful, and standing when everything else has fallen."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import DjangoDbBlocker

from courseway.errors import permission_denied, server_error
from tests.cast import Cast


def test_not_found(db: None, client: Client) -> None:
    """An address that leads nowhere answers 404 in our look."""
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_forbidden_says_why_and_who_one_is(cast: Cast, client: Client) -> None:
    """403 names the reason and the account, since the wrong account is the usual cause."""
    client.force_login(cast.tom)
    page = client.get("/o/acme/settings").content.decode()
    assert "Only owners of the organization may open this page." in page
    assert cast.tom.email in page


def test_forbidden_offers_the_way_in_to_nobody() -> None:
    """Nobody gets a sign-in link that leads back to the page."""
    request = RequestFactory().get("/courses/abc?tab=1")
    page = permission_denied(request, PermissionDenied("You are not in it.")).content.decode()
    assert "You are not in it." in page
    assert 'href="/account/login/?next=/courses/abc%3Ftab%3D1"' in page


def test_server_error_needs_no_database(django_db_blocker: DjangoDbBlocker) -> None:
    """The page for a crash is shown even when the database is what crashed."""
    request: HttpRequest = RequestFactory().get("/")
    with django_db_blocker.block():
        response = server_error(request)
    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode()


def test_crash_of_a_view(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error gives that page, and no word about the inside."""
    client = Client(raise_request_exception=False)
    client.force_login(cast.olive)

    def crash(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("courseway.orgs.views.Member.objects.select_related", crash)
    response = client.get("/o/")
    assert response.status_code == 500
    assert "the inside" not in response.content.decode()


def test_home_of_nobody(db: None, client: Client) -> None:
    """The start page says what this is and where to sign in."""
    page = client.get("/").content.decode()
    assert "LTI" in page
    assert "/account/login/" in page
