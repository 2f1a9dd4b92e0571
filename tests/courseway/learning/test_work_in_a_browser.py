"""The pages of work in a real browser: paging, saving while typing, handing in, and watching the grade arrive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from django.test import Client
from django.urls import reverse, set_script_prefix
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from courseway.courses.models import Assignment, Course, Role
from courseway.grades.models import Delivery
from courseway.learning.models import Attempt, Submission
from courseway.orgs.models import Person
from tests.cast import Cast, make_cast
from tests.courseway.grades.links import place_v11
from tests.end_to_end.chromium import find_chromium
from tests.visits import open_launch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine: set CHROMIUM to one, or run `playwright install chromium`")
    # Playwright keeps an event loop in this thread, and Django refuses rows to a thread with one unless told.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*QUIET, "--disable-sync", "--no-first-run"]
        )
        expect.set_options(timeout=20_000)  # a busy machine is no failure
        yield browser
        browser.close()
        # Beside an event loop Django had a connection of its own: PostgreSQL drops no database that is still in use.
        connections.close_all()


@pytest.fixture
def context(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 900, "height": 800})


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

    def open(self, name: str, *targets: Assignment | Course | Person) -> Page:
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


def test_without_script_everything_is_on_one_page(live_server: object, browser: Browser) -> None:
    """A browser without scripts shows every page and one button that hands in."""
    cast = make_cast()
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(str(live_server), context, cast, cast.sam, Role.STUDENT)
    page = visit.open("learning:assignment", cast.operators)
    page.get_by_label("4", exact=True).check()
    page.get_by_label("10/4?").fill("2.5")
    page.get_by_label("Who made Python?").fill("guido")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_text("100 %")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_pages_are_accessible(live_server: object, browser: Browser, width: int, scheme: str) -> None:
    """axe finds nothing on the pages of students and teachers, wide and narrow, and no page scrolls sideways."""
    cast = make_cast()
    place_v11(cast.operators).let_in(cast.sam)
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
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


def check(page: Page) -> None:
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], [node["target"] for node in found["nodes"]]) for found in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
