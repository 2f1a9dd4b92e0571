"""The LMSs that take the grades of the measurements: they check the token, keep what came, answer at once or late."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

PLATFORMS = 100
COLUMNS = 4  # gradebook columns of each platform, each of another link
MAXIMUM = 10
KEY, SECRET = "key-of-the-benchmark", "secret-of-the-benchmark"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BEARER = re.compile(rb"\r\nauthorization: *bearer ([^\r]+)", re.IGNORECASE)
_SOURCED_ID = re.compile(rb"<sourcedId>([^<]*)</sourcedId>")
_VALUE = re.compile(rb"<textString>([^<]*)</textString>")
_MESSAGE = re.compile(rb"<imsx_messageIdentifier>([^<]*)<")


@dataclass(frozen=True)
class OwedGrade:
    """What somebody is worth in a round: every person has one grade, another one in every round."""

    number: int
    round: int

    @property
    def user(self) -> str:
        return f"person-{self.number:05d}"

    @property
    def platform(self) -> int:
        return self.number % PLATFORMS

    @property
    def column(self) -> int:
        return self.number // PLATFORMS % COLUMNS

    @property
    def score(self) -> Decimal:
        """Of ten points; one round's differs from the last one's."""
        return Decimal((self.number * 7 + self.round * 131) % 1001) / 100


class Gradebook:
    """All platforms, each on a port of its own, in one thread."""

    def __init__(self) -> None:
        self.delay_seconds = 0.0
        self.taken = 0
        self.held: dict[str, Decimal] = {}  # newest value of each person, in points
        self._token = secrets.token_urlsafe(24)
        self._loop = asyncio.new_event_loop()
        sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(PLATFORMS)]
        self.urls = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for one in sockets:
            self._loop.run_until_complete(self._loop.create_server(lambda: _Connection(self), sock=one))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, *, delay_seconds: float) -> None:
        """A new round: what was held before is forgotten."""
        self.delay_seconds = delay_seconds
        self.taken, self.held = 0, {}

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def find_wrong(self, owed: Sequence[OwedGrade]) -> list[str]:
        """The people whose grade is not here, or is another one."""
        return [one.user for one in owed if self.held.get(one.user) != one.score]

    def answer(self, path: str, head: bytes, body: bytes) -> tuple[bytes, str, bytes]:
        """Status, content type and body."""
        if path == "/token":
            granted = {"access_token": self._token, "token_type": "Bearer", "expires_in": 3600}
            return b"200 OK", "application/json", json.dumps(granted).encode()
        if path == "/outcomes":
            return self._take_outcome(body)
        bearer = _BEARER.search(head)
        if bearer is None or bearer.group(1).decode() != self._token:
            return b"401 Unauthorized", "text/plain", b"no such token"
        score = json.loads(body, parse_float=Decimal, parse_int=Decimal)
        self._take(score["userId"], score["scoreGiven"] / score["scoreMaximum"] * MAXIMUM)
        return b"200 OK", "application/json", b'{"resultUrl":"https://lms.example/results/1"}'

    def _take_outcome(self, body: bytes) -> tuple[bytes, str, bytes]:
        sourced_id, value, message = (one.search(body) for one in (_SOURCED_ID, _VALUE, _MESSAGE))
        assert sourced_id is not None
        assert value is not None
        assert message is not None
        self._take(sourced_id.group(1).decode(), Decimal(value.group(1).decode()) * MAXIMUM)
        return b"200 OK", "application/xml", _OUTCOME_TAKEN.replace(b"{message}", message.group(1))

    def _take(self, user: str, points: Decimal) -> None:
        self.held[user] = points.quantize(Decimal("0.01"))
        self.taken += 1


class _Connection(asyncio.Protocol):
    """One kept connection: whole requests, one after the other."""

    def __init__(self, gradebook: Gradebook) -> None:
        self._gradebook = gradebook
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found.group(1)) if found else 0
            if len(rest) < length:
                return
            self._received = rest[length:]
            path = head.split(b" ", 2)[1].decode()
            status, kind, body = self._gradebook.answer(path, head, rest[:length])
            lines = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nServer: benchmark\r\n\r\n"
            self._answer(b"HTTP/1.1 " + status + b"\r\n" + lines.encode() + body)

    def _answer(self, data: bytes) -> None:
        assert self._transport is not None
        if self._gradebook.delay_seconds:
            asyncio.get_running_loop().call_later(self._gradebook.delay_seconds, self._transport.write, data)
        else:
            self._transport.write(data)


_OUTCOME_TAKEN = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<imsx_POXEnvelopeResponse xmlns="http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"><imsx_POXHeader>'
    b"<imsx_POXResponseHeaderInfo><imsx_version>V1.0</imsx_version><imsx_messageIdentifier>1</imsx_messageIdentifier>"
    b"<imsx_statusInfo><imsx_codeMajor>success</imsx_codeMajor><imsx_severity>status</imsx_severity>"
    b"<imsx_description>taken</imsx_description><imsx_messageRefIdentifier>{message}</imsx_messageRefIdentifier>"
    b"<imsx_operationRefIdentifier>replaceResult</imsx_operationRefIdentifier></imsx_statusInfo>"
    b"</imsx_POXResponseHeaderInfo></imsx_POXHeader><imsx_POXBody><replaceResultResponse/></imsx_POXBody>"
    b"</imsx_POXEnvelopeResponse>"
)
