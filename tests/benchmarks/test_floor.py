"""The floors do what a launch needs: a floor that believed everything would be no measure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from benchmarks.driver import LARGEST_WAVE, Driver, Measured
from benchmarks.floor import Arrival, Floor
from benchmarks.platform import Platform, Visit, sign_v11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BASE = "http://127.0.0.1:1"
VISIT = Visit(37)


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.stop()


@pytest.fixture
def floor(platform: Platform) -> Floor:
    public = serialization.load_pem_public_key(platform.public_pem().encode())
    assert isinstance(public, rsa.RSAPublicKey)
    return Floor(BASE, "", "", platform.about(), public, "a-key", "a-secret")


def test_the_floor_takes_a_signed_launch_of_lti_13(platform: Platform, floor: Floor) -> None:
    """A launch that the platform signed for this login holds and says who comes where."""
    token = platform.sign_v13(VISIT, target=f"{BASE}/launch", nonce="n")
    assert floor.check_v13(token, "n") == Arrival("n", VISIT.link, VISIT.user)


def test_the_floor_refuses_a_wrong_launch_of_lti_13(platform: Platform, floor: Floor) -> None:
    """Another nonce and a changed token are refused."""
    token = platform.sign_v13(VISIT, target=f"{BASE}/launch", nonce="n")
    assert floor.check_v13(token, "another") is None
    header, claims, _ = token.split(".")
    other = platform.sign_v13(Visit(38), target=f"{BASE}/launch", nonce="n").split(".")[2]
    with pytest.raises(InvalidSignature):
        floor.check_v13(f"{header}.{claims}.{other}", "n")


def test_the_floor_checks_launches_of_lti_11(floor: Floor) -> None:
    """A signed form holds; one that was changed afterwards, or signed with another secret, does not."""
    form = sign_v11(VISIT, url=f"{BASE}/launch11", key="a-key", secret="a-secret")
    arrival = floor.check_v11(form)
    assert arrival is not None
    assert (arrival.link, arrival.person) == (VISIT.link, VISIT.user)
    assert floor.check_v11({**form, "user_id": "somebody-else"}) is None
    assert floor.check_v11(sign_v11(VISIT, url=f"{BASE}/launch11", key="a-key", secret="another")) is None


def test_the_floor_asks_the_platform_as_the_specification_says(platform: Platform, floor: Floor) -> None:
    """The login leads to the platform with the nonce and state of this attempt."""
    address = floor.ask_platform(login_hint=VISIT.user, message_hint=VISIT.link, nonce="n", state="s")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(platform.issuer)
    assert (asked["nonce"], asked["state"], asked["login_hint"]) == ("n", "s", VISIT.user)


@pytest.mark.parametrize(
    ("rate", "at_once", "size"), [(10, 8, 16), (100, 8, 150), (1000, 8, LARGEST_WAVE), (5, 32, 64)]
)
def test_waves_are_short_whatever_the_rate(rate: int, at_once: int, size: int) -> None:
    """Launches that are signed together are over in a short while, and there are enough for all connections."""
    measured = Measured(seconds=1.0, latencies=[0.01] * rate)
    assert Driver._size_of_wave(measured, at_once) == size
