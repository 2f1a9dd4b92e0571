"""A teacher chooses assignments in a frame of the practice LMS; the LMS verifies the answer, and the links launch."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.demo import EXAMPLE
from tests.end_to_end.lms_screen import LmsScreen, expect_landed
from tests.end_to_end.servers import Stand
from tests.looks import SERIOUS, find_violations

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found on this machine"),
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]
SECONDS_FOR_A_CLICK = 3  # on a busy machine; some tenths where it has nothing else to do
TEACHER = "ada.picker@school.example"


@dataclass
class School:
    """An LMS with one tool by each way of choosing, and a course that Ada teaches here by her account."""

    stand: Stand
    course: dict[str, Any]

    def add_lms_course(self) -> str:
        """A course of its own in the LMS, with Ada and Sue."""
        lms = self.stand.lms
        course = lms.add_course()
        for role, given, email in (("teacher", "Ada", TEACHER), ("learner", "Sue", "")):
            lms.add_person(course, role, id=f"picker-{given}", given_name=given, family_name="Picker", email=email)
        return course

    def read_code(self, before: set[str]) -> str:
        """The code in the mail that comes besides those that were there before."""
        folder, give_up_at = self.stand.courseway.folder / "data" / "mail", time.monotonic() + 30
        while not (came := sorted(set(self.list_mails()) - before)):
            assert time.monotonic() < give_up_at, self.stand.courseway.log
            time.sleep(0.1)
        time.sleep(0.2)  # until it is written to its end
        return str(re.findall(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", (folder / came[-1]).read_text())[-1])

    def list_mails(self) -> list[str]:
        folder = self.stand.courseway.folder / "data" / "mail"
        return [one.name for one in folder.iterdir()] if folder.exists() else []

    def list_links(self, course: str) -> list[dict[str, Any]]:
        links: list[dict[str, Any]] = self.stand.lms.get("links", course=course)
        return links


@pytest.fixture(scope="module")
def school(stand: Stand) -> School:
    tool = stand.courseway.url + "/lti/"
    places = {"link_selection": tool + "resource_selection", "assignment_selection": tool + "resource_selection"}
    stand.add_registration("Deep", placements=places)
    stand.add_key("Items", placements=places)
    stand.add_key("Older", placements=places, options={"selection_method": "ext_content_return_url"})
    made = stand.courseway.run("course", "import", str(EXAMPLE.parent), "--org", stand.org, "--teacher", TEACHER)
    return School(stand, stand.courseway.run("course", "set", made["id"], "lti_enabled=true"))


def open_picker(screen: LmsScreen, course: str, tool: str, *, takes_one: bool = False) -> FrameLocator:
    """'Add from tool' in the LMS; the picker in the frame."""
    page = screen.open_course(course)
    page.get_by_role("button", name=f"Add {'one assignment ' if takes_one else ''}from {tool}", exact=True).click()
    frame = page.frame_locator("iframe.tool")
    expect(frame.locator("body[data-launch=waiting]")).to_have_count(1)
    return frame


def prove(frame: FrameLocator, school: School) -> None:
    prove_as(frame, school, TEACHER)


def prove_as(frame: FrameLocator, school: School, email: str) -> None:
    """The teacher reads the code in her mail and types it, once in her life for each key and registration."""
    ask = frame.get_by_role("button", name="Send me a code")
    search = frame.get_by_role("searchbox")
    expect(ask.or_(search).first).to_be_visible()
    if search.count():
        return
    expect(frame.get_by_text(f"The LMS says that your e-mail is {email}")).to_be_visible()
    before = set(school.list_mails())
    ask.click()
    field = frame.get_by_label("Code", exact=True)
    expect(frame.get_by_text("A code is on its way")).to_be_visible()
    field.fill(school.read_code(before))
    frame.get_by_role("button", name="Show my courses").click()
    expect(search).to_be_visible()


def check_accessible(page: Page) -> None:
    """What the tool shows in the LMS's frame."""
    (frame,) = page.main_frame.child_frames
    serious = [one for one in find_violations(frame) if one["impact"] in SERIOUS]
    assert not serious, "\n".join(f"{one['id']}: {one['nodes'][0]['html'][:300]}" for one in serious)


