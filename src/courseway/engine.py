"""The queue that carries hints to the workers. It may lose every one of them: the truth is in the outbox tables.

By default it needs nothing: SQLite beside the database, or the PostgreSQL that is there already.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from huey import PostgresHuey, SqliteHuey
from huey.api import Huey


def make_queue(name: str, **options: Any) -> Huey:
    url = settings.TASKS_URL or settings.DATABASE_URL
    if url.startswith(("postgres://", "postgresql://")):
        return PostgresHuey(name, dsn=url, **options)
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    return SqliteHuey(name, filename=str(settings.DATA_DIR / "tasks.sqlite3"), **options)
