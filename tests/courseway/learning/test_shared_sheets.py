"""The page of a student's work is made once for all who see the same: never for one who sees something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse, set_script_prefix
from django.utils import timezone

from courseway.courses.models import Assignment, Course, Page, Question, Role
from courseway.learning import work_sheet
from courseway.learning.models import Extension
from courseway.learning.scoring import begin_next_attempt, save_answers, submit_attempt
from courseway.learning.work_pages import recall_content
from courseway.lms.due_dates import store_due_date
from courseway.orgs.ids import new_id
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import place_v11
from tests.visits import open_launch

FAR = datetime(2093, 5, 4, 12, 30, tzinfo=UTC)
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


def open_page(person: Person, cast: Cast, **launch: str) -> tuple[str, str]:
    """The page on which a launch of the person lands, without what differs from session to session; and its prefix."""
    set_script_prefix("/")
    path = reverse("learning:assignment", args=[cast.operators.public_id])
    client = Client()
    prefix = open_launch(client, person, cast.course, Role.STUDENT, cast.operators, **launch)
    response = client.get(prefix + path)
    assert response.status_code == 200
    html = response.content.decode()
    assert len(TOKEN.findall(html)) == 1
    assert f'action="{prefix}{path}submit/"' in html
    return TOKEN.sub("", html).replace(prefix, ""), prefix


def read(person: Person, cast: Cast) -> str:
    return open_page(person, cast)[0]


def read_afresh(person: Person, cast: Cast) -> str:
    """The page as a process shows it that has nothing in memory."""
    work_sheet._render.cache_clear()
    recall_content.cache_clear()
    return read(person, cast)


def mark_content() -> None:
    """As whoever changes pages or questions has to do."""
    Assignment.objects.update(content_mark=new_id())


def change(
    rows: type[Assignment] | type[Course] | type[Page] | type[Question], **values: object
) -> Callable[..., None]:
    def change_rows(cast: Cast) -> None:
        assert rows._default_manager.update(**values)
        if rows in (Page, Question):
            mark_content()

    return change_rows


def answer(cast: Cast) -> None:
    save_answers(assignment=cast.operators, person=cast.sam, answers={"maker": "Ada"}, now=timezone.now())


def hand_in(cast: Cast) -> None:
    submit_attempt(assignment=cast.operators, person=cast.sam, answers={"maker": "Eve"}, now=timezone.now())
    begin_next_attempt(assignment=cast.operators, person=cast.sam, now=timezone.now())


def extend(cast: Cast) -> None:
    Extension.objects.create(assignment=cast.operators, person=cast.sam, due_at=FAR + timedelta(days=3))


def date_by_lms(cast: Cast) -> None:
    placed = place_v11(cast.operators)
    store_due_date(placed.link.pk, cast.sam.pk, FAR, source="Moodle.due", now=timezone.now())


def add_page(cast: Cast) -> None:
    Page.objects.create(assignment=cast.operators, key="more", title="One page more", position=7)
    mark_content()


def drop_question(cast: Cast) -> None:
    Question.objects.filter(page__assignment=cast.operators, key="maker").delete()
    mark_content()


@pytest.mark.parametrize(
    ("act", "sign"),
    [
        (change(Page, title="Before we begin"), "Before we begin"),
        (change(Page, text="Read *twice*."), "<em>twice</em>"),
        (change(Question, text="How many?"), "How many?"),
        (change(Question, points=Decimal(9)), "9 points"),
        (change(Question, body={"options": ["seven", "eight"], "answer": "seven"}), "seven"),
        (add_page, "One page more"),
        (drop_question, "2 answered"),
        (change(Assignment, title="Arithmetic"), "Arithmetic"),
        (change(Assignment, points=Decimal(77)), "77 points"),
        (change(Assignment, attempts=5), "attempt 1 of 5"),
        (change(Assignment, due_at=FAR), "2093-05-04"),
        (change(Assignment, due_at=FAR, late_percent=Decimal(5)), "each day late costs"),
        (change(Course, title="Python for all"), "Python for all"),
        (date_by_lms, "2093-05-04"),
        (answer, 'value="Ada"'),
    ],
)
def test_a_page_in_memory_is_the_page_of_this_moment(cast: Cast, act: Callable[[Cast], None], sign: str) -> None:
    """Whatever changes, the next reader sees it, as a process with an empty memory shows it."""
    Assignment.objects.update(attempts=3)
    before = read(cast.sam, cast)
    assert sign not in before
    assert before == read(cast.sam, cast)
    act(cast)
    after = read(cast.sam, cast)
    assert sign in after
    assert after == read_afresh(cast.sam, cast)


def test_an_extension_and_a_further_attempt_are_seen(cast: Cast) -> None:
    """The student's own later date, and the number of the attempt, stand on the next page that is opened."""
    Assignment.objects.update(attempts=3, due_at=FAR)
    assert "2093-05-04" in read(cast.sam, cast)
    cast.operators.refresh_from_db()
    extend(cast)
    assert "2093-05-07" in read(cast.sam, cast)
    assert "2093-05-04" in read(cast.sue, cast)
    hand_in(cast)
    assert "attempt 2 of 3" in read(cast.sam, cast)
    assert "attempt 1 of 3" in read(cast.sue, cast)


def test_nobody_sees_what_another_wrote(cast: Cast) -> None:
    """Answers are shown to the student who typed them; whoever began nothing finds empty fields."""
    read(cast.sue, cast)
    answer(cast)
    assert 'value="Ada"' in read(cast.sam, cast)
    assert "Ada" not in read(cast.sue, cast)


def test_each_session_has_its_own_addresses_and_proof(cast: Cast) -> None:
    """Two who see the same page get the same page but for the address of their session and the token of the form."""
    (first, one), (second, other) = open_page(cast.sam, cast), open_page(cast.sue, cast)
    assert one != other
    assert first == second
    assert work_sheet._PREFIX not in first
    assert work_sheet._TOKEN not in first


def test_the_way_back_and_the_page_are_those_of_the_launch(cast: Cast) -> None:
    """Launches with another way back, or at another page, are other pages."""
    home, _ = open_page(cast.sam, cast, return_url="https://lms.example/home")
    away, _ = open_page(cast.sue, cast, return_url="https://lms.example/away", page="finish")
    assert 'href="https://lms.example/home"' in home
    assert "https://lms.example/home" not in away
    assert 'data-opened="warm-up"' in home
    assert 'data-opened="finish"' in away
    Course.objects.update(lms_url="https://lms.example/course/7")
    assert "https://lms.example/course/7" in open_page(cast.sam, cast, return_url="")[0]


def test_a_page_from_memory_is_the_page_that_django_renders(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a request and all of Django's context around it the template gives the same."""
    remembered = read(cast.sam, cast)
    monkeypatch.setattr(work_sheet, "has_messages", lambda request: True)
    assert read(cast.sam, cast) == remembered


def test_the_landing_page_asks_once(cast: Cast, client: Client) -> None:
    """Who it is and how they stand: one statement, once somebody has opened the same page."""
    read(cast.sue, cast)
    set_script_prefix("/")
    path = reverse("learning:assignment", args=[cast.operators.public_id])
    prefix = open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(prefix + path).status_code == 200
    assert len(queries) == 1, [query["sql"] for query in queries]
