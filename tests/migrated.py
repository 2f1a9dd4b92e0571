"""The migrated SQLite file of the tests is kept from one run to the next: migrating takes longer than most tests.

Its name changes with every migration, so that none is ever left out. `make clean` removes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from django.apps import apps

FOLDER = Path(__file__).parents[1] / ".migrated"


def take_kept_database(path: Path) -> bool:
    """Puts a copy at `path`; False if this state of the migrations was not kept yet."""
    try:
        shutil.copyfile(_find_place(), path)
    except FileNotFoundError:
        return False
    return True


def keep_database(path: Path) -> None:
    """Keeps this one, which was just migrated, and no older one."""
    place = _find_place()
    FOLDER.mkdir(exist_ok=True)
    unfinished = place.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(path)) as migrated, closing(sqlite3.connect(unfinished)) as copy:
        migrated.backup(copy)
    unfinished.replace(place)
    for other in FOLDER.glob("*.sqlite3"):
        if other != place:
            other.unlink(missing_ok=True)


def _find_place() -> Path:
    digest = hashlib.sha256()
    for app in apps.get_app_configs():
        for file in sorted(Path(app.path, "migrations").glob("*.py")):
            digest.update(f"{app.label}/{file.name}\n".encode() + file.read_bytes())
    return FOLDER / f"{digest.hexdigest()[:16]}.sqlite3"
