"""A database as full as after years: made by the database itself, from the rows that one real launch left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

PEOPLE, CONTEXTS, LAUNCHES = 1_000_000, 50_000, 10_000_000
LINKS, CONTEXTS_OF_A_COURSE, COURSES_OF_A_PERSON = 20, 10, 2
CHUNK = 1_000_000
# While it is filled nobody would mind to begin anew, and nothing has to be tidied up yet.
_MEANWHILE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "'10GB'", "autovacuum": "off"}
# What a column gets that must hold something and of which there is no row yet to take it from.
_BY_TYPE = {
    "bool": "false",
    "jsonb": "'{}'::jsonb",
    "timestamptz": "now()",
    "text": "''",
    "varchar": "''",
}


@dataclass(frozen=True)
class Table:
    """Rows of one table, numbered from `begin` to below `rows`; `values` are SQL in which {n} is the number and {name}
    the id of another table's row with the number 0. All other columns are as in the oldest row."""

    name: str
    rows: int
    values: Mapping[str, str]
    begin: int = 0


def plan(share: float) -> list[Table]:
    """What is filled in, in this order. Everybody is in two LMS courses and came to one link of each, again and again;
    the courses are spread over ten LMS courses each."""
    people, contexts = round(PEOPLE * share), round(CONTEXTS * share)
    places, courses = people * COURSES_OF_A_PERSON, contexts // CONTEXTS_OF_A_COURSE
    person = f"{{person}} + {{n}} % {people}"
    # Scattered, as people come; the second course of somebody is half of all courses away from the first.
    context = f"(({{n}} * 7919 + {{n}} / {people} * {contexts // 2}) % {contexts})"
    at = {
        "person_id": person,
        "context_id": f"{{context}} + {context}",
        "course_id": f"{{course}} + {context} / {CONTEXTS_OF_A_COURSE}",
    }
    link = f"{context} * {LINKS} + {{n}} % {LINKS}"
    assignment = f"{context} / {CONTEXTS_OF_A_COURSE} * {LINKS} + {{n}} % {LINKS}"
    work = {"assignment_id": f"{{assignment}} + {assignment}"}
    arrival = {**at, **work, "identity_id": person.replace("{person}", "{identity}")}
    arrival |= {"resource_link_id": f"{{link}} + {link}", "key": _token("a", 43), "fingerprint": _token("f", 43)}
    of_place = "{n} % " + str(places)
    launch = {name: value.replace("{n}", f"({of_place})") for name, value in {**at, **work}.items()}
    launch |= {"reference": _token("r", 20), "replay_key": _token("p", 43), "message": "''"}
    launch["at"] = f"now() - interval '1 year' + {{n}} * interval '1 year' / {round(LAUNCHES * share)}"
    settled = {"state": "'sent'", "next_try_at": "NULL", "lease_token": "''", "wanted_score": "7", "sent_score": "7"}
    settled |= {"wanted_maximum": "10", "sent_maximum": "10", "wanted_version": "1", "sent_version": "1"}
    settled |= {"organization_id": "(SELECT min(id) FROM orgs_organization)"}
    settled |= {"platform_id": "(SELECT min(id) FROM lms_platform)", "sent_at": "now()", "tried_version": "1"}
    graded = {"public_id": _token("s", 20), "feedback_token": _token("k", 32), "score": "7", "maximum": "10"}
    graded |= {"submitted_at": "now()", "completed_at": "now()", "released_at": "now()", "awaits_grading": "false"}
    return [
        Table("courses_course", courses, {"public_id": _token("c", 20), "title": "'Sums ' || {n}"}),
        Table("courses_module", courses, {"course_id": "{course} + {n}"}),
        Table(
            "courses_assignment",
            courses * LINKS,
            {
                "course_id": f"{{course}} + {{n}} / {LINKS}",
                "module_id": f"{{module}} + {{n}} / {LINKS}",
                "public_id": _token("x", 20),
                "content_id": _token("y", 20),
                "key": "'exercise-' || {n}",
                "title": "'Exercise ' || {n}",
            },
        ),
        Table("courses_page", courses * LINKS, {"assignment_id": "{assignment} + {n}"}),
        Table("courses_question", courses * LINKS, {"page_id": "{page} + {n}"}),
        Table("lms_context", contexts, {"context_id": "'old-course-' || {n}", "title": "'Old course ' || {n}"}),
        Table(
            "lms_coursecontext",
            contexts,
            {
                "course_id": f"{{course}} + {{n}} / {CONTEXTS_OF_A_COURSE}",
                "context_id": "{context} + {n}",
                "is_first": f"{{n}} % {CONTEXTS_OF_A_COURSE} = 0",
            },
        ),
        Table(
            "lms_resourcelink",
            contexts * LINKS,
            {
                "context_id": f"{{context}} + {{n}} / {LINKS}",
                "resource_link_id": "'old-link-' || {n}",
                "assignment_id": f"{{assignment}} + {{n}} / {LINKS * CONTEXTS_OF_A_COURSE} * {LINKS} + {{n}} % {LINKS}",
            },
        ),
        Table(
            "orgs_person",
            people,
            {
                "public_id": _token("o", 20),
                "name": "'Somebody ' || {n}",
                "email": "'somebody-' || {n} || '@school.example'",
                "folded_email": "'somebody-' || {n} || '@school.example'",
            },
        ),
        Table(
            "lms_lmsidentity",
            people,
            {
                "person_id": "{person} + {n}",
                "lms_user_id": "'somebody-' || {n}",
                "lti_id": "'somebody-' || {n}",
                "email": "'somebody-' || {n} || '@school.example'",
                "folded_email": "'somebody-' || {n} || '@school.example'",
            },
        ),
        Table("lms_contextmembership", places, {name: at[name] for name in ("person_id", "context_id")}),
        Table("courses_enrollment", places, {name: at[name] for name in ("person_id", "course_id")}),
        Table("lms_arrival", places, arrival),
        Table("learning_submission", places, {"person_id": person, **work, **graded}),
        Table(
            "learning_attempt",
            places,
            {
                "submission_id": "{submission} + {n}",
                "number": "1",
                "score": "7",
                "maximum": "10",
                "submitted_at": "now()",
            },
        ),
        Table(
            "grades_delivery",
            places,
            {"person_id": person, **work, "resource_link_id": arrival["resource_link_id"], **settled},
        ),
        Table(
            "grades_deliverytry",
            places,
            {"delivery_id": "{delivery} + {n}", "version": "1", "code": "'sent'", "at": "now() - interval '1 day'"},
        ),
        Table("lms_launch", round(LAUNCHES * share), launch),
    ]


