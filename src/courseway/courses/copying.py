"""Copies a course for a new term or another LMS course: all that is taught, and nobody who was in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course, Enrollment, Module, Page, Question, Role
from courseway.events.kinds import Kind
from courseway.events.recording import Happening, describe_row, record
from courseway.orgs.ids import new_id
from courseway.orgs.models import Person

MAX_TITLE: Final = 255  # an LMS may call its course something longer
# What a child does not have from its parent; every other field of a course, also one added later, is kept.
OWN_OF_A_COURSE: Final = ("id", "public_id", "title", "parent", "archived_at", "created_at", "lms_url", "course_copy")


def copy_course(parent: Course, *, title: str = "", now: datetime) -> Course:
    """A child with everything that students of the parent see, made inside the caller's transaction.

    Each assignment keeps its content id, by which constant URLs find it in the child, and gets an address of its own.
    The child cannot be copied by launches itself and has no LMS address yet. On PostgreSQL the number of statements
    is the same for every size; pages and questions never leave the database.
    """
    child = Course.objects.create(
        title=(title.strip() or parent.title)[:MAX_TITLE],
        parent=parent,
        created_at=now,
        **_values(parent, without=OWN_OF_A_COURSE),
    )
    # Assignments first: the module of each one read is there when the modules are read.
    assignments = list(Assignment.objects.filter(course=parent, deleted_at=None).order_by("pk"))
    modules = list(Module.objects.filter(course=parent).order_by("position", "pk"))
    made = Module.objects.bulk_create(
        Module(course=child, **_values(module, without=("id", "course"))) for module in modules
    )
    new_modules = {old.pk: new for old, new in zip(modules, made, strict=True)}
    Assignment.objects.bulk_create(
        Assignment(
            course=child,
            module=new_modules[assignment.module_id],
            public_id=new_id(),
            **_values(assignment, without=("id", "course", "module", "public_id")),
        )
        for assignment in assignments
        if assignment.module_id in new_modules
    )
    with connection.cursor() as cursor, _joining_by_hash(cursor):
        cursor.execute(_COPY_PAGES, {"parent": parent.pk, "child": child.pk})
        cursor.execute(_COPY_QUESTIONS, {"parent": parent.pk, "child": child.pk})
    data = {"course": describe_row(child), "parent": describe_row(parent)}
    record(child.organization_id, Happening(Kind.COURSE_COPIED, data), now=now)
    return child


@contextmanager
def _joining_by_hash(cursor: CursorWrapper) -> Iterator[None]:
    """PostgreSQL that has old statistics, of empty tables say, would take every row with every other: hours."""
    if connection.vendor != "postgresql":
        yield
        return
    cursor.execute("SET LOCAL enable_nestloop = off")
    yield
    cursor.execute("SET LOCAL enable_nestloop = DEFAULT")


@transaction.atomic
def copy_course_by_hand(parent: Course, *, title: str, teacher: Person | None, now: datetime) -> Course:
    """A copy for a new term, or as the parent of further copies, taught by who asked for it."""
    child = copy_course(parent, title=title, now=now)
    if teacher is not None:
        Enrollment.objects.create(
            course=child, person=teacher, role=Role.TEACHER, covers_whole_course=True, created_at=now
        )
    return child


@transaction.atomic
def copy_assignment(original: Assignment) -> Assignment:
    """A second one behind the first, with pages and questions; new in every id, and unpublished until somebody is done
    with it."""
    Course.objects.select_for_update(no_key=True).get(pk=original.course_id)  # copies of one course take turns
    keys = set(Assignment.objects.filter(course=original.course_id).values_list("key", flat=True))
    names = (f"{original.key[:90]}-{number}" for number in itertools.count(2))
    own = ("id", "public_id", "content_id", "key", "title", "published")
    copied = Assignment.objects.create(
        key=next(name for name in names if name not in keys),
        title=_("%(title)s (copy)") % {"title": original.title[: MAX_TITLE - 20]},
        published=False,
        **_values(original, without=own),
    )
    for page in original.pages.order_by("pk").prefetch_related("questions"):
        new = Page.objects.create(assignment=copied, **_values(page, without=("id", "assignment")))
        Question.objects.bulk_create(
            Question(page=new, **_values(question, without=("id", "page"))) for question in page.questions.all()
        )
    return copied


def _values(row: Model, *, without: tuple[str, ...]) -> dict[str, object]:
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in without
    }


def _columns(model: type[Model], table: str, *, without: tuple[str, ...]) -> tuple[str, str]:
    """The columns to copy, as they are written and as they are read."""
    names = [str(field.column) for field in model._meta.concrete_fields if field.name not in without]
    return ", ".join(names), ", ".join(f"{table}.{name}" for name in names)


# Only names of our own columns are put into these two; both databases know all that they use.
_COPY_PAGES: Final = """
INSERT INTO courses_page (assignment_id, {})
SELECT new.id, {}
  FROM courses_assignment old
  JOIN courses_assignment new ON new.course_id = %(child)s AND new.content_id = old.content_id
  JOIN courses_page p ON p.assignment_id = old.id
 WHERE old.course_id = %(parent)s
 ORDER BY p.id
""".format(*_columns(Page, "p", without=("id", "assignment")))

_COPY_QUESTIONS: Final = """
INSERT INTO courses_question (page_id, {})
SELECT copied.id, {}
  FROM courses_assignment old
  JOIN courses_assignment new ON new.course_id = %(child)s AND new.content_id = old.content_id
  JOIN courses_page p ON p.assignment_id = old.id
  JOIN courses_page copied ON copied.assignment_id = new.id AND copied.key = p.key
  JOIN courses_question q ON q.page_id = p.id
 WHERE old.course_id = %(parent)s
 ORDER BY q.id
""".format(*_columns(Question, "q", without=("id", "page")))
