"""A teacher's pages of a course: the list, the overview with its URLs, the LTI/LMS tab."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from courseway.courses.importing import import_course
from courseway.courses.models import Assignment, Course
from courseway.courses.text_format import ParsedAssignment, ParsedCourse, ParsedModule
from courseway.learning.models import Submission
from courseway.learning.scoring import set_grade
from courseway.lms.models import Launch
from courseway.lms.resolve import ADDRESS
from courseway.lms.rule_words import say_rule
from courseway.orgs.models import Account
from tests.cast import Cast
from tests.visits import make_lms11, make_lms13, open_launch

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def overview(course: Course) -> str:
    return reverse("courses:overview", args=[course.public_id])


def lti(course: Course) -> str:
    return reverse("lms_course:lti", args=[course.public_id])


def sign_in(client: Client, account: Account) -> Client:
    client.force_login(account)
    return client


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.content
    return str(response.content.decode())


def count_statements(client: Client, url: str) -> int:
    client.get(url)  # what is remembered between requests is remembered now
    with CaptureQueriesContext(connection) as queries:
        page(client, url)
    return len(queries)


def make_large_course(cast: Cast, assignments: int) -> Course:
    rows = tuple(ParsedAssignment(f"a-{n}", f"Assignment {n}", Decimal(10)) for n in range(assignments))
    parsed = ParsedCourse(f"Course of {assignments}", True, (ParsedModule("M", rows), ParsedModule("Empty module")))
    return import_course(parsed, organization=cast.acme, teacher=cast.tom_person, now=NOW)


class TestAccess:
    def urls(self, cast: Cast) -> Iterator[str]:
        yield overview(cast.course)
        yield lti(cast.course)

    def test_owner_and_teacher(self, client: Client, cast: Cast) -> None:
        """The owner of the organization and the teacher of the course open both pages."""
        for account in (cast.olive, cast.tom):
            sign_in(client, account)
            for url in self.urls(cast):
                assert client.get(url).status_code == 200

    def test_outsider_and_nobody(self, client: Client, cast: Cast) -> None:
        """Another organization's owner and somebody who is not signed in are refused."""
        for url in self.urls(cast):
            assert client.get(url).status_code == 403
            assert client.post(lti(cast.course)).status_code == 403
        sign_in(client, cast.oscar)
        for url in self.urls(cast):
            assert client.get(url).status_code == 403

    @pytest.mark.parametrize("role", ["student", "mentor"])
    def test_students_and_mentors(self, client: Client, cast: Cast, role: str) -> None:
        """Neither a student's nor a mentor's launch opens a teacher's page."""
        prefix = open_launch(client, cast.sam, cast.course, role, cast.operators)
        for url in self.urls(cast):
            assert client.get(prefix + url).status_code == 403

    def test_the_teacher_of_one_lms_course(self, client: Client, cast: Cast) -> None:
        """May read and copy URLs, but is offered no switch and may save none."""
        prefix = open_launch(client, cast.mia, cast.course, "teacher", cast.operators)
        shown = page(client, prefix + overview(cast.course))
        assert f"/lti/a/{cast.operators.public_id}" in shown
        assert "Unpublish" not in shown
        tab = page(client, prefix + lti(cast.course))
        assert "Save changes" not in tab
        assert client.post(prefix + lti(cast.course), {"lti_enabled": ""}).status_code == 403
        cast.course.refresh_from_db()
        assert cast.course.lti_enabled

    def test_a_launch_opens_its_own_course_only(self, client: Client, cast: Cast) -> None:
        """A teacher's launch into one course opens no other, not even one that the same human teaches."""
        other = make_large_course(cast, 1)
        prefix = open_launch(client, cast.tom_person, cast.course, "teacher", covers_whole_course=True)
        assert client.get(prefix + overview(cast.course)).status_code == 200
        assert client.get(prefix + overview(other)).status_code == 403
        assert client.get(prefix + lti(other)).status_code == 403


