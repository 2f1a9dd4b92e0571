"""Django's PostgreSQL backend with two shorter ways: a cheaper look at whether a kept connection still lives, and
statements that go straight to the server.

Django asks the server with a statement at the beginning of each request. A connection that the server closed, because
it was restarted say, shows that on this side: something is to be read though nothing was asked. Only a connection that
was quiet for long may have been lost unseen on the way, and is asked as before.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg import pq
from psycopg.adapt import Transformer

QUIET_SECONDS = 20.0
# What PostgreSQL is told of a parameter's type (bool is a kind of int); it finds out what a text stands for.
_TYPES = ((bool, 16), (int, 20), (datetime, 1184), (str, 0))


class DatabaseWrapper(base.DatabaseWrapper):
    health_check_enabled: bool
    health_check_done: bool
    asked_at = float("-inf")
    _prepared_for: Any = None
    _prepared: dict[str, tuple[bytes, Any]]
    _prepared_count = 0

    def run_prepared(self, sql: str, parameters: Sequence[int | str | bool | datetime]) -> list[Any] | None:
        """The rows of a statement of our own that comes again and again, with `%s` for its parameters.

        None where only the ordinary way will do: within a transaction, while somebody counts or watches statements,
        behind a pooler that keeps no plans, for values that cannot be sent so, and after any error, which the
        ordinary way then reports. Django and psycopg take three hundred calls for a statement, this takes twenty.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        raw: Any = self.connection
        pgconn = raw.pgconn
        is_watched = self.queries_logged or self.execute_wrappers
        is_in_transaction = self.in_atomic_block or not self.autocommit
        if is_watched or is_in_transaction or raw.prepare_threshold is None:
            return None
        try:
            values = [_encode(one) for one in parameters]
        except ValueError:
            return None
        if self._prepared_for is not raw:
            self._prepared_for, self._prepared = raw, {}
        try:
            name, transformer = self._prepared.get(sql) or self._prepare(raw, sql, parameters)
            result = pgconn.exec_prepared(name, values)
            if result.status != pq.ExecStatus.TUPLES_OK:
                self._prepared.pop(sql)  # it may have been made for a table that has changed
                return None
        except psycopg.Error:
            return None
        transformer.set_pgresult(result)
        rows: list[Any] = transformer.load_rows(0, result.ntuples, tuple)
        return rows

    def _prepare(self, raw: Any, sql: str, parameters: Sequence[Any]) -> tuple[bytes, Any]:
        first, *rest = (part.replace("%%", "%") for part in sql.split("%s"))
        numbered = first + "".join(f"${number}{part}" for number, part in enumerate(rest, start=1))
        self._prepared_count += 1
        name = b"courseway_%d" % self._prepared_count
        result = raw.pgconn.prepare(name, numbered.encode(), [_type_of(one) for one in parameters])
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.DatabaseError("the statement cannot be prepared")
        self._prepared[sql] = name, Transformer(raw)
        return self._prepared[sql]

    def close_if_unusable_or_obsolete(self) -> None:
        """Django's look at the beginning of a request, shorter where nothing happened."""
        is_at_rest = self.autocommit and not self.in_atomic_block and not self.errors_occurred
        if is_at_rest and self.close_at is not None and time.monotonic() < self.close_at:
            self.health_check_done = False
        else:
            super().close_if_unusable_or_obsolete()

    def close_if_health_check_failed(self) -> None:
        if self.connection is None or not self.health_check_enabled or self.health_check_done:
            return
        now = time.monotonic()
        is_fresh, self.asked_at = now - self.asked_at < QUIET_SECONDS, now
        if is_fresh and not _has_something_to_read(self.connection.fileno()):
            self.health_check_done = True
            return
        super().close_if_health_check_failed()


def _type_of(value: Any) -> int:
    return next(number for kind, number in _TYPES if isinstance(value, kind))


def _encode(value: int | str | bool | datetime) -> bytes:
    """A parameter as PostgreSQL reads it. Raises ValueError for what it cannot take."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("PostgreSQL knows no text with NUL")
        return value.encode()  # a UnicodeEncodeError is a ValueError
    return (value.isoformat() if isinstance(value, datetime) else str(value)).encode()


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
