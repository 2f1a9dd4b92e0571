"""Complete launches, as a browser makes them: each request waits for the answer before it, cookies go with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks.platform import CLIENT_ID, DEPLOYMENT, Platform, Visit, sign_v11
from benchmarks.processes import busy_seconds, cpu_seconds

# A wave's launches are signed together, before it; some tools refuse what was signed ten seconds ago.
FIRST_WAVE, LARGEST_WAVE, WAVE_SECONDS = 50, 200, 1.5


@dataclass(frozen=True)
class Tool:
    """Where a tool answers and what it is told. `base` is the address it believes in, which a proxy would give it."""

    name: str
    version: str
    port: int
    base: str
    login_path: str
    targets: tuple[str, ...]  # one address for each link; the launch goes there by LTI 1.1
    launch_path: str
    root: int  # the process whose tree is counted
    database_root: int
    shown: Callable[[Visit], bytes]  # what stands on the page on which this person lands
    key: str = ""
    secret: str = ""
    login_again: str = ""  # what the script of a page before the login adds to the address, which then is asked again

    def target_of(self, visit: Visit) -> str:
        return self.targets[visit.link_number % len(self.targets)]


@dataclass
class Measured:
    """What a stretch of launches took. Seconds and CPU are those of the timed windows alone."""

    seconds: float = 0.0
    tool_cpu: float = 0.0
    database_cpu: float = 0.0
    other_cpu: float = 0.0  # of the whole machine, the driver's included
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for one, value in self.headers if one == name), "")


class WrongAnswerError(Exception):
    """A launch did not end where it has to. The whole run fails: a rate of refusals would say nothing."""


class _Connection:
    """One connection that is kept open, as a browser or a proxy keeps it."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._host = urlsplit(tool.base).netloc
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, *, cookies: dict[str, str], form: dict[str, str] | None = None) -> _Answer:
        body = urlencode(form).encode() if form is not None else b""
        lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", f"Host: {self._host}", "Accept: text/html"]
        if cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
        if form is not None:
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append(f"Content-Length: {len(body)}")
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._tool.port, limit=1 << 20)
        assert self._reader is not None
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return self._take_cookies(await self._read(self._reader), cookies)

    async def _read(self, reader: asyncio.StreamReader) -> _Answer:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        answer = _Answer(int(first.split(" ", 2)[1]), headers, b"")
        if answer.header("transfer-encoding") == "chunked":
            body = await self._read_chunks(reader)
        else:
            body = await reader.readexactly(int(answer.header("content-length") or 0))
        if answer.header("connection").lower() == "close":
            self.close()
        return _Answer(answer.status, headers, body)

    @staticmethod
    async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body

    @staticmethod
    def _take_cookies(answer: _Answer, cookies: dict[str, str]) -> _Answer:
        for name, value in answer.headers:
            if name == "set-cookie":
                key, _, content = value.partition(";")[0].partition("=")
                cookies[key] = content
        return answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


@dataclass
class _Attempt:
    """A launch on its way."""

    visit: Visit
    cookies: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    state: str = ""
    nonce: str = ""
    seconds: float = 0.0


