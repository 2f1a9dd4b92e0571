"""Due dates from the LMS, through real launches: shown with their source, counted for late work, or ignored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse, set_script_prefix

from courseway.courses.models import Course
from courseway.grades.column_checks import ask_for_columns, check_due_columns
from courseway.learning.due import settle
from courseway.learning.lateness import Dues
from courseway.learning.models import Submission
from courseway.learning.scoring import save_answers, submit_attempt
from courseway.lms.models import LmsDueDate, ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school11, make_school13
from tests.practice_lms.running import PracticeLms

NOW = datetime.now(UTC).replace(microsecond=0)
PAST, SOON, LATER = NOW - timedelta(hours=2), NOW + timedelta(days=2), NOW + timedelta(days=5)
RIGHT = {"sum": "4", "quotient": "2,5", "maker": "guido"}
VARIABLES = {
    "resource_link_submission_end_date_time": "$ResourceLink.submission.endDateTime",
    "canvas_assignment_due_at": "$Canvas.assignment.dueAt.iso8601",
}


@pytest.fixture
def tom(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.tom)
    return client


@pytest.fixture
def dated(practice_lms: PracticeLms, cast: Cast) -> Iterator[School]:
    with make_school13(practice_lms, cast.acme, custom=VARIABLES) as school:
        yield school


def due(cast: Cast, person: Person) -> datetime | None:
    cast.operators.refresh_from_db()
    return Dues([cast.operators], [person.pk]).of(cast.operators, person.pk).at


def come(school: School, cast: Cast, due_at: datetime | None, name: str = "Ada One", role: str = "learner") -> Person:
    """Somebody opens the link, which is due then."""
    link = school.links.get(cast.operators.pk)
    stated = due_at.isoformat() if due_at else ""
    if link is None:
        school.place(cast.operators, due_at=stated)
    else:
        school.lms.post("links", id=link["id"], course=school.course, tool=school.tool["id"], due_at=stated)
    user = school.add_person(name, role)
    assert school.launch(Client(), user, school.links[cast.operators.pk]).status_code == 303
    return school.find_person(user)


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_launch_brings_the_date_and_takes_it_back(practice_lms: PracticeLms, cast: Cast, version: str) -> None:
    """By either version the link's date counts for everybody in the LMS course, follows the LMS, and ends with it."""
    if version == "1.1":
        school = make_school11(practice_lms, cast.acme)
        practice_lms.post("tools", id=school.tool["id"], custom=VARIABLES)
        _follow_dates(school, cast)
    else:
        with make_school13(practice_lms, cast.acme, custom=VARIABLES) as school:
            _follow_dates(school, cast)


def _follow_dates(school: School, cast: Cast) -> None:
    teacher = come(school, cast, SOON, "Tea Cher", "teacher")
    ada = come(school, cast, SOON)
    assert due(cast, ada) == due(cast, teacher) == SOON
    come(school, cast, LATER, "Bob Two")
    assert due(cast, ada) == LATER
    assert due(cast, cast.sam) is None
    come(school, cast, None, "Eve Three")
    assert due(cast, ada) is None


def test_the_lms_comes_before_the_own_date(cast: Cast, dated: School) -> None:
    """Where both say one, the date of the LMS counts, for its own people; with an extension the later one."""
    cast.operators.due_at = PAST
    cast.operators.save()
    ada = come(dated, cast, SOON)
    assert due(cast, ada) == SOON
    assert due(cast, cast.sam) == PAST


def test_a_course_may_refuse_them(cast: Cast, dated: School) -> None:
    """With 'Ignore due dates of the LMS' only the own date counts, as if the LMS had said nothing."""
    ada = come(dated, cast, SOON)
    Course.objects.filter(pk=cast.course.pk).update(ignore_lms_due_dates=True)
    assert due(cast, ada) is None
    Course.objects.filter(pk=cast.course.pk).update(ignore_lms_due_dates=False)
    assert due(cast, ada) == SOON


def test_canvas_tells_each_student_their_own(practice_lms: PracticeLms, cast: Cast) -> None:
    """Canvas's date is that of whoever launches: one student's differs from another's."""
    with make_school13(practice_lms, cast.acme, profile="canvas", custom=VARIABLES) as school:
        custom = {"canvas_assignment_due_at": VARIABLES["canvas_assignment_due_at"]}
        practice_lms.post("tools", id=school.tool["id"], custom=custom)
        ada = come(school, cast, SOON)
        bob = come(school, cast, LATER, "Bob Two")
        assert (due(cast, ada), due(cast, bob)) == (SOON, LATER)
        assert {date.person_id for date in LmsDueDate.objects.all()} == {ada.pk, bob.pk}


