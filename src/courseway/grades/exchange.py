"""What a delivery and whoever sends for it say to each other.

A delivery is a generator: it yields what it needs and is given the answer. So it reads like a story, while all its
statements run in one thread and only its requests wait in others.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ltikit.http import Request, Response

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this request; the answer comes back, or an OutboundError is raised."""

    request: Request
    max_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Turn:
    """Wait until no other delivery of this process holds `key`, then hold it until `Release` or the end."""

    key: tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Release:
    """Let the next one have its turn at `key`."""

    key: tuple[str, int, str]


Steps: TypeAlias = Generator[Ask | Turn | Release, Response, Result]


def ask(request: Request, *, max_bytes: int = 1_000_000) -> Steps[Response]:
    return (yield Ask(request, max_bytes))


class DeliveryError(Exception):
    """A delivery cannot be made, for a reason on our side. `code` is one of retry.RULES."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


class PostponedError(Exception):
    """Nothing was sent; try again in `seconds`. Not counted as a try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"postponed for {seconds:g} seconds")
        self.seconds = seconds
