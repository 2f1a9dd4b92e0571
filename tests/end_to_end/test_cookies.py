"""Launches in Chromiums that keep every cookie of a frame, partitioned ones alone, or none (B5, B6)."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Route, expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.cookie_rules import RULES, run_chromiums
from tests.end_to_end.launch_matrix import draw, run_matrix
from tests.end_to_end.lms_screen import LmsScreen, expect_landed, hand_in
from tests.end_to_end.servers import Stand
from tests.end_to_end.test_journeys import Room, make_room

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found on this machine"),
]


class _Control(BaseHTTPRequestHandler):
    """Frames itself under the other name of this machine, and shows which of its cookies came back."""

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        answer = self.headers.get("Cookie", "")
        if self.path == "/top":
            answer = f"<iframe src='http://127.0.0.1:{self.server.server_port}/frame'></iframe>"  # type: ignore[attr-defined]
        elif self.path == "/frame":
            self.send_header("Set-Cookie", "partitioned=1; Secure; HttpOnly; SameSite=None; Partitioned")
            self.send_header("Set-Cookie", "unpartitioned=1; Secure; SameSite=None")
            answer = (
                "<output></output><script>fetch('/seen').then((answer) => answer.text()).then((text) => {"
                " document.querySelector('output').textContent = `kept: ${text}`; });</script>"
            )
        self.end_headers()
        self.wfile.write(answer.encode())


@pytest.fixture(scope="module")
def control() -> Iterator[tuple[str, str]]:
    """A page that knows nothing of us, and the same site under the other name of this machine, which frames it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromiums(chromium: Browser, stand: Stand, control: tuple[str, str]) -> Iterator[dict[str, BrowserContext]]:
    with run_chromiums(chromium, (stand.courseway.url, stand.lms.url), control) as contexts:
        yield contexts


@pytest.fixture(scope="module")
def rooms(stand: Stand) -> dict[str, Room]:
    """A course by each version, with all its assignments placed."""
    made = {version: make_room(stand, "Cookies", version) for version in ("1.1", "1.3")}
    for room in made.values():
        room.place_assignments(2)
    return made


class PersonOf(LmsScreen):
    """A person of a room in one of the Chromiums, which stays when they leave."""

    def __init__(self, context: BrowserContext, room: Room, given: str) -> None:
        super().__init__(context, room.stand.lms.url, f"{given} {room.name}")
        self.room = room

    def __exit__(self, *_: object) -> None:
        for page in self.context.pages[1:]:
            page.close()

    def open(self, number: int, *, place: str) -> Page | FrameLocator:
        return self.open_activity(self.room.lms_course, self.room.course["assignments"][number]["title"], place=place)


def click_new_tab(person: LmsScreen, frame: FrameLocator, *, to: str) -> Page:
    """The one click that the frame asks for; `to` is what its form is sent to."""
    expect(frame.get_by_text("keeps no cookies inside the page of your LMS")).to_be_visible()
    expect(frame.locator(f"form[action$='{to}'] button")).to_be_focused()
    with person.context.expect_page() as opened:
        frame.get_by_role("button", name="Open in a new tab").click()
    return opened.value


def test_the_browsers_block_what_they_should(chromiums: dict[str, BrowserContext], control: tuple[str, str]) -> None:
    """A page that knows nothing of us sees in each browser just the cookies that the rule keeps in a frame."""
    framed, around = control
    kept, alone = {}, {}
    for rule, context in chromiums.items():
        for seen, path in ((kept, f"{around}/top"), (alone, f"{framed}/frame")):
            page = context.new_page()
            page.goto(path)
            shown = page.frame_locator("iframe") if path.endswith("top") else page
            expect(shown.locator("output")).to_contain_text("kept:")
            words = shown.locator("output").inner_text()
            seen[rule] = set(re.findall(r"(\w+)=1", words))
            page.close()
    assert kept == {"on": {"partitioned", "unpartitioned"}, "blocked": {"partitioned"}, "none": set()}
    assert set(map(frozenset, alone.values())) == {frozenset({"partitioned", "unpartitioned"})}


def test_every_launch_of_the_matrix_lands(stand: Stand, chromiums: dict[str, BrowserContext]) -> None:
    """36 launches in Chromium end on the right assignment in the right role, without one error on the way."""
    found = run_matrix(stand, chromiums)
    assert len(found) == 36
    assert not any(found.values()), draw(found)


