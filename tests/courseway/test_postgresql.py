"""Connections to PostgreSQL that are kept from request to request."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgresql,
]


@pytest.fixture
def kept() -> None:
    """The connection as it is while requests are served."""
    connection.ensure_connection()
    connection.health_check_enabled = True
    ask()


def ask() -> int:
    """What a request does: the first statement after the look at the connection. Returns the server's process."""
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def count_idle_statements(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    asked: list[bool] = []
    usable = connections["default"].is_usable
    monkeypatch.setattr(connection, "is_usable", lambda: asked.append(True) or usable())
    return asked


def test_a_connection_in_use_is_not_asked_again(kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request right after another sends no statement of its own to find out that the server is there."""
    asked = count_idle_statements(monkeypatch)
    assert ask() == ask()
    assert not asked


def test_a_quiet_connection_is_asked(kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause the server is asked, since a connection may be lost without a word."""
    asked = count_idle_statements(monkeypatch)
    connection.asked_at -= 60  # type: ignore[attr-defined]
    ask()
    assert asked


def test_a_connection_that_the_server_closed_is_made_anew(kept: None) -> None:
    """A request after a restart of the server, or an administrator's cut, is answered as if nothing had happened."""
    before = ask()
    parameters = connection.get_connection_params()  # type: ignore[attr-defined]
    address = {name: parameters[name] for name in ("dbname", "user", "host", "port", "password") if name in parameters}
    with psycopg.connect(**address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    assert ask() != before


def test_statements_that_come_again_are_planned_once(kept: None) -> None:
    """PostgreSQL keeps the plan of a statement that was sent often."""
    for number in range(8):
        with CaptureQueriesContext(connection), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM courses_course WHERE id = %s", [number])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%courses_course WHERE id%%'")
        assert cursor.fetchone()[0] >= 1


@pytest.mark.parametrize(("pooler", "threshold"), [("", "5"), ("transaction", "None")])
def test_a_pooler_gets_no_prepared_statements(pooler: str, threshold: str) -> None:
    """Behind a pooler that gives each transaction another connection nothing is prepared."""
    program = "from courseway.settings import DATABASES as d; print(d['default']['OPTIONS'].get('prepare_threshold'))"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COURSEWAY_")},
        "COURSEWAY_DATABASE_URL": "postgresql://somebody@127.0.0.1:1/courses?sslmode=disable",
        "COURSEWAY_SECRET_KEY": "0123456789" * 4,
        "COURSEWAY_DATABASE_POOLER": pooler,
    }
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == threshold, ran.stderr