def test_moodle_says_nothing(practice_lms: PracticeLms, cast: Cast) -> None:
    """A Moodle leaves the variable as it is: there is no date, and nobody is late."""
    with make_school13(practice_lms, cast.acme, profile="moodle", custom=VARIABLES) as school:
        assert due(cast, come(school, cast, PAST)) is None
        assert not LmsDueDate.objects.exists()


def test_a_line_item_that_ends(cast: Cast, dated: School) -> None:
    """The end of a line item is the due date where no launch says one; a launch's date comes before it."""
    ada = come(dated, cast, None)
    link = ResourceLink.objects.get(assignment=cast.operators)
    item = dated.lms.get("links", course=dated.course)[0]["line_item"]
    _end_line_item(dated, item["id"], SOON)
    ask_for_columns([link.context], now=datetime.now(UTC))
    assert check_due_columns(now=datetime.now(UTC))
    assert due(cast, ada) == SOON
    assert LmsDueDate.objects.get().source == "line item"
    come(dated, cast, LATER, "Bob Two")
    assert due(cast, ada) == LATER
    ask_for_columns([link.context], now=datetime.now(UTC))
    assert check_due_columns(now=datetime.now(UTC))
    assert due(cast, ada) == LATER


def _end_line_item(school: School, item: str, at: datetime) -> None:
    (link,) = school.links.values()
    place = {"course": school.course, "tool": school.tool["id"], "link": link["id"]}
    school.lms.post("columns", id=item, label="Ends", points=10, end_at=at.isoformat(), **place)


def test_late_work_costs_by_the_lms_date(cast: Cast, dated: School) -> None:
    """Work handed in after the LMS's date loses what the assignment says; a later date, or none, gives it back."""
    cast.operators.late_percent = Decimal(10)
    cast.operators.save()
    ada = come(dated, cast, PAST)
    submit_attempt(assignment=cast.operators, person=ada, answers=RIGHT, now=NOW)

    def percent() -> Decimal | None:
        settle(now=datetime.now(UTC))
        return Submission.objects.get(person=ada).final_percent()

    assert percent() == 90
    come(dated, cast, LATER, "Bob Two")
    assert percent() == 100
    come(dated, cast, PAST, "Eve Three")
    assert percent() == 90
    Course.objects.filter(pk=cast.course.pk).update(ignore_lms_due_dates=True)
    assert percent() == 100
    Course.objects.filter(pk=cast.course.pk).update(ignore_lms_due_dates=False)
    assert percent() == 90


def test_work_is_completed_at_the_lms_date(cast: Cast, dated: School) -> None:
    """Answers that were saved before the LMS's date are handed in when it passes, and not before; nobody else's are."""
    ada = come(dated, cast, SOON)
    for person in (ada, cast.sam):
        save_answers(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
    settle(now=SOON - timedelta(minutes=1))
    assert not Submission.objects.filter(completed_at__isnull=False).exists()
    settle(now=SOON + timedelta(minutes=1))
    assert Submission.objects.get(completed_at__isnull=False).person == ada


def test_an_own_date_does_not_complete_what_the_lms_gives_more_time_for(cast: Cast, dated: School) -> None:
    """Where the LMS's date is later than the own one, its people's work stays open until then."""
    ada = come(dated, cast, LATER)
    cast.operators.due_at = SOON
    cast.operators.save()
    for person in (ada, cast.sam):
        save_answers(assignment=cast.operators, person=person, answers=RIGHT, now=NOW)
    settle(now=SOON + timedelta(minutes=1))
    assert Submission.objects.get(completed_at__isnull=False).person == cast.sam


def test_the_source_is_shown(cast: Cast, dated: School, tom: Client) -> None:
    """Student and teacher see where the date comes from."""
    client = Client()
    dated.place(cast.operators, due_at=SOON.isoformat())
    user = dated.add_person("Ada One")
    landed = client.get(
        dated.launch(client, user, dated.links[cast.operators.pk])["Location"], secure=True, HTTP_HOST="tool.example"
    )
    assert "from Practice 1.3" in landed.content.decode()
    set_script_prefix("/")
    results = reverse("learning_course:results", args=[cast.course.public_id, cast.operators.public_id])
    assert "from Practice 1.3" in tom.get(results).content.decode()
    person = dated.find_person(user)
    result = reverse("learning_course:result", args=[cast.course.public_id, cast.operators.public_id, person.public_id])
    assert "from Practice 1.3" in tom.get(result).content.decode()
    extension = reverse(
        "learning_course:extension", args=[cast.course.public_id, cast.operators.public_id, person.public_id]
    )
    too_early = tom.post(extension, {"due_at": f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M}"})
    assert "after the due date of the others" in too_early.content.decode()
    tom.post(extension, {"due_at": f"{LATER:%Y-%m-%dT%H:%M}"})
    assert due(cast, person) == LATER.replace(second=0)
