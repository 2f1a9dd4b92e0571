"""E-mail addresses as they are compared: without case, the same on every database."""

from __future__ import annotations

FOLDED_LENGTH = 765  # folding may make three characters of one


def fold_email(email: str) -> str:
    return email.strip().casefold()
