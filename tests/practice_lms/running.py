"""A started practice LMS, and a tool's side to talk to it with: its own key, keyset address and requests."""

import base64
import hashlib
import json
import os
import secrets
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import RSAKey
from oauthlib.oauth1 import Client

SOURCE = Path(__file__).parents[2] / "src"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ALL_SCOPES = tuple(AGS + name for name in ("lineitem", "lineitem.readonly", "result.readonly", "score"))
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
POX = "http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"


def run_command(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run one command of the practice LMS to its end."""
    command = [sys.executable, "-m", "practice_lms", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, env=_environment(), timeout=60, check=False)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE)}


@cache
def public_trust() -> ssl.SSLContext:
    """The certificates that a client of this process believes: reading them takes longer than most requests."""
    return httpx2.create_ssl_context(trust_env=False)


class PracticeLms:
    """A practice LMS in a process of its own."""

    def __init__(self, data: Path, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "practice_lms", "serve", "--port", "0", "--data", str(data), *arguments]
        variables = {**_environment(), **environment}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith("Practice LMS is ready: "), line
        self.public_url = line.removeprefix("Practice LMS is ready: ").partition(" ")[0]
        self.url = line.rpartition(" ")[2].strip("()")
        self.http = httpx2.Client(base_url=self.url, timeout=30, trust_env=False, verify=public_trust())

    def stop(self) -> None:
        """End the process."""
        self.http.close()
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def get(self, path: str, **query: Any) -> Any:
        """An answer of the API."""
        answer = self.http.get(f"/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        """An answer of the API to a document."""
        answer = self.http.post(f"/api/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_course(self) -> str:
        """A course of its own for one test, so that tests do not meet."""
        return str(self.post("courses", title="Rocks & <Minerals>", label="GEO", sourcedid="sis:GEO")["id"])

    def add_person(self, course: str, role: str = "learner", **values: Any) -> str:
        """A person in a course."""
        named = {"given_name": "Zoë", "family_name": f"O'Hara {secrets.token_hex(3)}", "email": "zoe@practice.example"}
        return str(self.post("people", course=course, role=role, **{**named, **values})["id"])

    def read_grade(self, course: str, person: str) -> str | None:
        """The one grade of a person in a course, in points of the LMS."""
        grades = [one for one in self.get("gradebook", course=course)["grades"] if one["person"] == person]
        assert len(grades) <= 1
        return grades[0]["score"] if grades else None


class KeysetServer:
    """Serves the public keys of the tool's side."""

    def __init__(self) -> None:
        # One key for all tools of a test run: making one takes longer than most tests.
        self.key = RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(4)})
        self.keys = [{**self.key.as_dict(private=False), "kid": self.key.kid, "alg": "RS256", "use": "sig"}]
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """The keyset."""
                body = json.dumps({"keys": owner.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()


class Tool13:
    """The tool's side of LTI 1.3."""

    def __init__(self, lms: PracticeLms, keyset: KeysetServer, **values: Any) -> None:
        self.lms = lms
        self.key = keyset.key
        wanted = {
            "title": "Tool by LTI 1.3",
            "version": "1.3",
            "launch_url": "https://tool.example/launch",
            "login_url": "https://tool.example/login?a=1",
            "redirect_urls": ["https://tool.example/launch"],
            "keyset_url": keyset.url,
        }
        self.record = lms.post("tools", **{**wanted, **values})
        self.id: str = self.record["id"]
        self.client_id: str = self.record["client_id"]

    def place_link(self, course: str, **values: Any) -> Any:
        """A link of 25 points."""
        return self.lms.post("links", course=course, tool=self.id, **{"title": "Quiz", "points": 25, **values})

    def make_assertion(self, key: RSAKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A client assertion, good unless told otherwise; a claim of None is left out."""
        now = int(time.time())
        good = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.lms.url}/lti/token",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        payload = {name: value for name, value in {**good, **claims}.items() if value is not None}
        head = {"alg": "RS256", "kid": self.key.kid, **(header or {})}
        shown = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(shown, payload, key or self.key)

    def ask_token(self, scopes: tuple[str, ...] = ALL_SCOPES, assertion: str = "", **form: str) -> httpx2.Response:
        """A token request."""
        good = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion or self.make_assertion(),
            "scope": " ".join(scopes),
        }
        return self.lms.http.post("/lti/token", data={**good, **form})

    def get_token(self, *scopes: str) -> dict[str, str]:
        """An Authorization header with a fresh token."""
        answer = self.ask_token(scopes or ALL_SCOPES)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def post_score(self, item_url: str, token: Mapping[str, str], **values: Any) -> httpx2.Response:
        """A score, good unless told otherwise; a member of None is left out."""
        good = {
            "userId": "nobody",
            "timestamp": make_timestamp(),
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "scoreGiven": 7,
            "scoreMaximum": 10,
        }
        body = {name: value for name, value in {**good, **values}.items() if value is not None}
        return self.lms.http.post(
            add_to_path(item_url, "/scores"), headers={"Content-Type": SCORE_TYPE, **token}, content=json.dumps(body)
        )


class Tool11:
    """The tool's side of LTI 1.1."""

    def __init__(self, lms: PracticeLms, **values: Any) -> None:
        self.lms = lms
        self.key, self.secret = secrets.token_hex(6), secrets.token_hex(12)
        wanted = {
            "title": "Tool by LTI 1.1",
            "version": "1.1",
            "launch_url": "https://tool.example/launch11",
            "key": self.key,
            "secret": self.secret,
        }
        self.record = lms.post("tools", **{**wanted, **values})
        self.id: str = self.record["id"]

    def place_link(self, course: str, **values: Any) -> Any:
        """A link of 25 points."""
        return self.lms.post("links", course=course, tool=self.id, **{"title": "Quiz", "points": 25, **values})

    def read_sourcedid(self, link: str, person: str) -> str:
        """What this person's launch says about where the grade goes."""
        fields = dict(self.lms.post("launch", link=link, person=person)["fields"])
        return str(fields["lis_result_sourcedid"])

    def sign_outcome(self, body: bytes, **wish: Any) -> dict[str, str]:
        """The headers of a signed request with this body; `wish` bends them."""
        headers = {"Content-Type": wish.get("content_type", "application/xml")}
        client = Client(
            wish.get("key", self.key),
            client_secret=wish.get("secret", self.secret),
            signature_method=wish.get("method", "HMAC-SHA1"),
            timestamp=str(wish["timestamp"]) if "timestamp" in wish else None,
            nonce=wish.get("nonce"),
        )
        hashed = wish.get("hashed", body)
        if wish.get("without_hash"):
            url = f"{self.lms.url}/lti/outcomes"
            _, signed, _ = client.sign(url, "POST", headers={})
            return {**headers, **signed}
        _, signed, _ = client.sign(f"{self.lms.url}/lti/outcomes", "POST", hashed.decode(), dict(headers))
        return {str(name): str(value) for name, value in signed.items()}

    def post_outcome(self, body: bytes, **wish: Any) -> httpx2.Response:
        """A signed request with this body."""
        return self.lms.http.post("/lti/outcomes", content=body, headers=self.sign_outcome(body, **wish))


def make_outcome(operation: str, sourcedid: str, score: str | None = None, namespace: str = POX) -> bytes:
    """The XML of an outcome request."""
    from xml.sax.saxutils import escape

    result = "" if score is None else f"<result><resultScore><textString>{score}</textString></resultScore></result>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><imsx_POXEnvelopeRequest xmlns="{namespace}"><imsx_POXHeader>'
        "<imsx_POXRequestHeaderInfo><imsx_version>V1.0</imsx_version><imsx_messageIdentifier>"
        f"{secrets.token_hex(4)}</imsx_messageIdentifier></imsx_POXRequestHeaderInfo></imsx_POXHeader><imsx_POXBody>"
        f"<{operation}Request><resultRecord><sourcedGUID><sourcedId>{escape(sourcedid)}</sourcedId></sourcedGUID>"
        f"{result}</resultRecord></{operation}Request></imsx_POXBody></imsx_POXEnvelopeRequest>"
    ).encode()


def make_timestamp(offset: float = 0) -> str:
    """Now, as scores want it: with fractions of a second and a zone."""
    moment = time.time() + offset
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{text}.{int(moment % 1 * 1_000_000):06d}Z"


def add_to_path(url: str, ending: str) -> str:
    """The URL with something put before its query."""
    path, _, query = url.partition("?")
    return f"{path}{ending}?{query}"


def hash_body(body: bytes) -> str:
    """What oauth_body_hash holds."""
    return base64.b64encode(hashlib.sha1(body).digest()).decode()  # noqa: S324 - the extension asks for it


class FormReader(HTMLParser):
    """Reads the first form of a page: where it goes and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self.buttons = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of what matters."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = values.get("action", "")
        if tag == "input" and values.get("name"):
            self.fields.append((values["name"], values.get("value", "")))
        self.buttons += tag == "button"
