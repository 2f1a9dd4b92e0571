"""The queue that carries hints to the workers. It may lose every one of them: the truth is in the outbox tables.

By default it needs nothing: a file in the data folder, or tables in the PostgreSQL that is there already. Nothing is
opened before the first use, so that importing this needs no database and a fork shares no connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from huey.api import Huey, PostgresHuey, SqliteHuey
from huey.storage import PostgresStorage, SqliteStorage

# Any number will do, as long as nothing else of ours locks the same one.
_MAKING_TABLES = 7_105_122


class LazySqliteStorage(SqliteStorage):  # type: ignore[misc]
    """Makes file and tables with the first connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, create_tables=False, **options)

    def _create_connection(self) -> Any:
        Path(self.filename).parent.mkdir(parents=True, exist_ok=True)
        connection = super()._create_connection()
        for statement in self.ddl:
            connection.execute(statement)
        return connection


class LazyPostgresStorage(PostgresStorage):  # type: ignore[misc]
    """Makes the tables with the first connection, one process at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._has_tables = False
        super().__init__(*args, create_tables=False, **options)

    def _connect(self) -> Any:
        connection = super()._connect()
        if not self._has_tables:
            self._make_tables(connection)
            self._has_tables = True
        return connection

    _create_connection = _connect

    def _make_tables(self, connection: Any) -> None:
        if connection.execute("SELECT to_regclass(%s)", [self.table_counter]).fetchone()[0] is not None:
            return
        connection.execute("SELECT pg_advisory_lock(%s)", [_MAKING_TABLES])
        try:
            for statement in self.ddl:
                connection.execute(statement)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_MAKING_TABLES])


class SqliteQueue(SqliteHuey):  # type: ignore[misc]
    storage_class = LazySqliteStorage

    def put_result(self, key: str, data: Any) -> None:
        """Kept nowhere: nobody asks what became of a hint, and the records would pile up."""


class PostgresQueue(PostgresHuey):  # type: ignore[misc]
    storage_class = LazyPostgresStorage

    def put_result(self, key: str, data: Any) -> None:
        """Kept nowhere, as above."""


def make_queue(name: str, **options: Any) -> Huey:
    """The queue of COURSEWAY_TASKS_URL, else beside the database. Called while settings are read: opens nothing."""
    url = settings.DATABASE_URL if settings.USES_CELERY or not settings.TASKS_URL else settings.TASKS_URL
    if url.startswith(("postgres://", "postgresql://")):
        return PostgresQueue(name, dsn=url, **options)
    return SqliteQueue(name, filename=str(settings.DATA_DIR / "tasks.sqlite3"), **options)