class TestList:
    url = "/courses/"

    def test_my_courses_by_last_launch(self, client: Client, cast: Cast) -> None:
        """The course that was launched last stands first; courses of others are not there."""
        old, recent = make_large_course(cast, 1), make_large_course(cast, 2)
        for course, days in ((old, 30), (recent, 1)):
            Course.objects.filter(pk=course.pk).update(created_at=NOW - timedelta(days=100))
            Launch.objects.create(
                organization=cast.acme, course=course, outcome="ok", at=datetime.now(UTC) - timedelta(days=days)
            )
        Course.objects.filter(pk=cast.course.pk).update(created_at=NOW - timedelta(days=200))
        shown = page(sign_in(client, cast.tom), self.url)
        places = [shown.index(course.public_id) for course in (recent, old, cast.course)]
        assert places == sorted(places)
        assert cast.foreign_course.title not in shown

    def test_counts(self, client: Client, cast: Cast) -> None:
        """Assignments and students are counted apart from each other; deleted ones and other roles are not."""
        cast.loops.deleted_at = NOW
        cast.loops.save()
        shown = page(sign_in(client, cast.tom), self.url)
        assert '<td class="number" data-label="Assignments">1</td>' in shown
        assert '<td class="number" data-label="Students">2</td>' in shown

    def test_search_and_sort(self, client: Client, cast: Cast) -> None:
        """The search is by title; an unknown order or page does no harm."""
        make_large_course(cast, 3)
        sign_in(client, cast.tom)
        assert "Course of 3" in page(client, self.url + "?q=course OF&sort=title")
        assert "Python basics" not in page(client, self.url + "?q=course OF")
        assert "No course matches" in page(client, self.url + "?q=%00zzz&page=99&sort=x")

    def test_empty(self, client: Client, cast: Cast) -> None:
        """Who teaches nothing yet reads what would stand here and what to do."""
        Course.objects.filter(organization=cast.umbrella).delete()
        shown = page(sign_in(client, cast.oscar), self.url)
        assert "No courses yet" in shown
        assert reverse("courses:import") in shown

    def test_nobody_and_launches(self, client: Client, cast: Cast) -> None:
        """Nobody is asked to sign in; a launch has one course and no list."""
        assert client.get(self.url)["Location"].startswith(reverse("account_login"))
        prefix = open_launch(client, cast.tom_person, cast.course, "teacher", covers_whole_course=True)
        assert client.get(prefix + self.url).status_code == 403

    def test_statements(self, client: Client, cast: Cast) -> None:
        """The list asks the database as often for 40 courses as for one."""
        sign_in(client, cast.tom)
        few = count_statements(client, self.url)
        for number in range(40):
            make_large_course(cast, number % 3)
        assert count_statements(client, self.url) == few <= 8


