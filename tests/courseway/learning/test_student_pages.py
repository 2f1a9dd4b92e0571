"""What students see and do: dashboard, course, assignment, handing in, result."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse, set_script_prefix

from courseway.courses.models import Assignment, Course, Enrollment, Module, Role
from courseway.grades.models import Delivery
from courseway.learning.models import Attempt, Submission
from courseway.learning.scoring import begin_next_attempt, save_answers, set_grade, submit_attempt
from courseway.orgs.models import Person
from tests.cast import Cast, make_account, make_assignment
from tests.courseway.grades.links import place_v11
from tests.visits import open_launch

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
RIGHT = {"sum": "4", "quotient": "2,5", "maker": "guido"}
FIELDS = {"q-sum": "4", "q-quotient": "2,5", "q-maker": "guido"}


def url(name: str, *targets: Assignment | Course) -> str:
    """The path of a page, outside any launch: a request in a launch leaves its prefix behind until the next one."""
    set_script_prefix("/")
    return reverse(f"learning:{name}", args=[target.public_id for target in targets])


@pytest.fixture
def launched(cast: Cast, client: Client) -> str:
    """Sam came from the LMS through the link of Operators."""
    return open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)


@pytest.fixture
def sam_account(cast: Cast) -> Client:
    """Sam signed in, without the LMS."""
    cast.sam.account = make_account("sam@acme.example", "Sam Student")
    cast.sam.save()
    client = Client()
    client.force_login(cast.sam.account)
    return client


def tags(html: str, name: str) -> list[str]:
    return re.findall(rf"<{name}\b[^>]*>", html)


def forms(html: str) -> dict[str, str]:
    """The marked forms of a page by their mark, each with all that it holds."""
    found = re.findall(r'(<form\b[^>]*data-form="(\w+)".*?</form>)', html, re.DOTALL)
    return {mark: form for form, mark in found}


def hidden_fields(form: str) -> dict[str, str]:
    fields = {}
    for tag in tags(form, "input"):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "hidden":
            fields[attributes["name"]] = unescape(attributes["value"])
    return fields


def action_of(form: str) -> str:
    found = re.search(r'action="([^"]*)"', form)
    assert found
    return found[1]


def test_launch_lands_on_work_with_all_pages_in_one_form(cast: Cast, client: Client, launched: str) -> None:
    """A student's launch shows every question in one form that hands in, each field with its stable name."""
    response = client.get(launched + url("assignment", cast.operators))
    html = response.content.decode()
    assert response.status_code == 200
    assert 'data-launch="ok"' in html
    assert f'data-assignment="{cast.operators.public_id}"' in html
    assert 'data-role="student"' in html
    form = forms(html)["submit"]
    assert 'method="post"' in form
    names = {name for tag in tags(form, "input") for name in re.findall(r'name="(q-[^"]*)"', tag)}
    assert names == {"q-sum", "q-quotient", "q-maker"}
    assert form.count('type="radio"') == 2
    assert 'inputmode="decimal"' in form
    assert form.count("<fieldset") == 1
    assert "<strong>first</strong>" in form
    assert action_of(form).startswith(launched)


def test_a_client_without_script_works_through_an_assignment(cast: Cast, launched: str, client: Client) -> None:
    """Launch, answer, confirm what is missing, see the result: with forms and redirects alone."""
    start = client.get(launched + url("assignment", cast.operators)).content.decode()
    form = forms(start)["submit"]
    answer = client.post(action_of(form), {**hidden_fields(form), "q-sum": "4"})
    assert answer.status_code == 200
    assert "2 questions are not answered yet" in answer.content.decode()
    assert not Submission.objects.get().completed_at
    confirm = forms(answer.content.decode())["confirm"]
    response = client.post(action_of(confirm), hidden_fields(confirm))
    assert response.status_code == 303
    assert response["Location"] == launched + url("assignment", cast.operators)
    result = client.get(response["Location"]).content.decode()
    assert "40\xa0%" in result
    assert "4 of 10 points" in result
    assert result.count('data-correct="true"') == 1
    assert result.count('data-correct="false"') == 2
    assert "submit" not in forms(result)
    assert "retry" not in forms(result)
    assert "https://lms.example/back" in result


def test_a_complete_form_hands_in_without_asking(cast: Cast, client: Client, launched: str) -> None:
    """When every question is answered there is nothing to confirm."""
    response = client.post(launched + url("submit", cast.operators), FIELDS)
    assert response.status_code == 303
    assert Submission.objects.get().score == Decimal(10)