@pytest.mark.parametrize("version", ["1.1", "1.3"])
@pytest.mark.parametrize("rule", ["on", "blocked"])
def test_a_student_works_in_a_frame(
    chromiums: dict[str, BrowserContext], rooms: dict[str, Room], rule: str, version: str
) -> None:
    """With third-party cookies blocked a student opens, answers and hands in within the frame, as with all cookies."""
    room = rooms[version]
    with PersonOf(chromiums[rule], room, "Ada") as ada:
        for _ in range(2):
            frame = ada.open(0, place="frame")
            expect_landed(frame, role="student", assignment=room.course["assignments"][0]["id"])
        if rule == "blocked":
            hand_in(frame, room.course["assignments"][0]["title"])
            expect(frame.get_by_text("Handed in").first).to_be_visible()
        assert not ada.problems


@pytest.mark.quirk("G17", "O2", "M15")
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_frame_without_cookies_leads_to_a_tab(
    chromiums: dict[str, BrowserContext], rooms: dict[str, Room], version: str
) -> None:
    """Where a frame keeps no cookie the LMS's page keeps the state, and one click goes on in a tab, once."""
    room = rooms[version]
    with PersonOf(chromiums["none"], room, "Ben") as ben:
        frame = ben.open(1, place="frame")
        assert isinstance(frame, FrameLocator)
        code = frame.locator("input[name=code]")
        expect(code).to_have_count(1)
        spent = code.get_attribute("value")
        tab = click_new_tab(ben, frame, to="/lti/continue")
        expect_landed(tab, role="student", assignment=room.course["assignments"][1]["id"])
        assert spent
        assert not any(spent[:40] in page.url for page in ben.context.pages)
        hand_in(tab, room.course["assignments"][1]["title"])
        expect(tab.get_by_text("Handed in").first).to_be_visible()
        assert not ben.problems
        # The same form once more, from a page of ours: the code was good once.
        tab.evaluate(
            "([to, code]) => { const form = document.createElement('form'); form.method = 'post'; form.action = to;"
            " const field = document.createElement('input'); field.name = 'code'; field.value = code;"
            " form.append(field); document.body.append(form); form.submit(); }",
            [f"{room.stand.courseway.url}/lti/continue", spent],
        )
        expect(tab.locator("body[data-code=tab_code_over]")).to_have_count(1)


@pytest.mark.quirk("C41", "B10", "G18")
@pytest.mark.parametrize(
    ("profile", "quirks", "target"),
    [
        ("canvas", {}, "post_message_forwarding"),
        ("blackboard", {}, "_parent"),
        ("brightspace", {"G18": True}, "_parent"),
    ],
)
def test_storages_of_other_lmss_are_found(
    stand: Stand, chromiums: dict[str, BrowserContext], profile: str, quirks: dict[str, bool], target: str
) -> None:
    """A forwarding frame as in Canvas, a parent as in Blackboard, and messages by their old names keep the state."""
    room = make_room(stand, f"Storage{profile}")
    stand.lms.post("profiles", use=profile, course=room.lms_course)
    if quirks:
        stand.lms.post("profiles", profile=profile, quirks=quirks)
    room.place_assignments(1)
    try:
        with PersonOf(chromiums["none"], room, "Ada") as ada:
            asked = []
            ada.context.on("request", lambda request: asked.append(request) if "/lti/login" in request.url else None)
            frame = ada.open(0, place="frame")
            assert isinstance(frame, FrameLocator)
            expect_landed(click_new_tab(ada, frame, to="/lti/continue"), role="student")
            assert target in (asked[0].post_data or "") + asked[0].url
            assert not ada.problems
    finally:
        if quirks:
            stand.lms.post("profiles", profile=profile, quirks=dict.fromkeys(quirks, False))


_WRITE_DOWN_PUTS = """addEventListener("message", ({ data }) => {
  if (data && data.subject === "lti.put_data") (window.puts ??= []).push(data.value === null ? "taken back" : "put");
});"""


