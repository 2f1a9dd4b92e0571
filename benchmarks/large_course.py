"""Runs inside of Courseway: a course of thousands beside one of a hundred, and what their pages and exports take.

    COURSEWAY_DATABASE_URL=… python -m benchmarks.large_course '{"database_root": 4711, "students": 10000, …}'

Answers JSON. Real views are asked through Django's test client; statements are counted where they leave for PostgreSQL,
and CPU seconds are those of this process and of PostgreSQL.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import django

django.setup()

import psycopg  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from tests.cast import Cast, make_assignment, make_cast  # noqa: E402
from tests.courseway.lms.selections import HOST, ask_by_deep_linking, know_teacher, open_picker  # noqa: E402
from tests.visits import make_lms13  # noqa: E402

from benchmarks.filling import Table, insert_rows  # noqa: E402
from benchmarks.processes import cpu_seconds  # noqa: E402
from courseway.courses.copying import copy_course  # noqa: E402
from courseway.courses.models import Assignment, Course, Enrollment, Module, Role  # noqa: E402
from courseway.learning.scoring import submit_attempt  # noqa: E402
from courseway.lms.cartridges import export_cartridge  # noqa: E402
from courseway.orgs.models import Person  # noqa: E402

REPEATS = 10
WITH_WORK = 20  # assignments on which everybody worked: as many as stand side by side on a page
ANSWERS = {"sum": "4", "quotient": "2.5", "maker": "Guido"}


@dataclass
class Taken:
    """For one time."""

    statements: int
    cpu_ms: float
    clock_ms: float
    size: int  # of the answer, in bytes


def make_course(cast: Cast, uri: str, title: str, *, students: int, assignments: int) -> Course:
    """Students who all handed in some of the assignments. One of each is made as the product makes them; the database
    multiplies them."""
    course = Course.objects.create(organization=cast.acme, title=title, lti_enabled=True)
    Enrollment.objects.create(course=course, person=cast.tom_person, role=Role.TEACHER, covers_whole_course=True)
    modules = Module.objects.bulk_create(Module(course=course, title=f"Week {n}", position=n) for n in range(20))
    first = make_assignment(modules[0], "Exercise 0", "exercise-0")
    student = Person.objects.create(organization=cast.acme, name=f"Student 0 of {title}")
    Enrollment.objects.create(course=course, person=student, role=Role.STUDENT)
    submit_attempt(assignment=first, person=student, answers=ANSWERS, now=datetime.now(UTC))
    ids = {"assignment": first.pk, "person": student.pk}
    some = min(WITH_WORK, assignments)
    tables = [
        Table(
            "courses_assignment",
            assignments - 1,
            {
                "course_id": str(course.pk),
                "module_id": f"{modules[0].pk} + {{n}} / {-(-assignments // len(modules))}",
                "public_id": _token(f"a{course.pk}"),
                "content_id": _token(f"c{course.pk}"),
                "key": "'exercise-' || {n} + 1",
                "title": "'Exercise ' || {n} + 1",
                "position": "{n} + 1",
            },
        ),
        Table(
            "orgs_person",
            students - 1,
            {"public_id": _token(f"p{course.pk}"), "name": f"'Student ' || {{n}} + 1 || ' of {title}'"},
        ),
    ]
    with psycopg.connect(uri, autocommit=True) as database:
        for table in tables:
            name = table.name.partition("_")[2]
            ids[f"other_{name}"] = insert_rows(database, table, {})
        person, assignment = _either("person", "{n} %", students, ids), _either("assignment", "{n} /", students, ids)
        enrolled = {"course_id": str(course.pk), "person_id": f"{ids['other_person']} + {{n}}", "role": "'student'"}
        enrolled["covers_whole_course"] = "false"
        insert_rows(database, Table("courses_enrollment", students - 1, enrolled), {})
        work = {"person_id": person, "assignment_id": assignment, "public_id": _token(f"s{course.pk}")}
        work |= {"feedback_token": _token(f"f{course.pk}")}
        # The number 0 is the one that there is already.
        work_from = insert_rows(database, Table("learning_submission", students * some, work, begin=1), {})
        attempt = {"submission_id": f"{work_from} + {{n}}"}
        insert_rows(database, Table("learning_attempt", students * some, attempt, begin=1), {})
        database.execute("VACUUM ANALYZE")
    return course


def _either(name: str, number: str, students: int, ids: dict[str, int]) -> str:
    """The first one's id, or that of one of the others, which were made together."""
    which = f"({number} {students})"
    return f"CASE WHEN {which} = 0 THEN {ids[name]} ELSE {ids[f'other_{name}']} + {which} - 1 END"


