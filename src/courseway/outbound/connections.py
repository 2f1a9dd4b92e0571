"""Requests under way: one thread of this process turns a loop over all connections, however many wait for an answer.

Each request has one deadline for everything: its name, its connection, its answer to the last byte. Connections are
kept for the next request to the same place, and belong to one process: after a fork the child has none.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from courseway.outbound.addresses import Target, find_allowed
from courseway.outbound.errors import AnswerTooLargeError, NoAnswerError, OutboundError
from courseway.outbound.reading import BrokenAnswerError, Reading
from ltikit.http import Response

MAX_CONNECTIONS = 512
KEEP_ALIVE_SECONDS = 15.0
CONNECT_SECONDS = 10.0

Answer = Response | OutboundError


@dataclass(eq=False, slots=True)
class Exchange:
    """One request and whoever waits for its end. `done` is called once, in the thread of the loop."""

    target: Target
    data: bytes  # as it goes on the wire
    has_body: bool  # the answer has one: not that to HEAD
    max_bytes: int
    deadline_seconds: float
    done: Callable[[Answer], None]
    deadline_at: float = field(init=False)
    has_written: bool = False
    is_over: bool = False
    timer: asyncio.TimerHandle | None = None
    line: _Line | None = None
    connecting: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.deadline_at = time.monotonic() + self.deadline_seconds

    def end(self, answer: Answer) -> None:
        """Tell, once."""
        if self.is_over:
            return
        self.is_over = True
        self.line = None
        if self.timer is not None:
            self.timer.cancel()
        self.done(answer)

    def expire(self) -> None:
        """The deadline has come."""
        line, connecting = self.line, self.connecting
        detail = f"{self.target.host} gave no answer within {self.deadline_seconds:g} seconds"
        self.end(NoAnswerError(detail, may_have_arrived=self.has_written))
        if line is not None:
            line.close()
        if connecting is not None:
            connecting.cancel()

    def break_off(self, how: str) -> None:
        detail = f"{self.target.host} broke off or did not speak HTTP ({how})"
        self.end(NoAnswerError(detail, may_have_arrived=self.has_written))


class _Line(asyncio.Protocol):
    """One connection: an exchange, the next one, or none for a while."""

    def __init__(self, door: Door, target: Target) -> None:
        self._door = door
        self.target = target
        self.kept_until = 0.0
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._reading: Reading | None = None

    @property
    def is_usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, exchange: Exchange) -> None:
        assert self._transport is not None  # noqa: S101 - who calls it has connected
        host = exchange.target.host
        self._reading = Reading(host=host, has_body=exchange.has_body, max_bytes=exchange.max_bytes)
        self._exchange = exchange
        exchange.line = self
        exchange.has_written = True
        self._transport.write(exchange.data)

    def close(self) -> None:
        self._exchange = self._reading = None
        if self._transport is not None:
            self._transport.abort()

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._exchange is None or self._reading is None:
            self.close()  # nobody asked
            return
        try:
            self._reading.feed(data)
            if self._reading.is_complete:
                self._end_exchange(self._exchange, self._reading)
        except (AnswerTooLargeError, BrokenAnswerError) as error:
            self._break_off(self._exchange, error)

    def eof_received(self) -> None:
        if self._exchange is None or self._reading is None:
            return
        self._reading.end()
        try:
            if self._reading.is_complete:
                self._end_exchange(self._exchange, self._reading)
        except (AnswerTooLargeError, BrokenAnswerError) as error:
            self._break_off(self._exchange, error)

    def connection_lost(self, error: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.break_off(type(error).__name__ if error else "closed early")
        self._door.forget(self)

    def _end_exchange(self, exchange: Exchange, reading: Reading) -> None:
        answer = reading.response()
        self._exchange = self._reading = None
        if reading.keeps_connection and self.is_usable:
            self._door.release(self)
        else:
            self.close()
        exchange.end(answer)

    def _break_off(self, exchange: Exchange | None, error: Exception) -> None:
        self.close()
        if exchange is None:
            return
        if isinstance(error, OutboundError):
            exchange.end(error)
        else:
            exchange.break_off(str(error))


def _explain(error: Exception) -> str:
    """Why there was no connection, in words that tell nothing about the inside of our network."""
    text = str(error)
    certificate = re.search(r"certificate verify failed: ([\w\s,.'-]+)", text)
    if certificate:
        return f"its certificate was not accepted ({certificate.group(1).strip()})"
    if isinstance(error, ssl.SSLError) or "SSL" in text:
        return "no secure connection could be made"
    return "refused, or the host is not there"


class Door:
    """All connections of this process. Everything but `begin` and `close` happens in the thread of the loop."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._ssl = httpx2.create_ssl_context(trust_env=False)
        self._idle: defaultdict[tuple[bool, str, int], list[_Line]] = defaultdict(list)
        self._lines: set[_Line] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._without_line: deque[Exchange] = deque()  # there are too many connections
        self._told: deque[Exchange] = deque()
        self._is_told = False
        self._sweep: asyncio.TimerHandle | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="outbound", daemon=True)
        self._thread.start()

    def begin(self, exchange: Exchange) -> None:
        """May be called from any thread."""
        self._told.append(exchange)
        if not self._is_told:  # else the loop has not looked since, and finds this one too
            self._is_told = True
            self._loop.call_soon_threadsafe(self._begin_told)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2.0)

    def count_lines(self, port: int) -> int:
        """How many connections are open to a port."""
        return sum(1 for line in list(self._lines) if line.target.port == port)

    def _run(self) -> None:
        self._loop.run_forever()
        for line in list(self._lines):
            line.close()
        for task in self._connecting:
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _begin_told(self) -> None:
        self._is_told = False
        while self._told:
            exchange = self._told.popleft()
            exchange.timer = self._loop.call_at(exchange.deadline_at, exchange.expire)
            self._give_line(exchange)

    def _give_line(self, exchange: Exchange) -> None:
        kept = self._idle.get(exchange.target.place, [])
        while kept:
            line = kept.pop()
            if line.is_usable and line.kept_until > time.monotonic():
                line.send(exchange)
                return
            line.close()
        if len(self._lines) + len(self._connecting) >= MAX_CONNECTIONS:
            self._without_line.append(exchange)
            self._close_an_idle_line()
            return
        exchange.connecting = self._loop.create_task(self._connect(exchange))
        self._connecting.add(exchange.connecting)
        exchange.connecting.add_done_callback(self._end_connecting)

    def _end_connecting(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        self._serve_waiting()

    async def _connect(self, exchange: Exchange) -> None:
        host = exchange.target.host
        try:
            line = await self._open_line(exchange)
        except OutboundError as error:
            exchange.end(error)
        except TimeoutError:
            exchange.expire()
        except (OSError, ssl.SSLError) as error:
            exchange.end(NoAnswerError(f"no connection to {host}: {_explain(error)}"))
        else:
            exchange.connecting = None
            if exchange.is_over:
                self.release(line)
            else:
                line.send(exchange)

    async def _open_line(self, exchange: Exchange) -> _Line:
        """A connection to one of the addresses that were checked, and to no others."""
        target = exchange.target
        addresses = await find_allowed(target)
        for position, address in enumerate(addresses, start=1):
            left = exchange.deadline_at - time.monotonic()
            seconds = min(CONNECT_SECONDS, left / (len(addresses) + 1 - position))
            try:
                async with asyncio.timeout(seconds):
                    _, line = await self._loop.create_connection(
                        lambda: _Line(self, target),
                        str(address),
                        target.port,
                        ssl=None if target.is_plain else self._ssl,
                        server_hostname=None if target.is_plain else target.host,
                    )
            except OSError as error:  # TimeoutError and SSLError are some of them
                if position == len(addresses) or isinstance(error, ssl.SSLError):
                    raise
            else:
                self._lines.add(line)
                return line
        raise AssertionError("unreachable: the last address raises or returns")

    def release(self, line: _Line) -> None:
        """The line has nothing to do: it is kept for the next exchange, or makes room for one that waits."""
        if self._without_line:
            exchange = self._next_waiting()
            if exchange is not None and exchange.target.place == line.target.place:
                line.send(exchange)
            else:
                if exchange is not None:
                    self._without_line.appendleft(exchange)
                line.close()
            return
        line.kept_until = time.monotonic() + KEEP_ALIVE_SECONDS
        self._idle[line.target.place].append(line)
        if self._sweep is None:
            self._sweep = self._loop.call_later(KEEP_ALIVE_SECONDS, self._close_old_lines)

    def forget(self, line: _Line) -> None:
        """The connection is closed."""
        self._lines.discard(line)
        kept = self._idle.get(line.target.place)
        if kept is not None and line in kept:
            kept.remove(line)
        if kept is not None and not kept:
            del self._idle[line.target.place]
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        if self._without_line and len(self._lines) + len(self._connecting) < MAX_CONNECTIONS:
            exchange = self._next_waiting()
            if exchange is not None:
                self._give_line(exchange)

    def _next_waiting(self) -> Exchange | None:
        while self._without_line:
            exchange = self._without_line.popleft()
            if not exchange.is_over:
                return exchange
        return None

    def _close_an_idle_line(self) -> None:
        for kept in self._idle.values():
            if kept:
                kept.pop().close()
                return

    def _close_old_lines(self) -> None:
        self._sweep = None
        now = time.monotonic()
        kept = [line for lines in self._idle.values() for line in lines]
        for line in kept:
            if line.kept_until <= now:
                line.close()
        if kept:
            self._sweep = self._loop.call_later(KEEP_ALIVE_SECONDS / 3, self._close_old_lines)


_making = threading.Lock()
_door: Door | None = None


def door() -> Door:
    """The door of this process, made on first need."""
    global _door
    current = _door
    if current is not None and current.process == os.getpid():
        return current
    with _making:
        if _door is None or _door.process != os.getpid():
            _door = Door()
        return _door


def _close_door() -> None:
    if _door is not None and _door.process == os.getpid():
        _door.close()


atexit.register(_close_door)

if hasattr(os, "register_at_fork"):  # a lock held by another thread at the fork would never be released in the child

    def _forget_door() -> None:
        global _making, _door
        _making = threading.Lock()
        _door = None

    os.register_at_fork(after_in_child=_forget_door)
