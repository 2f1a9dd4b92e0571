"""A platform's public keys: kept as long as it says, read again once for a key that is new, and never in a flood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from joserfc.jwk import RSAKey

from courseway.lms import platforms
from courseway.lms.models import Registration
from tests.cast import Cast
from tests.courseway.http_servers import Handler, serve_http
from tests.visits import Lms13, make_key, make_lms13, post_form

pytestmark = pytest.mark.django_db


@dataclass
class Published:
    """What the platform serves, and how often it was asked."""

    url: str = ""
    keys: list[RSAKey] = field(default_factory=list)
    reads: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


@pytest.fixture
def published() -> Iterator[Published]:
    known = Published()

    class Site(Handler):
        def do_GET(self) -> None:
            known.reads += 1
            body = json.dumps({"keys": [key.as_dict(private=False) for key in known.keys]}).encode()
            self.answer(known.status, body, **known.headers)

    with serve_http(Site) as server:
        known.url = server.url + "/keys"
        yield known


@pytest.fixture
def lms(cast: Cast, published: Published) -> Lms13:
    """Its keyset was read an hour ago, when it had its first key."""
    lms = make_lms13(cast.acme)
    published.keys = [lms.key]
    read_at = datetime.now(UTC) - timedelta(hours=1)
    Registration.objects.update(keyset_url=published.url, keyset_read_at=read_at)
    platforms.forget_all()
    return lms


def launch(client: Client, cast: Cast, lms: Lms13, key: RSAKey, **header: Any) -> Any:
    """A student's launch signed with this key."""
    asked = lms.begin(client)
    token = lms.token(lms.claims(cast.operators, asked["nonce"]), key=key, **header)
    return post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])


@pytest.mark.quirk("G9")
def test_a_new_key_is_read_at_once(client: Client, cast: Cast, lms: Lms13, published: Published) -> None:
    """The platform signs with a new key before the kept keyset is over: read once, and both keys count."""
    new = make_key("rotated")
    published.keys.append(new)
    assert launch(client, cast, lms, new).status_code == 303
    assert launch(client, cast, lms, lms.key).status_code == 303
    assert published.reads == 1


@pytest.mark.quirk("G9")
def test_unknown_keys_make_no_flood(client: Client, cast: Cast, lms: Lms13, published: Published) -> None:
    """Twenty tokens with invented keys are refused, and the platform is asked once."""
    for number in range(20):
        response = launch(client, cast, lms, make_key("nobody's"), kid=f"invented-{number}")
        assert response.status_code == 401
        assert b'data-code="unknown_key"' in response.content
    assert published.reads == 1
    assert launch(client, cast, lms, lms.key).status_code == 303


def test_a_key_that_was_withdrawn_counts_no_more(client: Client, cast: Cast, lms: Lms13, published: Published) -> None:
    """Once the kept keyset is over, a key that is no longer published is refused."""
    published.keys = [make_key("rotated")]
    Registration.objects.update(keyset_expires_at=datetime.now(UTC) - timedelta(seconds=1))
    platforms.forget_all()
    assert launch(client, cast, lms, lms.key).status_code == 401
    assert launch(client, cast, lms, make_key("rotated")).status_code == 303


def test_keys_outlive_a_platform_that_is_down(client: Client, cast: Cast, lms: Lms13, published: Published) -> None:
    """A keyset that is over still counts while the platform cannot be asked."""
    published.status = 503
    Registration.objects.update(keyset_expires_at=datetime.now(UTC) - timedelta(seconds=1))
    platforms.forget_all()
    assert launch(client, cast, lms, lms.key).status_code == 303
    assert published.reads == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("max-age=7200", 7200), ("public, max-age = 10", 300), ("max-age=9999999", 86_400), ("no-store", 3600)],
)
def test_a_keyset_is_kept_as_long_as_it_says(
    client: Client, cast: Cast, lms: Lms13, published: Published, said: str, seconds: int
) -> None:
    """Its own lifetime counts, from five minutes to a day; without one it is an hour."""
    published.headers = {"Cache-Control": said}
    published.keys.append(make_key("rotated"))
    before = datetime.now(UTC)
    assert launch(client, cast, lms, make_key("rotated")).status_code == 303
    kept = Registration.objects.get().keyset_expires_at
    assert kept is not None
    assert abs((kept - before).total_seconds() - seconds) < 30
