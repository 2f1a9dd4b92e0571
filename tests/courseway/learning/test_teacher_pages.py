"""Gradebook, results and one student's result: for teachers, and read only for mentors."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse, set_script_prefix

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.grades.models import Delivery, DeliveryTry
from courseway.learning.models import Attempt, Submission
from courseway.learning.scoring import save_answers, set_grade, submit_attempt
from courseway.lms.models import Context, ContextMembership, CourseContext, Deployment
from courseway.orgs.models import Person
from tests.cast import Cast, make_assignment
from tests.courseway.grades.links import place_v11
from tests.visits import open_launch

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
RIGHT = {"sum": "4", "quotient": "2,5", "maker": "guido"}
HALF = {"sum": "4", "quotient": "9", "maker": "Ada"}


def url(name: str, *targets: Course | Assignment | Person) -> str:
    set_script_prefix("/")
    return reverse(f"learning_course:{name}", args=[target.public_id for target in targets])


@pytest.fixture
def tom(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.tom)
    return client


@pytest.fixture
def by_hand(cast: Cast) -> None:
    """The course releases no grades by itself."""
    Course.objects.filter(pk=cast.course.pk).update(release_grades_automatically=False)
    cast.operators.course.refresh_from_db()


def pages_of(cast: Cast) -> list[str]:
    return [
        url("gradebook", cast.course),
        url("results", cast.course, cast.operators),
        url("result", cast.course, cast.operators, cast.sam),
    ]


def posts_of(cast: Cast) -> list[tuple[str, dict[str, str]]]:
    return [
        (url("act_on_all", cast.course, cast.operators), {"action": "release"}),
        (url("act_on_all", cast.course, cast.operators), {"action": "complete"}),
        (url("act_on_all", cast.course, cast.operators), {"action": "resend"}),
        (url("act_on_one", cast.course, cast.operators, cast.sam), {"action": "reopen"}),
        (url("act_on_one", cast.course, cast.operators, cast.sam), {"action": "complete"}),
        (url("grade", cast.course, cast.operators, cast.sam), {"percent": "1", "comment": "changed"}),
    ]


def snapshot() -> list[object]:
    return [*Submission.objects.order_by("pk").values(), *Delivery.objects.order_by("pk").values()]


def text_of(html: str) -> str:
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", html))


def test_gradebook_shows_grade_state_release_and_delivery(cast: Cast, tom: Client, by_hand: None) -> None:
    """Each cell says the grade, the state of the work, whether it waits for release, and where it is on its way."""
    place_v11(cast.loops).let_in(cast.sue)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    set_grade(assignment=cast.loops, person=cast.sue, percent=Decimal("87.5"), complete=True, release=True, now=NOW)
    html = tom.get(url("gradebook", cast.course)).content.decode()
    cells = {
        href: text_of(inner)
        for href, inner in re.findall(r'<a class="cell" href="([^"]*)"[^>]*>(.*?)</a>', html, re.DOTALL)
    }
    assert len(cells) == 4
    assert "40\xa0%" in cells[url("result", cast.course, cast.operators, cast.sam)]
    assert "not released" in cells[url("result", cast.course, cast.operators, cast.sam)]
    assert "87.5\xa0%" in cells[url("result", cast.course, cast.loops, cast.sue)]
    assert "LMS: waiting" in cells[url("result", cast.course, cast.loops, cast.sue)]
    assert "not started" in cells[url("result", cast.course, cast.loops, cast.sam)]
    assert "Release 1 completed" in html


def test_gradebook_releases_a_column(cast: Cast, tom: Client, by_hand: None) -> None:
    """The button above a column releases what is completed there, and leads back to the gradebook."""
    link = place_v11(cast.operators)
    for person in (cast.sam, cast.sue):
        link.let_in(person)
        submit_attempt(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
    place = url("act_on_all", cast.course, cast.operators)
    response = tom.post(place, {"action": "release", "back_to": "gradebook"}, follow=True)
    assert response.redirect_chain[0][0] == url("gradebook", cast.course)
    assert "2 grades released" in response.content.decode()
    assert Delivery.objects.filter(state="waiting", wanted_score=10).count() == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "sam"}, ["Sam Student"]),
        ({"q": "student SUE"}, ["Sue Student"]),
        ({"q": "sue@acme"}, ["Sue Student"]),
        ({"q": "nobody"}, []),
        ({"state": "to_release"}, ["Sam Student"]),
        ({"state": "in_progress"}, ["Sue Student"]),
        ({"state": "completed"}, ["Sam Student"]),
        ({"state": "problem"}, ["Sue Student"]),
        ({"state": "waiting"}, []),
        ({"state": "not_started"}, ["Sam Student", "Sue Student"]),
        ({"state": "anything"}, ["Sam Student", "Sue Student"]),
        ({"sort": "-name"}, ["Sue Student", "Sam Student"]),
    ],
)
def test_search_filter_and_order(
    cast: Cast, tom: Client, by_hand: None, query: dict[str, str], found: list[str]
) -> None:
    """Names, e-mails and states narrow the gradebook down."""
    link = place_v11(cast.loops)
    link.let_in(cast.sue)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    set_grade(assignment=cast.loops, person=cast.sue, percent=Decimal(5), release=True, now=NOW)
    link.link.send_grade = "always"
    link.link.save()
    set_grade(assignment=cast.loops, person=cast.sue, percent=Decimal(6), now=NOW)
    Delivery.objects.update(state="failed")
    html = tom.get(url("gradebook", cast.course), query).content.decode()
    assert re.findall(r'<span class="person-cell"><span>([^<]*)</span>', html) == found


def test_gradebook_pages_by_students_and_assignments(cast: Cast, tom: Client) -> None:
    """Fifty students and twenty assignments stand on a page; the others are one link away."""
    enroll(cast, 60)
    for n in range(30):
        make_assignment(cast.operators.module, f"Extra {n}", f"extra-{n}", position=n + 5)
    html = tom.get(url("gradebook", cast.course)).content.decode()
    assert html.count('class="person-cell"') == 50
    assert html.count('class="column-title"') == 20
    html = tom.get(url("gradebook", cast.course), {"page": "2", "columns": "2"}).content.decode()
    assert html.count('class="person-cell"') == 12
    assert html.count('class="column-title"') == 12
    html = tom.get(url("gradebook", cast.course), {"page": "x", "columns": "-1", "module": "x"}).content.decode()
    assert html.count('class="person-cell"') > 0


def enroll(cast: Cast, count: int) -> list[Person]:
    people = Person.objects.bulk_create(Person(organization=cast.acme, name=f"Person {n:03}") for n in range(count))
    Enrollment.objects.bulk_create(Enrollment(course=cast.course, person=p, role=Role.STUDENT) for p in people)
    return people


def test_tables_cost_the_same_however_many_students_there_are(cast: Cast, tom: Client) -> None:
    """Gradebook and results take as many statements for sixty students and many assignments as for a few."""
    counts = []
    place_v11(cast.operators).let_in(cast.sam)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    for count in (5, 60):
        for page in (url("gradebook", cast.course), url("results", cast.course, cast.operators)):
            with CaptureQueriesContext(connection) as queries:
                assert tom.get(page).status_code == 200
            counts.append(len(queries))
        link = place_v11(cast.operators)
        for person in enroll(cast, count):
            link.let_in(person)
            submit_attempt(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
        make_assignment(cast.operators.module, f"Extra {count}", f"extra-{count}")
    for page in (url("gradebook", cast.course), url("results", cast.course, cast.operators)):
        with CaptureQueriesContext(connection) as queries:
            tom.get(page)
        counts.append(len(queries))
    assert counts[0] == counts[2] == counts[4]
    assert counts[1] == counts[3] == counts[5]


def test_one_result_shows_answers_marks_and_tries(cast: Cast, tom: Client) -> None:
    """A student's result shows each answer with its marks, and every try to deliver with the LMS's own words."""
    place_v11(cast.operators).let_in(cast.sam)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    delivery = Delivery.objects.get()
    DeliveryTry.objects.create(
        delivery=delivery, version=1, score=Decimal(4), code="server_error", platform_status=503, words="Down <today>"
    )
    html = tom.get(url("result", cast.course, cast.operators, cast.sam)).content.decode()
    assert "4 of 10 points" in html
    assert ">Ada</p>" in html
    assert html.count('data-correct="true"') == 1
    assert "HTTP 503 Down &lt;today&gt;" in html
    assert "server_error" in html
    assert "4 / 10" in html


def test_a_changed_grade_follows_into_the_lms(cast: Cast, tom: Client) -> None:
    """A teacher's own grade, typed with a comma, is owed to the LMS at once; an empty field takes it back."""
    place_v11(cast.operators).let_in(cast.sam)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    place = url("grade", cast.course, cast.operators, cast.sam)
    response = tom.post(place, {"percent": "87,5 %", "comment": "Better"}, follow=True)
    assert "on its way to the LMS" in response.content.decode()
    delivery = Delivery.objects.get()
    assert (delivery.wanted_score, delivery.state) == (Decimal("8.75"), "waiting")
    assert Submission.objects.get().comment == "Better"
    tom.post(place, {"percent": "", "comment": ""})
    assert Delivery.objects.get().wanted_score == Decimal(4)
    assert Submission.objects.get().comment == ""


