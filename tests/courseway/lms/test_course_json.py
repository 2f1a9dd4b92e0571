"""A course as the JSON that scripts count on."""

from __future__ import annotations

import json
from decimal import Decimal

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.lms.course_json import course_as_json, imported_course_as_json
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.visits import make_lms11, make_lms13


def test_an_imported_course(cast: Cast) -> None:
    """The answer of an import names each assignment with its two URLs and what an LMS sends with the constant one."""
    Assignment.objects.filter(pk=cast.loops.pk).update(points=Decimal("2.50"))
    document = json.loads(json.dumps(imported_course_as_json(cast.course)))
    assert document["enroll_url"] == f"https://tool.example/lti/e/{cast.course.public_id}"
    operators, loops = document["assignments"]
    assert operators["id"] == cast.operators.public_id
    assert (operators["title"], operators["module"], operators["points"]) == ("Operators", "Week 1", 10)
    assert operators["url"] == f"https://tool.example/lti/a/{cast.operators.public_id}"
    assert operators["constant_url"] == f"https://tool.example/lti/c/{cast.operators.content_id}"
    assert operators["custom"] == {"course_target_id": cast.course.public_id}
    assert loops["points"] == 2.5


def test_a_course_with_people_and_lms_courses(cast: Cast) -> None:
    """People are listed with their role and all their LMS user ids, LMS courses with the rule that found them."""
    path = f"/lti/a/{cast.operators.public_id}"
    assert make_lms11(cast.acme).launch(Client(), path, user_id="u-11", context_id="c-11").status_code == 303
    assert make_lms13(cast.acme).launch(Client(), cast.operators, sub="u-13").status_code == 303
    child = Course.objects.create(organization=cast.acme, title="Child", parent=cast.course)
    document = json.loads(json.dumps(course_as_json(cast.course)))
    assert document["settings"]["lti_enabled"] is True
    assert document["settings"]["iframe_width"] == 1000
    assert (document["parent"], document["children"]) == (None, [child.public_id])
    assert course_as_json(child)["parent"] == cast.course.public_id
    people = {one["email"]: one for one in document["enrollments"] if not one["lms_user_ids"]}
    assert people["tom@acme.example"]["role"] == "teacher"
    assert people["mia@acme.example"]["role"] == "mentor"
    arrived = {user_id: one for one in document["enrollments"] for user_id in one["lms_user_ids"]}
    assert set(arrived) == {"u-11", "u-13"}
    assert arrived["u-11"]["role"] == "student"
    assert arrived["u-11"]["active"] is True
    contexts = {one["platform"]: one for one in document["contexts"]}
    assert contexts["Moodle"]["context_id"] == "c-11"
    assert contexts["Canvas"]["rule"] == "assignment_address"


def test_statements_do_not_grow(cast: Cast) -> None:
    """A course with a hundred people is told in as many statements as one with four."""

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            course_as_json(Course.objects.get(pk=cast.course.pk))
        return len(queries)

    few = count()
    for number in range(100):
        person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
        Enrollment.objects.create(course=cast.course, person=person, role=Role.STUDENT)
    assert count() == few
