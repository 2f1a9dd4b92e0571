"""Behind a proxy with TLS, on another host and port and below a path: every address is still right, and all works."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import pytest
from playwright.sync_api import Browser, expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.demo import free_port
from tests.end_to_end.lms_screen import LmsScreen, Screen, expect_landed, hand_in
from tests.end_to_end.proxy import HOST, Proxy, find_nginx, run_proxy
from tests.end_to_end.servers import Stand, run_stand

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found on this machine"),
    pytest.mark.skipif(find_nginx() is None, reason="no nginx was found: apt-get install nginx-light"),
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]
PATH = "/campus/courseway"


@dataclass
class Campus:
    """The installation behind the proxy, with an LMS course that has a link by each version."""

    stand: Stand
    proxy: Proxy
    key: dict[str, Any]
    course: str
    master: dict[str, Any]

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.proxy.port}{PATH}"

    def ask(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body, asked from outside by a client that trusts this certificate alone."""
        context = ssl.create_default_context(cafile=str(self.proxy.certificate))
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        with opener.open(self.url + path, timeout=10) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    folder: Path = tmp_path_factory.mktemp("proxy")
    port, inner = free_port(), free_port()
    with run_proxy(folder / "nginx", port=port, upstream=f"http://127.0.0.1:{inner}") as proxy:
        url = f"https://{HOST}:{port}{PATH}"
        with run_stand(folder, public_url=url, port=inner, trusted=proxy.certificate) as stand:
            key, registration = stand.add_key("Moodle"), stand.add_registration("Canvas")
            master = stand.import_example("release_grades_automatically=true")
            course = stand.lms.add_course()
            for tool, assignment in zip((key, registration), master["assignments"], strict=False):
                stand.lms.post(
                    "links",
                    course=course,
                    tool=tool["tool"]["id"],
                    title=assignment["title"],
                    url=assignment["url"],
                    points=20,
                )
            yield Campus(stand, proxy, key, course, master)


def test_health_answers_through_the_proxy(campus: Campus) -> None:
    """Both health addresses and the keyset answer below the path."""
    for path in ("/healthz", "/readyz"):
        status, kind, body = campus.ask(path)
        assert (status, kind, json.loads(body)) == (200, "application/json", {"ok": True})
    assert json.loads(campus.ask("/lti/keys")[2])["keys"]


def test_the_four_values_of_a_key_are_copied(campus: Campus, chromium: Browser) -> None:
    """Key, secret, LTI URL and XML Configuration URL: the clipboard holds what an LMS outside has to be given."""
    with Screen(chromium) as screen:
        page = screen.sign_in(campus.stand.courseway, f"/o/{campus.stand.org}/lti")
        buttons = page.locator("article", has_text="LTI Consumer").first.locator("[data-copy-button]")
        expect(buttons).to_have_count(4)
        copied = []
        for index in range(4):
            buttons.nth(index).click()
            expect(buttons.nth(index)).to_contain_text("Copied")
            copied.append(screen.read_clipboard())
        xml = f"{campus.url}/lti/config.xml?key={campus.key['key']}"
        assert copied == [campus.key["key"], campus.key["secret"], f"{campus.url}/lti/launch", xml]
        assert {cookie["path"] for cookie in screen.context.cookies()} == {f"{PATH}/"}
        assert all(cookie["secure"] for cookie in screen.context.cookies())
        assert not screen.problems
        status, kind, body = campus.ask(f"/lti/config.xml?key={campus.key['key']}")
        assert (status, kind) == (200, "application/xml")
        urls = set(re.findall(r"https?://[^<\"' ]*courseway[^<\"' ]*", body.decode()))
        assert f"{campus.url}/lti/launch" in urls
        assert all(one.startswith(f"{campus.url}/") for one in urls), urls
        for name in ("redirect_url", "login_url", "keyset_url"):
            assert campus.stand.courseway.run(
                *("platform", "add", "--org", campus.stand.org, "--issuer", "https://lms.example"),
                *("--client-id", name, "--auth-url", "https://lms.example/a", "--token-url", "https://lms.example/t"),
                *("--keyset-url", "https://lms.example/k"),
            )[name].startswith(f"{campus.url}/lti/")


@pytest.mark.parametrize("place", ["window", "frame", "tab"])
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_launches_land(campus: Campus, chromium: Browser, version: str, place: str) -> None:
    """In a window, a frame and a tab: the page has its styles, its cookie its path, and the LMS gets its grade."""
    assignment = campus.master["assignments"][("1.1", "1.3").index(version)]
    title = assignment["title"]
    name = f"Pia {place.title()}{version[-1]}"
    given, family = name.split()
    student = campus.stand.lms.add_person(campus.course, given_name=given, family_name=family, email="")
    with LmsScreen(chromium, campus.stand.lms.url, name) as screen:
        shown = screen.open_activity(campus.course, title, place=place)
        expect_landed(shown, role="student", assignment=assignment["id"])
        # The style sheet came: the accent colour is not a browser's own.
        button = shown.locator("button:visible").first
        assert button.evaluate("one => getComputedStyle(one).fontFamily") == shown.locator("body").evaluate(
            "one => getComputedStyle(one).fontFamily"
        )
        cookies = [one for one in screen.context.cookies() if one["name"].startswith("cw-")]
        landed = [one for one in cookies if one["path"].startswith(f"{PATH}/at/")]
        assert landed, cookies
        for cookie in cookies:
            assert cookie["path"].startswith(f"{PATH}/")
            assert (cookie["secure"], cookie["sameSite"], cookie["httpOnly"]) == (True, "None", True)
        hand_in(shown, title)
        expect(shown.get_by_text("Your LMS has this grade")).to_be_visible()
        assert not screen.problems, screen.problems
    campus.stand.wait_for_percent(campus.course, student, title, Decimal(100))
