"""The pages of work in a real browser: paging, saving while typing, handing in, and watching the grade arrive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse, set_script_prefix
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, expect
from playwright.sync_api import Page as BrowserPage

from courseway.courses.models import Assignment, Course, Page, Role
from courseway.grades.models import Delivery
from courseway.learning.models import Attempt, Submission
from courseway.learning.scoring import save_answers, submit_attempt
from courseway.orgs.models import Person
from tests.cast import Cast, make_cast
from tests.courseway.grades.links import place_v11
from tests.looks import each_look, find_faults
from tests.visits import open_launch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 900, "height": 800})
    yield context
    context.close()


class Visit:
    """A launch in the browser; pages are opened by their names."""

    def __init__(self, server: str, context: BrowserContext, cast: Cast, person: Person, role: str, page: str = ""):
        client = Client()
        self.prefix = open_launch(
            client, person, cast.course, role, cast.operators, covers_whole_course=True, page=page
        )
        self.server = server
        cookies = [(name, morsel.value) for name, morsel in client.cookies.items()]
        context.add_cookies([{"name": name, "value": value, "url": server} for name, value in cookies])
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)

    def open(self, name: str, *targets: Assignment | Course | Person) -> BrowserPage:
        set_script_prefix("/")
        self.page.goto(self.server + self.prefix + reverse(name, args=[target.public_id for target in targets]))
        return self.page


def test_a_student_works_through_an_assignment(live_server: object, context: BrowserContext) -> None:
    """One page at a time; what is typed is saved and survives a reload; handing in asks for what is missing."""
    cast = make_cast()
    link = place_v11(cast.operators)
    link.let_in(cast.sam)
    visit = Visit(str(live_server), context, cast, cast.sam, Role.STUDENT)
    page = visit.open("learning:assignment", cast.operators)
    expect(page.get_by_role("heading", name="Warm-up")).to_be_visible()
    expect(page.get_by_role("heading", name="Finish")).to_be_hidden()
    expect(page.get_by_role("button", name="Hand in")).to_be_hidden()
    page.get_by_label("4", exact=True).check()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", name="Finish")).to_be_focused()
    page.get_by_label("Who made Python?").fill("Guido")
    expect(page.get_by_text("2 of 3 answered")).to_be_visible()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Finish")).to_be_visible()
    expect(page.get_by_label("Who made Python?")).to_have_value("Guido")
    assert Attempt.objects.get().answers == {"sum": "4", "maker": "Guido"}
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_text("1 question is not answered yet")).to_be_visible()
    page.get_by_role("link", name="Answer question 2").click()
    page.get_by_label("10/4?").fill("2,5")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_text("100 %")).to_be_visible()
    expect(page.get_by_text("On its way to your LMS.")).to_be_visible()
    Delivery.objects.update(state=Delivery.State.SENT)
    expect(page.get_by_text("Your LMS has this grade.")).to_be_visible()
    assert visit.problems == []


def test_what_could_not_be_saved_comes_back(live_server: object, context: BrowserContext) -> None:
    """While the server does not answer the page says so; a reload brings the answer back and saves it."""
    cast = make_cast()
    visit = Visit(str(live_server), context, cast, cast.sam, Role.STUDENT, page="finish")
    page = visit.open("learning:assignment", cast.operators)
    expect(page.get_by_role("heading", name="Finish")).to_be_visible()
    context.route("**/answers/", lambda route: route.abort())
    page.get_by_label("Who made Python?").fill("Ada Lovelace")
    expect(page.get_by_text("Not saved.")).to_be_visible()
    context.unroute("**/answers/")
    page.reload()
    expect(page.get_by_label("Who made Python?")).to_have_value("Ada Lovelace")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert Attempt.objects.get().answers == {"maker": "Ada Lovelace"}


def test_without_script_everything_is_on_one_page(live_server: object, chromium: Browser) -> None:
    """A browser without scripts shows every page and one button that hands in."""
    cast = make_cast()
    context = chromium.new_context(java_script_enabled=False)
    visit = Visit(str(live_server), context, cast, cast.sam, Role.STUDENT)
    page = visit.open("learning:assignment", cast.operators)
    page.get_by_label("4", exact=True).check()
    page.get_by_label("10/4?").fill("2.5")
    page.get_by_label("Who made Python?").fill("guido")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_text("100 %")).to_be_visible()


def test_pages_are_accessible(live_server: object, context: BrowserContext) -> None:
    """axe finds nothing on the pages of students and teachers, wide and narrow, and no page scrolls sideways."""
    cast = make_cast()
    place_v11(cast.operators).let_in(cast.sam)
    student = Visit(str(live_server), context, cast, cast.sam, Role.STUDENT)
    teacher = Visit(str(live_server), context, cast, cast.tom_person, Role.TEACHER)
    check(student.open("learning:dashboard"))
    check(student.open("learning:assignment", cast.operators))
    student.page.get_by_role("button", name="Next").click()
    student.page.get_by_role("button", name="Hand in").click()
    check(student.page)
    student.page.get_by_role("button", name="Hand in anyway").click()
    expect(student.page.get_by_text("Question by question")).to_be_visible()
    check(student.page)
    assert Submission.objects.get().completed_at
    check(teacher.open("learning:assignment", cast.operators))
    check(teacher.open("learning_course:gradebook", cast.course))
    check(teacher.open("learning_course:result", cast.course, cast.operators, cast.sam))
    check(teacher.open("learning_course:preview", cast.course, cast.operators))


def check(page: BrowserPage) -> None:
    for look in each_look(page):
        assert find_faults(page, look) == []


def test_boxes_places_and_a_file(live_server: object, context: BrowserContext, settings: Any, tmp_path: Path) -> None:
    """Boxes, an order and a file are saved while they are chosen, are there after a reload, and are handed in."""
    storage = settings.STORAGES["default"]
    settings.STORAGES = {**settings.STORAGES, "default": {**storage, "OPTIONS": {"location": tmp_path / "files"}}}
    cast = make_cast()
    add_further_kinds(cast.operators)
    visit = Visit(str(live_server), context, cast, cast.sam, Role.STUDENT)
    page = visit.open("learning:assignment", cast.operators)
    page.get_by_role("button", name="Next").click()
    for option in ("2", "4"):
        page.get_by_role("checkbox", name=option).check()
    places = page.get_by_role("combobox")
    for place, item in enumerate(("kilobyte", "byte", "megabyte")):
        places.nth(place).select_option(item)
    # Choosing one that stands elsewhere swaps the two.
    places.nth(0).select_option("byte")
    expect(places.nth(1)).to_have_value("kilobyte")
    expect(page.locator("[data-save-state]")).to_have_text("Saved")
    for name, words in (("report.exe", "hand in a file of the type pdf"), ("report.pdf", "Saved")):
        (tmp_path / name).write_bytes(b"%PDF-1.7")
        page.get_by_label("Your report?").set_input_files(tmp_path / name)
        expect(page.locator("[data-save-state]")).to_contain_text(words)
    expect(page.get_by_text("Handed over: report.pdf")).to_be_visible()
    expect(page.locator("[data-answered]")).to_have_text("3")
    keep_picture(page, "work-further-kinds")
    page.reload()
    expect(page.get_by_role("checkbox", name="2")).to_be_checked()
    expect(page.get_by_role("checkbox", name="3")).not_to_be_checked()
    expect(page.get_by_role("combobox").nth(2)).to_have_value("megabyte")
    expect(page.get_by_role("link", name="report.pdf")).to_be_visible()
    expect(page.locator("[data-answered]")).to_have_text("3")
    page.get_by_role("checkbox", name="4").uncheck()
    expect(page.locator("[data-save-state]")).to_have_text("Saved")
    assert find_faults(page, "900") == []
    page.get_by_role("button", name="Hand in").click()
    page.get_by_role("button", name="Hand in anyway").click()
    expect(page.get_by_role("link", name="report.pdf")).to_be_visible()
    keep_picture(page, "result-waits-for-a-teacher")
    answers = Attempt.objects.get().answers
    assert (answers["even"], answers["sizes"]) == ("2", "byte\nkilobyte\nmegabyte")
    # The refused file is an answer of the server that the browser writes down as an error.
    assert [problem for problem in visit.problems if "422" not in problem] == []


def test_a_teacher_gives_points_by_hand(
    live_server: object, context: BrowserContext, settings: Any, tmp_path: Path
) -> None:
    """The key n leads to the next work that is to be graded; its points are typed, saved, and make the grade."""
    storage = settings.STORAGES["default"]
    settings.STORAGES = {**settings.STORAGES, "default": {**storage, "OPTIONS": {"location": tmp_path / "files"}}}
    cast = make_cast()
    add_further_kinds(cast.operators)
    now = timezone.now()
    for person in (cast.sam, cast.sue):
        file = SimpleUploadedFile("report.pdf", b"%PDF-1.7")
        work = {"assignment": cast.operators, "person": person, "now": now}
        save_answers(answers={"sum": "4"}, files={"report": file}, **work)  # type: ignore[arg-type]
        submit_attempt(answers={}, **work)  # type: ignore[arg-type]
    visit = Visit(str(live_server), context, cast, cast.tom_person, Role.TEACHER)
    page = visit.open("learning_course:result", cast.course, cast.operators, cast.sam)
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1, name="Sue Student")).to_be_visible()
    page.get_by_label("Your report?").fill("3")
    page.keyboard.press("n")  # typing in a field leads nowhere
    page.get_by_label("Your report?").fill("3")
    keep_picture(page, "points-by-hand")
    assert find_faults(page, "900") == []
    page.get_by_role("button", name="Save the points").click()
    expect(page.get_by_text("Saved. The student sees it")).to_be_visible()
    assert Submission.objects.get(person=cast.sue).is_grade_visible
    assert not visit.problems


def add_further_kinds(assignment: Assignment) -> None:
    """In the place of the last page's question."""
    finish = Page.objects.get(assignment=assignment, key="finish")
    finish.questions.all().delete()
    kinds: list[tuple[str, str, str, dict[str, Any]]] = [
        ("even", "choices", "Which are even?", {"options": ["2", "3", "4"], "answers": ["2", "4"]}),
        ("sizes", "ordering", "Smallest first.", {"items": ["byte", "kilobyte", "megabyte"]}),
        ("report", "file", "Your report?", {"file_types": ["pdf"]}),
    ]
    for position, (key, kind, text, body) in enumerate(kinds):
        finish.questions.create(key=key, kind=kind, text=text, body=body, points=Decimal(4), position=position)


def keep_picture(page: BrowserPage, name: str) -> None:
    """For people to look at: where SCREENSHOTS says."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
