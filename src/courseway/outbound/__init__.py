"""The only door to the network. Nothing else in the product opens a connection to another machine.

Addresses come from people and from LMSs, so each one may be a trap: the address is checked *after* its name was
resolved, and the connection is made to exactly the address that was checked. There are no redirects, no proxies and
no cookies; one deadline covers the whole exchange, however slowly the other side drips.
"""

from __future__ import annotations

import queue
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from django.conf import settings

from courseway.outbound.addresses import Target, parse_address
from courseway.outbound.connections import Exchange, door
from courseway.outbound.errors import AddressRefusedError, AnswerTooLargeError, NoAnswerError, OutboundError
from ltikit.http import Request, Response

__all__ = ["AddressRefusedError", "AnswerTooLargeError", "NoAnswerError", "OutboundError", "begin", "send"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BODYLESS = ("GET", "HEAD", "DELETE")
# The loop of connections ends every exchange at its deadline; whoever waits looks a little later by itself.
_GRACE_SECONDS = 10.0


def send(request: Request, *, deadline_seconds: float = 30.0, max_bytes: int = 1_000_000) -> Response:
    """The answer to `request`, whatever its status. Raises an `OutboundError` when there is none.

    Safe to call from any number of threads; connections are kept and shared within the process.
    """
    answers: queue.SimpleQueue[Response | OutboundError] = queue.SimpleQueue()
    begin(request, answers.put, deadline_seconds=deadline_seconds, max_bytes=max_bytes)
    try:
        answer = answers.get(timeout=deadline_seconds + _GRACE_SECONDS)
    except queue.Empty:
        raise NoAnswerError("the request was not ended in time", may_have_arrived=True) from None
    if isinstance(answer, OutboundError):
        raise answer
    return answer


def begin(
    request: Request,
    done: Callable[[Response | OutboundError], None],
    *,
    deadline_seconds: float = 30.0,
    max_bytes: int = 1_000_000,
) -> None:
    """The same without waiting: `done` is called once, with the answer or the error.

    Mostly in the thread that turns the loop of all connections, so it must be quick, and must not wait for anything.
    """
    try:
        target = parse_address(request.url)
        data = _write_head(request, target) + request.body
    except OutboundError as error:
        done(error)
        return
    has_body = request.method != "HEAD"
    door().begin(Exchange(target, data, has_body, max_bytes, deadline_seconds, done))


def _write_head(request: Request, target: Target) -> bytes:
    headers = {"Host": target.host_header, "User-Agent": _user_agent(), "Accept": "*/*", **request.headers}
    headers["Accept-Encoding"] = "identity"
    if request.body or request.method not in _BODYLESS:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target.path} HTTP/1.1"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise AddressRefusedError(f"{target.host} was not asked: a header of the request cannot be sent")
        lines.append(f"{name}: {value}")
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        raise AddressRefusedError(f"{target.host} was not asked: a header of the request cannot be sent") from None


@lru_cache(maxsize=4)
def _user_agent_for(public_url: str) -> str:
    try:
        number = version("courseway")
    except PackageNotFoundError:
        number = "0"
    return f"Courseway/{number} (+{public_url})"


def _user_agent() -> str:
    return _user_agent_for(settings.PUBLIC_URL)
