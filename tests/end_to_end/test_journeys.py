"""What a student, a teacher, an owner and a mentor do in a course with each of its LTI settings, click by click."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.end_to_end.lms_screen import LmsScreen, Screen, expect_landed, hand_in
from tests.end_to_end.servers import Stand

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]
BOTH = pytest.mark.parametrize("version", ["1.1", "1.3"])


@dataclass
class Room:
    """A course here, the LMS course that opens it by one version, and people in it: Tea, Ada and Ben, and Ada's Mum."""

    stand: Stand
    name: str
    version: str
    course: dict[str, Any]
    lms_course: str
    tool: str
    people: dict[str, str]

    @property
    def published(self) -> list[dict[str, Any]]:
        """What students see and cartridges hold; the example has a draft too."""
        return [one for one in self.course["assignments"] if one["published"]]

    def place(self, title: str, url: str, *, points: int | None = 20) -> str:
        link = self.stand.lms.post("links", course=self.lms_course, tool=self.tool, title=title, url=url, points=points)
        return str(link["id"])

    def place_assignments(self, count: int) -> list[dict[str, Any]]:
        chosen = list(self.course["assignments"][:count])
        for one in chosen:
            self.place(one["title"], one["url"])
        return chosen

    def set(self, *settings: str) -> None:
        self.course = self.stand.courseway.run("course", "set", self.course["id"], *settings)

    @contextmanager
    def be(self, chromium: Browser, given: str, *, width: int = 1200) -> Iterator[LmsScreen]:
        with LmsScreen(chromium, self.stand.lms.url, f"{given} {self.name}", width=width) as screen:
            yield screen
            assert not screen.problems, screen.problems


def make_room(stand: Stand, name: str, version: str = "1.3") -> Room:
    """Names of people are those of the room, so that rooms do not meet."""
    lms, name = stand.lms, f"{name}{version[-1]}"
    course = stand.import_example("release_grades_automatically=true")
    lms_course = lms.post("courses", title=f"Room {name}", label=name, sourcedid="")["id"]
    roles = {"Tea": "teacher", "Ada": "learner", "Ben": "learner"}
    people = {
        given: lms.add_person(lms_course, role, given_name=given, family_name=name, email="")
        for given, role in roles.items()
    }
    people["Mum"] = lms.add_person(
        lms_course, "observer", given_name="Mum", family_name=name, email="", mentor_for=[people["Ada"]]
    )
    add = stand.add_key if version == "1.1" else stand.add_registration
    return Room(stand, name, version, course, lms_course, add(f"Tool {name}")["tool"]["id"], people)


