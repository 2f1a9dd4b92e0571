"""The Chromiums of the tests really block what they say. In a file of its own: it runs a Playwright of its own."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.cookie_rules import RULES, run_chromiums

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found on this machine"),
]


class _Control(BaseHTTPRequestHandler):
    """Frames itself under the other name of this machine, and shows which of its cookies came back."""

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        answer = self.headers.get("Cookie", "")
        if self.path == "/top":
            answer = f"<iframe src='http://127.0.0.1:{self.server.server_port}/frame'></iframe>"  # type: ignore[attr-defined]
        elif self.path == "/frame":
            self.send_header("Set-Cookie", "partitioned=1; Secure; HttpOnly; SameSite=None; Partitioned")
            self.send_header("Set-Cookie", "unpartitioned=1; Secure; SameSite=None")
            answer = (
                "<output></output><script>fetch('/seen').then((answer) => answer.text()).then((text) => {"
                " document.querySelector('output').textContent = `kept: ${text}`; });</script>"
            )
        self.end_headers()
        self.wfile.write(answer.encode())


def test_the_browsers_block_what_they_should() -> None:
    """A page that knows nothing of us sees in each browser just the cookies that the rule keeps in a frame."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tool, lms = (f"http://{host}:{server.server_port}" for host in ("127.0.0.1", "localhost"))
    kept, alone = {}, {}
    with run_chromiums(tool, lms, *RULES) as contexts:
        for rule, context in contexts.items():
            for seen, path in ((kept, f"{lms}/top"), (alone, f"{tool}/frame")):
                page = context.new_page()
                page.goto(path)
                shown = page.frame_locator("iframe") if path.endswith("top") else page
                expect(shown.locator("output")).to_contain_text("kept:")
                words = shown.locator("output").inner_text()
                seen[rule] = set(re.findall(r"(\w+)=1", words))
    server.shutdown()
    server.server_close()
    assert kept == {"on": {"partitioned", "unpartitioned"}, "blocked": {"partitioned"}, "none": set()}
    assert set(map(frozenset, alone.values())) == {frozenset({"partitioned", "unpartitioned"})}
