"""Queries whose SQL is written once give what the same querysets give."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from courseway.courses.models import Assignment, Enrollment, Page, Role
from courseway.kept_queries import KeptQuery, first_of_both
from courseway.learning import own_standing
from courseway.learning.models import Extension, Submission
from courseway.lms import visitors
from courseway.lms.models import ContextMembership
from tests.cast import Cast, make_cast
from tests.courseway.grades.links import place_v11


def describe(row: Model | None) -> Any:
    """All columns of a row and of the rows that came with it, and what was annotated."""
    if row is None:
        return None
    shown = {name: value for name, value in vars(row).items() if name not in ("_state", "own")}
    came_with = {**row._state.fields_cache, "own": getattr(row, "own", None)}
    # A submission knows its assignment, which is where one came from.
    return shown | {name: describe(one) for name, one in came_with.items() if name != "assignment"}


def test_the_standing_is_what_the_queryset_says(cast: Cast) -> None:
    """Of everybody at every assignment, with and without work, more time and a published page."""
    Assignment.objects.filter(pk=cast.loops.pk).update(due_at=datetime(2026, 12, 1, tzinfo=UTC), published=False)
    Submission.objects.create(assignment=cast.loops, person=cast.sam, comment="well done")
    Extension.objects.create(assignment=cast.operators, person=cast.sue, due_at=datetime(2026, 12, 2, tzinfo=UTC))
    Page.objects.filter(assignment=cast.operators).update(text="New.")
    for assignment in Assignment.objects.all():
        for person in (cast.sam, cast.sue, cast.mia):
            values: dict[str, Any] = {"public_id": assignment.public_id, "person": person.pk}
            queryset: QuerySet[Assignment] = own_standing._find(**values)
            assert describe(own_standing.STANDING.first(**values)) == describe(queryset.first())
    assert own_standing.find_standing(HttpRequest(), "nowhere", cast.sam.pk) is None


def test_a_visitor_is_found_as_the_queryset_finds_them(cast: Cast) -> None:
    """Who is enrolled and whom the LMS still names is found, in that role and that LMS course and no other."""
    placed = place_v11(cast.operators)
    ContextMembership.objects.create(context=placed.context, person=cast.sam, role=Role.STUDENT, active=True)
    found = 0
    for person in (cast.sam, cast.sue):
        for role in (Role.STUDENT, Role.TEACHER):
            for context in (placed.context.pk, placed.context.pk + 1):
                values = {"course": cast.course.pk, "person": person.pk, "context": context, "role": role.value}
                kept = visitors.STILL_ENROLLED.first(**values)
                assert describe(kept) == describe(visitors._with_person(**values).first())  # type: ignore[arg-type]
                found += kept is not None
    assert found == 1


def test_two_queries_in_one_statement_are_the_same_two(cast: Cast) -> None:
    """Asked together they give what each gives alone; without a first there is no second, a first may stand alone."""
    placed = place_v11(cast.operators)
    ContextMembership.objects.create(context=placed.context, person=cast.sam, role=Role.STUDENT, active=True)
    Submission.objects.create(assignment=cast.operators, person=cast.sam, comment="well done")
    enrolled = {"course": cast.course.pk, "person": cast.sam.pk, "context": placed.context.pk, "role": "student"}
    for public_id in (cast.operators.public_id, cast.loops.public_id, "nowhere"):
        wanted: dict[str, int | str] = {"public_id": public_id, "person": cast.sam.pk}
        one, other = first_of_both(visitors.STILL_ENROLLED, enrolled, own_standing.STANDING, wanted)
        assert describe(one) == describe(visitors.STILL_ENROLLED.first(**enrolled))
        assert describe(other) == describe(own_standing.STANDING.first(**wanted))
        nobody = first_of_both(visitors.STILL_ENROLLED, {**enrolled, "role": "mentor"}, own_standing.STANDING, wanted)
        assert nobody == (None, None)


def test_a_standing_that_was_noted_is_used_for_that_person_and_assignment_alone(cast: Cast) -> None:
    """What was read for one page says nothing about another assignment or another person."""
    Submission.objects.create(assignment=cast.operators, person=cast.sam)
    request = HttpRequest()
    row = own_standing.STANDING.first(public_id=cast.operators.public_id, person=cast.sam.pk)
    assert row is not None
    own_standing.remember_standing(request, row, cast.sam.pk)
    for assignment, person in ((cast.operators, cast.sue), (cast.loops, cast.sam), (cast.operators, cast.sam)):
        found = own_standing.find_standing(request, assignment.public_id, person.pk)
        assert found is not None
        assert found[0].pk == assignment.pk
        assert found[1].person_pk == person.pk
        assert (found[1].submission is not None) == ((assignment, person) == (cast.operators, cast.sam))


def test_a_value_that_does_not_reach_the_database_is_a_mistake(cast: Cast) -> None:
    """A query that changes or forgets one of its values is refused when it is first written."""

    def build(*, course: int, role: str) -> QuerySet[Enrollment]:
        return Enrollment.objects.filter(course=course + 1, role=role)

    with pytest.raises(AssertionError, match="course"):
        KeptQuery(build, course=int, role=str).all(course=1, role="student")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="the database of the tests is one connection's own")
def test_each_thread_asks_by_its_own_connection() -> None:
    """A query that one thread wrote serves the others, each by its own connection."""
    cast = make_cast()
    own_standing.find_standing(HttpRequest(), cast.operators.public_id, cast.sam.pk)
    seen: list[int] = []

    def ask() -> None:
        found = own_standing.find_standing(HttpRequest(), cast.operators.public_id, cast.sam.pk)
        seen.append(found[0].pk if found else 0)
        connection.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [cast.operators.pk] * 4
