"""Statements that go straight to PostgreSQL: the same answers as by the ordinary way, which helps out where needed."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import DataError, OperationalError, ProgrammingError
from django.test.utils import CaptureQueriesContext

from courseway.postgresql.statements import run_kept

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="is about PostgreSQL"),
]
NOW = datetime(2026, 9, 1, 8, 30, 15, 123456, tzinfo=UTC)
ECHO = "SELECT %s::bigint, %s::text, %s::timestamptz, %s::boolean, 'a%%b', NULL, 1.50::numeric"


def by_the_short_way(sql: str, parameters: list[Any]) -> list[Any] | None:
    return connection.run_prepared(sql, parameters)  # type: ignore[attr-defined, no-any-return]


def by_the_ordinary_way(sql: str, parameters: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


@pytest.mark.parametrize("text", ["", "plain", "Zoë \N{SNOWMAN} '\"\\ %s $1", "x" * 70_000])
@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63 - 1])
def test_both_ways_give_the_same(text: str, number: int) -> None:
    """Numbers, texts, times and truth come back as they went, in the same types as by the ordinary way."""
    parameters = [number, text, NOW, True]
    short = by_the_short_way(ECHO, parameters)
    assert short is not None
    assert short == by_the_ordinary_way(ECHO, parameters)
    assert [type(one) for one in short[0]] == [type(one) for one in by_the_ordinary_way(ECHO, parameters)[0]]


def test_a_statement_is_prepared_once(django_assert_num_queries: Any) -> None:
    """However often it runs, a connection prepares it once, and a new connection once more."""
    for number in range(5):
        assert by_the_short_way("SELECT %s + 0", [number]) == [(number,)]
    count = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1 + 0'"
    assert by_the_ordinary_way(count, []) == [(1,)]
    connection.close()
    assert by_the_short_way("SELECT %s + 0", [7]) == [(7,)]
    assert by_the_ordinary_way(count, []) == [(1,)]


def test_within_a_transaction_the_ordinary_way_is_taken() -> None:
    """A statement in a transaction is Django's, with its savepoints and errors."""
    with transaction.atomic():
        assert by_the_short_way("SELECT %s + 0", [1]) is None
        assert run_kept("SELECT %s + 0", [1]) == [(1,)]


def test_what_is_counted_goes_the_ordinary_way() -> None:
    """Whoever watches statements sees all of them."""
    with CaptureQueriesContext(connection) as seen:
        assert run_kept("SELECT %s + 0", [1]) == [(1,)]
    assert len(seen) == 1


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_cannot_be_sent_is_refused_and_not_cut(text: str) -> None:
    """A NUL would end the text unseen; it is refused as everywhere."""
    assert by_the_short_way("SELECT %s", [text]) is None
    with pytest.raises((DataError, ValueError, UnicodeEncodeError)):
        run_kept("SELECT %s", [text])


def test_an_error_is_the_ordinary_one() -> None:
    """A statement that fails raises Django's error, and the connection goes on."""
    with pytest.raises(DataError):
        run_kept("SELECT 1 / %s", [0])
    with pytest.raises(ProgrammingError):
        run_kept("SELECT nothing_of_that_name, %s", [1])
    assert run_kept("SELECT 1 / %s", [1]) == [(1,)]


def test_a_table_that_changed_is_read_as_it_is_now() -> None:
    """A migration between two launches does no harm."""
    by_the_ordinary_way_without_rows("CREATE TABLE changing (id bigint)")
    try:
        assert run_kept("SELECT * FROM changing WHERE id = %s", [1]) == []
        by_the_ordinary_way_without_rows("ALTER TABLE changing ALTER COLUMN id TYPE text")
        by_the_ordinary_way_without_rows("ALTER TABLE changing ADD COLUMN name text DEFAULT 'x'")
        by_the_ordinary_way_without_rows("INSERT INTO changing VALUES ('1')")
        assert run_kept("SELECT * FROM changing WHERE id = %s || ''", ["1"]) == [("1", "x")]
        assert run_kept("SELECT id FROM changing WHERE length(id) = %s", [1]) == [("1",)]
        by_the_ordinary_way_without_rows("ALTER TABLE changing ALTER COLUMN id TYPE bigint USING id::bigint")
        by_the_ordinary_way_without_rows("ALTER TABLE changing ADD COLUMN more text")
        assert run_kept("SELECT * FROM changing WHERE id = %s", [1]) == [(1, "x", None)]
    finally:
        by_the_ordinary_way_without_rows("DROP TABLE changing")


def by_the_ordinary_way_without_rows(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_lost_connection_is_reported() -> None:
    """A server that goes away in the middle is an error, once; the next request has a connection again."""
    (pid,) = by_the_ordinary_way("SELECT pg_backend_pid()", [])[0]
    parameters = connection.get_connection_params()  # type: ignore[attr-defined]
    address = {name: parameters[name] for name in ("dbname", "user", "host", "port", "password") if name in parameters}
    with psycopg.connect(**address, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(OperationalError):
        run_kept("SELECT %s + 0", [1])
    connection.close_if_unusable_or_obsolete()
    assert run_kept("SELECT %s + 0", [1]) == [(1,)]


def test_other_threads_go_on_while_the_server_works() -> None:
    """A statement that takes long stops nobody else in the process."""
    is_over = Event()
    turns = 0

    def wait() -> None:
        assert by_the_short_way("SELECT %s FROM pg_sleep(0.4)", ["waited"]) == [("waited",)]
        connection.close()
        is_over.set()

    thread = Thread(target=wait)
    thread.start()
    while not is_over.wait(0.01):
        turns += 1
    thread.join()
    assert turns > 5