@pytest.mark.parametrize("typed", ["101", "-1", "a lot", "NaN", "1e400"])
def test_a_wrong_grade_keeps_what_was_typed(cast: Cast, tom: Client, typed: str) -> None:
    """A refused grade says what to enter, and loses neither the number nor the comment."""
    response = tom.post(
        url("grade", cast.course, cast.operators, cast.sam), {"percent": typed, "comment": "My long comment"}
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert "between 0 and 100" in html
    assert f'value="{typed}"' in html
    assert "My long comment" in html
    assert not Submission.objects.exists()


def test_grading_somebody_who_never_began(cast: Cast, tom: Client) -> None:
    """A teacher can grade and complete without any attempt: an oral exam, work on paper."""
    place_v11(cast.operators).let_in(cast.sam)
    tom.post(url("grade", cast.course, cast.operators, cast.sam), {"percent": "60", "comment": "", "complete": "yes"})
    assert Delivery.objects.get().wanted_score == Decimal(6)


def test_complete_reopen_release_and_resend_one(cast: Cast, tom: Client, by_hand: None) -> None:
    """The buttons of one student's result do what they say."""
    place_v11(cast.operators).let_in(cast.sam)
    save_answers(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    place = url("act_on_one", cast.course, cast.operators, cast.sam)
    tom.post(place, {"action": "complete"})
    submission = Submission.objects.get()
    assert submission.completed_at
    assert submission.score == Decimal(4)
    assert not Delivery.objects.exists()
    tom.post(place, {"action": "release"})
    assert Delivery.objects.get().wanted_score == Decimal(4)
    Delivery.objects.update(state="failed", next_try_at=None)
    tom.post(place, {"action": "resend"})
    assert Delivery.objects.get().state == "waiting"
    tom.post(place, {"action": "reopen"})
    assert Submission.objects.get().completed_at is None
    assert Attempt.objects.filter(submitted_at=None, number=2).exists()
    assert tom.post(place, {"action": "explode"}).status_code == 400


def test_results_complete_everybody_and_resend_what_failed(cast: Cast, tom: Client) -> None:
    """Mark all as completed hands in what was saved; resending failed ones leaves delivered ones alone."""
    link = place_v11(cast.operators)
    for person in (cast.sam, cast.sue):
        link.let_in(person)
        save_answers(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
    place = url("act_on_all", cast.course, cast.operators)
    html = tom.post(place, {"action": "complete"}, follow=True).content.decode()
    assert "2 students&#x27; work completed" in html
    assert Delivery.objects.filter(wanted_score=10).count() == 2
    Delivery.objects.filter(person=cast.sam).update(state="sent")
    Delivery.objects.filter(person=cast.sue).update(state="needs_teacher")
    assert "1 grade did not reach the LMS" in tom.get(url("results", cast.course, cast.operators)).content.decode()
    tom.post(place, {"action": "resend_failed"})
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["sent", "waiting"]


def test_earlier_attempts_can_be_read(cast: Cast, tom: Client) -> None:
    """The result shows the attempt that counts, and any other on request."""
    cast.operators.attempts = 0
    cast.operators.save()
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    Attempt.objects.create(submission=Submission.objects.get(), number=2, answers=RIGHT, started_at=NOW)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    page = url("result", cast.course, cast.operators, cast.sam)
    assert ">guido</p>" in tom.get(page).content.decode()
    assert ">Ada</p>" in tom.get(page, {"attempt": "1"}).content.decode()


def test_preview_shows_the_questions_and_hands_in_nothing(cast: Cast, tom: Client) -> None:
    """The preview holds every page and question, and no form that could be handed in."""
    html = tom.get(url("preview", cast.course, cast.operators)).content.decode()
    assert 'name="q-sum"' in html
    assert "data-form" not in html
    assert 'method="post"' not in html.split("<main", 1)[1]


def test_mentors_read_everything_and_change_nothing(cast: Cast, client: Client) -> None:
    """A mentor sees the same tables under a banner, without a single button, and every post is refused."""
    place_v11(cast.operators).let_in(cast.sam)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    pages, posts, before = pages_of(cast), posts_of(cast), snapshot()
    prefix = open_launch(client, cast.mia, cast.course, Role.MENTOR, cast.operators)
    for page in pages:
        html = client.get(prefix + page).content.decode()
        assert "You mentor in this course" in html
        assert 'method="post"' not in html
        assert "Sam Student" in html
    for page, form in posts:
        assert client.post(prefix + page, form).status_code == 403, page
    assert snapshot() == before


def test_a_filtered_mentor_sees_nobody(cast: Cast, client: Client) -> None:
    """Where learners are filtered and nobody is named, a mentor sees no student on any page."""
    Course.objects.filter(pk=cast.course.pk).update(filter_learners_for_mentors=True)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    gradebook, results, result = pages_of(cast)
    prefix = open_launch(client, cast.mia, cast.course, Role.MENTOR, cast.operators)
    for page in (gradebook, results):
        html = client.get(prefix + page).content.decode()
        assert "Sam Student" not in html
        assert "40\xa0%" not in html
    assert client.get(prefix + result).status_code == 403


@pytest.mark.parametrize("who", ["nobody", "outsider", "student"])
def test_others_see_no_grades(cast: Cast, client: Client, who: str) -> None:
    """Nobody, an outsider and a student get 403 from every page and every button."""
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=HALF, now=NOW)
    pages = [*pages_of(cast), url("preview", cast.course, cast.operators)]
    posts, before, prefix = posts_of(cast), snapshot(), ""
    if who == "outsider":
        client.force_login(cast.oscar)
    if who == "student":
        prefix = open_launch(client, cast.sue, cast.course, Role.STUDENT, cast.operators)
    for page in pages:
        response = client.get(prefix + page)
        assert response.status_code == 403, page
        assert "Sam Student" not in response.content.decode()
    for page, form in posts:
        assert client.post(prefix + page, form).status_code == 403, page
    assert snapshot() == before


def test_owners_oversee_without_being_enrolled(cast: Cast, client: Client) -> None:
    """An owner of the organization opens every page of a course in it."""
    client.force_login(cast.olive)
    for page in pages_of(cast):
        assert client.get(page).status_code == 200


def test_a_launched_teacher_grades_the_people_of_their_own_lms_course(cast: Cast, client: Client) -> None:
    """A teacher from one LMS course sees and grades its people, and finds nobody else on any page or button."""
    place_v11(cast.operators).let_in(cast.sam)
    for person in (cast.sam, cast.sue):
        save_answers(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
    gradebook, results, sams = pages_of(cast)
    sues = url("result", cast.course, cast.operators, cast.sue)
    grade_sue = url("grade", cast.course, cast.operators, cast.sue)
    everybody = url("act_on_all", cast.course, cast.operators)
    teacher = Person.objects.create(organization=cast.acme, name="Tina Teacher")
    prefix = open_launch(client, teacher, cast.course, Role.TEACHER, cast.operators)
    context = Context.objects.get(context_id=f"context-of-{cast.course.public_id}")
    CourseContext.objects.create(course=cast.course, context=context, rule="test")
    ContextMembership.objects.create(context=context, person=cast.sam, role=Role.STUDENT)
    elsewhere = Context.objects.create(deployment=Deployment.objects.first(), context_id="elsewhere")
    CourseContext.objects.create(course=cast.course, context=elsewhere, rule="test")
    ContextMembership.objects.create(context=elsewhere, person=cast.sue, role=Role.STUDENT)
    for page in (gradebook, results):
        html = client.get(prefix + page).content.decode()
        assert "Sam Student" in html
        assert "Sue Student" not in html
    assert client.get(prefix + sams).status_code == 200
    assert client.get(prefix + sues).status_code == 403
    assert client.post(prefix + grade_sue, {"percent": "0"}).status_code == 403
    assert client.post(prefix + everybody, {"action": "complete"}).status_code == 302
    assert Submission.objects.get(person=cast.sam).completed_at
    assert Submission.objects.get(person=cast.sue).completed_at is None


def test_a_course_without_students_teaches(cast: Cast, tom: Client) -> None:
    """Empty tables say what they will show."""
    Enrollment.objects.filter(role=Role.STUDENT).delete()
    assert "No students yet" in tom.get(url("gradebook", cast.course)).content.decode()
    assert "No students yet" in tom.get(url("results", cast.course, cast.operators)).content.decode()


def test_test_users_are_known_as_such(cast: Cast, tom: Client) -> None:
    """A test user of the LMS works like a student, is marked in the tables, and no LMS is owed a grade."""
    place_v11(cast.operators).let_in(cast.sam, is_test_user=True)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers=RIGHT, now=NOW)
    assert tom.get(url("gradebook", cast.course)).content.decode().count("test user of the LMS") == 1
    assert tom.get(url("results", cast.course, cast.operators)).content.decode().count(">test user<") == 1
    assert not Delivery.objects.exists()