def _token(letter: str, length: int) -> str:
    """As long and as scattered as real ones, and never the same for two rows."""
    return f"left('{letter}' || md5('{letter}' || {{n}}) || md5({{n}} || '{letter}'), {length})"


def fill(uri: str, share: float) -> Iterator[str]:
    """Fills the database of a Courseway that has taken a launch, and tells how far it is. No index is kept up to date
    meanwhile: they are made when all rows are there, as after a restore."""
    began = time.monotonic()
    with psycopg.connect(uri, autocommit=True) as connection:
        for setting, value in _MEANWHILE.items():
            connection.execute(f"ALTER SYSTEM SET {setting} = {value}")
        connection.execute("SELECT pg_reload_conf()")
        for words in ("session_replication_role = replica", "synchronous_commit = off", "maintenance_work_mem = '1GB'"):
            connection.execute(f"SET {words}")
        first: dict[str, int] = {}
        for table in plan(share):
            with without_indexes(connection, table.name):
                first[_short(table.name)] = insert_rows(connection, table, first)
            yield f"{table.rows:,} rows of {table.name}, {time.monotonic() - began:.0f} s"
        for setting in _MEANWHILE:
            connection.execute(f"ALTER SYSTEM RESET {setting}")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        yield f"vacuumed and analyzed, as autovacuum would have by then, {time.monotonic() - began:.0f} s"


def _short(table: str) -> str:
    name = table.partition("_")[2]
    return {"resourcelink": "link", "lmsidentity": "identity"}.get(name, name)


def insert_rows(connection: psycopg.Connection, table: Table, first: Mapping[str, int]) -> int:
    """The id of the row with the number 0."""
    start = _number(connection, f"SELECT coalesce(max(id), 0) + 1 FROM {table.name}")
    columns = connection.execute(
        "SELECT column_name, udt_name, is_nullable = 'YES', column_default FROM information_schema.columns "
        "WHERE table_name = %s ORDER BY ordinal_position",
        [table.name],
    ).fetchall()
    unknown = set(table.values) - {name for name, *_ in columns}
    assert not unknown, f"{table.name} has no {unknown}"
    has_template = _number(connection, f"SELECT count(*) FROM {table.name}") > 0
    selected = []
    for name, kind, may_be_null, default in columns:
        if name == "id":
            value = f"{start} + n"
        elif name in table.values:
            value = table.values[name].format(n="n", **first)
        elif has_template:
            value = f't."{name}"'
        else:
            value = "NULL" if may_be_null else default or _BY_TYPE.get(kind, "0")
        selected.append(f'{value} AS "{name}"')
    source = f"(SELECT * FROM {table.name} ORDER BY id LIMIT 1) t, " if has_template else ""
    names = ", ".join(f'"{name}"' for name, *_ in columns)
    for begin in range(table.begin, table.rows, CHUNK):
        end = min(begin + CHUNK, table.rows) - 1
        connection.execute(
            f"INSERT INTO {table.name} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {', '.join(selected)} FROM {source}generate_series({begin}::bigint, {end}) n"
        )
    connection.execute(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {start + table.rows})")
    return start


@contextmanager
def without_indexes(connection: psycopg.Connection, table: str) -> Iterator[None]:
    """Drops all indexes but the primary key, which others refer to, and makes them anew."""
    found = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.conname, pg_get_constraintdef(c.oid) "
        "FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'u' "
        "WHERE i.indrelid = %s::regclass AND NOT i.indisprimary",
        [table],
    ).fetchall()
    for index, _, constraint, _ in found:
        dropped = f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"' if constraint else f"DROP INDEX {index}"
        connection.execute(dropped)
    try:
        yield
    finally:
        for _, definition, constraint, words in found:
            made = f'ALTER TABLE {table} ADD CONSTRAINT "{constraint}" {words}' if constraint else definition
            connection.execute(made)


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
