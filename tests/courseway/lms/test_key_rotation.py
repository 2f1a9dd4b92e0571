"""Keys change on both sides while launches and tokens go on: ours by command, an LMS's whenever it likes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from courseway.lms import keysets, platforms, tool_keys
from courseway.lms.models import Registration
from courseway.lms.tool_keys import ANNOUNCED, GRACE, KEYSET_SECONDS, KeyChangeError, State
from ltikit.errors import ServiceUnavailableError
from tests.cast import Cast
from tests.courseway.http_servers import Handler, Server, serve_http
from tests.visits import Lms13, make_key, make_lms13, post_form

NOW = datetime.now(UTC).replace(microsecond=0)


def published(now: datetime) -> list[str]:
    return [key["kid"] for key in json.loads(tool_keys.published_keyset(now))["keys"]]


# --- Our own keys ----------------------------------------------------------------------------------------------------


def test_signing_key_is_made_once(db: None) -> None:
    """The first need makes a key; later ones find it, and it is the one in the published keyset."""
    kid = tool_keys.signing_key().kid
    assert tool_keys.signing_key().kid == kid
    assert published(datetime.now(UTC)) == [kid]


def test_private_key_stays_private(db: None) -> None:
    """Neither the keyset nor the database shows a private key."""
    tool_keys.signing_key()
    assert set(json.loads(tool_keys.published_keyset())["keys"][0]) <= {"kty", "kid", "use", "alg", "n", "e"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM lms_toolkey")
        assert "PRIVATE KEY" not in repr(cursor.fetchall())


def test_public_key_fits_the_signing_key(db: None) -> None:
    """The PEM for platforms that take no URL verifies what we sign."""
    pem = RSAKey.import_key(tool_keys.public_key_pem())
    token = jwt.encode({"alg": "RS256"}, {"iss": "us"}, tool_keys.signing_key().jose)
    assert jwt.decode(token, pem, algorithms=["RS256"]).claims == {"iss": "us"}


def test_a_new_key_is_published_long_before_it_signs(db: None) -> None:
    """Whoever keeps our keyset as long as it says, or a day, knows a key before the first thing signed with it; and
    still knows the old one for a week after that."""
    old = tool_keys.add_key(now=NOW).kid
    new = tool_keys.rotate(now=NOW).row.kid
    assert timedelta(seconds=KEYSET_SECONDS) < ANNOUNCED
    moment = NOW
    for last, signing, known in (
        (NOW + ANNOUNCED, old, [new, old]),
        (NOW + ANNOUNCED + GRACE, new, [new, old]),
        (NOW + ANNOUNCED + GRACE + timedelta(days=100), new, [new]),
    ):
        while moment < last:
            assert tool_keys.signing_key(moment).kid == signing, moment
            assert published(moment) == known, moment
            moment += timedelta(hours=6)


def test_any_keyset_read_within_a_day_verifies_what_is_signed(db: None) -> None:
    """At every hour of three rotations: a keyset read at any time of the 24 hours before verifies the signature."""
    tool_keys.add_key(now=NOW)
    for rotation in (NOW, NOW + timedelta(days=2), NOW + timedelta(days=4)):
        tool_keys.rotate(now=rotation)
        for hour in range(0, 48, 3):
            moment = rotation + timedelta(hours=hour)
            token = jwt.encode({"alg": "RS256", "kid": (key := tool_keys.signing_key(moment)).kid}, {}, key.jose)
            for age in (0, 1, 12, 23):
                keyset = json.loads(tool_keys.published_keyset(moment - timedelta(hours=age)))
                jwt.decode(token, KeySet.import_key_set(keyset), algorithms=["RS256"])


def test_a_second_rotation_waits_for_the_first(db: None) -> None:
    """While a new key waits for its time another one is refused, naming it."""
    tool_keys.add_key(now=NOW)
    waiting = tool_keys.rotate(now=NOW)
    with pytest.raises(KeyChangeError, match=waiting.row.kid):
        tool_keys.rotate(now=NOW + timedelta(hours=1))
    assert tool_keys.rotate(now=NOW + ANNOUNCED).state is State.NEXT


def test_a_leaked_key_is_replaced_at_once(db: None) -> None:
    """At once, the new key signs from now on - also one that was waiting - and then the leaked one can be retired."""
    leaked = tool_keys.add_key(now=NOW).kid
    with pytest.raises(KeyChangeError, match="signs now"):
        tool_keys.retire(leaked, now=NOW)
    waiting = tool_keys.rotate(now=NOW).row.kid
    assert tool_keys.rotate(now=NOW, at_once=True).row.kid == waiting
    assert tool_keys.signing_key(NOW).kid == waiting
    assert tool_keys.retire(leaked, now=NOW).state is State.RETIRED
    assert published(NOW) == [waiting]
    with pytest.raises(KeyChangeError, match="No published key"):
        tool_keys.retire(leaked, now=NOW)
    other = tool_keys.rotate(now=NOW, at_once=True)
    assert (other.state, tool_keys.signing_key(NOW).kid) == (State.SIGNS, other.row.kid)


def test_the_first_rotation_of_a_new_installation_signs_at_once(db: None) -> None:
    """Where no key was ever made there is none to wait with."""
    assert tool_keys.rotate(now=NOW).state is State.SIGNS


def test_the_keyset_says_how_long_it_may_be_kept(db: None, client: Client) -> None:
    """The address of our keys tells caches their time."""
    response = client.get("/lti/keys", secure=True)
    assert response["Cache-Control"] == f"public, max-age={KEYSET_SECONDS}"
    assert json.loads(response.content)["keys"][0]["use"] == "sig"


# --- Keys of an LMS --------------------------------------------------------------------------------------------------


@dataclass
class Keys:
    """An LMS's keyset over HTTP, and how often it was asked for."""

    server: Server
    members: list[Any] = field(default_factory=list)
    status: int = 200
    max_age: str = "max-age=600"
    asked: int = 0

    def publish(self, *keys: RSAKey) -> None:
        self.members = [key.as_dict(private=False) for key in keys]


