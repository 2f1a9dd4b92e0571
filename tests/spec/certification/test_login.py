"""Third-party initiated login (Security Framework 5.1.1, core 4.1): what may begin a launch, and where it leads."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.spec.certification.conftest import Browser, Stand
from tests.spec.certification.validator import CLIENT_ID, DEPLOYMENT, Message


def begin(stand: Stand, browser: Browser, method: str = "GET", **changes: str | None) -> httpx2.Response:
    """A login request of the validator, with changes; the tool's first answer."""
    told = {"iss": stand.validator.url, "client_id": CLIENT_ID, "login_hint": "hint", "lti_message_hint": "a&b=ü"}
    told |= {"target_link_uri": stand.assignment["url"], "lti_deployment_id": DEPLOYMENT}
    fields = {name: value for name, value in {**told, **changes}.items() if value is not None}
    url = stand.platform["login_url"]
    return browser.http.get(url, params=fields) if method == "GET" else browser.http.post(url, data=fields)


@pytest.mark.parametrize(("number", "method"), [("LI1", "GET"), ("LI2", "POST")])
def test_begins(stand: Stand, number: str, method: str, row: Any) -> None:
    """By GET and by POST it leads to the registered authentication address, hints as they were, secrets fresh."""
    with Browser() as browser:
        first, second = (begin(stand, browser, method) for _ in range(2))
    row(number, f"Login by {method}", "302 to the platform", f"HTTP {first.status_code}")
    address = urlsplit(first.headers["location"])
    assert (first.status_code, f"{address.scheme}://{address.netloc}{address.path}") == (
        302,
        f"{stand.validator.url}/auth",
    )
    sent, other = (parse_qs(urlsplit(one.headers["location"]).query, strict_parsing=True) for one in (first, second))
    assert (sent["login_hint"], sent["lti_message_hint"]) == (["hint"], ["a&b=ü"])
    assert sent["redirect_uri"] == [stand.platform["redirect_url"]]
    assert sent["state"] != other["state"]
    assert sent["nonce"] != other["nonce"]


@pytest.mark.parametrize(
    ("number", "name", "changes", "code"),
    [
        ("LI3", "Unknown issuer", {"iss": "https://nobody.example"}, "unknown_platform"),
        ("LI4", "Unknown client id", {"client_id": "somebody"}, "unknown_platform"),
        ("LI5", "No login_hint", {"login_hint": None}, "missing_parameter"),
        ("LI6", "No iss", {"iss": None}, "missing_parameter"),
        ("LI7", "No target_link_uri", {"target_link_uri": None}, "missing_parameter"),
    ],
)
def test_refused(stand: Stand, number: str, name: str, changes: dict[str, Any], code: str, row: Any) -> None:
    """It is refused on a page, and leads nowhere: nothing in it is signed."""
    with Browser() as browser:
        answer = begin(stand, browser, "POST", **changes)
    row(number, name, f"refused: {code}", f"HTTP {answer.status_code}")
    assert answer.status_code // 100 == 4
    assert "location" not in answer.headers
    assert f'data-code="{code}"' in answer.text


def test_no_message_hint(stand: Stand, row: Any) -> None:
    """A hint that was not sent is not made up."""
    with Browser() as browser:
        answer = begin(stand, browser, lti_message_hint=None)
    row("LI8", "No lti_message_hint", "none is echoed", f"HTTP {answer.status_code}")
    assert "lti_message_hint" not in answer.headers["location"]


def test_a_target_elsewhere(stand: Stand, row: Any) -> None:
    """The target of a login request leads nowhere by itself: only the platform is asked."""
    with Browser() as browser:
        answer = begin(stand, browser, target_link_uri="https://evil.example/phish")
    host = urlsplit(answer.headers["location"]).netloc
    row(
        "LI9",
        "Target of another host",
        "the platform is asked",
        f"302 to {'it' if host in stand.validator.url else host}",
    )
    assert host == urlsplit(stand.validator.url).netloc


def test_another_deployment_than_the_login_named(stand: Stand, row: Any) -> None:
    """A launch of another deployment than its login named is refused."""
    message = Message(changes={"deployment_id": DEPLOYMENT})
    with Browser() as browser:
        form = stand.begin(browser, message, deployment="another")
        answer = browser.send("POST", stand.platform["redirect_url"], form)
    row("LI10", "Launch of another deployment", "refused: unknown_deployment", f"HTTP {answer.status}")
    assert (answer.status, answer.marks["code"]) == (403, "unknown_deployment")
