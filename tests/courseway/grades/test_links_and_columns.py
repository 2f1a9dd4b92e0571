"""The course page for the LMS over real HTTP: columns found, missing, gone, doubled and foreign, each mended."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import reverse, set_script_prefix

from courseway.grades.column_checks import check_due_columns
from courseway.grades.columns import is_same_address
from courseway.grades.models import ColumnCheck, Delivery, SeenColumn
from courseway.grades.report import drain
from courseway.learning.scoring import set_grade
from courseway.lms.models import Context, ContextRoster, ResourceLink
from courseway.lms.rosters import read_due_rosters
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school11, make_school13
from tests.practice_lms.running import PracticeLms


@pytest.fixture
def tom(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.tom)
    return client


@pytest.fixture
def ada(client: Client, cast: Cast, school: School) -> str:
    """A student who came through the link of Operators."""
    student = school.add_person("Ada One")
    assert school.launch(client, student, school.place(cast.operators)).status_code == 303
    return student


def page_url(cast: Cast, name: str = "links", *more: object) -> str:
    set_script_prefix("/")
    return reverse(f"grades_course:{name}", args=[cast.course.public_id, *more])


def look(tom: Client, cast: Cast) -> dict[str, str]:
    """Check now, let the worker do it, and see what the page says: finding by assignment."""
    assert tom.post(page_url(cast, "links_check")).status_code == 302
    while check_due_columns(now=datetime.now(UTC)):
        pass
    return findings(tom, cast)


def findings(tom: Client, cast: Cast) -> dict[str, str]:
    response = tom.get(page_url(cast))
    assert response.status_code == 200
    rows = re.findall(r'<tr data-finding="(\w+)">(.*?)</tr>', response.content.decode(), re.DOTALL)
    return {re.findall(r"<a [^>]*>([^<]*)</a>", row)[0]: finding for finding, row in rows}


def fix(tom: Client, cast: Cast, action: str, **values: Any) -> str:
    """Press the button of the link to Operators; returns what the next page says."""
    link = ResourceLink.objects.get(assignment=cast.operators)
    response = tom.post(page_url(cast, "links_fix", link.pk), {"action": action, **values}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def grade(cast: Cast, school: School, student: str, percent: int) -> None:
    set_grade(
        assignment=cast.operators,
        person=school.find_person(student),
        percent=Decimal(percent),
        complete=True,
        release=True,
        now=datetime.now(UTC),
    )


def columns_of(school: School) -> list[dict[str, Any]]:
    return list(school.lms.get("gradebook", course=school.course)["columns"])


def test_a_column_that_the_launch_named(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """Before anybody looked the page says so; then it shows the column, its points and the last launch."""
    assert findings(tom, cast) == {"Operators": "unknown"}
    assert look(tom, cast) == {"Operators": "found"}
    html = tom.get(page_url(cast)).content.decode()
    assert "Operators · 10" in html
    assert "columns seen" in html


def test_progress_is_shown_while_a_worker_looks(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """After 'Check now' the page looks again by itself until everything was read, and can be left meanwhile."""
    assert tom.post(page_url(cast, "links_check")).status_code == 302
    assert 'hx-trigger="every 1s"' in tom.get(page_url(cast)).content.decode()
    assert check_due_columns(now=datetime.now(UTC))
    assert ContextRoster.objects.filter(context=school.context).exists()
    assert read_due_rosters() == 1
    progress = tom.get(page_url(cast, "links_progress")).content.decode()
    assert "hx-trigger" not in progress
    assert "1 person listed" in progress


def test_a_column_that_was_deleted(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """A grade waits for a teacher's yes when its column is gone; one click makes a new one, and the grade arrives."""
    grade(cast, school, ada, 80)
    drain(until_empty=True, timeout=10)
    (column,) = columns_of(school)
    school.lms.post("delete", kind="line_item", id=column["id"])
    grade(cast, school, ada, 90)
    drain()
    assert Delivery.objects.get().last_error_code == "line_item_gone"
    assert columns_of(school) == []
    assert look(tom, cast)["Operators"] in ("missing", "gone")
    assert "The LMS has a column" in fix(tom, cast, "make")
    assert drain(until_empty=True, timeout=10)["sent"] == 1
    assert school.lms.read_grade(school.course, ada) == "9"
    assert len(columns_of(school)) == 1
    assert look(tom, cast) == {"Operators": "found"}


