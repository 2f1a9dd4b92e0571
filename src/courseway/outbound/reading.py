"""One answer, as its bytes arrive: a status, headers, and a body of limited size."""

from __future__ import annotations

import zlib

import httptools

from courseway.outbound.errors import AnswerTooLargeError
from ltikit.http import Response

MAX_HEAD_BYTES = 100_000


class BrokenAnswerError(Exception):
    """This is no HTTP, or it ended in the middle; the text says how, in few words."""


class Reading:
    """Feed it what arrives until `is_complete`. A new one for each answer."""

    def __init__(self, *, host: str, has_body: bool, max_bytes: int) -> None:
        self.is_complete = False
        self.keeps_connection = False
        self._host, self._has_body, self._max_bytes = host, has_body, max_bytes
        self._parser = httptools.HttpResponseParser(self)
        # As lenient as others are with old servers, where nothing can be smuggled: surplus bytes end the connection.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._status = self._head_bytes = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._has_head = False

    def feed(self, data: bytes) -> None:
        """Raises BrokenAnswerError or AnswerTooLargeError."""
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.is_complete:
                raise BrokenAnswerError(type(error).__name__) from None
            self.keeps_connection = False  # what came after the answer is none
        if len(self._body) > self._max_bytes:
            raise self._too_large()
        if not self._has_head and self._head_bytes > MAX_HEAD_BYTES:
            raise BrokenAnswerError("endless header")

    def end(self) -> None:
        """The connection ended: so does an answer that was given no other end."""
        is_framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        self.is_complete = self.is_complete or (self._has_head and not is_framed)
        self.keeps_connection = False

    def response(self) -> Response:
        """The whole answer. Raises BrokenAnswerError or AnswerTooLargeError."""
        try:
            return Response(status=self._status, headers=self._headers, body=self._unpack())
        except zlib.error:
            raise BrokenAnswerError("not packed as it says") from None

    def _unpack(self) -> bytes:
        """The body, unpacked if the server packed it although it was asked not to; within the limit either way."""
        if self._headers.get("content-encoding", "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
            return bytes(self._body)
        unpacked = zlib.decompressobj(wbits=47).decompress(bytes(self._body), self._max_bytes + 1)
        if len(unpacked) > self._max_bytes:
            raise self._too_large()
        return unpacked

    def _too_large(self) -> AnswerTooLargeError:
        detail = f"the answer of {self._host} is larger than {self._max_bytes} bytes"
        return AnswerTooLargeError(detail, may_have_arrived=True)

    # From the parser, which goes on with the next answer once one is complete

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.keeps_connection = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_complete:
            self._headers[name.decode("ascii").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        self._status = self._parser.get_status_code()
        if self._status < 200:
            self._headers = {}  # "continue" and the like: the answer follows
            return
        self._has_head = True
        self.keeps_connection = self._has_body and self._parser.should_keep_alive()
        self.is_complete = not self._has_body

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._body += body

    def on_message_complete(self) -> None:
        self.is_complete = self._has_head
