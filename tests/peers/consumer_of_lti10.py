"""A consumer of LTI 1.0 made with `lti`, a program of other people, in an environment of its own.

    .venv-peers/lti/bin/python tests/peers/consumer_of_lti10.py --port 8803

POST /launch with JSON {"key", "secret", "url", "params"} answers the form that the library signs. POST /outcomes takes
what tools send for a grade, and GET /grades tells what the library read in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

from lti import OutcomeRequest, OutcomeResponse, ToolConsumer

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
GRADES: list[dict[str, Any]] = []


class Site(BaseHTTPRequestHandler):
    """The consumer's addresses."""

    def do_GET(self) -> None:
        """What runs here, and what came."""
        if self.path == "/about":
            named = {name: version(name) for name in ("lti", "oauthlib")}
            return self.answer({**named, "Python": sys.version.split()[0]})
        return self.answer(GRADES)

    def do_POST(self) -> None:
        """A launch to be signed, or a grade."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/launch":
            wish = json.loads(body)
            consumer = ToolConsumer(wish["key"], wish["secret"], params=wish["params"], launch_url=wish["url"])
            return self.answer(consumer.generate_launch_data(**wish.get("signing", {})))
        request = OutcomeRequest()
        request.process_xml(body)
        GRADES.append(
            {
                "operation": request.operation,
                "sourcedid": str(request.lis_result_sourcedid),
                "score": request.score,
                "is_signed": self.headers.get("Authorization", "").startswith("OAuth "),
            }
        )
        response = OutcomeResponse(
            message_identifier="1",
            code_major="success",
            severity="status",
            description="stored",
            operation=request.operation,
            message_ref_identifier=request.message_identifier,
        )
        return self.answer_bytes(response.generate_response_xml(), "application/xml")

    def answer(self, value: object) -> None:
        """JSON."""
        self.answer_bytes(json.dumps(value).encode(), "application/json")

    def answer_bytes(self, body: bytes, media_type: str) -> None:
        """A good answer."""
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", arguments.parse_args().port), Site).serve_forever()