@pytest.mark.slow
@pytest.mark.quirk("C41")
def test_a_storage_that_comes_late_is_found(stand: Stand, chromiums: dict[str, BrowserContext]) -> None:
    """The frame that forwards to the LMS's storage may be there long after ours: it is asked again, but told once."""
    room = make_room(stand, "Late")
    stand.lms.post("profiles", use="canvas", course=room.lms_course)
    room.place_assignments(1)
    came = []

    def come_late(route: Route) -> None:
        time.sleep(2)
        came.append(route)
        route.continue_()

    with PersonOf(chromiums["none"], room, "Ada") as ada:
        ada.page.route("**/forwarding", come_late)
        ada.page.add_init_script(_WRITE_DOWN_PUTS)
        frame = ada.open(0, place="frame")
        assert isinstance(frame, FrameLocator)
        expect_landed(click_new_tab(ada, frame, to="/lti/continue"), role="student")
        assert came
        forwarding = ada.page.frame("post_message_forwarding")
        assert forwarding is not None
        # A Canvas counts each time that something is put, and has room for few.
        assert forwarding.evaluate("window.puts") == ["put", "taken back"]
        assert not ada.problems


def test_a_full_storage_leads_to_a_tab(stand: Stand, chromiums: dict[str, BrowserContext]) -> None:
    """Where the LMS's page has no more room for tools, the sign-in begins again in a tab."""
    room = make_room(stand, "Full")
    room.place_assignments(1)
    fill = """;for (let key = 0; key < 500; key += 1)
      postMessage({ subject: "lti.put_data", key: `${key}`, value: "", message_id: "" }, location.origin);"""

    def fill_up(route: Route) -> None:
        route.fulfill(body=route.fetch().text() + fill, content_type="text/javascript")

    with PersonOf(chromiums["none"], room, "Ada") as ada:
        ada.page.route("**/static/storage.js", fill_up)
        frame = ada.open(0, place="frame")
        assert isinstance(frame, FrameLocator)
        expect_landed(click_new_tab(ada, frame, to="/lti/login"), role="student")
        assert not ada.problems


@pytest.mark.quirk("O2")
def test_without_storage_the_login_begins_again_in_a_tab(stand: Stand, chromiums: dict[str, BrowserContext]) -> None:
    """An LMS that keeps nothing for tools: nothing binds the sign-in, so it begins anew in the tab, with a cookie."""
    room = make_room(stand, "Bare")
    stand.lms.post("profiles", use="moodle", course=room.lms_course)
    room.place_assignments(1)
    with PersonOf(chromiums["none"], room, "Tea") as tea:
        frame = tea.open(0, place="frame")
        assert isinstance(frame, FrameLocator)
        tab = click_new_tab(tea, frame, to="/lti/login")
        expect_landed(tab, role="teacher")
        assert not tea.problems


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_new_window_needs_no_step(
    chromiums: dict[str, BrowserContext], rooms: dict[str, Room], rule: str, version: str
) -> None:
    """In a tab of its own a launch opens at once, whatever the browser does to frames."""
    with PersonOf(chromiums[rule], rooms[version], "Tea") as tea:
        expect_landed(tea.open(0, place="tab"), role="teacher")
        assert not tea.problems


@pytest.mark.parametrize("version", ["1.1", "1.3"])
@pytest.mark.parametrize("rule", ["blocked", "none"])
def test_launches_at_once_do_not_disturb_each_other(
    chromiums: dict[str, BrowserContext], rooms: dict[str, Room], rule: str, version: str
) -> None:
    """Two frames of one page that open two assignments at the same time land each in its own, also after a reload."""
    room = rooms[version]
    titles = [room.course["assignments"][number]["title"] for number in range(2)]
    with PersonOf(chromiums[rule], room, "Ada") as ada:
        page = ada.open_course(room.lms_course)
        hrefs = [page.get_by_role("link", name=title, exact=True).get_attribute("href") or "" for title in titles]
        ada.open(0, place="frame")  # a page with the storage of the LMS
        for number, href in enumerate(hrefs):
            page.evaluate(
                "([address, name]) => { const frame = document.createElement('iframe'); frame.src = address;"
                " frame.name = name; frame.width = 600; frame.height = 500; document.body.append(frame); }",
                [f"{href.partition('?')[0]}?in=frame&framed=1", f"launch-{number}"],
            )
        frames = [page.frame_locator(f"iframe[name=launch-{number}]") for number in range(2)]
        shown: list[Page | FrameLocator] = list(frames)
        if rule == "none":
            for frame in frames:  # a click opens a tab, and what lies behind it then may stop halfway
                expect(frame.locator("p[data-blocked]")).to_be_visible()
            shown = [click_offer(ada, frame) for frame in frames]
        for number, one in enumerate(shown):
            expect_landed(one, role="student", assignment=room.course["assignments"][number]["id"])
        if rule == "blocked":
            for number in (1, 0, 1):
                inner = next(frame for frame in page.frames if frame.name == f"launch-{number}")
                inner.goto(inner.url)
                expect_landed(frames[number], assignment=room.course["assignments"][number]["id"])


