"""Grades of people whom the LMS lists and who have not come yet: sent by LTI 1.3, which grades by user id."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.test import Client

from courseway.courses.models import Enrollment
from courseway.grades.models import Delivery
from courseway.grades.report import drain
from courseway.learning.scoring import release, set_grade
from courseway.lms.rosters import read_due_rosters, want_rosters
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school11
from tests.practice_lms.running import PracticeLms


def know_everybody(client: Client, school: School, cast: Cast) -> None:
    """A teacher comes, and the worker reads the roster."""
    teacher = school.add_person("Tea Cher", "teacher")
    assert school.launch(client, teacher, school.place(cast.operators)).status_code == 303
    want_rosters(now=datetime.now(UTC))
    assert read_due_rosters() == 1


def grade(cast: Cast, person: Person, percent: int) -> None:
    now = datetime.now(UTC)
    set_grade(assignment=cast.operators, person=person, percent=Decimal(percent), complete=True, now=now)
    release(cast.operators, [person], now=now)


def deliver() -> int:
    """How many grades the LMS took."""
    return drain(until_empty=True, timeout=10)["sent"]


def test_a_grade_reaches_somebody_who_never_came(client: Client, cast: Cast, school: School) -> None:
    """A teacher grades a student who is only listed; the LMS gets the grade under the listed user id."""
    ada = school.add_person("Ada One")
    know_everybody(client, school, cast)
    grade(cast, school.find_person(ada), 80)
    assert deliver() == 1
    assert school.lms.read_grade(school.course, ada) == "8"
    grade(cast, school.find_person(ada), 90)
    assert deliver() == 1
    assert school.lms.read_grade(school.course, ada) == "9"


def test_whoever_comes_later_is_owed_nothing_twice(client: Client, cast: Cast, school: School) -> None:
    """The delivery of somebody who was only listed is the same one after the first launch."""
    ada = school.add_person("Ada One")
    know_everybody(client, school, cast)
    grade(cast, school.find_person(ada), 80)
    deliver()
    assert school.launch(Client(), ada, school.links[cast.operators.pk]).status_code == 303
    grade(cast, school.find_person(ada), 70)
    assert deliver() == 1
    assert Delivery.objects.filter(person=school.find_person(ada)).count() == 1
    assert school.lms.read_grade(school.course, ada) == "7"


def test_nobody_who_left_is_graded(client: Client, cast: Cast, school: School) -> None:
    """Somebody who never came and whom the LMS does not list any more is owed nothing."""
    ada = school.add_person("Ada One")
    know_everybody(client, school, cast)
    person = school.find_person(ada)
    person.context_memberships.update(active=False)
    grade(cast, person, 80)
    assert not Delivery.objects.filter(person=person).exists()


def test_somebody_who_left_before_the_grade_was_sent(client: Client, cast: Cast, school: School) -> None:
    """A grade that waits for somebody who left meanwhile says so to the teacher, and reaches nobody."""
    ada = school.add_person("Ada One")
    know_everybody(client, school, cast)
    person = school.find_person(ada)
    grade(cast, person, 80)
    person.context_memberships.update(active=False)
    drain()
    delivery = Delivery.objects.get(person=person)
    assert (delivery.state, delivery.last_error_code) == ("needs_teacher", "never_arrived")
    assert school.lms.read_grade(school.course, ada) is None


def test_lti_11_grades_only_who_came(client: Client, practice_lms: PracticeLms, cast: Cast) -> None:
    """By LTI 1.1 a grade needs what only a launch brings, so somebody who is only listed is owed none."""
    school = make_school11(practice_lms, cast.acme)
    ada = school.add_person("Ada One")
    know_everybody(client, school, cast)
    person = school.find_person(ada)
    assert Enrollment.objects.get(course=cast.course, person=person).active
    grade(cast, person, 80)
    assert not Delivery.objects.filter(person=person).exists()


def test_a_course_that_only_enrolls_owes_nothing(client: Client, cast: Cast, school: School) -> None:
    """While a course only enrolls nobody's grade goes out, listed or not (F4)."""
    ada = school.add_person("Ada One")
    know_everybody(client, school, cast)
    cast.course.enroll_only = True
    cast.course.save()
    grade(cast, school.find_person(ada), 80)
    assert not Delivery.objects.filter(person=school.find_person(ada)).exists()