def test_two_clicks_on_hand_in_are_no_mistake(cast: Cast, client: Client, launched: str) -> None:
    """The second post of the same answers leads to the same result."""
    for _ in range(2):
        response = client.post(launched + url("submit", cast.operators), {**FIELDS, "attempt": "1"})
        assert response.status_code == 303
    assert Attempt.objects.count() == 1


def test_answers_that_do_not_count_are_shown_not_lost(cast: Cast, client: Client, launched: str) -> None:
    """Other answers, posted for an attempt that was handed in from another tab, come back to their author."""
    client.post(launched + url("submit", cast.operators), FIELDS)
    response = client.post(launched + url("submit", cast.operators), {**FIELDS, "q-maker": "<Ada> Lovelace"})
    assert response.status_code == 409
    html = response.content.decode()
    assert "&lt;Ada&gt; Lovelace" in html
    assert "already handed in" in html
    assert Submission.objects.get().score == Decimal(10)


def test_answers_are_saved_as_they_are_typed(cast: Cast, client: Client, launched: str) -> None:
    """A saved answer is in its field on the next visit, and unknown fields are not kept."""
    saved = client.post(launched + url("save", cast.operators), {"q-maker": 'Gu"ido', "q-other": "x", "attempt": "1"})
    assert saved.json() == {"saved": True}
    assert Attempt.objects.get().answers == {"maker": 'Gu"ido'}
    html = client.get(launched + url("assignment", cast.operators)).content.decode()
    assert 'value="Gu&quot;ido"' in html


def test_saving_after_handing_in_says_so(cast: Cast, client: Client, launched: str) -> None:
    """A page left open in another tab is told that its attempt is over."""
    client.post(launched + url("submit", cast.operators), FIELDS)
    answer = client.post(launched + url("save", cast.operators), {"q-sum": "3", "attempt": "1"})
    assert answer.status_code == 409
    assert "already handed in" in answer.json()["error"]


def test_opening_the_page_begins_the_work(cast: Cast, client: Client, launched: str) -> None:
    """The page's script begins the work, so that the state is 'in progress' before the first answer."""
    assert client.post(launched + url("start", cast.operators)).status_code == 204
    assert client.post(launched + url("start", cast.operators)).status_code == 204
    assert Attempt.objects.count() == 1
    assert 'data-state="in_progress"' in client.get(launched + url("course", cast.course)).content.decode()


def test_pages_are_read_without_writing(cast: Cast, client: Client, launched: str) -> None:
    """Looking at an assignment writes nothing."""
    client.get(launched + url("assignment", cast.operators))
    client.get(launched + url("dashboard"))
    assert not Submission.objects.exists()


def test_next_attempt(cast: Cast, client: Client, launched: str) -> None:
    """Where a further attempt is allowed, the result offers it, and the last one counts."""
    Assignment.objects.filter(pk=cast.operators.pk).update(attempts=2)
    place = launched + url("assignment", cast.operators)
    client.post(launched + url("submit", cast.operators), {**FIELDS, "q-sum": "3"})
    retry = forms(client.get(place).content.decode())["retry"]
    assert client.post(action_of(retry), hidden_fields(retry)).status_code == 303
    again = forms(client.get(place).content.decode())["submit"]
    assert hidden_fields(again)["attempt"] == "2"
    client.post(action_of(again), {**hidden_fields(again), **FIELDS})
    result = client.get(place).content.decode()
    assert "100\xa0%" in result
    assert "retry" not in forms(result)
    refused = client.post(launched + url("retry", cast.operators))
    assert refused.status_code == 409
    assert "used all attempts" in refused.content.decode()


@pytest.mark.parametrize(
    ("wanted", "opened"), [("finish", "finish"), (" FINISH ", "finish"), ("Warm-up", "warm-up"), ("nowhere", "warm-up")]
)
def test_a_launch_may_name_a_page(cast: Cast, client: Client, wanted: str, opened: str) -> None:
    """`page` opens the page with that key or title; an unknown one opens the start."""
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators, page=wanted)
    html = client.get(prefix + url("assignment", cast.operators)).content.decode()
    assert f'data-opened="{opened}"' in html


def test_in_an_lti_course_work_starts_in_the_lms(cast: Cast, sam_account: Client) -> None:
    """Without a launch a not started assignment says where to start it, with the link when there is one."""
    Course.objects.filter(pk=cast.course.pk).update(lms_url="https://lms.example/course/7")
    rows = sam_account.get(url("course", cast.course)).content.decode()
    assert "Start this in your LMS" in rows
    assert 'href="https://lms.example/course/7"' in rows
    assert url("assignment", cast.operators) not in rows
    page = sam_account.get(url("assignment", cast.operators)).content.decode()
    assert "Start this in your LMS" in page
    assert "submit" not in forms(page)
    for name in ("start", "save", "submit", "retry"):
        assert sam_account.post(url(name, cast.operators), FIELDS).status_code == 403
    assert not Submission.objects.exists()