def test_many_by_deep_linking(school: School, chromium: Browser) -> None:
    """Nobody is known yet: a code, then two assignments with columns, all by keyboard where it counts; both launch."""
    course = school.add_lms_course()
    wanted = school.course["assignments"][:2]
    with LmsScreen(chromium, school.stand.lms.url, "Ada Picker", width=1000) as screen:
        frame = open_picker(screen, course, "Deep")
        check_accessible(screen.page)
        prove(frame, school)
        for one in wanted:
            search = frame.get_by_role("searchbox")
            search.fill(one["title"])
            frame.locator("body").evaluate("body => { body.dataset.before = 'the search' }")
            search.press("Enter")
            expect(frame.locator("body[data-before]")).to_have_count(0)  # else the box of the page that goes is ticked
            box = frame.get_by_role("checkbox", name=one["title"], exact=True)
            box.focus()
            box.press("Space")
            expect(box).to_be_checked()
        check_accessible(screen.page)
        frame.get_by_role("button", name="Add chosen (2)").click()
        expect(frame.get_by_role("heading", name="2 links were added")).to_be_visible()
        page = screen.open_course(course)
        for one in wanted:
            expect(page.get_by_role("link", name=one["title"], exact=True)).to_be_visible()
        assert not screen.problems
    links = school.list_links(course)
    assert [link["url"] for link in links] == [one["url"] for one in wanted]
    with LmsScreen(chromium, school.stand.lms.url, "Sue Picker") as screen:
        for one in wanted:
            expect_landed(screen.open_activity(course, one["title"]), role="student", assignment=one["id"])


@pytest.mark.parametrize("tool", ["Deep", "Items", "Older"])
def test_one_by_each_way(school: School, chromium: Browser, tool: str) -> None:
    """Preview, then choose one: the LMS makes one link of the verified answer, and it launches."""
    course = school.add_lms_course()
    wanted = school.course["assignments"][1]
    takes_one = tool != "Older"
    with LmsScreen(chromium, school.stand.lms.url, "Ada Picker") as screen:
        frame = open_picker(screen, course, tool, takes_one=takes_one)
        prove(frame, school)
        frame.get_by_role("button", name=f"Preview {wanted['title']}", exact=True).click()
        expect(frame.get_by_role("heading", name=wanted["title"], level=1)).to_be_visible()
        frame.get_by_role("button", name="Choose", exact=True).click()
        expect(frame.get_by_role("heading", name="1 link was added")).to_be_visible()
        page = screen.open_course(course)
        expect(page.get_by_role("link", name=wanted["title"], exact=True)).to_be_visible()
    with LmsScreen(chromium, school.stand.lms.url, "Sue Picker") as screen:
        expect_landed(screen.open_activity(course, wanted["title"]), role="student", assignment=wanted["id"])


@pytest.mark.parametrize("tool", ["Deep", "Items", "Older"])
def test_cancel_returns_cleanly(school: School, chromium: Browser, tool: str) -> None:
    """Cancel leads back to the LMS, which makes nothing and complains about nothing."""
    course = school.add_lms_course()
    with LmsScreen(chromium, school.stand.lms.url, "Ada Picker") as screen:
        frame = open_picker(screen, course, tool)
        frame.get_by_role("button", name="Cancel").click()
        expect(frame.get_by_role("heading", name="Nothing was added")).to_be_visible()
        assert not screen.problems
    assert school.list_links(course) == []


