"""A copy of a course: everything that is taught, nobody who was in it, and quickly."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from courseway.courses.copying import copy_course
from courseway.courses.exporting import export_course
from courseway.courses.importing import import_course
from courseway.courses.models import Assignment, Course, Enrollment, Module, Page, Question
from courseway.courses.settings_change import SETTINGS, SWITCHES, read_settings
from courseway.courses.text_format import ParsedCourse
from courseway.lms.models import Context, CourseContext, CourseIdentity, Deployment, Platform, ResourceLink
from tests.cast import Cast
from tests.courseway.courses.test_import_export import courses, large_course
from tests.depth import either

NOW = datetime(2027, 2, 1, 8, tzinfo=UTC)


def describe_content(course: Course) -> list[tuple[Any, ...]]:
    """All that students see, whatever fields a later version adds; without the ids that must be new."""
    rows: list[tuple[Any, ...]] = []
    rows += list_values(Module.objects.filter(course=course), without=("course",))
    assignments = Assignment.objects.filter(course=course, deleted_at=None)
    rows += list_values(assignments, "module__title", without=("course", "module", "public_id"))
    pages = Page.objects.filter(assignment__in=assignments)
    rows += list_values(pages, "assignment__content_id", without=("assignment",))
    questions = Question.objects.filter(page__in=pages)
    rows += list_values(questions, "page__assignment__content_id", "page__key", without=("page",))
    return rows


def list_values(rows: QuerySet[Any], *more: str, without: tuple[str, ...]) -> list[tuple[Any, ...]]:
    names = [field.name for field in rows.model._meta.concrete_fields if field.name not in ("id", *without)]
    # In the order in which they were made, which a copy keeps.
    return [(rows.model.__name__, *values) for values in rows.order_by("pk").values_list(*more, *names)]


@pytest.mark.slow
@pytest.mark.deep
@settings(
    max_examples=either(15, deep=60),
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    parsed=courses,
    switches=st.fixed_dictionaries({name: st.booleans() for name in SWITCHES}),
    width=st.integers(200, 10_000),
    title=st.sampled_from(["", "Spring 2027", "  ", "L" * 300]),
)
def test_everything_visible_is_equal(
    cast: Cast, parsed: ParsedCourse, switches: dict[str, bool], width: int, title: str
) -> None:
    """Whatever a course holds and however it is set, its copy shows the same, by the same content ids."""
    parent = import_course(parsed, organization=cast.acme, teacher=cast.tom_person, now=NOW)
    for name, value in {**switches, "iframe_width": width, "lms_url": "https://lms.example/old"}.items():
        setattr(parent, name, value)
    parent.save()
    child = Course.objects.get(pk=copy_course(parent, title=title, now=NOW).pk)
    assert describe_content(child) == describe_content(parent)
    assert child.title == (title.strip() or parent.title)[:255]
    child.title = parent.title
    assert export_course(child) == export_course(parent)
    expected = {**read_settings(parent), "course_copy": False, "lms_url": ""}
    assert read_settings(child) == expected
    assert (child.parent, child.organization, child.created_at, child.archived_at) == (parent, cast.acme, NOW, None)
    ids = Assignment.objects.filter(course__in=[parent, child]).values_list("public_id", flat=True)
    assert len(set(ids)) == len(ids) == 2 * Assignment.objects.filter(course=parent).count()


def test_every_setting_was_looked_at() -> None:
    """A setting added later is kept by a copy, unless somebody decides here that it is not."""
    kept = {field.name for field in Course._meta.concrete_fields} - {
        *("id", "public_id", "title", "parent", "archived_at", "created_at", "lms_url", "course_copy", "organization")
    }
    assert kept == set(SETTINGS) - {"lms_url", "course_copy"}


def test_nobody_comes_along(cast: Cast) -> None:
    """No people, no connections and no links: a new term begins empty."""
    platform = Platform.objects.create(organization=cast.acme, version="1.1")
    deployment = Deployment.objects.create(platform=platform)
    context = Context.objects.create(deployment=deployment, context_id="c-1")
    CourseContext.objects.create(course=cast.course, context=context, rule="known_link", is_first=True)
    CourseIdentity.objects.create(platform=platform, course=cast.course, identity="SIS-1", rule="offering_sourcedid")
    ResourceLink.objects.create(context=context, deployment=deployment, resource_link_id="l", assignment=cast.operators)
    child = copy_course(cast.course, now=NOW)
    assert not Enrollment.objects.filter(course=child).exists()
    assert not CourseContext.objects.filter(course=child).exists()
    assert not CourseIdentity.objects.filter(course=child).exists()
    assert not ResourceLink.objects.filter(assignment__course=child).exists()
    assert Enrollment.objects.filter(course=cast.course).count() == 4, "the parent keeps its people"


def test_a_copy_of_a_copy(cast: Cast) -> None:
    """A child may be a parent in its turn: the content id stays the same all the way, the address never does."""
    child = copy_course(cast.course, now=NOW)
    grandchild = copy_course(child, now=NOW)
    assert grandchild.parent == child
    same = Assignment.objects.filter(content_id=cast.operators.content_id)
    assert {one.course_id for one in same} == {cast.course.pk, child.pk, grandchild.pk}
    assert len({one.public_id for one in same}) == 3


def test_deleted_assignments_stay_behind(cast: Cast) -> None:
    """What was deleted is not taught anew; what is only unpublished is copied unpublished."""
    Assignment.objects.filter(pk=cast.loops.pk).update(deleted_at=NOW)
    Assignment.objects.filter(pk=cast.operators.pk).update(published=False)
    child = copy_course(cast.course, now=NOW)
    only = Assignment.objects.get(course=child)
    assert (only.key, only.published) == ("operators", False)


def test_an_archived_parent_makes_a_living_child(cast: Cast) -> None:
    """The master of the last term may be archived; its copy is not."""
    cast.course.archived_at = NOW
    cast.course.save()
    assert copy_course(cast.course, now=NOW).archived_at is None


def test_the_copy_belongs_to_its_transaction(cast: Cast) -> None:
    """When the launch that asked for it fails, nothing of the child remains."""
    before = Course.objects.count(), Assignment.objects.count(), Page.objects.count(), Question.objects.count()

    def copy_and_fail() -> None:
        with transaction.atomic():
            copy_course(cast.course, now=NOW)
            raise RuntimeError("the launch failed")

    with pytest.raises(RuntimeError, match="the launch failed"):
        copy_and_fail()
    assert (
        Course.objects.count(),
        Assignment.objects.count(),
        Page.objects.count(),
        Question.objects.count(),
    ) == before


def test_statements_and_time_for_a_large_course(cast: Cast) -> None:
    """1,000 assignments cost the statements of three, and less than a second of our time."""

    def measure(assignments: int) -> tuple[int, float]:
        parent = import_course(large_course(assignments), organization=cast.acme, teacher=None, now=NOW)
        began = time.process_time()
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            child = copy_course(parent, now=NOW)
        spent = time.process_time() - began
        assert Question.objects.filter(page__assignment__course=child).count() == assignments
        return len(
            [query for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "SET LOCAL"))]
        ), spent

    few, _spent = measure(3)
    many, spent = measure(1000)
    assert few == 8
    # SQLite takes a limited number of values in a statement, so Django sends such a course in some batches there.
    assert many == few if connection.vendor == "postgresql" else many <= few + 20
    assert spent <= 1.0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans without statistics")
def test_old_statistics_do_not_slow_a_copy(cast: Cast) -> None:
    """A database that still believes its tables to be empty copies a large course in seconds, not in hours."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = 0, relpages = 100 WHERE relname LIKE 'courses\\_%'")
        cursor.execute("SET LOCAL statement_timeout = '20s'")
    parent = import_course(large_course(1000), organization=cast.acme, teacher=None, now=NOW)
    child = copy_course(parent, now=NOW)
    assert Question.objects.filter(page__assignment__course=child).count() == 1000