def test_without_lms_url_there_is_no_link(cast: Cast, sam_account: Client) -> None:
    """Where nobody entered the LMS's address, the row says so in words and links nowhere."""
    html = sam_account.get(url("course", cast.course)).content.decode()
    assert "Start this in your LMS" in html
    assert 'target="_blank"' not in html


def test_started_work_opens_from_the_dashboard(cast: Cast, sam_account: Client) -> None:
    """What was begun by a launch goes on from the dashboard."""
    save_answers(assignment=cast.operators, person=cast.sam, answers={"maker": "Guido"}, now=NOW)
    assert url("assignment", cast.operators) in sam_account.get(url("dashboard")).content.decode()
    html = sam_account.get(url("assignment", cast.operators)).content.decode()
    assert 'value="Guido"' in html
    assert sam_account.post(url("submit", cast.operators), FIELDS).status_code == 303


def test_a_launch_at_one_assignment_does_not_start_another(cast: Cast, client: Client, launched: str) -> None:
    """Each assignment of an LTI course is started by its own link: that is how its grade finds the way back."""
    html = client.get(launched + url("assignment", cast.loops)).content.decode()
    assert "Start this in your LMS" in html
    assert client.post(launched + url("submit", cast.loops), FIELDS).status_code == 403


@pytest.mark.parametrize("setting", [{"lti_enabled": False}, {"enroll_only": True}])
def test_other_courses_start_here(cast: Cast, sam_account: Client, setting: dict[str, bool]) -> None:
    """A course without LTI, or one that LTI only enrolls into, starts from the dashboard."""
    Course.objects.filter(pk=cast.course.pk).update(**setting)
    assert "Start this in your LMS" not in sam_account.get(url("course", cast.course)).content.decode()
    assert sam_account.post(url("submit", cast.operators), FIELDS).status_code == 303


def test_dashboard_shows_state_due_date_grade_and_delivery(cast: Cast, sam_account: Client) -> None:
    """At a glance: state of each assignment, when it is due, the released grade, and whether the LMS has it."""
    place_v11(cast.operators).let_in(cast.sam)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    Assignment.objects.filter(pk=cast.loops.pk).update(due_at=NOW + timedelta(days=900))
    html = sam_account.get(url("dashboard")).content.decode()
    assert "Python basics" in html
    assert 'data-state="graded"' in html
    assert 'data-state="not_started"' in html
    assert "100\xa0%" in html
    assert 'data-state="waiting"' in html
    assert 'datetime="2029' in html
    Delivery.objects.update(state="sent")
    assert 'data-state="sent"' in sam_account.get(url("dashboard")).content.decode()


def test_a_grade_is_hidden_until_it_is_released(cast: Cast, sam_account: Client) -> None:
    """Before the release a student reads neither grade nor marks nor comment, on any page."""
    Course.objects.filter(pk=cast.course.pk).update(release_grades_automatically=False)
    cast.operators.course.refresh_from_db()
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal("73.5"), comment="See me", now=NOW)
    for page in (url("assignment", cast.operators), url("feedback", cast.operators), url("course", cast.course)):
        html = sam_account.get(page).content.decode()
        assert "73.5" not in html
        assert "See me" not in html
        assert "data-correct" not in html
        assert 'data-state="graded"' not in html
    set_grade(assignment=cast.operators, person=cast.sam, percent=None, release=True, now=NOW)
    html = sam_account.get(url("assignment", cast.operators)).content.decode()
    assert "73.5\xa0%" in html
    assert "See me" in html


def test_result_stays_readable_during_the_next_attempt(cast: Cast, sam_account: Client) -> None:
    """While a further attempt is open, the feedback page shows the earlier result."""
    cast.operators.attempts = 0
    cast.operators.save()
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    begin_next_attempt(assignment=cast.operators, person=cast.sam, now=NOW)
    assert "submit" in forms(sam_account.get(url("assignment", cast.operators)).content.decode())
    html = sam_account.get(url("feedback", cast.operators)).content.decode()
    assert "100\xa0%" in html
    assert "Go on working" in html