class Driver:
    """Launches of one tool. Each wave signs on the way, outside the clock, as the LMS's own server would."""

    def __init__(self, tool: Tool, platform: Platform, *, people: int) -> None:
        self._tool, self._platform, self._people = tool, platform, people
        self._next = 0

    def run(self, *, at_once: int, seconds: float = 0.0, launches: int = 0) -> Measured:
        """Launches until that many timed seconds, or that many launches, are over."""
        return asyncio.run(self._run(at_once, seconds, launches))

    async def _run(self, at_once: int, seconds: float, launches: int) -> Measured:
        measured = Measured()
        connections = [_Connection(self._tool) for _ in range(at_once)]
        try:
            while measured.seconds < seconds or len(measured.latencies) < launches:
                size = self._size_of_wave(measured, at_once)
                wave = [_Attempt(self._take()) for _ in range(min(size, launches or size))]
                if self._tool.version == "1.3":
                    await self._timed(measured, connections, wave, self._log_in)
                self._sign(wave)
                await self._timed(measured, connections, wave, self._launch)
                measured.latencies += [attempt.seconds for attempt in wave]
        finally:
            for connection in connections:
                connection.close()
        return measured

    @staticmethod
    def _size_of_wave(measured: Measured, at_once: int) -> int:
        """As many launches as the tool takes in a short while, and enough for all connections."""
        if not measured.latencies:
            return FIRST_WAVE
        rate = len(measured.latencies) / measured.seconds
        return max(2 * at_once, min(LARGEST_WAVE, int(rate * WAVE_SECONDS)))

    def _take(self) -> Visit:
        self._next += 1
        return Visit(self._next % self._people)

    def _sign(self, wave: Iterable[_Attempt]) -> None:
        tool = self._tool
        for attempt in wave:
            target = tool.target_of(attempt.visit)
            if tool.version == "1.3":
                token = self._platform.sign_v13(attempt.visit, target=target, nonce=attempt.nonce)
                attempt.form = {"id_token": token, "state": attempt.state}
            else:
                attempt.form = sign_v11(attempt.visit, url=target, key=tool.key, secret=tool.secret)

    async def _timed(
        self,
        measured: Measured,
        connections: list[_Connection],
        wave: list[_Attempt],
        step: Callable[[_Connection, _Attempt], Awaitable[None]],
    ) -> None:
        waiting = iter(wave)

        async def work(connection: _Connection) -> None:
            for attempt in waiting:
                began = time.perf_counter()
                await step(connection, attempt)
                attempt.seconds += time.perf_counter() - began

        tool = self._tool
        before = (cpu_seconds(tool.root), cpu_seconds(tool.database_root), busy_seconds())
        began = time.perf_counter()
        await asyncio.gather(*(work(connection) for connection in connections))
        measured.seconds += time.perf_counter() - began
        after = (cpu_seconds(tool.root), cpu_seconds(tool.database_root), busy_seconds())
        tool_cpu, database_cpu, busy = (new - old for new, old in zip(after, before, strict=True))
        measured.tool_cpu += tool_cpu
        measured.database_cpu += database_cpu
        measured.other_cpu += busy - tool_cpu - database_cpu

    async def _log_in(self, connection: _Connection, attempt: _Attempt) -> None:
        tool, visit = self._tool, attempt.visit
        query = {
            "iss": self._platform.issuer,
            "login_hint": visit.user,
            "target_link_uri": tool.target_of(visit),
            "lti_message_hint": visit.link,
            "client_id": CLIENT_ID,
            "lti_deployment_id": DEPLOYMENT,
        }
        login = f"{tool.login_path}?{urlencode(query)}"
        answer = await connection.ask(login, cookies=attempt.cookies)
        if tool.login_again and answer.status == 200:
            answer = await connection.ask(f"{login}&{tool.login_again}", cookies=attempt.cookies)
        address = answer.header("location")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        if answer.status not in (302, 303) or asked.get("login_hint") != visit.user:
            raise WrongAnswerError(f"{tool.name}: login answered {answer.status} {answer.body[:500]!r}")
        attempt.state, attempt.nonce = asked["state"], asked["nonce"]

    async def _launch(self, connection: _Connection, attempt: _Attempt) -> None:
        tool = self._tool
        path = tool.launch_path or urlsplit(tool.target_of(attempt.visit)).path
        answer = await connection.ask(path, cookies=attempt.cookies, form=attempt.form)
        if answer.status not in (302, 303):
            raise WrongAnswerError(f"{tool.name}: launch answered {answer.status} {answer.body[:500]!r}")
        page = urlsplit(answer.header("location"))
        landing = page.path + (f"?{page.query}" if page.query else "")
        answer = await connection.ask(landing, cookies=attempt.cookies)
        if answer.status != 200 or tool.shown(attempt.visit) not in answer.body:
            raise WrongAnswerError(f"{tool.name}: {landing} answered {answer.status} {answer.body[:500]!r}")
