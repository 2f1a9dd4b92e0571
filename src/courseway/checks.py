"""Wrong settings, each named with an id and a hint: what `courseway check` prints and `courseway serve` refuses.

Errors stop the start; warnings are wrong but work somehow; information is worth knowing.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register

# Every variable that is read, each also as NAME_FILE. docs/configuration.md explains them; a test compares.
VARIABLES = (
    "COURSEWAY_PUBLIC_URL",
    "COURSEWAY_DATABASE_URL",
    "COURSEWAY_DATABASE_POOLER",
    "COURSEWAY_DATA_DIR",
    "COURSEWAY_SECRET_KEY",
    "COURSEWAY_TASKS_URL",
    "COURSEWAY_ALLOWED_PRIVATE_NETWORKS",
    "COURSEWAY_OWNER_PASSWORD",
    "COURSEWAY_EMAIL_URL",
    "COURSEWAY_EMAIL_FROM",
    "COURSEWAY_STORAGE_URL",
    "COURSEWAY_TIME_ZONE",
    "COURSEWAY_LANGUAGE",
    "COURSEWAY_LOG_LEVEL",
    "COURSEWAY_METRICS_TOKEN",
    "COURSEWAY_LAUNCH_LOG_DAYS",
    "COURSEWAY_DELIVERY_LOG_DAYS",
)
# Read by the tests alone.
TEST_PREFIX = "COURSEWAY_TEST_"


@register
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """All checks of this file. They read settings and the environment, never the database."""
    return list(find_problems(os.environ))


def find_problems(environ: Mapping[str, str]) -> Iterator[CheckMessage]:
    yield from _check_public_url()
    yield from _check_database()
    yield from _check_secret_key(environ)
    yield from _check_networks()
    yield from _check_tasks()
    yield from _check_mail()
    yield from _check_places()
    yield from _check_names(environ)


def _check_public_url() -> Iterator[CheckMessage]:
    url = settings.PUBLIC_URL
    hint = "Give the address that people's browsers use, such as https://courses.example.edu or …/tool."
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        yield Error(f"COURSEWAY_PUBLIC_URL is not a web address: {url!r}.", hint=hint, id="courseway.E001")
        return
    if parts.query or parts.fragment or "?" in url or "#" in url or parts.username is not None:
        yield Error(
            "COURSEWAY_PUBLIC_URL must hold neither a query nor a fragment nor a user name.",
            hint=hint,
            id="courseway.E002",
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        yield Warning(
            f"COURSEWAY_PUBLIC_URL is not https: {url}.",
            hint="An LMS shows tools in frames, where browsers keep cookies of https pages only. Put a proxy with a "
            "certificate in front.",
            id="courseway.W001",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_database() -> Iterator[CheckMessage]:
    if "COURSEWAY_DATABASE_URL" in settings.UNREADABLE:
        yield Error(
            "COURSEWAY_DATABASE_URL is not the address of a SQLite or PostgreSQL database.",
            hint="Leave it out for SQLite in the data folder, or give postgresql://user:password@host:5432/name, with "
            "special characters of the password percent-encoded.",
            id="courseway.E003",
        )
    elif "COURSEWAY_DATABASE_POOLER" in settings.UNREADABLE:
        yield Error(
            f"COURSEWAY_DATABASE_POOLER is not 'transaction': {settings.UNREADABLE['COURSEWAY_DATABASE_POOLER']}.",
            hint="Leave it out where no pooler stands before PostgreSQL, or one that keeps a connection for a session.",
            id="courseway.E014",
        )
    elif settings.DATABASES["default"]["NAME"] in (":memory:", "") and settings.USES_SQLITE:
        yield Error(
            "COURSEWAY_DATABASE_URL names a database in memory, which every process would have of its own.",
            hint="Leave it out, or give sqlite:////absolute/path/courseway.sqlite3.",
            id="courseway.E004",
        )


def _check_secret_key(environ: Mapping[str, str]) -> Iterator[CheckMessage]:
    is_given = bool(environ.get("COURSEWAY_SECRET_KEY") or environ.get("COURSEWAY_SECRET_KEY_FILE"))
    make_one = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
    if not is_given and not settings.USES_SQLITE:
        yield Error(
            "COURSEWAY_SECRET_KEY is missing. On PostgreSQL every process must be given the same key.",
            hint=f"{make_one}, and keep it as safe as a backup: stored secrets cannot be read without it.",
            id="courseway.E005",
        )
    elif is_given and min(map(len, settings.SECRET_KEYS)) < 32:
        yield Warning(
            "A key in COURSEWAY_SECRET_KEY is shorter than 32 characters.", hint=make_one, id="courseway.W002"
        )


def _check_networks() -> Iterator[CheckMessage]:
    for network in settings.ALLOWED_PRIVATE_NETWORKS:
        try:
            ipaddress.ip_network(network.strip(), strict=False)
        except ValueError as error:
            yield Error(
                f"COURSEWAY_ALLOWED_PRIVATE_NETWORKS: {error}.",
                hint="Give networks separated by commas, such as 10.20.0.0/16,fd00::/8.",
                id="courseway.E006",
            )


def _check_tasks() -> Iterator[CheckMessage]:
    url = settings.TASKS_URL
    if settings.USES_CELERY and find_spec("celery") is None:
        yield Error(
            "COURSEWAY_TASKS_URL names a broker, but Celery is not installed.",
            hint="Install courseway[celery], or leave the variable out: background work then needs nothing else.",
            id="courseway.E007",
        )
    elif url and not settings.USES_CELERY and not url.startswith(("postgres://", "postgresql://")):
        yield Error(
            "COURSEWAY_TASKS_URL is not the address of a PostgreSQL database, of RabbitMQ or of Redis.",
            hint="It begins with postgresql://, amqp://, redis:// or valkey://. Leave it out: background work then "
            "follows COURSEWAY_DATABASE_URL and needs nothing else.",
            id="courseway.E007",
        )


def _check_mail() -> Iterator[CheckMessage]:
    if not settings.EMAIL_URL:
        yield Info(
            f"Mail is not sent but kept readable in {settings.DATA_DIR / 'mail'}.",
            hint="Set COURSEWAY_EMAIL_URL, for example submission://user:password@mail.example.edu:587.",
            id="courseway.I001",
        )
    elif "COURSEWAY_EMAIL_URL" in settings.UNREADABLE or settings.MAIL_BACKEND.endswith("filebased.EmailBackend"):
        yield Error(
            "COURSEWAY_EMAIL_URL is not the address of a mail server.",
            hint="Give submission://user:password@host:587 for STARTTLS, or smtp://user:password@host:465/?ssl=True.",
            id="courseway.E008",
        )
    if "@" not in settings.DEFAULT_FROM_EMAIL.strip("@"):
        yield Error(
            f"COURSEWAY_EMAIL_FROM is not an e-mail address: {settings.DEFAULT_FROM_EMAIL!r}.",
            hint="Give courses@example.edu, or Courses <courses@example.edu>.",
            id="courseway.E009",
        )


def _check_places() -> Iterator[CheckMessage]:
    if "COURSEWAY_TIME_ZONE" in settings.UNREADABLE:
        yield Error(
            "COURSEWAY_TIME_ZONE is not a time zone.",
            hint="Give a name such as Europe/Berlin or America/Chicago.",
            id="courseway.E010",
        )
    if "COURSEWAY_LOG_LEVEL" in settings.UNREADABLE:
        yield Error(
            "COURSEWAY_LOG_LEVEL is not a level.", hint="Give DEBUG, INFO, WARNING or ERROR.", id="courseway.E011"
        )
    if "COURSEWAY_STORAGE_URL" in settings.UNREADABLE:
        yield Error(
            "COURSEWAY_STORAGE_URL is no folder.",
            hint="Give a folder that every web process reaches, such as file:///srv/courseway/files.",
            id="courseway.E013",
        )
    for name in ("COURSEWAY_LAUNCH_LOG_DAYS", "COURSEWAY_DELIVERY_LOG_DAYS"):
        if name in settings.UNREADABLE:
            yield Error(
                f"{name} cannot be used: {settings.UNREADABLE[name]}.",
                hint="Give a number of days, such as 400. The launch log is kept for "
                f"{settings.SHORTEST_LAUNCH_LOG_DAYS} days at least, since it is the guard against replays.",
                id="courseway.E014",
            )
    if settings.DATA_DIR.exists() and not os.access(settings.DATA_DIR, os.W_OK):
        yield Error(
            f"COURSEWAY_DATA_DIR cannot be written: {settings.DATA_DIR}.",
            hint="Give a folder that belongs to the user who runs Courseway.",
            id="courseway.E012",
        )


def _check_names(environ: Mapping[str, str]) -> Iterator[CheckMessage]:
    """A misspelled variable does nothing and says nothing, unless somebody looks for it."""
    known = {*VARIABLES, *(f"{name}_FILE" for name in VARIABLES)}
    for name in sorted(environ):
        if name.startswith("COURSEWAY_") and name not in known and not name.startswith(TEST_PREFIX):
            close = difflib.get_close_matches(name, known, n=1)
            yield Warning(
                f"{name} is set but not known.",
                hint=f"Did you mean {close[0]}?" if close else "docs/configuration.md lists every variable.",
                id="courseway.W003",
            )
