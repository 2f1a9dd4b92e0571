"""Courseway and Open edX's own LTI code, both for real: launches by LTI 1.1 and 1.3, and grades into its gradebook."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.peers.browser import Browser, Page, hand_in
from tests.peers.conftest import Sightings
from tests.peers.environment import EnvironmentNotMadeError, make_environment
from tests.peers.installation import Installation, find_port, stop, wait_until_answering

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
GRADE_SECONDS = 40
OWNER = "olga@polytechnic.example"
LONG_TITLE = "An essay whose title is longer than the hundred characters that Open edX keeps for a gradebook column"
# The name of a block in Open edX, and the assignment that it opens. Each is worth 20 points but one.
ASSIGNMENTS = {
    "outcomes": "By Basic Outcomes",
    "late": "By Basic Outcomes, too late",
    "declared": "A column of the platform's",
    "made": "A column of ours",
    "first": "One of two columns",
    "second": "The other of two columns",
    "fraction": LONG_TITLE,
    "stranger": "Of a tool nobody registered",
    "chosen": "Chosen by Deep Linking",
    "rostered": "With the roster",
}
RIGHT = {"q-sum": "4", "q-half": "0.5"}  # 15 points and 5 points
ONE_RIGHT = {"q-sum": "4", "q-half": "0.7"}
OTHER_RIGHT = {"q-sum": "5", "q-half": "0.5"}


@dataclass
class Site:
    """Open edX's LTI code in a process of its own, spoken to over HTTP."""

    url: str
    users: dict[str, Any] = field(default_factory=dict)
    course: str = ""
    blocks: dict[str, Any] = field(default_factory=dict)

    def ask(self, path: str, body: object = None) -> Any:
        """What an author or a teacher of the site does or reads."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/control/{path}", content)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def launch_url(self, block: str, user: str) -> str:
        """What the browser of a user opens to launch a block."""
        return f"{self.url}/courses/{self.course}/launch/{block}?user={user}"

    def grade_of(self, block: str, user: str) -> tuple[float, float] | None:
        """Points and maximum in the gradebook."""
        for entry in self.ask("grades")["gradebook"]:
            if (entry["block"], entry["user"]) == (block, user):
                return entry["value"], entry["maximum"]
        return None

    def line_items(self, block: str) -> list[dict[str, Any]]:
        """The columns of a block that AGS knows."""
        return [item for item in self.ask("lineitems")["line_items"] if item["block"] == block]

    def calls(self, part: str) -> list[dict[str, Any]]:
        """The calls of services whose address holds this text."""
        return [call for call in self.ask("calls")["calls"] if part in call["path"]]


@dataclass
class World:
    """Both programs, knowing each other."""

    site: Site
    courseway: Installation
    course: str
    assignments: dict[str, str]

    def launch(self, browser: Browser, block: str, user: str) -> Page:
        """Open a block as a user; where that leads."""
        return browser.open(self.site.launch_url(block, user))

    def work(self, block: str, user: str, answers: dict[str, str]) -> Page:
        """Launch, answer, hand in."""
        with Browser() as browser:
            return hand_in(browser, self.launch(browser, block, user), answers)

    def wait_for_grade(self, block: str, user: str, points: float) -> None:
        """The grade stands in the site's gradebook within some seconds; scores are compared as fractions."""
        wait_until(
            lambda: (grade := self.site.grade_of(block, user)) is not None and grade[0] == pytest.approx(points),
            lambda: f"{self.site.grade_of(block, user)} of {block} for {user}, deliveries: {self.deliveries(block)}",
        )

    def deliveries(self, block: str) -> list[dict[str, Any]]:
        """What Courseway says of the grades of a block."""
        everything = self.courseway.run("deliveries", "--org", "polytechnic")
        wanted = (self.assignments[block], ASSIGNMENTS[block])
        return [one for one in everything if any(name in json.dumps(one, ensure_ascii=False) for name in wanted)]

    def read_code(self, *, seconds: float = 20) -> str:
        """The code of the newest mail; unsent mail is kept readable in the data folder."""
        give_up_at = time.monotonic() + seconds
        while True:
            files = sorted(
                (self.courseway.folder / "data" / "mail").glob("*.log"), key=lambda file: file.stat().st_mtime
            )
            found = [
                re.search(r"^Subject: Your code: (\S+(?: \S+)?)\s*$", one.read_text(), re.MULTILINE) for one in files
            ]
            codes = [one.group(1) for one in found if one]
            if codes:
                return codes[-1]
            assert time.monotonic() < give_up_at, "no mail came"
            time.sleep(0.1)

    def last_launch(self) -> dict[str, Any]:
        """The newest row of the launch log."""
        (row,) = self.courseway.run("launches", "--org", "polytechnic", "--limit", "1")
        return dict(row)


