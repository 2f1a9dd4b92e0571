"""The main job - a launch becomes work, the work a grade - while the practice LMS has one of its quirks switched on."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.demo import read_answers
from tests.end_to_end.plain_browser import Page, PlainBrowser
from tests.end_to_end.servers import Stand
from tests.practice_lms.running import PracticeLms

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def course(stand: Stand) -> dict[str, Any]:
    return stand.import_example("release_grades_automatically=true")


@dataclass
class School:
    """An LMS course with a profile, two links to two assignments by both versions, and two people."""

    stand: Stand
    lms_course: str
    assignments: dict[str, dict[str, Any]]
    links: dict[str, str]
    teacher: str
    student: str

    def launch(self, person: str, version: str) -> Page:
        with PlainBrowser(self.stand.lms, person) as browser:
            return browser.launch(self.links[version])

    def work(self, version: str) -> None:
        """The student opens the link, answers everything right and hands in."""
        answers = {name: one.text for name, one in read_answers(self.assignments[version]["title"]).items()}
        with PlainBrowser(self.stand.lms, self.student) as browser:
            browser.hand_in(browser.launch(self.links[version]), answers)

    def wait_for_full_marks(self, version: str) -> None:
        title = self.assignments[version]["title"]
        self.stand.wait_for_percent(self.lms_course, self.student, title, Decimal(100))


@contextmanager
def school_with(stand: Stand, course: dict[str, Any], profile: str, number: str) -> Iterator[School]:
    """The quirk is on in this profile as long as the block runs."""
    lms = stand.lms
    lms.post("profiles", profile=profile, quirks={number: True})
    try:
        made = lms.post("courses", title=f"{profile} with {number}", profile=profile)["id"]
        tools = {"1.1": add_key(stand, profile, number), "1.3": add_registration(stand, profile, number, made)}
        assignments = dict(zip(("1.1", "1.3"), course["assignments"][:2], strict=True))
        links = {
            version: str(
                lms.post(
                    "links",
                    course=made,
                    tool=tool,
                    title=assignments[version]["title"],
                    url=assignments[version]["url"],
                    points=10,
                )["id"]
            )
            for version, tool in tools.items()
        }
        people = [lms.add_person(made, role, email="") for role in ("teacher", "learner")]
        yield School(stand, made, assignments, links, *people)
    finally:
        lms.post("profiles", profile=profile, quirks={number: False})


def add_key(stand: Stand, profile: str, number: str) -> str:
    return str(stand.add_key(f"{profile} {number} 1.1", profile=profile)["tool"]["id"])


def add_registration(stand: Stand, profile: str, number: str, lms_course: str) -> str:
    """A tool of LTI 1.3, registered with what the LMS says that this tool has to know about it."""
    client = f"client-{secrets.token_hex(4)}"
    base = stand.courseway.url
    tool = stand.lms.post(
        "tools",
        title=f"{profile} {number} 1.3",
        version="1.3",
        client_id=client,
        profile=profile,
        launch_url=f"{base}/lti/launch",
        login_url=f"{base}/lti/login",
        redirect_urls=[f"{base}/lti/launch"],
        keyset_url=f"{base}/lti/keys",
    )
    told = stand.lms.get("info", tool=tool["id"], course=lms_course)
    urls = [word for one in ("auth", "token", "keyset") for word in (f"--{one}-url", told[f"{one}_url"])]
    stand.courseway.run(
        *("platform", "add", "--org", stand.org, "--name", f"{profile} {number}", "--issuer", told["issuer"]),
        *("--client-id", told["client_id"], "--audience", told["token_audience"], *urls),
    )
    return str(tool["id"])


def do_the_main_job(school: School) -> None:
    for version in ("1.1", "1.3"):
        page = school.launch(school.teacher, version)
        assert (page.marks.get("launch"), page.marks.get("role")) == ("ok", "teacher"), page.text
        school.work(version)
    for version in ("1.1", "1.3"):
        school.wait_for_full_marks(version)


@pytest.mark.quirk("C13")
def test_the_main_job_outlives_a_login_without_client_id(stand: Stand, course: dict[str, Any], tmp_path: Path) -> None:
    """Where the issuer has one registration and no other, a login that names no client id is that one's."""
    other_lms = PracticeLms(tmp_path)
    try:
        with school_with(replace(stand, lms=other_lms), course, "canvas", "C13") as school:
            do_the_main_job(school)
    finally:
        other_lms.stop()


@pytest.mark.quirk("C12", "B8", "B12", "O6", "G1", "G3", "G6")
@pytest.mark.parametrize(
    ("profile", "number"),
    [
        ("canvas", "C12"),
        ("blackboard", "B8"),
        ("blackboard", "B12"),
        ("sakai", "O6"),
        ("moodle", "G1"),
        ("schoology", "G3"),
        ("brightspace", "G6"),
    ],
)
def test_the_main_job_outlives_a_quirk(stand: Stand, course: dict[str, Any], profile: str, number: str) -> None:
    """By both versions a teacher lands as a teacher, a student works, and the full marks arrive in the gradebook."""
    with school_with(stand, course, profile, number) as school:
        do_the_main_job(school)


@pytest.mark.quirk("G4")
def test_a_launch_that_names_no_link(stand: Stand, course: dict[str, Any]) -> None:
    """Without its link's id a launch of either version is refused on a page that says so."""
    with school_with(stand, course, "practice", "G4") as school:
        for version in ("1.1", "1.3"):
            page = school.launch(school.student, version)
            assert (page.status, page.marks["code"]) == (400, "missing_resource_link")


@pytest.mark.quirk("G5")
def test_a_launch_that_names_no_course(stand: Stand, course: dict[str, Any]) -> None:
    """Without a context both versions open the work, and what is handed in is graded here."""
    with school_with(stand, course, "practice", "G5") as school:
        for version in ("1.1", "1.3"):
            page = school.launch(school.student, version)
            assert (page.marks["launch"], page.marks["role"]) == ("ok", "student")
            school.work(version)
