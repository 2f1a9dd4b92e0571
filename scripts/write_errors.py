"""Writes docs/ltikit/errors.md from `ltikit.errors`. `make quirks` runs it too."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "ltikit" / "errors.md"
HEAD = """# Errors

Every refusal is a subclass of `ltikit.LtiError`. `code` never changes: logs and other programs count on it. `status` is
the HTTP status to answer with, `hint` tells the person who can mend it what to do, `detail` is for the log and holds no
secret; `return_url` is the way back to the LMS, set only when the message was correctly signed. This page is written
from the code by `make quirks`.
"""


def list_errors() -> list[type]:
    """Every error class, each after the one that it is a kind of."""
    from ltikit.errors import LtiError

    found: list[type] = []

    def add(kind: type) -> None:
        for one in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
            if one.__module__ == "ltikit.errors":
                found.append(one)
                add(one)

    add(LtiError)
    return found


def write_page() -> str:
    """The whole page."""
    lines = [HEAD, "| code | status | class | kind of | hint |", "|---|---|---|---|---|"]
    for kind in list_errors():
        row = (f"`{kind.code}`", str(kind.status), f"`{kind.__name__}`", f"`{kind.__base__.__name__}`", kind.hint)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    PAGE.write_text(write_page())
