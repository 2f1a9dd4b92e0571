"""Why a key or a registration cannot be stored; the text is meant for the person who typed the values."""

from __future__ import annotations


class IntegrationError(Exception):
    """`field` names the value that has to change, "" if it is no single one."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
