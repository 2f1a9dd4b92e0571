"""Before a command runs, and when it cannot: settings that are wrong, a database that is not there or not migrated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from courseway.cli.answers import RefusedError
from courseway.loading import loading_modules

# What SQLite and PostgreSQL say about a table or a column that a migration would have made.
_MISSING_ROWS = ("no such table", "no such column", "has no column named")
_MISSING_STATES = ("42P01", "42703")


def set_up_django(*, is_checking: bool = False) -> None:
    """Django with our settings. Refuses settings that cannot work, unless they are what is being checked."""
    import django
    from django.apps import apps
    from django.conf import settings
    from django.core.checks import ERROR

    try:
        if not apps.ready:
            name_settings()
            with loading_modules():
                django.setup()
            settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise RefusedError(
            f"{error.filename} cannot be written. Set COURSEWAY_DATA_DIR to a folder of your own."
        ) from None
    except (ValueError, OSError) as error:
        raise RefusedError(f"{error} (`docs/configuration.md` lists every setting.)") from None
    if is_checking:
        return
    from courseway.checks import find_problems

    errors = [problem for problem in find_problems(os.environ) if problem.level >= ERROR]
    if errors:
        raise RefusedError(" ".join(f"{problem.msg} {problem.hint}" for problem in errors))


def name_settings() -> None:
    """This program has one file of settings, whatever another Django project has left in the environment."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "courseway.settings"


@contextmanager
def refusing_plainly() -> Iterator[None]:
    """Turns what a caller can mend into one plain line. Everything else is our mistake and stays a stack trace."""
    from django.core.exceptions import ImproperlyConfigured, ValidationError
    from django.db.utils import DataError, OperationalError, ProgrammingError

    try:
        yield
    except ValidationError as error:
        raise RefusedError(" ".join(error.messages)) from None
    except ImproperlyConfigured as error:
        if "psycopg" in str(error):
            raise RefusedError("PostgreSQL needs the extra `courseway[postgres]`: psycopg is not installed.") from None
        raise RefusedError(f"{error} (`courseway check` names wrong settings.)") from None
    except DataError as error:
        raise RefusedError(f"A value does not fit into the database: {error}") from None
    except (OperationalError, ProgrammingError) as error:
        if is_about_missing_rows(error):
            raise RefusedError("The database is not migrated to this version. Run `courseway migrate`.") from None
        if isinstance(error, ProgrammingError):
            raise
        raise RefusedError(f"The database does not answer: {error}") from None


def is_about_missing_rows(error: Exception) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return state in _MISSING_STATES or any(words in str(error) for words in _MISSING_ROWS)


def refuse_unmigrated() -> None:
    """Refuses when the database is not at this version of the schema."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RefusedError("The database is not migrated to this version. Run `courseway migrate`.")