def test_a_whole_module_at_once(school: School, chromium: Browser) -> None:
    """One button chooses all of a module, and the LMS has a link for each, in the order of the course."""
    course = school.add_lms_course()
    module = school.course["assignments"][0]["module"]
    wanted = [one["title"] for one in school.course["assignments"] if one["module"] == module and one["published"]]
    with LmsScreen(chromium, school.stand.lms.url, "Ada Picker", width=1000) as screen:
        frame = open_picker(screen, course, "Deep")
        prove(frame, school)
        frame.get_by_role("button", name=f"Choose all of {module}", exact=True).click()
        expect(frame.get_by_role("checkbox", name=wanted[-1], exact=True)).to_be_checked()
        check_accessible(screen.page)
        frame.get_by_role("button", name=f"Add chosen ({len(wanted)})").click()
        expect(frame.get_by_role("heading", name=f"{len(wanted)} links were added")).to_be_visible()
        assert not screen.problems
    assert [link["title"] for link in school.list_links(course)] == wanted


def test_a_phone(school: School, chromium: Browser) -> None:
    """At 360 pixels nothing runs out of the frame, and the act stays in view."""
    course = school.add_lms_course()
    with LmsScreen(chromium, school.stand.lms.url, "Ada Picker", width=360, height=740) as screen:
        frame = open_picker(screen, course, "Deep")
        prove(frame, school)
        assert frame.locator("html").evaluate("one => one.scrollWidth <= one.clientWidth")
        check_accessible(screen.page)
        frame.get_by_role("checkbox").nth(2).check()
        expect(frame.get_by_role("button", name="Add chosen (1)")).to_be_in_viewport()


def make_large_course(folder: Path) -> Path:
    """A course of fifty modules with a hundred assignments each."""
    modules = [
        {
            "title": f"Module {m}",
            "assignments": [
                {"title": f"Task {m * 100 + n:04}", "key": f"t{m * 100 + n}", "points": 5} for n in range(100)
            ],
        }
        for m in range(50)
    ]
    file = folder / "large.yaml"
    file.write_text(json.dumps({"title": "Five thousand tasks", "modules": modules}))
    return file


def test_five_thousand_assignments(school: School, chromium: Browser, tmp_path: Path) -> None:
    """One is found by its title, others by paging on, each in the wink of an eye, and the found one launches."""
    courseway = school.stand.courseway
    teacher = "lea.large@school.example"
    words = ("--org", school.stand.org, "--teacher", teacher)
    made = courseway.run("course", "import", str(make_large_course(tmp_path)), *words)
    courseway.run("course", "set", made["id"], "lti_enabled=true")
    lms = school.stand.lms
    course = lms.add_course()
    lms.add_person(course, "teacher", id="picker-Lea", given_name="Lea", family_name="Large", email=teacher)
    lms.add_person(course, "learner", id="picker-Sue", given_name="Sue", family_name="Picker", email="")
    with LmsScreen(chromium, lms.url, "Lea Large") as screen:
        frame = open_picker(screen, course, "Deep")
        prove_as(frame, school, teacher)
        spent = []

        def press(button: str, until: str) -> None:
            began = time.monotonic()
            frame.get_by_role("button", name=button, exact=True).click()
            expect(frame.get_by_role("checkbox", name=until, exact=True)).to_be_visible()
            spent.append(time.monotonic() - began)

        expect(frame.get_by_text("1–50 of 5000")).to_be_visible()
        press("Next", "Task 0050")
        press("Next", "Task 0100")
        frame.get_by_role("searchbox").fill("task 4321")
        press("Search", "Task 4321")
        expect(frame.get_by_role("checkbox", name=re.compile("^Task"))).to_have_count(1)
        assert max(spent) < SECONDS_FOR_A_CLICK, spent
        frame.get_by_role("checkbox", name="Task 4321").check()
        frame.get_by_role("button", name="Add chosen (1)").click()
        expect(frame.get_by_role("heading", name="1 link was added")).to_be_visible()
    wanted = next(one for one in made["assignments"] if one["title"] == "Task 4321")
    with LmsScreen(chromium, lms.url, "Sue Picker") as screen:
        expect_landed(screen.open_activity(course, "Task 4321"), role="student", assignment=wanted["id"])