def _token(salt: str) -> str:
    return f"left(md5('{salt}-' || {{n}}), 20)"


@contextmanager
def count_statements() -> Iterator[list[str]]:
    """Every statement of the one connection."""
    seen: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield seen


def take(work: Callable[[], int], database_root: int, repeats: int = REPEATS) -> Taken:
    """Once to warm up and count, then as often as asked."""
    with count_statements() as seen:
        size = work()
    work()
    clock, own, database = time.perf_counter(), time.process_time(), cpu_seconds(database_root)
    for _ in range(repeats):
        work()
    own, database = time.process_time() - own, cpu_seconds(database_root) - database
    clock = time.perf_counter() - clock
    return Taken(len(seen), 1000 * (own + database) / repeats, 1000 * clock / repeats, size)


def ask(client: Client, path: str) -> Callable[[], int]:
    """A page that has to be there."""

    def work() -> int:
        response = client.get(path, **HOST)
        assert response.status_code == 200, f"{path}: {response.status_code}"
        return len(response.content)

    return work


def measure(told: dict[str, Any]) -> dict[str, Any]:
    """The pages and exports of both courses."""
    cast, root, uri = make_cast(), told["database_root"], os.environ["COURSEWAY_DATABASE_URL"]
    small = make_course(cast, uri, "Small", students=100, assignments=100)
    large = make_course(cast, uri, "Large", students=told["students"], assignments=told["assignments"])
    thousand = make_course(cast, uri, "Thousand", students=100, assignments=1000)
    tom, picker_client = Client(), Client()
    tom.force_login(cast.tom)
    lms = make_lms13(cast.acme)
    know_teacher(cast, lms)
    picker = open_picker(picker_client, ask_by_deep_linking(picker_client, lms))[0]
    found: dict[str, dict[str, Any]] = {}

    def note(name: str, course: Course, taken: Taken) -> None:
        found.setdefault(name, {})[course.title] = vars(taken)

    for course in (small, large):
        one = Assignment.objects.filter(course=course).order_by("pk").first()
        assert one is not None
        pages = {
            "gradebook": (tom, f"/courses/{course.public_id}/gradebook/"),
            "gradebook, a search": (tom, f"/courses/{course.public_id}/gradebook/?q=student"),
            "gradebook, last page": (tom, f"/courses/{course.public_id}/gradebook/?page=999"),
            "gradebook, to be released": (tom, f"/courses/{course.public_id}/gradebook/?state=to_release"),
            "results of one assignment": (tom, f"/courses/{course.public_id}/assignments/{one.public_id}/results/"),
            "picker": (picker_client, f"{picker}?course={course.public_id}"),
            "picker, a search": (picker_client, f"{picker}?course={course.public_id}&q=exercise"),
            "picker, second page": (picker_client, f"{picker}?course={course.public_id}&page=2"),
        }
        for name, (client, path) in pages.items():
            note(name, course, take(ask(client, path), root))
    exports: dict[str, Callable[[Course], int]] = {
        "cartridge export": lambda course: len(export_cartridge(course).content),
        "course copy": lambda course: _copy(course),
    }
    for name, export in exports.items():
        for course in (small, thousand):
            note(name, course, take(lambda course=course, export=export: export(course), root, repeats=3))
    return found


def _copy(course: Course) -> int:
    from django.db import transaction

    with transaction.atomic():
        return copy_course(course, title="A copy", now=datetime.now(UTC)).assignments.count()


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
