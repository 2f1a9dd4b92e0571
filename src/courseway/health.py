"""Is the process up, and can it do its work? Answered before anything else, whatever the Host."""

from __future__ import annotations

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

READY = "ready"
UNREACHABLE = "The database does not answer."
UNMIGRATED = "Run `courseway migrate`."


def read_readiness() -> str:
    """`READY`, or what stands in the way: a database that does not answer or is not migrated."""
    try:
        executor = MigrationExecutor(connection)
        is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception:
        # Whatever the driver raises, the answer is the same: not ready.
        return UNREACHABLE
    finally:
        connection.close_if_unusable_or_obsolete()
    return READY if is_migrated else UNMIGRATED
