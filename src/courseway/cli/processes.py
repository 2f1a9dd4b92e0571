"""serve, worker, migrate, check."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CRITICAL, DEBUG, ERROR, INFO, WARNING, CheckMessage, run_checks
from django.core.checks import Error as CheckError
from django.core.checks import Info as CheckInfo
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from courseway.cli.answers import Answer, RefusedError, draw_table
from courseway.cli.ports import refuse_busy_port
from courseway.cli.start import refuse_unmigrated
from courseway.database_clock import DatabaseClock
from courseway.loading import loading_modules

# Verifying a launch is work for the processor, so one process for each core is right, up to a point.
MOST_WEB_PROCESSES = 4
_LEVELS = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error", CRITICAL: "critical"}


def serve(wish: Namespace) -> int:
    from courseway.supervise import supervise

    refuse_unmigrated()
    refuse_busy_port(wish.host, wish.port, flag="--port")
    collect_static_files()
    processes = wish.workers or min(MOST_WEB_PROCESSES, os.cpu_count() or 1)
    parts = "the web alone" if wish.no_worker else "web and worker"
    # On stderr, as a log line would be; stdout stays empty.
    sys.stderr.write(f"courseway: {parts} on {wish.host}:{wish.port}, for {settings.PUBLIC_URL}\n")
    sys.stderr.flush()
    return supervise(host=wish.host, port=wish.port, workers=processes, with_worker=not wish.no_worker)


def work() -> int:
    with loading_modules():
        from courseway.worker import run_worker

    refuse_unmigrated()
    return run_worker()


def migrate() -> Answer:
    if settings.USES_SQLITE:
        Path(settings.DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", interactive=False, verbosity=0)
    applied = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    text = f"The database is migrated: {len(applied)} steps." if applied else "The database was migrated already."
    return Answer({"applied": applied}, text)


def prune() -> Answer:
    from courseway.retention import clear_old_rows

    removed = clear_old_rows(now=DatabaseClock()())
    kinds = [(kind.replace("_", " "), count) for kind, count in removed.items() if count]
    return Answer(removed, draw_table(("deleted", "rows"), kinds, empty="Nothing is older than it is kept."))


def check() -> Answer:
    """Wrong settings, and whether the database answers. Information alone does not make it fail."""
    with loading_modules():  # the pages, to look at their addresses
        found = run_checks()
    if not any(problem.id in ("courseway.E003", "courseway.E004") for problem in found):
        found += _check_connection()
    found = sorted(found, key=lambda problem: -problem.level)
    is_ok = all(problem.level < WARNING for problem in found)
    lines = [_explain(problem) for problem in found]
    lines.append("All settings are right." if is_ok else "Settings are to be mended.")
    document = {"ok": is_ok, "problems": [_encode(problem) for problem in found]}
    return Answer(document, "\n".join(lines), status=0 if is_ok else 1)


def _check_connection() -> list[CheckMessage]:
    try:
        executor = MigrationExecutor(connection)
        is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception as error:
        # Whatever the driver raises, an operator has to read why.
        hint = "Is COURSEWAY_DATABASE_URL right, and is the server running?"
        return [CheckError(f"The database does not answer: {_shorten(error)}", hint=hint, id="courseway.E020")]
    if is_migrated:
        return []
    return [
        CheckInfo("The database is not migrated to this version.", hint="Run `courseway migrate`.", id="courseway.I020")
    ]


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _explain(problem: CheckMessage) -> str:
    hint = f" {problem.hint}" if problem.hint else ""
    return f"{_LEVELS.get(problem.level, 'error'):8} {problem.id}  {problem.msg}{hint}"


def _encode(problem: CheckMessage) -> dict[str, Any]:
    level = _LEVELS.get(problem.level, "error")
    return {"id": problem.id, "level": level, "message": str(problem.msg), "hint": str(problem.hint or "")}


def collect_static_files() -> None:
    """Copies styles and scripts into the data folder under names that carry their hash, for long caching.

    The settings chose the plain storage if this was never done; the processes started later choose the hashed one.
    """
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        raise RefusedError(f"{error.filename or settings.STATIC_ROOT} cannot be written: {error.strerror}.") from None