def test_the_page_looks_whether_the_lms_has_the_grade(cast: Cast, client: Client, launched: str) -> None:
    """The part that looks again does so only while the grade is on its way."""
    place_v11(cast.operators).let_in(cast.sam)
    client.post(launched + url("submit", cast.operators), FIELDS)
    part = launched + url("delivery", cast.operators)
    assert f'data-poll="{part}"' in client.get(part).content.decode()
    Delivery.objects.update(state="sent")
    html = client.get(part).content.decode()
    assert 'data-poll=""' in html
    assert "Your LMS has this grade" in html
    Delivery.objects.update(state="failed")
    assert "has not taken the grade" in client.get(part).content.decode()


def test_a_link_opened_after_the_grade_is_owed_it_too(cast: Cast, client: Client, launched: str) -> None:
    """A grade that existed before a second link was opened is owed to that link with the visit."""
    first, second = place_v11(cast.operators), place_v11(cast.operators)
    first.let_in(cast.sam)
    client.post(launched + url("submit", cast.operators), FIELDS)
    assert Delivery.objects.count() == 1
    second.let_in(cast.sam)
    client.get(launched + url("assignment", cast.operators))
    assert Delivery.objects.filter(resource_link=second.link, wanted_score=10).exists()


def test_hide_not_started(cast: Cast, sam_account: Client) -> None:
    """A course may hide what was not started; a line then says where new work starts."""
    Course.objects.filter(pk=cast.course.pk).update(hide_not_started=True)
    save_answers(assignment=cast.operators, person=cast.sam, answers={}, now=NOW)
    html = sam_account.get(url("course", cast.course)).content.decode()
    assert "Operators" in html
    assert "Loops" not in html
    assert "New work starts in your LMS" in html


def test_no_course_yet(cast: Cast, client: Client) -> None:
    """Somebody in no course is told what will stand here."""
    client.force_login(make_account("new@acme.example", "New"))
    assert "You are in no course yet" in client.get(url("dashboard")).content.decode()


@pytest.mark.parametrize(
    ("course", "assignment", "words"),
    [
        ({"published": False}, {}, "not published yet"),
        ({"archived_at": NOW}, {}, "over"),
        ({}, {"published": False}, "not available"),
        ({}, {"deleted_at": NOW}, "not available"),
    ],
)
def test_closed_work_says_so(
    cast: Cast, sam_account: Client, course: dict[str, object], assignment: dict[str, object], words: str
) -> None:
    """A closed course or assignment gets a page that says which, and nothing can be handed in."""
    save_answers(assignment=cast.operators, person=cast.sam, answers={}, now=NOW)
    Course.objects.filter(pk=cast.course.pk).update(**course)
    Assignment.objects.filter(pk=cast.operators.pk).update(**assignment)
    response = sam_account.get(url("assignment", cast.operators))
    assert response.status_code == 403
    assert words in response.content.decode()
    assert sam_account.post(url("submit", cast.operators), FIELDS).status_code == 403
    assert Submission.objects.get().completed_at is None
    assert url("assignment", cast.operators) not in sam_account.get(url("dashboard")).content.decode()


def test_nobody_and_outsiders_find_nothing(cast: Cast, client: Client) -> None:
    """Without a visit, or from another organization, no page of the course answers."""
    pages = [
        url("course", cast.course),
        *(url(name, cast.operators) for name in ("assignment", "feedback", "delivery")),
    ]
    posts = [url(name, cast.operators) for name in ("start", "save", "submit", "retry")]
    for sign_in in (False, True):
        if sign_in:
            client.force_login(cast.oscar)
        for page in pages:
            response = client.get(page)
            assert response.status_code == 403, page
            assert "Python basics" not in response.content.decode()
        for page in posts:
            assert client.post(page, FIELDS).status_code == 403, page
    assert not Submission.objects.exists()


def test_a_launch_opens_its_own_course_only(cast: Cast, client: Client, launched: str) -> None:
    """The session of a launch does not reach another course of the same student."""
    other = Course.objects.create(organization=cast.acme, title="Second course")
    foreign = make_assignment(Module.objects.create(course=other, title="M"), "Other", "other")
    Enrollment.objects.create(course=other, person=cast.sam, role=Role.STUDENT)
    assert client.get(launched + url("course", other)).status_code == 403
    assert client.get(launched + url("assignment", foreign)).status_code == 403
    assert "Second course" not in client.get(launched + url("dashboard")).content.decode()


def test_students_write_their_own_work_only(cast: Cast, client: Client, launched: str) -> None:
    """A student's post changes the student's own submission, whoever else has one."""
    save_answers(assignment=cast.operators, person=cast.sue, answers={"maker": "Ada"}, now=NOW)
    html = client.get(launched + url("assignment", cast.operators)).content.decode()
    assert "Ada" not in html
    client.post(launched + url("submit", cast.operators), FIELDS)
    assert Submission.objects.get(person=cast.sue).completed_at is None


