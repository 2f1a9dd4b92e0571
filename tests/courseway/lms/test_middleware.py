"""What every request goes through: the right headers on every kind of page, our own host, a proof in every form."""

from __future__ import annotations

import re

import pytest
from django.middleware.csrf import _does_token_match  # type: ignore[attr-defined]
from django.test import Client

from courseway.courses.models import Role
from courseway.lms import middleware
from tests.cast import Cast
from tests.visits import open_launch

pytestmark = pytest.mark.django_db
KINDS = ("/account/login/", "/lti/launch", "/lti/keys", "/nowhere/")


@pytest.mark.parametrize("path", KINDS)
def test_every_answer_says_what_a_browser_may_do_with_it(client: Client, path: str) -> None:
    """Policy, no guessing of types, no referrer to others, and https for good: the first time and each time after."""
    for _ in range(3):
        headers = client.get(path, secure=True).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Content-Length"].isdigit()


def test_launches_alone_may_be_framed(client: Client, cast: Cast) -> None:
    """Any LMS may frame a launch; nobody frames the pages of people who signed in, whichever was asked before."""
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)
    path = f"/learn/assignments/{cast.operators.public_id}/"
    for _ in range(2):
        framed = client.get(prefix + path, secure=True)
        assert framed.status_code == 200
        assert "frame-ancestors *" in framed.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in client.get("/account/login/", secure=True).headers["Content-Security-Policy"]
        assert "frame-ancestors *" in client.get("/lti/launch", secure=True).headers["Content-Security-Policy"]


def test_https_is_promised_only_over_https(client: Client, settings: object) -> None:
    """Strict-Transport-Security comes with https and never with http, in whichever order they are asked."""
    settings.SECURE_HSTS_SECONDS = 600  # type: ignore[attr-defined]
    for _ in range(2):
        assert "Strict-Transport-Security" not in client.get("/account/login/").headers
        assert client.get("/account/login/", secure=True).headers["Strict-Transport-Security"].startswith("max-age=600")


@pytest.mark.parametrize("path", KINDS)
def test_a_foreign_host_is_refused_each_time(path: str) -> None:
    """A request to a name that is not ours gets 400, before and after a right one."""
    for _ in range(2):
        assert Client().get(path, secure=True, HTTP_HOST="other.example").status_code == 400
        assert Client().get(path, secure=True, HTTP_HOST="tool.example").status_code != 400


def test_no_number_of_hosts_fills_the_memory() -> None:
    """A name that was refused is not remembered."""
    for number in range(300):
        Client().get("/lti/keys", HTTP_HOST=f"other-{number}.example")
    assert len(middleware._right_hosts) <= 100
    assert not [host for host in middleware._right_hosts if host.startswith("other-")]


def test_an_address_without_its_slash_leads_to_the_page(client: Client, cast: Cast) -> None:
    """Below a launch as everywhere: a hand-typed address is led on."""
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)
    answer = client.get(f"{prefix}/learn/assignments/{cast.operators.public_id}", secure=True)
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{prefix}/learn/assignments/{cast.operators.public_id}/"


def test_the_token_of_a_form_is_django_s(client: Client, cast: Cast) -> None:
    """Another one on each page, 64 letters and digits, and Django finds the session's secret in it."""
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)
    seen = set()
    for _ in range(5):
        answer = client.get(f"{prefix}/learn/assignments/{cast.operators.public_id}/", secure=True)
        found = re.search(r'name="csrfmiddlewaretoken" value="([A-Za-z0-9]{64})"', answer.content.decode())
        assert found is not None
        seen.add(found[1])
        assert _does_token_match(found[1], answer.wsgi_request.META["CSRF_COOKIE"])
    assert len(seen) == 5
