"""A tool of LTI 1.0 made with `lti`, a program of other people, in an environment of its own.

    .venv-peers/lti/bin/python tests/peers/tool_of_lti10.py --port 8804 --key KEY --secret SECRET

POST /launch checks the form as the library does, sends what the custom parameter `score` says to where the launch wants
it, reads it back, and answers JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl

from lti import ToolProvider
from oauthlib.oauth1 import RequestValidator

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--key", required=True)
arguments.add_argument("--secret", required=True)
wish = arguments.parse_args()


class Keys(RequestValidator):
    """What the library asks about a launch: one key, and each nonce once."""

    enforce_ssl = False
    dummy_client = "nobody"

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, str]] = set()

    def check_client_key(self, client_key: str) -> bool:
        """Keys of any form."""
        return True

    def check_nonce(self, nonce: str) -> bool:
        """Nonces of any form."""
        return True

    def validate_client_key(self, client_key: str, request: object) -> bool:
        """The one key."""
        return client_key == wish.key

    def get_client_secret(self, client_key: str, request: object) -> str:
        """Its secret."""
        return str(wish.secret)

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: object, **tokens: object
    ) -> bool:
        """Once."""
        is_new = (timestamp, nonce) not in self.seen
        self.seen.add((timestamp, nonce))
        return is_new


KEYS = Keys()


class Site(BaseHTTPRequestHandler):
    """The tool's addresses."""

    def do_GET(self) -> None:
        """What runs here."""
        named = {name: version(name) for name in ("lti", "oauthlib")}
        self.answer(200, {**named, "Python": sys.version.split()[0]})

    def do_POST(self) -> None:
        """A launch."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(parse_qsl(body, keep_blank_values=True))
        url = f"http://127.0.0.1:{wish.port}{self.path}"
        provider = ToolProvider.from_unpacked_request(wish.secret, form, url, dict(self.headers))
        if not provider.is_valid_request(KEYS):
            return self.answer(401, {"error": "the library does not take this launch"})
        said: dict[str, Any] = {
            "user": form.get("user_id"),
            "name": provider.username(),
            "is_student": provider.is_student(),
            "is_teacher": provider.is_instructor(),
            "link": form.get("resource_link_id"),
            "custom": {name: value for name, value in form.items() if name.startswith("custom_")},
        }
        if provider.is_outcome_service() and form.get("custom_score"):
            sent = provider.post_replace_result(form["custom_score"], {"message_identifier": "one"})
            read = provider.post_read_result({"message_identifier": "two"})
            said["outcome"] = {"sent": str(sent.code_major), "read": read.score}
            if form.get("custom_takes_back"):
                gone = provider.post_delete_result({"message_identifier": "three"})
                said["outcome"]["deleted"] = str(gone.code_major)
        return self.answer(200, said)

    def answer(self, status: int, value: object) -> None:
        """JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", wish.port), Site).serve_forever()