@pytest.mark.parametrize("role", [Role.TEACHER, Role.MENTOR])
def test_those_who_oversee_do_not_hand_in(cast: Cast, client: Client, role: str) -> None:
    """A launched teacher or mentor lands on the results with the marks of the launch, and cannot hand in."""
    person = cast.tom_person if role == Role.TEACHER else cast.mia
    prefix = open_launch(client, person, cast.course, role, cast.operators)
    response = client.get(prefix + url("assignment", cast.operators))
    html = response.content.decode()
    assert response.status_code == 200
    assert f'data-role="{role}"' in html
    assert f'data-assignment="{cast.operators.public_id}"' in html
    assert "submit" not in forms(html)
    for name in ("start", "save", "submit", "retry"):
        assert client.post(prefix + url(name, cast.operators), FIELDS).status_code == 403
    assert not Submission.objects.exists()


def test_each_visitor_has_a_first_page(cast: Cast, client: Client, sam_account: Client, launched: str) -> None:
    """Home leads nobody to the front page, students to their work, a launch to its assignment."""
    assert client.get(launched + "/")["Location"] == launched + url("assignment", cast.operators)
    dashboard = url("dashboard")
    assert sam_account.get("/")["Location"] == dashboard
    assert Client().get("/").status_code == 200
    assert Client().get(dashboard).status_code == 302


def test_posts_are_protected(cast: Cast) -> None:
    """A post without the page's token is refused, in the session of a launch too."""
    client = Client(enforce_csrf_checks=True)
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)
    assert client.post(prefix + url("submit", cast.operators), FIELDS).status_code == 403
    form = forms(client.get(prefix + url("assignment", cast.operators)).content.decode())["submit"]
    response = client.post(action_of(form), {**hidden_fields(form), **FIELDS}, headers={"origin": "http://testserver"})
    assert response.status_code == 303


def test_archived_courses_keep_their_grades(cast: Cast, sam_account: Client) -> None:
    """A course that is over stands apart and closed up: its released grades are read there, nothing of it is opened,
    what was not begun is left out, and a grade that is not released is not told."""
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    save_answers(assignment=cast.loops, person=cast.sam, answers={"maker": "Guido"}, now=NOW)
    Course.objects.filter(pk=cast.course.pk).update(archived_at=NOW)
    html = sam_account.get(url("dashboard")).content.decode()
    page, archived = html.partition('data-part="archived"')[::2]
    assert "Python basics" not in page
    assert "None of your courses is open" in page
    assert "1 archived course" in archived
    for words in ("Python basics", "Operators", "Loops", "100\xa0%"):
        assert words in archived
    assert "<details" in page.rsplit("\n", 1)[-1]
    assert url("assignment", cast.operators) not in html
    assert sam_account.get(url("assignment", cast.operators)).status_code == 403
    Submission.objects.update(released_at=None)
    Submission.objects.filter(assignment=cast.loops).delete()
    html = sam_account.get(url("dashboard")).content.decode()
    assert "100\xa0%" not in html
    assert "Loops" not in html
    Course.objects.filter(pk=cast.course.pk).update(archived_at=None)
    assert "archived course" not in sam_account.get(url("dashboard")).content.decode()


def test_dashboard_costs_the_same_however_much_there_is(cast: Cast, sam_account: Client) -> None:
    """The dashboard takes as many statements for four courses with many assignments as for one."""
    place_v11(cast.operators).let_in(cast.sam)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            sam_account.get(url("dashboard"))
        counts.append(len(queries))
        for n in range(3):
            course = Course.objects.create(organization=cast.acme, title=f"Course {n}", lti_enabled=True)
            Enrollment.objects.create(course=course, person=cast.sam, role=Role.STUDENT)
            module = Module.objects.create(course=course, title="M")
            for k in range(5):
                assignment = make_assignment(module, f"A{k}", f"a{k}")
                place_v11(assignment).let_in(cast.sam)
                submit_attempt(assignment=assignment, person=cast.sam, answers=RIGHT, now=NOW)
    assert counts[0] == counts[1]


def test_anonymous_people_work_too(cast: Cast, client: Client) -> None:
    """Somebody whose LMS sends neither name nor e-mail hands in like everybody else."""
    person = Person.objects.create(organization=cast.acme)
    prefix = open_launch(client, person, cast.course, Role.STUDENT, cast.operators)
    assert client.post(prefix + url("submit", cast.operators), FIELDS).status_code == 303
    assert Submission.objects.get(person=person).score == Decimal(10)