@pytest.fixture
def keys() -> Iterator[Keys]:
    class Answers(Handler):
        def do_GET(self) -> None:
            served.asked += 1
            body = json.dumps({"keys": served.members}).encode()
            self.answer(served.status, body, Content_Type="application/json", Cache_Control=served.max_age)

    with serve_http(Answers) as server:
        served = Keys(server)
        yield served


@pytest.fixture
def lms(cast: Cast, keys: Keys) -> Lms13:
    """An LMS whose keys were read an hour ago and are good for another hour."""
    made = make_lms13(cast.acme)
    keys.publish(made.key)
    Registration.objects.update(
        keyset_url=keys.server.url,
        keyset_read_at=datetime.now(UTC) - timedelta(hours=1),
        keyset_expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    platforms.forget_all()
    return made


def launch_with(lms: Lms13, cast: Cast, key: RSAKey, user: str) -> int:
    client = Client()
    asked = lms.begin(client)
    token = lms.token(lms.claims(cast.operators, asked["nonce"], sub=user), key=key)
    return int(post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])]).status_code)


def test_an_lms_rotates_its_key_between_two_launches(cast: Cast, lms: Lms13, keys: Keys) -> None:
    """The first launch with a new key makes us read the keyset once; later ones, old key and new, ask nothing."""
    new = make_key("rotated")
    assert launch_with(lms, cast, lms.key, "ann") == 303
    keys.publish(new, lms.key)
    assert [launch_with(lms, cast, key, f"user-{n}") for n, key in enumerate((new, new, lms.key))] == [303] * 3
    assert keys.asked == 1


def test_forged_key_ids_do_not_become_a_flood(cast: Cast, lms: Lms13, keys: Keys) -> None:
    """Ten tokens of unknown keys ask the LMS once, also when every process comes with a memory of its own and when the
    LMS does not answer; afterwards a real rotation is noticed."""
    stranger = make_key("stranger")
    for n in range(5):
        platforms.forget_all()
        assert launch_with(lms, cast, stranger, f"user-{n}") == 401
    assert keys.asked == 1
    keys.status = 503
    Registration.objects.update(keyset_tried_at=None, keyset_read_at=NOW - timedelta(hours=1))
    for n in range(5):
        platforms.forget_all()
        assert launch_with(lms, cast, stranger, f"user-{n}") in (401, 502)
    assert keys.asked == 2
    keys.status = 200
    keys.publish(stranger)
    Registration.objects.update(keyset_tried_at=NOW - keysets.COOL_DOWN)
    platforms.forget_all()
    assert launch_with(lms, cast, stranger, "real") == 303


def test_a_keyset_lives_as_long_as_it_says_within_bounds(cast: Cast, lms: Lms13, keys: Keys) -> None:
    """max-age counts between five minutes and a day; without one it is an hour."""
    registration = Registration.objects.get()
    for words, lifetime in (
        ("max-age=600", timedelta(minutes=10)),
        ("public, max-age=1", timedelta(minutes=5)),
        ("max-age=999999999", timedelta(hours=24)),
        ("no-store", timedelta(hours=1)),
        ("", timedelta(hours=1)),
    ):
        keys.max_age = words
        keysets.read_keyset(registration.platform_id, keys.server.url, now=NOW)
        registration.refresh_from_db()
        assert registration.keyset_expires_at == NOW + lifetime, words


def test_launches_go_on_while_an_lms_does_not_publish_its_keys(cast: Cast, lms: Lms13, keys: Keys) -> None:
    """An expired keyset is used on while the LMS answers with faults, and asked for once in a while only."""
    Registration.objects.update(keyset_expires_at=NOW - timedelta(hours=1))
    keys.status = 500
    for n in range(4):
        platforms.forget_all()
        assert launch_with(lms, cast, lms.key, f"user-{n}") == 303
    assert keys.asked == 1


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ({"kty": "RSA", "n": "AQAB" * 21, "e": "AQAB"}, "2048"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "type"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, "type"),
        ({"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"}, "curve"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"}, "signatures"),
    ],
)
def test_surprising_keys_are_refused(cast: Cast, lms: Lms13, keys: Keys, member: dict[str, Any], reason: str) -> None:
    """A key of 512 bits, a shared secret, another type or curve, a key for encryption: none verifies a launch, and the
    keyset's good keys count all the same."""
    keys.members = [{"kid": "odd", **member}, lms.key.as_dict(private=False)]
    keyset = keysets.read_keyset(lms.platform.pk, keys.server.url, now=NOW)
    assert [key.kid for key in keyset.keys] == [lms.key.kid]
    assert reason in keyset.refused["odd"]
    assert launch_with(lms, cast, lms.key, "ann") == 303


def test_a_first_keyset_that_cannot_be_read_is_said(cast: Cast, lms: Lms13, keys: Keys) -> None:
    """Without any keyset a launch is refused, with the LMS's fault and not the teacher's as the reason."""
    Registration.objects.update(keyset="", keyset_read_at=None, keyset_expires_at=None)
    platforms.forget_all()
    keys.status = 503
    assert launch_with(lms, cast, lms.key, "ann") == ServiceUnavailableError.status