def wait_until(is_so: Callable[[], bool], explain: Callable[[], str]) -> None:
    """Return as soon as it is so."""
    give_up_at = time.monotonic() + GRADE_SECONDS
    while not is_so():
        assert time.monotonic() < give_up_at, explain()
        time.sleep(0.2)


def write_course(path: Path) -> None:
    """A course with one assignment for each block."""
    questions = [
        {"key": "sum", "kind": "choice", "text": "2 + 2?", "options": ["3", "4", "5"], "answer": "4", "points": 15},
        {"key": "half", "kind": "number", "text": "1 / 2?", "answer": 0.5, "points": 5},
    ]
    assignments = [
        {
            "title": title,
            "key": name,
            "points": 2.5 if name == "fraction" else 20,
            "pages": [{"title": "Questions", "questions": questions}],
        }
        for name, title in ASSIGNMENTS.items()
    ]
    course = {"title": "Interoperability", "modules": [{"title": "Week 1", "assignments": assignments}]}
    path.write_text(json.dumps(course))  # JSON is YAML


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sightings: Sightings) -> Iterator[Site]:
    """The platform, started in its own environment; a run without one fails and says why."""
    try:
        python = make_environment("edx", HERE / "requirements-edx.txt")
    except EnvironmentNotMadeError as error:
        pytest.fail(f"Open edX's code could not be installed: {error}", pytrace=False)
    folder = tmp_path_factory.mktemp("edx")
    port, log = find_port(), folder / "platform.log"
    command = [str(python), "-W", "ignore", str(HERE / "edx_platform.py"), "--port", str(port), "--data", str(folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        site = Site(f"http://127.0.0.1:{port}")
        wait_until_answering(process, f"{site.url}/control/about", log)
        about = site.ask("about")
        site.users, site.course = about["users"], about["course"]
        versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
        sightings.peers.append(f"Open edX's LTI platform code: {versions}")
        yield site
    finally:
        stop(process)


@pytest.fixture(scope="module")
def world(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Courseway serving a course, and a course of Open edX with a block for each of its assignments."""
    courseway = Installation(tmp_path_factory.mktemp("courseway"))
    courseway.run("migrate")
    courseway.run("org", "create", "--name", "Polytechnic", "--owner", OWNER)
    write_course(courseway.folder / "course.yaml")
    course = courseway.run(
        *("course", "import", str(courseway.folder / "course.yaml"), "--org", "polytechnic", "--teacher", OWNER)
    )
    courseway.run("course", "set", course["id"], "lti_enabled=true", "release_grades_automatically=true")
    by_title = {one["title"]: one for one in course["assignments"]}
    urls = {name: by_title[title]["url"] for name, title in ASSIGNMENTS.items()}

    key = courseway.run("key", "create", "--org", "polytechnic", "--name", "Open edX")
    site.ask("passports", [f"courseway:{key['key']}:{key['secret']}"])
    by_key = {"lti_version": "lti_1p1", "lti_id": "courseway", "weight": 20}
    site.blocks["outcomes"] = site.ask("blocks/outcomes", {**by_key, "launch_url": urls["outcomes"]})
    late = {"due": "2026-01-01T00:00:00+00:00", "accept_grades_past_due": False}
    site.blocks["late"] = site.ask("blocks/late", {**by_key, **late, "launch_url": urls["late"]})

    def place(name: str, mode: str, **values: object) -> None:
        """A block as our guide for Open edX tells an author to make it."""
        fields = {
            "lti_version": "lti_1p3",
            "lti_1p3_launch_url": urls[name.removesuffix("-unlisted")],
            "lti_1p3_oidc_url": f"{courseway.url}/lti/login",
            "lti_1p3_redirect_uris": [f"{courseway.url}/lti/launch"],
            "lti_1p3_tool_key_mode": "keyset_url",
            "lti_1p3_tool_keyset_url": f"{courseway.url}/lti/keys",
            "lti_advantage_ags_mode": mode,
            "weight": 10,
        }
        site.blocks[name] = site.ask(f"blocks/{name}", {**fields, **values})

    place("declared", "declarative")
    passport = {"lti_1p3_passport_id": site.blocks["declared"]["passport_id"]}  # one registration for all of them
    for name in ("made", "first", "second", "fraction"):
        place(name, "programmatic", **passport)
    linking = {"lti_advantage_deep_linking_enabled": True}
    linking["lti_advantage_deep_linking_launch_url"] = f"{courseway.url}/lti/resource_selection"
    place("chosen", "declarative", **passport, **linking, lti_1p3_launch_url=f"{courseway.url}/lti/launch")
    place("rostered", "declarative", **passport, lti_1p3_enable_nrps=True)
    place("stranger", "declarative")
    place("declared-unlisted", "declarative", **passport, lti_1p3_redirect_uris=[])
    told = site.blocks["declared"]
    courseway.run(
        *("platform", "add", "--org", "polytechnic", "--name", "Open edX", "--issuer", told["issuer"]),
        *("--client-id", told["client_id"], "--deployment", told["deployment_id"]),
        *("--auth-url", told["authentication_url"], "--token-url", told["token_url"]),
        *("--keyset-url", told["keyset_url"]),
    )
    try:
        courseway.start()
        yield World(site, courseway, course["id"], {name: by_title[title]["id"] for name, title in ASSIGNMENTS.items()})
    finally:
        courseway.stop()


# --- LTI 1.1 -------------------------------------------------------------------------------------------------------


def test_a_grade_comes_back_by_replace_result(world: World, sightings: Sightings) -> None:
    """A student launched by LTI 1.1 works and hands in, and the gradebook of Open edX holds the score."""
    with Browser() as browser:
        page = world.launch(browser, "outcomes", "zoe")
        assert page.status == 200
        expected = {"launch": "ok", "assignment": world.assignments["outcomes"], "role": "student"}
        assert expected.items() <= page.marks.items()
        hand_in(browser, page, ONE_RIGHT)
    world.wait_for_grade("outcomes", "zoe", 15)
    calls = world.site.calls("outcome_service_handler")
    assert {(call["method"], call["content_type"], call["status"]) for call in calls} == {
        ("POST", "application/xml", 200)
    }
    (delivery,) = world.deliveries("outcomes")
    assert (delivery["state"], delivery["sent_percent"]) == ("sent", 75)
    sightings.note("LTI 1.1 launch, student; replaceResult", "0.75 → 15 of 20 in the gradebook")
    changed = ("--assignment", world.assignments["outcomes"], "--person", world.site.users["zoe"]["anonymous_id"])
    world.courseway.run("grade", "set", *changed, "--percent", "33.3")
    world.wait_for_grade("outcomes", "zoe", 6.66)
    sightings.note("LTI 1.1, grade changed by a teacher", "0.333 → 6.66 of 20")


def test_names_and_titles_arrive_as_people_write_them(world: World) -> None:
    """Accents, apostrophes and markup in names and titles are text, and the LMS user id is the one of the launch."""
    with Browser() as browser:
        world.launch(browser, "outcomes", "zoe")
    people = world.courseway.run("course", "show", world.course)["enrollments"]
    zoe = world.site.users["zoe"]
    found = [one for one in people if zoe["anonymous_id"] in one["lms_user_ids"]]
    assert [(one["person"], one["email"], one["role"]) for one in found] == [
        (zoe["full_name"], zoe["email"], "student")
    ]
    contexts = world.courseway.run("course", "show", world.course)["contexts"]
    assert {context["context_id"] for context in contexts} == {world.site.course}


@pytest.mark.parametrize("user", ["tess", "stan"])
@pytest.mark.parametrize("block", ["outcomes", "declared"])
def test_those_who_teach_there_teach_here(world: World, block: str, user: str, sightings: Sightings) -> None:
    """Instructors and staff of Open edX arrive as teachers, and nothing is sent to the gradebook for them."""
    with Browser() as browser:
        page = world.launch(browser, block, user)
    expected = {"launch": "ok", "assignment": world.assignments[block], "role": "teacher"}
    assert expected.items() <= page.marks.items()
    assert page.find_form("submit") is None
    assert world.site.grade_of(block, user) is None
    if user == "tess":
        sightings.note(f"LTI {'1.1' if block == 'outcomes' else '1.3'} launch, instructor", "lands as a teacher")


def test_a_launch_form_opens_once_and_only_as_it_was_signed(world: World, sightings: Sightings) -> None:
    """The same signed form a second time, and one with other roles, are refused with a code and a log row."""
    with Browser() as browser:
        assert world.launch(browser, "outcomes", "bo").marks["launch"] == "ok"
        form = browser.last_form
        assert form is not None
        again = browser.send(form)
        logged = world.last_launch()
        assert again.status // 100 == 4
        assert (again.marks["launch"], again.marks["code"]) == ("refused", "replayed")
        assert (logged["outcome"], logged["reference"]) == ("refused", again.marks["reference"])
        raised = browser.send(form.changed(roles="Instructor"))
        assert raised.status // 100 == 4
        assert (raised.marks["launch"], raised.marks["code"]) == ("refused", "bad_signature")
    sightings.note("LTI 1.1, the same form twice; changed roles", f"{again.marks['code']}; {raised.marks['code']}")


def test_what_the_platform_refuses_is_said_in_its_own_words(world: World, sightings: Sightings) -> None:
    """A failure that Open edX reports as HTTP 200 is no success: a teacher reads why the grade is not there."""
    world.work("late", "zoe", RIGHT)
    wait_until(
        lambda: [bool(one["last_error"]) for one in world.deliveries("late")] == [True],
        lambda: f"no delivery says why it failed: {world.deliveries('late')}",
    )
    (delivery,) = world.deliveries("late")
    assert "Grade is past due" in delivery["last_error"]
    assert delivery["state"] != "sent"
    assert delivery["sent_percent"] is None
    assert world.site.grade_of("late", "zoe") is None
    sightings.note("LTI 1.1, past due in Open edX", f"{delivery['state']}: {delivery['last_error']}")


# --- LTI 1.3 -------------------------------------------------------------------------------------------------------


def test_a_score_goes_into_the_column_that_the_launch_names(world: World, sightings: Sightings) -> None:
    """In Open edX's declarative mode the score goes to the link's own column; none is looked for or made."""
    with Browser() as browser:
        page = world.launch(browser, "declared", "zoe")
        expected = {"launch": "ok", "assignment": world.assignments["declared"], "role": "student"}
        assert expected.items() <= page.marks.items()
        hand_in(browser, page, ONE_RIGHT)
    world.wait_for_grade("declared", "zoe", 7.5)
    (item,) = world.site.line_items("declared")
    (score,) = item["scores"]
    assert (score["given"], score["maximum"]) == (15, 20)
    assert (score["activity"], score["grading"]) == ("Completed", "FullyGraded")
    assert score["user_id"] == world.site.users["zoe"]["external_id"]
    sightings.note("LTI 1.3 launch, student; AGS declarative", "15/20 → 7.5 of 10 in the gradebook")
    changed = ("--assignment", world.assignments["declared"], "--person", world.site.users["zoe"]["external_id"])
    world.courseway.run("grade", "set", *changed, "--percent", "90")
    world.wait_for_grade("declared", "zoe", 9)
    sightings.note("LTI 1.3, grade changed by a teacher", "18/20 → 9 of 10")


def test_a_column_is_made_once_where_the_launch_names_none(world: World, sightings: Sightings) -> None:
    """In programmatic mode one column is made for the link, whoever hands in, and every score goes there."""
    world.work("made", "zoe", RIGHT)
    world.wait_for_grade("made", "zoe", 10)
    world.work("made", "bo", OTHER_RIGHT)
    world.wait_for_grade("made", "bo", 2.5)
    (item,) = world.site.line_items("made")
    assert item["resource_link_id"] == world.site.blocks["made"]["resource_link_id"]
    assert (item["label"], item["maximum"]) == (ASSIGNMENTS["made"], 20)
    assert len(item["scores"]) == 2
    calls = world.site.calls(world.site.blocks["made"]["line_items_path"])
    assert all(call["status"] < 400 for call in calls)
    assert [call["status"] for call in calls if call["method"] == "POST" and call["path"].endswith("/lti-ags")] == [201]
    sightings.note("LTI 1.3, AGS programmatic, two students", "one column made, 10 and 2.5 of 10")


def test_two_links_of_one_course_have_columns_of_their_own(world: World, sightings: Sightings) -> None:
    """Open edX has an own address for each block's columns: grades of two blocks opened in turn do not mix."""
    with Browser() as browser:
        first = world.launch(browser, "first", "zoe")
        second = world.launch(browser, "second", "zoe")
        hand_in(browser, first, ONE_RIGHT)
        hand_in(browser, second, OTHER_RIGHT)
    world.wait_for_grade("first", "zoe", 7.5)
    world.wait_for_grade("second", "zoe", 2.5)
    for block in ("first", "second"):
        (item,) = world.site.line_items(block)
        assert item["resource_link_id"] == world.site.blocks[block]["resource_link_id"]
    sightings.note("LTI 1.3, two programmatic blocks at once", "7.5 and 2.5 of 10, each in its column")


def test_a_column_is_made_within_the_limits_of_the_platform(world: World, sightings: Sightings) -> None:
    """Open edX takes whole points and at most 100 characters: other work gets a column too, and its exact fraction."""
    world.work("fraction", "zoe", ONE_RIGHT)
    world.wait_for_grade("fraction", "zoe", 7.5)
    (item,) = world.site.line_items("fraction")
    assert item["scores"][0]["given"] / item["scores"][0]["maximum"] == pytest.approx(0.75)
    assert LONG_TITLE.startswith(item["label"].rstrip("…"))
    sightings.note("LTI 1.3, 2.5 points, long title", f"column of {item['maximum']} points, 7.5 of 10")


def test_an_id_token_opens_once_in_one_browser(world: World, sightings: Sightings) -> None:
    """An id_token sent again, or from a browser that did not begin the sign-in, is refused."""
    with Browser() as browser:
        assert world.launch(browser, "declared", "bo").marks["launch"] == "ok"
        form = browser.last_form
        assert form is not None
        again = browser.send(form)
    assert (again.status // 100, again.marks["launch"], again.marks["code"]) == (4, "refused", "replayed")
    with Browser() as thief:
        stolen = thief.send(form)
    assert (stolen.status // 100, stolen.marks["launch"]) == (4, "refused")
    sightings.note("LTI 1.3, id_token twice; in another browser", f"{again.marks['code']}; {stolen.marks['code']}")


def test_a_platform_that_nobody_registered_does_not_come_in(world: World, sightings: Sightings) -> None:
    """A block with keys of its own is another client: its sign-in is refused before it begins."""
    with Browser() as browser:
        page = world.launch(browser, "stranger", "zoe")
    assert (page.status // 100, page.marks["launch"]) == (4, "refused")
    assert page.url.startswith(f"{world.courseway.url}/lti/login")
    sightings.note("LTI 1.3, a client id that is not registered", page.marks["code"])


def test_our_redirect_url_has_to_be_registered_there(world: World, sightings: Sightings) -> None:
    """Without 'Registered Redirect URIs' Open edX itself refuses the sign-in, which is why our guide asks for them."""
    with Browser() as browser:
        page = world.launch(browser, "declared-unlisted", "zoe")
    assert page.url.startswith(f"{world.site.url}/api/lti_consumer/v1/launch/")
    assert page.status == 400
    assert "launch" not in page.marks
    sightings.note("LTI 1.3, redirect URL not entered in Studio", "refused by Open edX: HTTP 400")


def choose(world: World, block: str, user: str, title: str) -> Page:
    """Open the picker from Studio, prove whose address it is, and take one assignment; what Open edX says to it."""
    url = world.site.launch_url(block, user).replace("/launch/", "/select/")
    with Browser() as browser:
        page = browser.open(url)
        assert (page.status, page.marks.get("launch")) == (200, "waiting"), page.words
        page = browser.send(page.find_form_to("/choose/code"), {"email": OWNER})
        page = browser.send(page.find_form_to("/choose/prove"), {"code": world.read_code()})
        page = browser.send(page.find_form_to("/choose/"), {"go": f"take:{world.assignments[block]}"})
        if page.url.startswith(world.courseway.url):
            page = browser.send(page.find_form_to("/choose/"), {"go": "add"})
    assert title in json.dumps(world.site.ask("content"))
    return page


def test_an_assignment_is_chosen_by_deep_linking(world: World, sightings: Sightings) -> None:
    """What a teacher chooses in our picker becomes the content of the block: it opens, and takes its grade."""
    page = choose(world, "chosen", "tess", ASSIGNMENTS["chosen"])
    assert page.url.startswith(world.site.url)
    (item,) = world.site.ask("content")["content"]
    assert (item["block"], item["type"], item["title"]) == ("chosen", "ltiResourceLink", ASSIGNMENTS["chosen"])
    assert item["url"].endswith(f"/lti/a/{world.assignments['chosen']}")
    world.work("chosen", "zoe", ONE_RIGHT)
    world.wait_for_grade("chosen", "zoe", 7.5)
    sightings.note("LTI 1.3, Deep Linking", "one assignment chosen, opened, 7.5 of 10")


def test_a_test_score_is_taken_and_read_back(world: World, sightings: Sightings) -> None:
    """An operator's test score gets a column of its own, once, and its result is read; Open edX lets nobody delete."""
    with Browser() as browser:
        assert world.launch(browser, "made", "bo").marks["launch"] == "ok"
    (row,) = world.courseway.run("launches", "--org", "polytechnic", "--limit", "1")
    words = ("grade", "try", "--platform", row["platform_id"], "--person", world.site.users["bo"]["external_id"])
    for percent, was_made in (("50", True), ("80", False)):
        said = world.courseway.run(*words, "--percent", percent)
        assert (said["made"], said["removed"]) == (was_made, False)
        assert (said["result"]["score"], said["result"]["maximum"]) == (int(percent), 100)
    tags = [item["tag"] for block in ASSIGNMENTS for item in world.site.line_items(block)]
    assert tags.count("test") == 1
    sightings.note("LTI 1.3, line item made and found again, score, result", "50 and 80 of 100 read back")


def test_the_roster_is_read_page_by_page(world: World, sightings: Sightings) -> None:
    """After a teacher's launch everybody of the course is known, of all pages, in the role that Open edX gives."""
    with Browser() as browser:
        assert world.launch(browser, "rostered", "tess").marks["launch"] == "ok"
    expected = {user["external_id"] for user in world.site.users.values()}

    def known() -> dict[str, str]:
        people = world.courseway.run("course", "show", world.course)["enrollments"]
        return {user_id: one["role"] for one in people for user_id in one["lms_user_ids"]}

    wait_until(lambda: len(known()) >= 454, lambda: f"{len(known())} known: {world.site.calls('memberships')[-3:]}")
    roles = known()
    assert expected <= roles.keys()
    assert roles[world.site.users["tess"]["external_id"]] == "teacher"
    assert roles["0b0e60ab-52f5-4f4c-9f0a-0000000003e8"] == "student"
    pages = [call for call in world.site.calls("memberships") if call["method"] == "GET"]
    assert {call["status"] for call in pages} == {200}
    assert {call["accept"] for call in pages} == {"application/vnd.ims.lti-nrps.v2.membershipcontainer+json"}
    assert ["page=2" in call["query"] for call in pages[:3]] == [False, True, False]
    sightings.note("LTI 1.3, roster by NRPS", f"{len(roles)} people of 3 pages")
    never_here = "0b0e60ab-52f5-4f4c-9f0a-0000000003e9"
    graded = ("--assignment", world.assignments["rostered"], "--person", never_here)
    world.courseway.run("grade", "set", *graded, "--percent", "35", "--complete", "--release")
    world.wait_for_grade("rostered", "crowd-1001", 3.5)
    sightings.note("LTI 1.3, grade for somebody who never launched", "3.5 of 10 in the gradebook")


# --- The environment -----------------------------------------------------------------------------------------------


def test_this_run_was_against_the_packages_that_are_pinned(site: Site) -> None:
    """The platform runs the releases that the requirements name, not whatever was installed."""
    pinned = (HERE / "requirements-edx.txt").read_text().lower()
    versions = site.ask("about")["versions"]
    assert versions.pop("Python")
    for name, version in versions.items():
        assert f"\n{name.lower()}=={version} " in f"\n{pinned}"


def test_an_environment_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Without the packages there is an error with the installer's words, no skipped test and no half environment."""
    wrong = tmp_path / "requirements.txt"
    wrong.write_text("lti-consumer-xblock==11.4.4\n")  # without a hash it is not taken
    with pytest.raises(EnvironmentNotMadeError, match="hash"):
        make_environment("wrong", wrong, folder=tmp_path)
    with pytest.raises(EnvironmentNotMadeError):
        make_environment("wrong", wrong, folder=tmp_path)
