from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.db import connection, connections
from django.template import Template
from django.test import TransactionTestCase
from django.test.client import ClientMixin
from django.test.utils import _TestState, setup_databases, teardown_databases
from hypothesis import settings
from pytest_django import DjangoDbBlocker

from courseway.lms import platforms
from tests.cast import Cast, keep_cast, make_cast
from tests.end_to_end.chromium import find_chromium
from tests.migrated import keep_database, one_at_a_time, take_kept_database
from tests.visits import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

gc.disable()  # until everything is collected

# No time limit per example: a busy machine is not a broken rule. pytest's own time limit still holds.
settings.register_profile("courseway", deadline=None)
settings.load_profile("courseway")


DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
# Folders of which no test uses the database of the tests.
NEVER_OF_DATABASE = {Path(__file__).parent / name for name in ("ltikit", "spec", "practice_lms", "peers")}
# What migrating writes and no test changes: after each flush Django would write it anew.
KEPT_TABLES = {"django_content_type", "auth_permission"}
# Marks after which a part of the suite can be called: `-m slow`, or `-m "slow and not browser"`.
MARKS_OF_PARTS = {"slow", "deep", "browser", "programs"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--of-database",
        action="store_true",
        help="run the tests that use the database of the tests: all others are the same on every database",
    )
    parser.addoption("--of-no-database", action="store_true", help="run all others")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is not to be run is not read either: to import all files takes as long as many tests."""
    if config.getoption("--of-database") and collection_path in NEVER_OF_DATABASE:
        return True
    wanted = config.option.markexpr.partition(" and ")[0]
    if wanted in MARKS_OF_PARTS and collection_path.name.startswith("test_") and collection_path.suffix == ".py":
        return f"pytest.mark.{wanted}".encode() not in collection_path.read_bytes() or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_patience, reverse=True)  # what waits longest begins first, and the others work meanwhile
    if os.environ.get("COURSEWAY_TEST_DATABASE") != "postgres":
        for item in items:
            if item.get_closest_marker("postgresql"):
                item.add_marker(pytest.mark.skip(reason="is about PostgreSQL"))
    if config.getoption("--of-database") or config.getoption("--of-no-database"):
        is_wanted = config.getoption("--of-database")
        for item in items:
            assert not (uses_database(item) and NEVER_OF_DATABASE.intersection(item.path.parents)), item.nodeid
        config.hook.pytest_deselected(items=[item for item in items if uses_database(item) != is_wanted])
        items[:] = [item for item in items if uses_database(item) == is_wanted]


def _patience(item: pytest.Item) -> float:
    """How long a test may take, in seconds; 0 for a quick one."""
    limit = item.get_closest_marker("timeout")
    is_slow = any(map(item.get_closest_marker, ("slow", "programs")))
    return (limit.args[0] if limit else 1.0) if is_slow else 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """What was imported stays: to look through it for garbage again and again costs a tenth of the run."""
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


def uses_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    markers = (item.get_closest_marker(name) for name in ("django_db", "postgresql"))
    is_class_of_django = issubclass(getattr(item, "cls", None) or object, TransactionTestCase)
    return any(markers) or is_class_of_django or not DATABASE_FIXTURES.isdisjoint(fixtures)


@pytest.fixture(scope="session")
def templates_as_they_are(django_test_environment: None) -> None:
    """Django's test environment copies the context of every template rendered; our tests read pages instead."""
    Template._render = _TestState.saved_data.template_render


@pytest.fixture(scope="session")
def django_db_setup(
    templates_as_they_are: None, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """The database of this process: a copy of the one that an earlier run migrated, if there is one."""
    with django_db_blocker.unblock(), one_at_a_time():
        is_kept = take_kept_database()
        made = setup_databases(0, False, keepdb=is_kept, serialized_aliases=())
        if not is_kept:
            keep_database()
    with django_db_blocker.unblock():
        keep_cast()
    django_flush = connection.ops.sql_flush
    # A test leaves few rows; TRUNCATE would make new files for all tables and their indexes.
    flush = delete_all if connection.vendor == "postgresql" else django_flush
    connection.ops.sql_flush = lambda style, tables, **how: flush(
        style, [table for table in tables if table not in KEPT_TABLES], **how
    )
    flushing_tells_nobody = patch("django.core.management.commands.flush.emit_post_migrate_signal")
    with flushing_tells_nobody, patch.object(ClientMixin, "_login", sign_in):
        yield
    with django_db_blocker.unblock():
        teardown_databases(made, 0)


def delete_all(style: object, tables: Sequence[str], **_: object) -> list[str]:
    return ["; ".join(f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables)] if tables else []


@pytest.fixture
def cast(db: None) -> Cast:
    platforms.forget_all()  # each test has a database of its own, whose rows take the numbers of earlier ones
    return make_cast()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    KeptBrowser.is_wanted_again = nextitem is not None and nextitem.get_closest_marker("browser") is not None
    try:
        return (yield)
    finally:
        if not KeptBrowser.is_wanted_again:
            KeptBrowser.end()
        KeptBrowser.is_wanted_again = False


class KeptBrowser:
    """A Chromium, which stays from one module to the next: starting it takes longer than many tests.

    While it runs, Playwright keeps an event loop in this thread, so that it ends before a test of another kind.
    """

    is_wanted_again = False
    _stack = ExitStack()
    _running: Browser | None = None

    @classmethod
    def start(cls) -> Browser:
        if cls._running is None:
            from tests.end_to_end.lms_screen import run_chromium  # only here, since it takes a while

            # Django refuses rows to a thread with an event loop unless told.
            cls._stack.enter_context(pytest.MonkeyPatch.context()).setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
            cls._running = cls._stack.enter_context(run_chromium())
        return cls._running

    @classmethod
    def leave(cls) -> None:
        for context in cls._running.contexts if cls._running else ():
            context.close()
        # Beside an event loop Django had a connection of its own: PostgreSQL drops no database that is still in use.
        connections.close_all()
        if not cls.is_wanted_again:
            cls.end()

    @classmethod
    def end(cls) -> None:
        cls._running = None
        cls._stack.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a module; each takes a context of its own."""
    if find_chromium() is None:
        pytest.skip("no Chromium was found on this machine: set CHROMIUM to one, or run `playwright install chromium`")
    yield KeptBrowser.start()
    KeptBrowser.leave()