@BOTH
def test_a_course_only_enrolls(stand: Stand, chromium: Browser, version: str) -> None:
    """One link, warned of before it is live: students land on all assignments and work; the LMS is never called."""
    room = make_room(stand, "Enroll", version)
    course, title = room.course, room.course["assignments"][0]["title"]
    with Screen(chromium) as screen:
        page = screen.sign_in(stand.courseway, f"/courses/{course['id']}/lti/")
        page.get_by_label("Enroll to course only").check()
        page.get_by_role("button", name="Save changes").click()
        expect(page.get_by_text("no grade of it goes to the LMS")).to_be_visible()
        assert stand.courseway.run("course", "show", course["id"])["settings"]["enroll_only"] is False
        page.get_by_role("button", name="Save all the same").click()
        page.get_by_label("Link to enroll", exact=True).click()
        expect(page.locator("#announcer")).to_have_text("Link to enroll: Copied")
        link = screen.read_clipboard()
        screen.check(f"enroll-tab-{version}")
    assert link == course["enroll_url"]
    # Even though the LMS offers a gradebook column for the link.
    stand.lms.post("violations", forbid=True, course=room.lms_course)
    room.place("All of it", link)
    with room.be(chromium, "Ada") as student:
        shown = student.open_activity(room.lms_course, "All of it")
        expect_landed(shown, role="student")
        for one in room.published:
            expect(shown.get_by_role("link", name=one["title"]).first).to_be_visible()
        student.check(f"enroll-dashboard-{version}")
        student.page.get_by_role("link", name=title, exact=True).first.click()
        hand_in(student.page, title)
        expect(student.page.get_by_text("100 %").first).to_be_visible()
        expect(student.page.get_by_text("Your LMS has this grade")).to_have_count(0)
        student.check(f"enroll-result-{version}")
    with room.be(chromium, "Tea") as teacher:
        shown = teacher.open_activity(room.lms_course, "All of it")
        expect_landed(shown, role="teacher")
        expect(shown.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")
    with room.be(chromium, "Mum") as mentor:
        shown = mentor.open_activity(room.lms_course, "All of it")
        expect_landed(shown, role="mentor")
        expect(shown.get_by_role("heading", name="Gradebook").or_(shown.get_by_text("Ada")).first).to_be_visible()
    assert stand.lms.get("violations", course=room.lms_course) == []
    assert stand.lms.get("scores", course=room.lms_course) == []
    assert stand.lms.get("gradebook", course=room.lms_course)["grades"] == []


def test_work_that_was_not_started_is_hidden(stand: Stand, chromium: Browser) -> None:
    """The student sees the work that was begun and where the rest starts; the teacher sees everything."""
    room = make_room(stand, "Hide")
    first, second = room.place_assignments(2)
    lms_url = f"{stand.lms.url}/courses/{room.lms_course}"
    room.set("hide_not_started=true", f"lms_url={lms_url}")
    with room.be(chromium, "Ada", width=400) as student:
        shown = student.open_activity(room.lms_course, first["title"])
        expect_landed(shown, role="student")
        hand_in(shown, first["title"], wrong=1)
        expect(shown.get_by_text("Your LMS has this grade")).to_be_visible()
        student.page.get_by_role("link", name="Back to the course").click()
        expect(student.page.get_by_role("link", name=first["title"]).first).to_be_visible()
        expect(student.page.get_by_text(second["title"])).to_have_count(0)
        rest = student.page.get_by_role("link", name="New work starts in your LMS")
        expect(rest).to_have_attribute("href", lms_url)
        student.check("hidden-course")
        # The address of a hidden one leads to the LMS, and does not open it.
        hidden = student.page.url.partition("/learn/")[0] + f"/learn/assignments/{second['id']}/"
        student.page.goto(hidden)
        expect(student.page.get_by_role("link", name="Open your LMS")).to_have_attribute("href", lms_url)
        expect(student.page.locator("[data-form=submit]")).to_have_count(0)
        student.check("hidden-address")
        # Started from the LMS it is there.
        expect_landed(student.open_activity(room.lms_course, second["title"]), assignment=second["id"])
    with room.be(chromium, "Tea") as teacher:
        shown = teacher.open_activity(room.lms_course, first["title"])
        expect_landed(shown, role="teacher")
        teacher.page.get_by_role("link", name=room.course["title"], exact=True).click()
        for one in room.course["assignments"]:
            expect(teacher.page.get_by_role("link", name=one["title"], exact=True)).to_be_visible()
        teacher.check("hidden-teacher")


@BOTH
def test_a_mentor_sees_the_named_learner_alone(stand: Stand, chromium: Browser, version: str) -> None:
    """Ada's mother sees Ada's work and changes nothing; nothing of Ben is on any page, nor behind his address."""
    room = make_room(stand, "Mentor", version)
    (assignment,) = room.place_assignments(1)
    room.set("filter_learners_for_mentors=true")
    addresses = {}
    for given in ("Ada", "Ben"):
        with room.be(chromium, given) as student:
            hand_in(student.open_activity(room.lms_course, assignment["title"]), assignment["title"], wrong=1)
            expect(student.page.get_by_text("Your LMS has this grade")).to_be_visible()
    shown_people = stand.courseway.run("course", "show", room.course["id"])["enrollments"]
    for one in shown_people:
        addresses[one["person"].split()[0]] = one["person_id"]
    with LmsScreen(chromium, stand.lms.url, f"Mum {room.name}") as mentor:
        page = mentor.page
        expect_landed(mentor.open_activity(room.lms_course, assignment["title"]), role="mentor")
        expect(page.get_by_text("named for you")).to_be_visible()
        expect(page.get_by_text(f"Ada {room.name}").first).to_be_visible()
        expect(page.get_by_text("Ben")).to_have_count(0)
        mentor.check(f"mentor-results-{version}")
        page.get_by_role("link", name=f"Ada {room.name}").first.click()
        expect(page.get_by_text("12345.678").or_(page.get_by_text("wrong")).first).to_be_visible()
        expect(page.locator("main form[method=post]")).to_have_count(0)
        mentor.check(f"mentor-result-{version}")
        own = page.url
        page.get_by_role("link", name="Gradebook").first.click()
        expect(page.get_by_text(f"Ada {room.name}").first).to_be_visible()
        expect(page.get_by_text("Ben")).to_have_count(0)
        mentor.check(f"mentor-gradebook-{version}")
        assert not mentor.problems
        answer = page.goto(own.replace(addresses["Ada"], addresses["Ben"]))
        assert answer is not None
        assert answer.status in (403, 404)
        assert "Ben" not in page.content()
    # Nobody named: nobody seen.
    stand.lms.post("people", id=room.people["Mum"], given_name="Mum", course=room.lms_course, role="observer")
    with LmsScreen(chromium, stand.lms.url, f"Mum {room.name}") as mentor:
        expect_landed(mentor.open_activity(room.lms_course, assignment["title"]), role="mentor")
        expect(mentor.page.get_by_text("No student is named for you")).to_be_visible()
        assert "Ada" not in mentor.page.inner_text("main")
        mentor.check(f"mentor-nobody-{version}")


@pytest.mark.parametrize(
    ("version", "cartridge", "profile", "points"),
    [
        ("1.3", "Common Cartridge 1.3 (most LMSs)", "canvas", True),
        ("1.1", "Thin Common Cartridge 1.3", "practice", True),
        ("1.1", "Common Cartridge 1.1 (Moodle)", "moodle", False),
    ],
)
def test_a_cartridge_carries_every_link(
    stand: Stand, chromium: Browser, tmp_path: Path, version: str, cartridge: str, profile: str, points: bool
) -> None:
    """Exported on the tab, imported in the LMS: modules and titles are there, and each link opens its assignment."""
    room = make_room(stand, f"Cartridge{profile.title()}", version)
    room.set("constant_urls=true")
    stand.lms.post("courses", id=room.lms_course, profile=profile)
    with Screen(chromium) as screen:
        page = screen.sign_in(stand.courseway, f"/courses/{room.course['id']}/lti/")
        page.get_by_label("Version").select_option(label=cartridge)
        with page.expect_download() as download:
            page.get_by_role("button", name="Export Common Cartridge").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
    assert file.suffix == ".imscc"
    with room.be(chromium, "Tea") as teacher:
        page = teacher.open_course(room.lms_course)
        page.locator("details", has_text="Import a cartridge").locator("summary").click()
        page.locator("input[type=file]").set_input_files(file)
        page.locator("form", has=page.locator("input[type=file]")).locator("select").select_option(room.tool)
        page.get_by_role("button", name="Import", exact=True).click()
        count = len(room.published)
        expect(page.locator("[data-imported]")).to_have_attribute("data-imported", str(count))
        page.goto(f"{stand.lms.url}/courses/{room.lms_course}")
        titles = [one["title"] for one in room.published]
        assert page.locator("li.activity a[data-link]").all_inner_texts() == titles
        modules = list(dict.fromkeys(one["module"] for one in room.published))
        # A Moodle's sections do not come from a cartridge.
        shown = page.locator("h2.module-title").all_inner_texts()
        assert shown == ([] if profile == "moodle" else modules)
        for one in room.published:
            expect_landed(teacher.open_activity(room.lms_course, one["title"]), role="teacher", assignment=one["id"])
    if points:
        first = room.course["assignments"][0]
        with room.be(chromium, "Ada") as student:
            shown = student.open_activity(room.lms_course, first["title"])
            percent = hand_in(shown, first["title"], wrong=1)
            expect(shown.get_by_text("Your LMS has this grade")).to_be_visible()
        stand.wait_for_percent(room.lms_course, room.people["Ada"], first["title"], percent)
        assert percent != Decimal(100)
