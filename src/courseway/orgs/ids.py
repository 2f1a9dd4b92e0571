"""Ids that live in URLs: opaque, never reused, safe to say aloud and to put into a spreadsheet."""

from __future__ import annotations

import secrets

# No vowels (no words by accident), no look-alikes; 20 characters carry about 95 bits.
ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
LENGTH = 20
_FAIR = 256 - 256 % len(ALPHABET)


def new_id() -> str:
    found = ""
    while len(found) < LENGTH:
        # Bytes from `_FAIR` on would make the first characters likelier than the last.
        found += "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(LENGTH + 4) if byte < _FAIR)
    return found[:LENGTH]
