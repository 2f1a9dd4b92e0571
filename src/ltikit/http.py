"""Requests and responses as plain data: ltikit builds the one and reads the other, the caller does the sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to be sent.

    `url` is absolute; `headers` are complete (Content-Type, Accept, Authorization);
    `body` is the exact bytes to send, since signatures cover them.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer as received: `headers` with lower-case names, `body` undecoded."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """True for any 2xx status; says nothing about the body (Basic Outcomes fail with 200)."""
        return 200 <= self.status < 300
