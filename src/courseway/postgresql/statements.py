"""Statements that are always written the same, on either database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


def run_kept(sql: str, parameters: Sequence[int | str | datetime]) -> list[Any]:
    """The rows of a statement that is always written the same, with `%s` for its parameters: by the shortest way that
    the database has."""
    connection: Any = connections[DEFAULT_DB_ALIAS]
    rows: list[Any] | None = connection.run_prepared(sql, parameters) if connection.vendor == "postgresql" else None
    if rows is not None:
        return rows
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