def test_a_deleted_column_that_nobody_needed_yet(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """A column that is seen to be gone before a grade needed it is made by one click, and is in use from then on."""
    (column,) = columns_of(school)
    school.lms.post("delete", kind="line_item", id=column["id"])
    assert look(tom, cast) == {"Operators": "gone"}
    fix(tom, cast, "make")
    assert look(tom, cast) == {"Operators": "found"}
    grade(cast, school, ada, 90)
    assert drain(until_empty=True, timeout=10)["sent"] == 1
    assert school.lms.read_grade(school.course, ada) == "9"
    assert len(columns_of(school)) == 1


def test_several_columns_of_a_link(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """Where the LMS has two columns for a link the teacher chooses one; all grades of the link go there."""
    grade(cast, school, ada, 80)
    drain(until_empty=True, timeout=10)
    link = school.links[cast.operators.pk]
    second = school.lms.post(
        "columns", course=school.course, tool=school.tool["id"], link=link["id"], label="Second", points=20
    )
    assert look(tom, cast) == {"Operators": "duplicate"}
    chosen = SeenColumn.objects.get(label="Second")
    assert "Second" in fix(tom, cast, "use", column=chosen.pk)
    drain(until_empty=True, timeout=10)
    grades = {one["line_item"]: one["score"] for one in school.lms.get("gradebook", course=school.course)["grades"]}
    assert grades[second["id"]] == "16"


def test_a_column_of_another_link(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """A link whose grades go into another link's column is found out; a click takes its own, and theirs is left."""
    other = school.place(cast.loops)
    link = ResourceLink.objects.get(assignment=cast.operators)
    own_url, link.lineitem_url = link.lineitem_url, other["line_item"]["url"]
    link.save()
    assert look(tom, cast) == {"Operators": "foreign"}
    fix(tom, cast, "use", column=SeenColumn.objects.get(url=own_url).pk)
    link.refresh_from_db()
    assert link.lineitem_url == own_url
    link.lineitem_url = other["line_item"]["url"]
    link.save()
    fix(tom, cast, "forget")
    grade(cast, school, ada, 70)
    drain(until_empty=True, timeout=10)
    link.refresh_from_db()
    assert link.lineitem_url == own_url
    assert school.lms.read_grade(school.course, ada) == "7"


def test_columns_that_no_link_uses_are_listed(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """A column of this tool that no opened link uses is shown, and no link ever takes it by accident."""
    school.lms.post("columns", course=school.course, tool=school.tool["id"], label="Left behind", points=5)
    assert look(tom, cast) == {"Operators": "found"}
    assert "Left behind" in tom.get(page_url(cast)).content.decode()


@pytest.mark.parametrize(("profile", "finding"), [("brightspace", "missing"), ("moodle", "found"), ("canvas", "found")])
def test_other_platforms(
    client: Client, practice_lms: PracticeLms, cast: Cast, tom: Client, profile: str, finding: str
) -> None:
    """A Brightspace has no column until one is made, by a click or by the first grade: one, whoever is first."""
    with make_school13(practice_lms, cast.acme, profile=profile) as school:
        student = school.add_person("Ada One")
        assert school.launch(client, student, school.place(cast.operators)).status_code == 303
        assert look(tom, cast) == {"Operators": finding}
        if finding == "missing":
            fix(tom, cast, "make")
        grade(cast, school, student, 60)
        drain(until_empty=True, timeout=10)
        assert school.lms.read_grade(school.course, student) == "6"
        assert len(columns_of(school)) == 1
        assert look(tom, cast) == {"Operators": "found"}


def test_no_second_column_in_a_copied_course(
    client: Client, practice_lms: PracticeLms, cast: Cast, tom: Client
) -> None:
    """The column that a tool made comes along when the LMS course is copied: it is found by what it is for, not made
    again, though the launch does not name it."""
    with make_school13(practice_lms, cast.acme, profile="brightspace") as school:
        student = school.add_person("Ada One")
        assert school.launch(client, student, school.place(cast.operators)).status_code == 303
        grade(cast, school, student, 60)
        drain(until_empty=True, timeout=10)
        copied = practice_lms.post("courses/copy", course=school.course, title="Next term")
        school.course = copied["course"]["id"]
        newcomer = school.add_person("Eve Two")
        (link,) = practice_lms.get("links", course=school.course)
        assert school.launch(Client(), newcomer, link).status_code == 303
        grade(cast, school, newcomer, 90)
        drain(until_empty=True, timeout=10)
        assert school.lms.read_grade(school.course, newcomer) == "9"
        assert len(columns_of(school)) == 1


def test_lti_11_has_nothing_to_look_at(client: Client, practice_lms: PracticeLms, cast: Cast, tom: Client) -> None:
    """A link of LTI 1.1 is listed and says that its grades go person by person."""
    school = make_school11(practice_lms, cast.acme)
    student = school.add_person("Ada One")
    assert school.launch(client, student, school.place(cast.operators)).status_code == 303
    assert look(tom, cast) == {"Operators": "by_person"}
    assert not ColumnCheck.objects.exists()


def test_an_lms_that_fails_says_why(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """A look that failed leaves what was seen before, and the page has the LMS's own words."""
    assert look(tom, cast) == {"Operators": "found"}
    school.lms.post("faults", service="lineitems", kind="status", status=503)
    assert look(tom, cast) == {"Operators": "found"}
    html = tom.get(page_url(cast)).content.decode()
    assert "The LMS had a fault of its own" in html
    assert "503" in html
    link = ResourceLink.objects.get(assignment=cast.operators)
    ResourceLink.objects.filter(pk=link.pk).update(lineitem_url="")
    assert "The LMS had a fault of its own" in fix(tom, cast, "make")


def test_only_what_was_seen_can_be_used(cast: Cast, tom: Client, school: School, ada: str) -> None:
    """A column is chosen among those that the LMS listed for this LMS course; nothing else is ever sent to."""
    look(tom, cast)
    before = ResourceLink.objects.get(assignment=cast.operators).lineitem_url
    elsewhere = Context.objects.create(deployment=school.context.deployment, context_id="elsewhere")
    foreign = SeenColumn.objects.create(context=elsewhere, url="https://evil.example/x", score_maximum=1)
    for column in (foreign.pk, "https://evil.example/x", "", "999999"):
        assert "not in the LMS any more" in fix(tom, cast, "use", column=column)
    assert ResourceLink.objects.get(assignment=cast.operators).lineitem_url == before
    link = ResourceLink.objects.get(assignment=cast.operators)
    assert tom.post(page_url(cast, "links_fix", link.pk), {"action": "explode"}).status_code == 400


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("https://a.example/i/1?x=1&y=2", "https://A.example/i/1?y=2&x=1", True),
        ("https://a.example/i/1", "https://a.example/i/2", False),
        ("https://a.example/i/1?x=1", "https://a.example/i/1", False),
        ("https://a.example/i/1", "http://a.example/i/1", False),
        ("https://[", "https://[x", False),
        ("", "https://a.example", False),
    ],
)
def test_addresses_of_columns(first: str, second: str, is_same: bool) -> None:
    """A launch and a list may spell one address in two ways; two addresses are never taken for one."""
    assert is_same_address(first, second) is is_same


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_two_at_once_make_one_column(client: Client, practice_lms: PracticeLms, cast: Cast, tom: Client) -> None:
    """Several clicks at the same moment, and a worker with a grade, make one column between them."""
    with make_school13(practice_lms, cast.acme, profile="brightspace") as school:
        student = school.add_person("Ada One")
        assert school.launch(client, student, school.place(cast.operators)).status_code == 303
        grade(cast, school, student, 60)
        link = ResourceLink.objects.get(assignment=cast.operators)
        url, cookies = page_url(cast, "links_fix", link.pk), tom.cookies
        start = threading.Barrier(4)

        def click() -> None:
            own = Client()
            own.cookies = cookies
            start.wait()
            own.post(url, {"action": "make"})
            connections.close_all()

        def work() -> None:
            start.wait()
            drain(until_empty=True, timeout=20)
            connections.close_all()

        threads = [threading.Thread(target=run) for run in (click, click, click, work)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        connection.close()
        drain(until_empty=True, timeout=20)
        assert len(columns_of(school)) == 1
        assert school.lms.read_grade(school.course, student) == "6"
