"""The people of the tests: always the same, so that every page's test gets its access cases almost for free."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from courseway.courses.models import Assignment, Course, Enrollment, Module, Page, Question, Role
from courseway.learning import work_sheet
from courseway.learning.work_pages import recall_content
from courseway.orgs.models import Account, Member, Organization, Person

PASSWORD = "correct horse battery"


@dataclass
class Cast:
    """Two organizations. Olive owns Acme, Tom teaches there, Sam and Sue study, Mia mentors; Oscar is an outsider."""

    acme: Organization
    olive: Account
    tom: Account
    tom_person: Person
    sam: Person
    sue: Person
    mia: Person
    course: Course
    operators: Assignment
    loops: Assignment
    umbrella: Organization
    oscar: Account
    foreign_course: Course
    foreign_assignment: Assignment


def make_account(email: str, name: str) -> Account:
    from allauth.account.models import EmailAddress

    account = Account.objects.create_user(email, PASSWORD, name=name)
    EmailAddress.objects.create(user=account, email=email, verified=True, primary=True)
    return account


def make_assignment(module: Module, title: str, key: str, **fields: object) -> Assignment:
    """An assignment of 10 points with two pages and one question of each kind."""
    assignment = Assignment.objects.create(
        course=module.course,
        module=module,
        title=title,
        key=key,
        **{"points": Decimal(10), **fields},  # type: ignore[arg-type]
    )
    warm_up, finish = Page.objects.bulk_create(
        [
            Page(assignment=assignment, key="warm-up", title="Warm-up", text="Think **first**."),
            Page(assignment=assignment, key="finish", title="Finish", position=1),
        ]
    )
    Question.objects.bulk_create(
        [
            Question(
                page=warm_up,
                key="sum",
                kind="choice",
                text="What is 2+2?",
                body={"options": ["3", "4"], "answer": "4"},
                points=Decimal(4),
            ),
            Question(
                page=warm_up,
                key="quotient",
                kind="number",
                text="10/4?",
                body={"answer": "2.5", "tolerance": "0.01"},
                points=Decimal(3),
                position=1,
            ),
            Question(
                page=finish,
                key="maker",
                kind="text",
                text="Who made Python?",
                body={"answers": ["Guido van Rossum", "Guido"]},
                points=Decimal(3),
            ),
        ]
    )
    return assignment


_kept: tuple[bytes, list[tuple[str, Any]]] | None = None


def make_cast() -> Cast:
    """The people of this process: the same rows each time, once `keep_cast` has seen how they are made."""
    if _kept is None:
        return _make_cast()
    pickled, statements = _kept
    # A test may add to the pages that another test had too, with the same mark.
    recall_content.cache_clear()
    work_sheet._render.cache_clear()
    with connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)
    cast: Cast = pickle.loads(pickled)  # noqa: S301 - this process wrote it
    return cast


def keep_cast() -> None:
    """Most tests begin with these people: to make them anew by a model each would be a tenth of the suite's time."""
    global _kept
    models = [model for model in apps.get_models() if not model.objects.exists()]
    with transaction.atomic():
        if connection.vendor == "sqlite":
            _leave_small_numbers(models)
        cast = _make_cast()
        rows = {model: list(model.objects.all()) for model in models}
        transaction.set_rollback(True)
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, statement: str, values: Any, many: bool, context: Any) -> Any:
        statements.append((statement, values))
        return execute(statement, values, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(note):
            for model, made in rows.items():
                model.objects.bulk_create(made)
        transaction.set_rollback(True)
    statements = [(text, values) for text, values in statements if text.startswith("INSERT")]
    _kept = pickle.dumps(cast), _join(statements) if connection.vendor == "postgresql" else statements


def _join(statements: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The same as one text with its values in it: one way to PostgreSQL and back."""
    import psycopg

    asked = psycopg.ClientCursor(connection.connection)
    return [(";".join(asked.mogrify(text, values) for text, values in statements), None)]


def _leave_small_numbers(models: list[Any]) -> None:
    """SQLite numbers rows from the greatest on. What a test makes before these people must not meet their numbers."""
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, 1000000)", [model._meta.db_table])


def _make_cast() -> Cast:
    acme = Organization.objects.create(slug="acme", name="Acme University")
    umbrella = Organization.objects.create(slug="umbrella", name="Umbrella College")
    olive, tom, oscar = (
        make_account("olive@acme.example", "Olive Owner"),
        make_account("tom@acme.example", "Tom Teacher"),
        make_account("oscar@umbrella.example", "Oscar Outsider"),
    )
    # Most tests begin here: rows that need no `save` of their own are made by one statement.
    Member.objects.bulk_create(
        [
            Member(organization=acme, account=olive, role=Member.Role.OWNER),
            Member(organization=acme, account=tom, role=Member.Role.TEACHER),
            Member(organization=umbrella, account=oscar, role=Member.Role.OWNER),
        ]
    )
    sam, sue, mia = (
        Person.objects.create(organization=acme, name=name, email=f"{name.split()[0].lower()}@acme.example")
        for name in ("Sam Student", "Sue Student", "Mia Mentor")
    )
    tom_person = Person.objects.create(organization=acme, account=tom, name="Tom Teacher", email=tom.email)
    course = Course.objects.create(
        organization=acme, title="Python basics", lti_enabled=True, release_grades_automatically=True
    )
    module = Module.objects.create(course=course, title="Week 1")
    operators = make_assignment(module, "Operators", "operators")
    loops = make_assignment(module, "Loops", "loops", position=1)
    foreign_course = Course.objects.create(organization=umbrella, title="Secrets of Umbrella", lti_enabled=True)
    foreign_assignment = make_assignment(
        Module.objects.create(course=foreign_course, title="Only module"), "Foreign", "foreign"
    )
    Enrollment.objects.bulk_create(
        [
            Enrollment(course=course, person=tom_person, role=Role.TEACHER, covers_whole_course=True),
            Enrollment(course=course, person=sam, role=Role.STUDENT),
            Enrollment(course=course, person=sue, role=Role.STUDENT),
            Enrollment(course=course, person=mia, role=Role.MENTOR),
        ]
    )
    return Cast(
        acme=acme,
        olive=olive,
        tom=tom,
        tom_person=tom_person,
        sam=sam,
        sue=sue,
        mia=mia,
        course=course,
        operators=operators,
        loops=loops,
        umbrella=umbrella,
        oscar=oscar,
        foreign_course=foreign_course,
        foreign_assignment=foreign_assignment,
    )