def click_offer(person: LmsScreen, frame: FrameLocator) -> Page:
    """The click into a new tab, in one of several frames: only one of them can hold the focus."""
    person.page.bring_to_front()
    with person.context.expect_page() as opened:
        frame.get_by_role("button", name="Open in a new tab").click()
    return opened.value


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_teacher_and_student_in_one_browser(
    chromiums: dict[str, BrowserContext], rooms: dict[str, Room], version: str
) -> None:
    """A teacher's and a student's launch of two courses, in frames of one browser, keep their roles (B6)."""
    room, other = rooms[version], rooms["1.3" if version == "1.1" else "1.1"]
    with PersonOf(chromiums["blocked"], room, "Tea") as tea:
        teaching = tea.open(0, place="frame")
        expect_landed(teaching, role="teacher", assignment=room.course["assignments"][0]["id"])
        first = tea.page
        tea.page = tea.context.new_page()
        tea.become(f"Ada {other.name}")
        studying = tea.open_activity(other.lms_course, other.course["assignments"][0]["title"], place="frame")
        expect_landed(studying, role="student", assignment=other.course["assignments"][0]["id"])
        frame = next(one for one in first.frames if "/at/" in one.url)
        frame.goto(frame.url)
        expect_landed(teaching, role="teacher", assignment=room.course["assignments"][0]["id"])
        expect_landed(studying, role="student")


@pytest.mark.parametrize("rule", ["blocked", "none"])
def test_a_teacher_chooses_in_a_frame(stand: Stand, chromiums: dict[str, BrowserContext], rule: str) -> None:
    """Also the picker opens where a frame keeps no cookies: in the frame by a partitioned one, else in a tab."""
    room = make_room(stand, f"Pick{rule}")
    room.place("Something", f"{stand.courseway.url}/lti/link")
    with PersonOf(chromiums[rule], room, "Tea") as tea:
        frame = tea.open_activity(room.lms_course, "Something", place="frame")
        assert isinstance(frame, FrameLocator)
        shown = click_new_tab(tea, frame, to="/lti/continue") if rule == "none" else frame
        expect(shown.locator("body[data-launch=waiting]")).to_have_count(1)


def test_a_teacher_opens_work_from_the_gradebook(stand: Stand, chromiums: dict[str, BrowserContext]) -> None:
    """From the LMS's gradebook a teacher opens a student's work, as themselves, and the student's page stays theirs."""
    room = make_room(stand, "Review")
    stand.lms.post("profiles", use="canvas", course=room.lms_course)
    assignment = room.course["assignments"][0]
    picked = {"label": assignment["title"], "points": "20", "course": room.lms_course, "tool": room.tool}
    link = room.place(assignment["title"], assignment["url"], points=None)
    stand.lms.post("columns", link=link, reviewable=True, **picked)
    with PersonOf(chromiums["blocked"], room, "Ada") as ada:
        earned = hand_in(ada.open_activity(room.lms_course, assignment["title"]), assignment["title"], wrong=1)
        stand.wait_for_percent(room.lms_course, room.people["Ada"], assignment["title"], earned)
    with PersonOf(chromiums["blocked"], room, "Tea") as tea:
        tea.page.goto(f"{tea.lms}/courses/{room.lms_course}/gradebook")
        tea.page.locator(f"tr[data-person='{room.people['Ada']}'] td a").first.click()
        tea.page.get_by_role("link", name="Review at the tool").click()
        shown: Page | FrameLocator = tea.page
        if tea.page.locator("iframe.tool").count():
            shown = tea.page.frame_locator("iframe.tool")
        expect_landed(shown, role="teacher", assignment=assignment["id"])
        expect(shown.get_by_role("heading", level=1)).to_contain_text("Ada")
        assert not tea.problems
