"""The same work from many sides at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse, set_script_prefix

from courseway.courses.models import Assignment, Role
from courseway.grades.models import Delivery
from courseway.learning.models import Attempt, Submission
from courseway.learning.scoring import (
    AlreadyHandedInError,
    begin_next_attempt,
    release,
    save_answers,
    set_grade,
    submit_attempt,
)
from courseway.orgs.models import Person
from tests.cast import Cast, make_cast
from tests.courseway.grades.links import place_v11
from tests.visits import open_launch

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
RIGHT = {"sum": "4", "quotient": "2,5", "maker": "guido"}

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """Runs the works in threads that start together; their answers or errors."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return work()
        except Exception as error:  # the test looks at what came out
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_two_submits_at_once_are_one_handing_in() -> None:
    """Of ten first submits at the same moment one counts, the others are told so; one attempt, one delivery."""
    cast = make_cast()
    place_v11(cast.operators).let_in(cast.sam)
    operators = Assignment.objects.select_related("course").get(pk=cast.operators.pk)

    def submit() -> object:
        return submit_attempt(assignment=operators, person=cast.sam, answers=RIGHT, number=1, now=NOW)

    answers = at_once([submit] * 10)
    assert Counter(type(answer) for answer in answers) == {Attempt: 1, AlreadyHandedInError: 9}
    assert Attempt.objects.count() == Submission.objects.count() == Delivery.objects.count() == 1
    assert Submission.objects.get().score == Decimal(10)
    assert Delivery.objects.get().wanted_version == 1


def test_two_browsers_hand_in_at_once() -> None:
    """The same through the pages: every click is led to the result, none to an error."""
    cast = make_cast()
    set_script_prefix("/")
    path = reverse("learning:submit", args=[cast.operators.public_id])
    clients = [Client(raise_request_exception=False) for _ in range(4)]
    prefixes = [open_launch(c, cast.sam, cast.course, Role.STUDENT, cast.operators) for c in clients]
    form = {"q-sum": "4", "q-quotient": "2.5", "q-maker": "guido", "attempt": "1"}

    def click(client: Client, prefix: str) -> Callable[[], object]:
        return lambda: client.post(prefix + path, form).status_code

    assert Counter(at_once([click(*pair) for pair in zip(clients, prefixes, strict=True)])) == {303: 4}
    assert Attempt.objects.count() == 1


def test_further_attempts_at_once_are_one() -> None:
    """Two clicks on 'Try again' begin one attempt."""
    cast = make_cast()
    cast.operators.attempts = 0
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)

    def retry() -> object:
        return begin_next_attempt(assignment=cast.operators, person=cast.sam, now=NOW).number

    assert at_once([retry] * 6) == [2] * 6
    assert Attempt.objects.count() == 2


def test_answers_saved_at_once_are_all_kept() -> None:
    """Answers to different questions that arrive at the same moment do not erase each other."""
    cast = make_cast()

    def save(key: str, text: str) -> Callable[[], object]:
        return lambda: save_answers(assignment=cast.operators, person=cast.sam, answers={key: text}, now=NOW).number

    assert at_once([save(key, text) for key, text in RIGHT.items()]) == [1, 1, 1]
    assert Attempt.objects.get().answers == RIGHT


def test_a_grade_is_not_lost_between_teacher_and_student() -> None:
    """Grading, releasing and handing in at once end with the teacher's grade, released, and owed as it stands."""
    cast = make_cast()
    cast.course.release_grades_automatically = False
    cast.course.save()
    link = place_v11(cast.operators)
    people = [*_students(cast, 6)]
    for person in people:
        link.let_in(person)
    operators = Assignment.objects.select_related("course").get(pk=cast.operators.pk)

    def hand_in(person: Person) -> Callable[[], object]:
        return lambda: submit_attempt(assignment=operators, person=person, answers=RIGHT, now=NOW).number

    def grade(person: Person) -> Callable[[], object]:
        return lambda: set_grade(assignment=operators, person=person, percent=Decimal(55), now=NOW).pk

    def release_all() -> object:
        return release(operators, now=NOW)

    works = [work(person) for person in people for work in (hand_in, grade)]
    answers = at_once([*works, release_all, release_all])
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    release(operators, now=NOW)
    for person in people:
        submission = Submission.objects.get(person=person)
        assert submission.final_percent() == Decimal(55)
        assert submission.completed_at
        assert submission.released_at
        assert Delivery.objects.get(person=person).wanted_score == Decimal("5.5")


def _students(cast: Cast, count: int) -> list[Person]:
    return [Person.objects.create(organization=cast.acme, name=f"Person {n}") for n in range(count)]
