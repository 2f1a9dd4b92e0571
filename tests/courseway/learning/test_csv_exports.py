"""Gradebook, launch log and delivery log as CSV (J5): the rows of the pages, with LTI IDs, for who may see them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.grades.models import Delivery
from courseway.learning.scoring import set_grade
from courseway.lms.models import Context, CourseContext, Launch, LmsIdentity
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.visits import make_lms11, open_launch

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
EVIL = "=cmd|' /C calc'!A0"


def read(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"), newline="")))


@pytest.fixture
def sally(cast: Cast) -> Person:
    """A student who came by a launch, whose name is a formula, and whose grade is owed to the LMS."""
    lms = make_lms11(cast.acme)
    launch = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", lis_person_name_full=EVIL)
    assert launch.status_code == 303
    sally = Person.objects.get(lms_identities__lms_user_id="user-1")
    set_grade(assignment=cast.operators, person=sally, percent=Decimal("87.5"), complete=True, release=True, now=NOW)
    return sally


class TestGradebook:
    def url(self, cast: Cast) -> str:
        return reverse("learning_course:gradebook_csv", args=[cast.course.public_id])

    def test_rows(self, client: Client, cast: Cast, sally: Person) -> None:
        """Each student has a row with the LTI ID, and for each assignment grade and state; no name is a formula."""
        client.force_login(cast.tom)
        rows = {row["student"]: row for row in read(client.get(self.url(cast)))}
        assert set(rows) == {"'" + EVIL, "Sam Student", "Sue Student"}
        row = rows["'" + EVIL]
        assert (row["LTI ID"], row["e-mail"], row["active"]) == ("user-1", "sally@lms.example", "yes")
        assert row["Operators (%)"] == "87.5"
        assert row["Operators: state"] == "graded, waiting"
        assert (row["Loops (%)"], row["Loops: state"]) == ("", "not started")

    def test_what_the_page_was_narrowed_to(self, client: Client, cast: Cast, sally: Person) -> None:
        """The filters of the page hold in the file, its paging does not."""
        client.force_login(cast.tom)
        assert [row["student"] for row in read(client.get(self.url(cast) + "?q=sue&page=7&columns=3"))] == [
            "Sue Student"
        ]
        (row,) = read(client.get(self.url(cast) + "?state=completed"))
        assert row["LTI ID"] == "user-1"

    def test_whom_one_may_see(self, client: Client, cast: Cast, sally: Person) -> None:
        """Teachers of one LMS course get their own people, filtered mentors nobody's, students and others nothing."""
        teacher = Client()
        prefix = open_launch(teacher, cast.tom_person, cast.course, Role.TEACHER)
        open_launch(Client(), cast.sam, cast.course, Role.STUDENT)
        context = Context.objects.get(context_id=f"context-of-{cast.course.public_id}")
        CourseContext.objects.create(course=cast.course, context=context, rule="known_link")
        assert [row["student"] for row in read(teacher.get(prefix + self.url(cast)))] == ["Sam Student"]
        mentor = Client()
        prefix = open_launch(mentor, cast.mia, cast.course, Role.MENTOR)
        assert len(read(mentor.get(prefix + self.url(cast)))) == 3
        Course.objects.filter(pk=cast.course.pk).update(filter_learners_for_mentors=True)
        assert read(mentor.get(prefix + self.url(cast))) == []
        student = Client()
        prefix = open_launch(student, cast.sue, cast.course, Role.STUDENT)
        assert student.get(prefix + self.url(cast)).status_code == 403
        client.force_login(cast.oscar)
        assert client.get(self.url(cast)).status_code == 403

    def test_statements_do_not_grow(self, client: Client, cast: Cast) -> None:
        """Some hundred students are read with the same statements as three."""
        client.force_login(cast.tom)

        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                read(client.get(self.url(cast)))
            return len(queries)

        count()
        few = count()
        people = Person.objects.bulk_create(
            Person(organization=cast.acme, name=f"Student {number}", public_id=f"student-{number}")
            for number in range(150)
        )
        Enrollment.objects.bulk_create(Enrollment(course=cast.course, person=one, role=Role.STUDENT) for one in people)
        assert count() == few

    def test_the_page_offers_it(self, client: Client, cast: Cast) -> None:
        """The gradebook links to its file with the filters that are on."""
        client.force_login(cast.tom)
        page = client.get(reverse("learning_course:gradebook", args=[cast.course.public_id]) + "?q=sue&page=1")
        assert f'href="{self.url(cast)}?q=sue"' in page.content.decode()


class TestLaunchLog:
    url = "/o/acme/launches.csv"

    def test_rows(self, client: Client, cast: Cast, sally: Person) -> None:
        """Every launch is a row with who came, what was opened, and by which rule; newest first."""
        client.force_login(cast.olive)
        lms = make_lms11(cast.acme)
        lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", signing={"secret": "wrong"})
        refused, opened = read(client.get(self.url))
        assert (refused["outcome"], refused["person"]) == ("refused", "")
        assert refused["code"]
        assert (opened["outcome"], opened["person"], opened["LTI ID"]) == ("ok", "'" + EVIL, "user-1")
        assert (opened["course"], opened["assignment"]) == ("Python basics", "Operators")
        assert opened["rule"] == "The link's URL names the assignment"
        assert opened["reference"] == Launch.objects.earliest("pk").reference
        assert [row["outcome"] for row in read(client.get(self.url + "?outcome=refused"))] == ["refused"]

    def test_owners_alone(self, client: Client, cast: Cast) -> None:
        """Teachers, outsiders and nobody get none of it."""
        assert client.get(self.url)["Location"].startswith(reverse("account_login"))
        for account in (cast.tom, cast.oscar):
            client.force_login(account)
            assert client.get(self.url).status_code == 403


class TestDeliveryLog:
    url = "/o/acme/grades.csv"

    def test_rows(self, client: Client, cast: Cast, sally: Person) -> None:
        """Every grade that is owed is a row with where it stands; the page's filters hold."""
        client.force_login(cast.olive)
        Delivery.objects.update(last_error_code="no_answer", last_error="-1 is no score", tries=2)
        Assignment.objects.filter(pk=cast.operators.pk).update(title="@Operators")
        (row,) = read(client.get(self.url))
        assert (row["person"], row["LTI ID"], row["assignment"]) == ("'" + EVIL, "user-1", "'@Operators")
        assert (row["state"], row["wanted %"], row["sent %"], row["tries"]) == ("waiting", "87.5", "", "2")
        assert (row["error code"], row["error"]) == ("no_answer", "'-1 is no score")
        assert row["LMS"] == "Moodle"
        assert read(client.get(self.url + "?state=sent")) == []

    def test_owners_alone(self, client: Client, cast: Cast) -> None:
        """Teachers, outsiders and nobody get none of it."""
        assert client.get(self.url)["Location"].startswith(reverse("account_login"))
        for account in (cast.tom, cast.oscar):
            client.force_login(account)
            assert client.get(self.url).status_code == 403


def test_the_lti_id_is_the_chosen_one(client: Client, cast: Cast, sally: Person) -> None:
    """All three files show what the organization chose, here the id of its student information system."""
    LmsIdentity.objects.filter(person=sally).update(lti_id="SIS-7")
    client.force_login(cast.olive)
    gradebook = reverse("learning_course:gradebook_csv", args=[cast.course.public_id])
    for url in (gradebook, TestLaunchLog.url, TestDeliveryLog.url):
        assert "SIS-7" in [row["LTI ID"] for row in read(client.get(url))]