class TestOverview:
    def test_modules_assignments_and_their_urls(self, client: Client, cast: Cast) -> None:
        """Each assignment stands under its module with its points and the URL that opens exactly it."""
        Assignment.objects.filter(pk=cast.loops.pk).update(points=Decimal("12.50"))
        shown = page(sign_in(client, cast.tom), overview(cast.course))
        assert shown.index("Week 1") < shown.index("Operators") < shown.index("Loops")
        for assignment in (cast.operators, cast.loops):
            assert f'value="https://tool.example/lti/a/{assignment.public_id}"' in shown
            assert reverse("learning_course:results", args=[cast.course.public_id, assignment.public_id]) in shown
        assert ">12.5<" in shown
        assert ">10<" in shown

    def test_the_url_does_not_depend_on_the_host_that_asked(self, client: Client, cast: Cast) -> None:
        """URLs come from PUBLIC_URL, whatever a proxy or a visitor says."""
        sign_in(client, cast.tom)
        shown = client.get(overview(cast.course), secure=True, headers={"X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in shown.content.decode()

    def test_what_is_not_published_is_marked(self, client: Client, cast: Cast) -> None:
        """A teacher sees hidden assignments, and a warning with their URL."""
        cast.loops.published = False
        cast.loops.save()
        shown = page(sign_in(client, cast.tom), overview(cast.course))
        assert f"/lti/a/{cast.loops.public_id}" in shown
        assert shown.count("Not published: a student") == 1

    def test_deleted_assignments_are_gone(self, client: Client, cast: Cast) -> None:
        """A deleted assignment keeps its row for the LMS, not its place on the page."""
        cast.loops.deleted_at = NOW
        cast.loops.save()
        assert cast.loops.public_id not in page(sign_in(client, cast.tom), overview(cast.course))

    def test_titles_are_text(self, client: Client, cast: Cast) -> None:
        """A title with markup is shown as it was written."""
        Assignment.objects.filter(pk=cast.loops.pk).update(title='<b>Loops</b> & "quotes"')
        shown = page(sign_in(client, cast.tom), overview(cast.course))
        assert "&lt;b&gt;Loops&lt;/b&gt; &amp; &quot;quotes&quot;" in shown
        assert "<b>Loops" not in shown

    def test_empty_modules_and_empty_courses(self, client: Client, cast: Cast) -> None:
        """An empty module is shown as such; an empty course says where assignments come from."""
        sign_in(client, cast.tom)
        assert "No assignments in this module" in page(client, overview(make_large_course(cast, 1)))
        empty = Course.objects.create(organization=cast.acme, title="Nothing")
        assert "This course is empty" in page(sign_in(client, cast.olive), overview(empty))

    def test_pages_and_search(self, client: Client, cast: Cast) -> None:
        """A long course comes in pages of a hundred, and a search finds any assignment."""
        course = make_large_course(cast, 130)
        sign_in(client, cast.tom)
        first, second = page(client, overview(course)), page(client, overview(course) + "?page=2")
        assert "1–100 of 130" in first
        assert ">Assignment 0<" in first
        assert ">Assignment 129<" in second
        assert ">Assignment 0<" not in second
        found = page(client, overview(course) + "?q=assignment 77")
        assert ">Assignment 77<" in found
        assert ">Assignment 78<" not in found

    def test_statements(self, client: Client, cast: Cast) -> None:
        """The overview asks the database as often for 300 assignments as for three."""
        sign_in(client, cast.tom)
        few, many = (count_statements(client, overview(make_large_course(cast, number))) for number in (3, 300))
        # A course of one page also reads the modules that have no assignment.
        assert many <= few <= 10


class TestLtiTab:
    def save(self, client: Client, course: Course, **values: str) -> int:
        return int(client.post(lti(course), values).status_code)

    def test_off_shows_only_the_switch(self, client: Client, cast: Cast) -> None:
        """While LTI is off only Enable LTI and the feedback link show; other values are kept and come back with it."""
        Course.objects.filter(pk=cast.course.pk).update(lti_enabled=False, lms_url="https://lms.example/c/1")
        sign_in(client, cast.tom)
        shown = page(client, lti(cast.course))
        assert 'name="lti_enabled"' in shown
        for name in ("lms_url", "release_grades_automatically", "iframe_width", "iframe_height"):
            assert f'name="{name}"' not in shown
        assert self.save(client, cast.course, lti_enabled="on") == 302
        cast.course.refresh_from_db()
        assert cast.course.lti_enabled
        assert cast.course.lms_url == "https://lms.example/c/1"
        assert cast.course.release_grades_automatically
        assert "https://lms.example/c/1" in page(client, lti(cast.course))

    def test_saving(self, client: Client, cast: Cast) -> None:
        """All fields of the form are saved together."""
        sign_in(client, cast.tom)
        values = {
            "lti_enabled": "on",
            "lms_url": "https://lms.example/c/1",
            "iframe_width": "900",
            "iframe_height": "700",
        }
        assert self.save(client, cast.course, **values) == 302
        cast.course.refresh_from_db()
        assert cast.course.lms_url == "https://lms.example/c/1"
        assert (cast.course.iframe_width, cast.course.iframe_height) == (900, 700)
        assert not cast.course.release_grades_automatically

    def test_refused_values_are_kept_in_the_form(self, client: Client, cast: Cast) -> None:
        """One wrong value saves nothing; what was typed is still there with the reason beside it."""
        sign_in(client, cast.tom)
        values = {"lti_enabled": "on", "lms_url": "javascript:alert(1)", "iframe_width": "5", "iframe_height": "700"}
        response = client.post(lti(cast.course), values)
        shown = response.content.decode()
        assert response.status_code == 400
        assert 'value="javascript:alert(1)"' in shown
        assert "Must begin with https:// or http://." in shown
        assert "Must be a whole number of pixels" in shown
        cast.course.refresh_from_db()
        assert (cast.course.lms_url, cast.course.iframe_height) == ("", 800)

    def test_a_missing_lms_url_is_said(self, client: Client, cast: Cast) -> None:
        """The tab warns as long as the Course LMS URL is empty."""
        sign_in(client, cast.tom)
        assert "The Course LMS URL is empty" in page(client, lti(cast.course))
        Course.objects.filter(pk=cast.course.pk).update(lms_url="https://lms.example/c/1")
        assert "The Course LMS URL is empty" not in page(client, lti(cast.course))

    def test_switching_on_automatic_release_releases(self, client: Client, cast: Cast) -> None:
        """What is completed and waits is released by the save that switches automatic release on."""
        Course.objects.filter(pk=cast.course.pk).update(release_grades_automatically=False)
        cast.operators.course.refresh_from_db()
        set_grade(
            assignment=cast.operators, person=cast.sam, percent=Decimal(80), complete=True, release=False, now=NOW
        )
        waiting = Submission.objects.get(person=cast.sam)
        assert waiting.released_at is None
        values = {"lti_enabled": "on", "lms_url": "", "iframe_width": "1000", "iframe_height": "800"}
        sign_in(client, cast.tom)
        self.save(client, cast.course, **values)
        waiting.refresh_from_db()
        assert waiting.released_at is None
        self.save(client, cast.course, **values, release_grades_automatically="on")
        waiting.refresh_from_db()
        assert waiting.released_at is not None
        assert "1 grade was released" in page(client, lti(cast.course))

    def test_connections(self, client: Client, cast: Cast) -> None:
        """Each LMS course is listed with its platform, the rule that found it, links, line items and last launch."""
        lms11, lms13 = make_lms11(cast.acme), make_lms13(cast.acme)
        visitor = Client()
        for link in ("l1", "l2"):
            path = f"/lti/a/{cast.operators.public_id}"
            assert lms11.launch(visitor, path, resource_link_id=link).status_code == 303
        assert lms13.launch(Client(), cast.loops).status_code == 303
        shown = page(sign_in(client, cast.tom), lti(cast.course))
        assert "Introduction to programming" in shown
        assert say_rule(ADDRESS).replace("'", "&#x27;") in shown
        moodle, canvas = shown.index("Moodle"), shown.index("Canvas")
        assert '<td class="number" data-label="Links">2</td>' in shown[moodle : moodle + 600]
        assert '<td class="number" data-label="Line items">1</td>' in shown[canvas : canvas + 600]
        assert shown.count(">just now</time>") == 2

    def test_no_connection_teaches(self, client: Client, cast: Cast) -> None:
        """Without any connection the card says how to make one; only an owner is led to the keys."""
        keys = reverse("lms_org:integrations", args=["acme"])
        shown = page(sign_in(client, cast.tom), lti(cast.course))
        assert "No LMS course is connected yet" in shown
        assert "copy its LTI integration URL" in shown
        assert keys not in shown
        assert keys in page(sign_in(client, cast.olive), lti(cast.course))

    def test_statements(self, client: Client, cast: Cast) -> None:
        """The tab asks the database as often for ten LMS courses as for one."""
        lms, path = make_lms11(cast.acme), f"/lti/a/{cast.operators.public_id}"
        assert lms.launch(Client(), path, context_id="c-0", resource_link_id="l-0").status_code == 303
        sign_in(client, cast.tom)
        few = count_statements(client, lti(cast.course))
        for number in range(1, 10):
            lms.launch(Client(), path, context_id=f"c-{number}", resource_link_id=f"l-{number}")
        assert count_statements(client, lti(cast.course)) == few <= 11
