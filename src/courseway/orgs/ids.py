"""Ids that live in URLs: opaque, never reused, safe to say aloud and to put into a spreadsheet."""

from __future__ import annotations

import secrets

# No vowels (no words by accident), no look-alikes; 20 characters carry about 95 bits.
ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
LENGTH = 20
# Bytes from `_FAIR` on would make the first characters likelier than the last.
_FAIR = 256 - 256 % len(ALPHABET)
_UNFAIR = bytes(range(_FAIR, 256))
_CHARACTERS = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))


def new_id() -> str:
    found = b""
    while len(found) < LENGTH:
        found += secrets.token_bytes(LENGTH + 8).translate(_CHARACTERS, _UNFAIR)
    return found[:LENGTH].decode()
