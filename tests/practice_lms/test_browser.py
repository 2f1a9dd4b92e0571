"""The pages in a real browser: launches in window, tab and frame, grades that arrive by themselves, accessibility."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.looks import SERIOUS, Look, each_look, find_faults
from tests.practice_lms.running import KeysetServer, PracticeLms, Tool11, Tool13, make_outcome

LOOKS: tuple[Look, ...] = ((1200, "light"), (1200, "dark"), (360, "light"))
pytestmark = pytest.mark.browser


class SmallTool:
    """A tool on another host than the LMS. Its login page goes on by script, which makes it cross-site."""

    def __init__(self, auth_url: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Login or launch."""
                form = dict(
                    parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), keep_blank_values=True)
                )
                if self.path == "/login":
                    request = {
                        "scope": "openid",
                        "response_type": "id_token",
                        "response_mode": "form_post",
                        "prompt": "none",
                        "client_id": form["client_id"],
                        "redirect_uri": f"http://{self.headers['Host']}/launch",
                        "login_hint": form["login_hint"],
                        "lti_message_hint": form["lti_message_hint"],
                        "state": "s",
                        "nonce": "n",
                    }
                    page = f"<script>location.href = {json.dumps(f'{auth_url}?{urlencode(request)}')}</script>"
                else:
                    page = f"<title>Tool</title><p id=got>{', '.join(sorted(form))}</p>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def page(chromium: Any, lms: PracticeLms, course: str, student: str) -> Iterator[Any]:
    """A page where the student is signed in."""
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.set_default_timeout(40_000)
    be(page, lms, student)
    yield page
    context.close()


def be(page: Any, lms: PracticeLms, person: str) -> None:
    """Choose who to be, found by the last name."""
    record = next(one for one in lms.get("people") if one["id"] == person)
    page.goto(f"{lms.url}/?q={record['family_name'].rpartition(' ')[2]}")
    page.click(f'button[name="person"][value="{person}"]')


@pytest.fixture
def small_tool(lms: PracticeLms) -> Iterator[SmallTool]:
    """A tool on 127.0.0.1, while the LMS is on localhost."""
    tool = SmallTool(f"{lms.url}/lti/auth")
    yield tool
    tool.stop()


# First, since pages get longer by what other tests leave in the LMS.
def test_pages_are_usable(lms: PracticeLms, page: Any, course: str, student: str, tool11: Tool11) -> None:
    """No page is wider than the screen, and axe finds nothing serious; wide ones in light and dark."""
    link = tool11.place_link(course, title="A rather long title of an activity for narrow columns")
    tool11.post_outcome(make_outcome("replaceResult", tool11.read_sourcedid(link["id"], student), "0.94"))
    lms.post("faults", service="token", status=500, probability=0.3)
    be(page, lms, lms.add_person(course, "teacher"))
    history = f"courses/{course}/gradebook/{link['line_item']['id']}/{student}"
    addresses = ["", "courses", f"courses/{course}", f"courses/{course}/gradebook", history, "admin/tools"]
    addresses += [
        "admin/courses",
        "admin/faults",
        "admin/messages",
        f"courses/{course}/links/{link['id']}/return?lti_msg=a",
    ]
    for address in addresses:
        page.goto(f"{lms.url}/{address}")
        for look in each_look(page, LOOKS):
            assert find_faults(page, f"{address} {look}", impacts=SERIOUS) == []


@pytest.mark.parametrize("target", ["A frame", "This window", "A new tab"])
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_link_opens_where_wanted(
    lms: PracticeLms, page: Any, course: str, keyset: KeysetServer, small_tool: SmallTool, target: str, version: str
) -> None:
    """A click brings the signed launch to the tool in a frame, the same window or a new tab, over both versions."""
    address = f"{small_tool.url}/launch"
    if version == "1.1":
        tool: Tool11 | Tool13 = Tool11(lms, launch_url=address)
    else:
        addresses = {"login_url": f"{small_tool.url}/login", "launch_url": address, "redirect_urls": [address]}
        tool = Tool13(lms, keyset, **addresses)
    link = tool.place_link(course)
    page.goto(f"{lms.url}/courses/{course}")
    page.click(f"text={target}")
    if target == "A new tab":
        with page.expect_popup() as opened:
            page.click(f'[data-link="{link["id"]}"]')
        place = opened.value
    else:
        page.click(f'[data-link="{link["id"]}"]')
        place = page.frame_locator("iframe") if target == "A frame" else page
    got = place.locator("#got").inner_text()
    assert ("oauth_signature" if version == "1.1" else "id_token") in got
    assert "error" not in got
    expected_host = urlsplit(lms.url if target == "A frame" else small_tool.url).netloc
    shown = place if target == "A new tab" else page
    assert urlsplit(shown.url).netloc == expected_host


def test_grade_arrives_by_itself(lms: PracticeLms, page: Any, course: str, student: str, tool11: Tool11) -> None:
    """A teacher who looks at the gradebook sees a grade come in without doing anything, and it is announced."""
    link = tool11.place_link(course)
    be(page, lms, lms.add_person(course, "teacher"))
    page.goto(f"{lms.url}/courses/{course}/gradebook")
    assert page.locator("[data-score]").count() == 0
    tool11.post_outcome(make_outcome("replaceResult", tool11.read_sourcedid(link["id"], student), "0.94"))
    page.wait_for_selector('td.new [data-score="23.5"]', timeout=15_000)
    assert page.inner_text("#news") == "A grade arrived."
    tool11.post_outcome(make_outcome("replaceResult", tool11.read_sourcedid(link["id"], student), "0.2"))
    page.wait_for_selector('[data-score="5"]', timeout=15_000)
