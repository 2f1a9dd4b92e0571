"""Ids that live in URLs: opaque, never reused, safe to say aloud and to put into a spreadsheet."""

from __future__ import annotations

import secrets

# No vowels (no words by accident), no look-alikes; 20 characters carry about 95 bits.
ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
LENGTH = 20


def new_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
