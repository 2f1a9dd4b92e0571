"""Text as every document can hold it: XML 1.0 refuses control characters, JSON and databases lone surrogates."""

from __future__ import annotations

import re
from typing import Final

MAX_TITLE: Final = 255
"""Characters of a title: Moodle's and Canvas's columns hold no more."""

# Everything outside of Char in XML 1.0 §2.2.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BLANKS = re.compile(r"\s+")


def clean_text(text: str) -> str:
    """`text` without the characters that XML 1.0 cannot hold; tabs and line breaks stay."""
    return _ILLEGAL.sub("", text)


def replace_illegal(text: str) -> str:
    """`text` with U+FFFD in place of each character that XML 1.0 cannot hold."""
    return _ILLEGAL.sub("\ufffd", text)


def clean_title(title: str, *, fallback: str = "Untitled") -> str:
    """A title on one line, blanks joined, at most `MAX_TITLE` characters; `fallback` if nothing is left."""
    line = _BLANKS.sub(" ", clean_text(title)).strip()
    if len(line) > MAX_TITLE:
        line = f"{line[: MAX_TITLE - 1].rstrip()}…"
    return line or fallback
