"""A small LMS over real sockets that keeps grades: AGS with tokens and line items, and Basic Outcomes. With faults.

It keeps the rules that matter here: an older AGS timestamp changes nothing, a Basic Outcome overwrites whatever is
there, whenever it arrives.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.courseway.http_servers import Handler, Server, serve_http

# A fault gets (service, key of the grade) and answers None, or what to do instead.
Fault = Callable[[str, str], "Misbehaviour | None"]


@dataclass(frozen=True)
class Misbehaviour:
    """Answer `status` without doing anything; or after `seconds` of silence; or do the work and then not tell."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    silent_seconds: float = 0.0  # wait this long before doing the work: the asker may have gone
    loses_answer: bool = False  # do the work, close the connection
    garbles_answer: bool = False  # do the work, answer what nobody can read


@dataclass
class FakeLms:
    url: str = ""
    grades: dict[str, Any] = field(default_factory=dict)  # "user@line item" or sourcedid -> newest value
    history: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))  # in order of arrival
    scores: list[dict[str, Any]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    lineitems: list[dict[str, Any]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)
    valid_tokens: set[str] = field(default_factory=set)
    token_seconds: int = 3600
    fault: Fault = field(default=lambda service, key: None)
    conflicts_within_a_second: bool = False
    ignores_filters: bool = False
    hides_results: bool = False
    results_on_page: int = 1000
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_lineitem(self, number: int, **members: Any) -> str:
        url = f"{self.url}/lineitems/{number}/lineitem?type_id=2"
        self.lineitems.append({"id": url, "label": f"Item {number}", "scoreMaximum": 10, **members})
        return url


NOTHING = (200, b"", "text/plain")


class _Lms(Handler):
    lms: FakeLms

    def do_POST(self) -> None:
        self.handle_service("POST")

    def do_GET(self) -> None:
        self.handle_service("GET")

    def handle_service(self, method: str) -> None:
        lms, body, path = self.lms, self.read_body(), urlsplit(self.path).path
        self.next_page = ""
        service, key = _what_is_asked(method, path, body)
        with lms.lock:
            lms.requests[service] += 1
            lms.at_once += 1
            lms.most_at_once = max(lms.most_at_once, lms.at_once)
            misbehaviour = lms.fault(service, key)
        try:
            if misbehaviour is not None and misbehaviour.silent_seconds:
                time.sleep(misbehaviour.silent_seconds)
            if misbehaviour is not None and misbehaviour.status:
                self.answer_with(misbehaviour.status, misbehaviour.body, dict(misbehaviour.headers))
                return
            status, answer, kind = getattr(self, f"serve_{service}")(body, key)
            if misbehaviour is not None and misbehaviour.loses_answer:
                self.close_connection = True
                return
            if misbehaviour is not None and misbehaviour.garbles_answer:
                answer, kind = b"\x00\xff{<html>]", "text/html"
            headers = {"Content-Type": kind}
            if self.next_page:
                headers["Link"] = f'<{self.next_page}>; rel="next"'
            self.answer_with(status, answer, headers)
        except OSError:
            self.close_connection = True
        finally:
            with lms.lock:
                lms.at_once -= 1

    def answer_with(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.answer(status, body, **headers)

    # Services: each returns status, body, content type.

    def serve_token(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        lms, form = self.lms, parse_qs(body.decode())
        with lms.lock:
            token = f"token-{len(lms.tokens) + 1}"
            lms.tokens.append(token)
            lms.valid_tokens.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": lms.token_seconds}
        return 200, json.dumps({**answer, "scope": form["scope"][0]}).encode(), "text/html"

    def is_signed_in(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.lms.valid_tokens

    def serve_score(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        lms, score = self.lms, json.loads(body, parse_float=Decimal)
        line = key.partition("@")[2]
        if not self.is_signed_in():
            return 401, b"expired token", "text/plain"
        if any(f"/lineitems/{line}/" in url for url in lms.gone):
            return 404, b"no such line item", "text/plain"
        with lms.lock:
            lms.scores.append({**score, "line": line})
            before = next((one for one in reversed(lms.history[key]) if one["taken"]), None)
            stamp = score["timestamp"][:19] if lms.conflicts_within_a_second else score["timestamp"]
            is_older = before is not None and before["timestamp"][: len(stamp)] >= stamp
            lms.history[key].append({**score, "taken": not is_older})
            if is_older:
                return (
                    (409, b"a later score is there", "text/plain") if lms.conflicts_within_a_second else (200, b"", "")
                )
            lms.grades[key] = (score.get("scoreGiven"), score.get("scoreMaximum"))
        return NOTHING

    def serve_lineitems(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        if not self.is_signed_in():
            return 401, b"", "text/plain"
        query = parse_qs(urlsplit(self.path).query)
        items = [item for item in self.lms.lineitems if item["id"] not in self.lms.gone]
        names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        for parameter, member in {} if self.lms.ignores_filters else names.items():
            if parameter in query:
                items = [item for item in items if item.get(member) == query[parameter][0]]
        return 200, json.dumps(items).encode(), "application/vnd.ims.lis.v2.lineitemcontainer+json"

    def serve_create(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        if not self.is_signed_in():
            return 401, b"", "text/plain"
        with self.lms.lock:
            number = 100 + len(self.lms.lineitems)
            url = self.lms.add_lineitem(number, **json.loads(body))
        item = next(item for item in self.lms.lineitems if item["id"] == url)
        return 201, json.dumps(item).encode(), "application/vnd.ims.lis.v2.lineitem+json"

    def serve_results(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        lms, url = self.lms, urlsplit(self.path)
        if not self.is_signed_in():
            return 401, b"", "text/plain"
        with lms.lock:
            held = {one: value for one, value in lms.grades.items() if one.endswith(f"@{key}")}
        results = [
            {"userId": one.partition("@")[0], "resultScore": value[0], "resultMaximum": value[1]}
            for one, value in sorted(held.items())
            if not lms.hides_results and value[0] is not None
        ]
        start = int(parse_qs(url.query).get("from", ["0"])[0])
        shown = results[start : start + lms.results_on_page]
        if start + lms.results_on_page < len(results):
            self.next_page = f"{lms.url}{url.path}?from={start + lms.results_on_page}"
        return 200, json.dumps(shown, default=float).encode(), "application/vnd.ims.lis.v2.resultcontainer+json"

    def serve_read(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        held = "" if self.lms.hides_results else self.lms.grades.get(key) or ""
        answer = outcome_answer("success", "", _message_of(body)).decode()
        read = f"<readResultResponse><result><resultScore><textString>{held}</textString></resultScore></result>"
        body_of_answer = f"<imsx_POXBody>{read}</readResultResponse></imsx_POXBody>"
        return 200, answer.replace("<imsx_POXBody/>", body_of_answer).encode(), "application/xml"

    def serve_outcome(self, body: bytes, key: str) -> tuple[int, bytes, str]:
        found = re.search(rb"<textString>([^<]*)</textString>", body)
        value = found.group(1).decode() if found else None
        with self.lms.lock:
            self.lms.history[key].append(value)
            self.lms.grades[key] = value
        return 200, outcome_answer("success", "", _message_of(body)), "application/xml"


def outcome_answer(code: str, description: str, message: str = "") -> bytes:
    return (
        '<imsx_POXEnvelopeResponse xmlns="http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"><imsx_POXHeader>'
        "<imsx_POXResponseHeaderInfo><imsx_version>V1.0</imsx_version><imsx_messageIdentifier>1</imsx_messageIdentifier>"
        f"<imsx_statusInfo><imsx_codeMajor>{code}</imsx_codeMajor><imsx_severity>status</imsx_severity>"
        f"<imsx_description>{description}</imsx_description><imsx_messageRefIdentifier>{message}"
        "</imsx_messageRefIdentifier></imsx_statusInfo></imsx_POXResponseHeaderInfo></imsx_POXHeader>"
        "<imsx_POXBody/></imsx_POXEnvelopeResponse>"
    ).encode()


def _message_of(body: bytes) -> str:
    message = re.search(rb"<imsx_messageIdentifier>([^<]*)<", body)
    return message.group(1).decode() if message else ""


def _what_is_asked(method: str, path: str, body: bytes) -> tuple[str, str]:
    if path == "/token":
        return "token", ""
    if path == "/outcomes":
        found = re.search(rb"<sourcedId>([^<]*)</sourcedId>", body)
        service = "read" if b"<readResultRequest>" in body else "outcome"
        return service, found.group(1).decode() if found else ""
    results = re.fullmatch(r"/lineitems/(\d+)/lineitem/results", path)
    if results:
        return "results", results.group(1)
    line = re.fullmatch(r"/lineitems/(\d+)/lineitem/scores", path)
    if line:
        return "score", f"{json.loads(body)['userId']}@{line.group(1)}"
    return ("create" if method == "POST" else "lineitems"), ""


@contextmanager
def run_fake_lms() -> Iterator[FakeLms]:
    lms = FakeLms()
    with serve_http(type("_LmsOfOneTest", (_Lms,), {"lms": lms})) as server:
        assert isinstance(server, Server)
        lms.url = server.url
        yield lms


def random_faults(seed: int, *, share: float = 0.3, silence: float = 1.0) -> Fault:
    """500, 429, lost answers and silences at random, in every service."""
    chance = random.Random(seed)

    def misbehave(service: str, key: str) -> Misbehaviour | None:
        if chance.random() >= share:
            return None
        return chance.choice(
            [
                Misbehaviour(500, body=b"oh no"),
                Misbehaviour(429, (("Retry-After", "1"),)),
                Misbehaviour(429),
                Misbehaviour(loses_answer=True),
                Misbehaviour(silent_seconds=silence),
            ]
        )

    return misbehave
