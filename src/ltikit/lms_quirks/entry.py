"""The shape of one quirk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirk:
    """One thing in which an LMS differs from what the specifications let a tool's author expect.

    `number` is stable: code, tests and documents name it. `does` says what the LMS does, `source` where that was seen.
    `handling` says how this library and the tool built on it deal with it; tests that name the number show that they
    do. `harmless` is given instead of tests where the quirk cannot touch us, and says why.
    """

    number: str
    does: str
    source: str
    handling: str = ""
    harmless: str = ""
