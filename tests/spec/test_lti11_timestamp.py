"""Timestamp and nonce of LTI 1.x launches (RFC 5849 §3.3): a window of 300 seconds on both sides."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from oauthlib.oauth1 import SIGNATURE_TYPE_BODY, Client

from ltikit.errors import BadSignatureError, ExpiredError, LtiError, MalformedMessageError, MissingParameterError
from ltikit.v11.launch import verify_launch
from tests.ltikit.v11.signed_forms import NOW, RETURN_URL, SECRET, STUDENT_LAUNCH, URL, change, sign


@pytest.mark.quirk("G15")
@pytest.mark.parametrize("seconds", [-300, -100, 0, 100, 300])
def test_launches_inside_the_window_pass(seconds: int) -> None:
    """A launch may be up to 300 s old, or as much ahead of our clock."""
    form = sign(STUDENT_LAUNCH, now=NOW)
    now = NOW + timedelta(seconds=seconds)
    assert verify_launch(form, url=URL, secret=SECRET, now=now).issued_at == NOW


@pytest.mark.quirk("G15")
@pytest.mark.parametrize(
    ("seconds", "side"), [(301, "behind"), (86400, "behind"), (-301, "ahead"), (-86400 * 400, "ahead")]
)
def test_launches_outside_the_window_are_refused(seconds: int, side: str) -> None:
    """Older and newer launches are refused alike; the log says by how much the clocks differ."""
    form = sign(STUDENT_LAUNCH, now=NOW)
    with pytest.raises(ExpiredError, match=f"{abs(seconds)} s {side}") as caught:
        verify_launch(form, url=URL, secret=SECRET, now=NOW + timedelta(seconds=seconds))
    assert caught.value.status == 401
    assert caught.value.return_url == RETURN_URL


def sign_with_timestamp(stamp: str) -> list[tuple[str, str]]:
    """The launch with any text as timestamp, correctly signed."""
    client = Client("campus-key", SECRET, signature_type=SIGNATURE_TYPE_BODY, timestamp=stamp, nonce="n")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, body = client.sign(URL, "POST", body=urlencode(STUDENT_LAUNCH), headers=headers)
    return parse_qsl(body, keep_blank_values=True)


@pytest.mark.parametrize("stamp", ["now", "-5", "1e9", "12.5", "٣٣٣", "9" * 11, "9" * 40, "0x10", " "])
def test_timestamps_that_are_no_seconds_are_refused(stamp: str) -> None:
    """A correctly signed launch whose timestamp is no number of seconds, or one far away, is refused."""
    with pytest.raises(ExpiredError):
        verify_launch(sign_with_timestamp(stamp), url=URL, secret=SECRET, now=NOW)


def test_the_signature_comes_before_the_timestamp() -> None:
    """A forged launch is refused for its signature, whatever its time: the time of a forger says nothing."""
    form = sign(STUDENT_LAUNCH, secret="other", now=NOW - timedelta(days=1))
    with pytest.raises(BadSignatureError):
        verify_launch(form, url=URL, secret=SECRET, now=NOW)


def test_the_timestamp_comes_before_the_claims() -> None:
    """A stale launch with a missing link id is refused as stale."""
    form = sign(change(STUDENT_LAUNCH, resource_link_id=None), now=NOW - timedelta(days=1))
    with pytest.raises(ExpiredError):
        verify_launch(form, url=URL, secret=SECRET, now=NOW)


@pytest.mark.parametrize("nonce", ["7", "x" * 255, "a b+c/=&é", "288f1d3c-1ad9-40bf-aaf3-c7193b2bebc8"])
def test_nonces_are_opaque(nonce: str) -> None:
    """Any nonce of up to 255 characters is handed to the caller as it was sent."""
    form = sign(STUDENT_LAUNCH, nonce=nonce)
    assert nonce == verify_launch(form, url=URL, secret=SECRET, now=NOW).nonce


def test_missing_repeated_and_endless_nonces_are_refused() -> None:
    """A launch needs exactly one nonce of at most 255 characters."""
    signed = sign(STUDENT_LAUNCH)
    without = [pair for pair in signed if pair[0] != "oauth_nonce"]
    cases: list[tuple[list[tuple[str, str]], type[LtiError]]] = [
        (without, MissingParameterError),
        ([*without, ("oauth_nonce", "")], MissingParameterError),
        ([*signed, ("oauth_nonce", "nonce-1")], MalformedMessageError),
        (sign(STUDENT_LAUNCH, nonce="x" * 256), MalformedMessageError),
    ]
    for form, error in cases:
        with pytest.raises(error, match="oauth_nonce"):
            verify_launch(form, url=URL, secret=SECRET, now=NOW)
