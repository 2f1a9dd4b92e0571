"""An LMS registers Courseway by a link, as each of the great four does; then a launch and a grade go through."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from lxml import html
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.lms_screen import LmsScreen, expect_landed, hand_in
from tests.end_to_end.plain_browser import PlainBrowser
from tests.end_to_end.servers import OWNER, PASSWORD, Stand, wait_for

PROFILES = ("practice", "moodle", "canvas", "blackboard", "brightspace")
needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found on this machine")


@pytest.fixture(scope="module")
def course(stand: Stand) -> dict[str, Any]:
    return stand.import_example("release_grades_automatically=true")


def make_link(stand: Stand) -> str:
    return str(stand.courseway.run("registration-link", "create", "--org", stand.org)["url"])


def read_form(page: httpx2.Response, name: str) -> dict[str, str]:
    """The fields of the form on a page, as a browser without scripts would send them."""
    assert page.status_code == 200, page.text
    forms = html.fromstring(page.text).xpath(f"//form[{name}]")
    return {str(one.get("name")): one.get("value") or "" for one in forms[0].xpath(".//input[@name]")}


def confirm_as_owner(stand: Stand, opened: str) -> httpx2.Response:
    """What an owner does after the LMS opened the link: sign in, come back, confirm."""
    with httpx2.Client(base_url=stand.courseway.url, follow_redirects=True, trust_env=False, timeout=30) as client:
        sign_in = client.get(opened)
        assert sign_in.url.path == "/account/login/"
        fields = read_form(sign_in, "contains(@action, 'login')")
        asking = client.post("/account/login/", data={**fields, "login": OWNER, "password": PASSWORD})
        assert str(asking.url) == opened
        return client.post(opened, data=read_form(asking, "@data-form='confirm'"), headers={"Referer": opened})


def add_course(
    stand: Stand, profile: str, tool: str, course: dict[str, Any], *, name: str = "Rita"
) -> tuple[str, str, str]:
    """An LMS course with a student and a link to the first assignment: (course, student, link)."""
    lms = stand.lms
    made = lms.post("courses", title=f"Course of {profile}", profile=profile)["id"]
    student = lms.add_person(made, "learner", given_name=name, family_name=profile.title())
    assignment = course["assignments"][0]
    link = lms.post("links", course=made, tool=tool, title="First", url=assignment["url"], points=10)["id"]
    return made, student, link


@pytest.mark.parametrize("profile", PROFILES)
def test_a_registered_lms_launches_and_gets_its_grades(stand: Stand, course: dict[str, Any], profile: str) -> None:
    """From a link to a grade, without a value typed: an owner's yes in between, and for Blackboard a deployment's."""
    offer = stand.lms.post("registrations", tool_url=make_link(stand), profile=profile)
    done = confirm_as_owner(stand, offer["url"])
    assert done.status_code == 200, done.text
    assert 'data-registration="done"' in done.text
    registered = stand.lms.get("registrations", id=offer["id"])
    assert registered["state"] == "registered"
    assert ("canvas.instructure.com" in str(registered["received"])) is (profile == "canvas")
    tool = registered["tool_id"]
    stand.lms.post("registrations", activate=tool)
    lms_course, student, link = add_course(stand, profile, tool, course)
    with PlainBrowser(stand.lms, student) as browser:
        page = browser.launch(link)
        if profile == "blackboard":
            assert page.marks["code"] == "unknown_deployment"
            approve_deployment(stand, done)
            page = browser.launch(link)
        assert page.marks["launch"] == "ok", page.text
    assignment = course["assignments"][0]["id"]
    words = ("--assignment", assignment, "--person", student, "--percent", "70", "--complete", "--release")
    stand.courseway.run("grade", "set", *words)
    # In a Brightspace the column is made by us (D7), under the assignment's name.
    title = course["assignments"][0]["title"] if profile == "brightspace" else "First"
    stand.wait_for_percent(lms_course, student, title, Decimal(70))


def approve_deployment(stand: Stand, done: httpx2.Response) -> None:
    """The owner approves what waits, on the page of the registration."""
    path = str(html.fromstring(done.text).xpath("//a[contains(@href, '/lti/registrations/')]/@href")[0])
    with httpx2.Client(base_url=stand.courseway.url, follow_redirects=True, trust_env=False, timeout=30) as client:
        fields = read_form(client.get(f"/account/login/?next={path}"), "contains(@action, 'login')")
        page = client.post("/account/login/", data={**fields, "login": OWNER, "password": PASSWORD})
        forms = html.fromstring(page.text).xpath("//form[contains(@action, '/approve')]")
        address = str(forms[0].get("action"))
        fields = read_form(page, "contains(@action, '/approve')")
        answer = client.post(address, data=fields, headers={"Referer": stand.courseway.url + path})
        assert answer.status_code == 200, answer.text


def test_an_old_moodle_registers(stand: Stand) -> None:
    """A configuration with a blank behind its name and texts for objects is understood over HTTP too."""
    offer = stand.lms.post("registrations", tool_url=make_link(stand), profile="moodle", is_old=True)
    assert 'data-registration="done"' in confirm_as_owner(stand, offer["url"]).text


def test_a_used_token_is_told(stand: Stand) -> None:
    """When the LMS's token was used meanwhile, the page has the LMS's words, and the link works for the next try."""
    link = make_link(stand)
    offer = stand.lms.post("registrations", tool_url=link, profile="moodle")
    assert 'data-registration="done"' in confirm_as_owner(stand, offer["url"]).text
    again = offer["url"].replace(link, make_link(stand))
    refused = confirm_as_owner(stand, again)
    assert refused.status_code == 502
    assert "was used, or has expired" in refused.text


def _connect_by_clicks(screen: LmsScreen, stand: Stand, link: str) -> Page:
    """The administrator pastes the link; in the frame of the LMS the owner opens a tab, signs in, confirms."""
    page = screen.page
    page.goto(f"{screen.lms}/admin/tools")
    form = page.locator("form[action='/admin/registrations']")
    form.get_by_label("Registration URL").fill(link)
    form.get_by_label("Profile").select_option("canvas")
    form.get_by_role("button", name="Register").click()
    frame = page.frame_locator("iframe#tool")
    with screen.context.expect_page() as opened:
        frame.get_by_role("link", name="Continue in a new tab").click()
    tab = opened.value
    tab.get_by_label("E-mail").fill(OWNER)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in", exact=True).click()
    expect(tab.get_by_role("heading", name="Connect this LMS to North School?")).to_be_visible()
    screen.check("registration-confirm", page=tab)
    tab.get_by_role("button", name="Connect").click()
    expect(tab.locator("body[data-registration=done]")).to_have_count(1)
    screen.check("registration-done", page=tab)
    return tab


@pytest.mark.browser
@needs_chromium
def test_connected_by_clicks(stand: Stand, course: dict[str, Any], chromium: Browser) -> None:
    """In a frame of the LMS, on another site: a tab, a sign-in, a yes; the LMS's page closes the frame by itself, its
    administrator activates the tool, and a student's work in it becomes a grade there."""
    with LmsScreen(chromium, stand.lms.public_url, "Ada") as screen:
        _connect_by_clicks(screen, stand, make_link(stand))
        done = screen.page.locator("[data-registered]")
        expect(done).to_be_visible()
        tool = str(done.get_attribute("data-registered"))
        screen.page.get_by_role("button", name="Activate").click()
        expect(screen.page.get_by_text("It is active")).to_be_visible()
        assert not screen.problems
    lms_course, student, _ = add_course(stand, "canvas", tool, course, name="Clara")
    with LmsScreen(chromium, stand.lms.public_url, "Clara Canvas") as screen:
        shown = screen.open_activity(lms_course, "First", place="tab")
        expect_landed(shown, role="student", assignment=course["assignments"][0]["id"])
        percent = hand_in(shown, course["assignments"][0]["title"], wrong=1)
    stand.wait_for_percent(lms_course, student, "First", percent)


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("width", [800, 360])
def test_pages_of_a_registration_fit(stand: Stand, chromium: Browser, width: int) -> None:
    """The page in the LMS's frame, the owner's list of links and a link that is over are readable in narrow windows."""
    with LmsScreen(chromium, stand.lms.public_url, "Ada", width=width) as screen:
        offer = stand.lms.post("registrations", tool_url=make_link(stand), profile="moodle")
        screen.page.goto(f"{screen.lms}/admin/registrations/{offer['id']}")
        frame = screen.page.frame_locator("iframe#tool")
        expect(frame.get_by_role("link", name="Continue in a new tab")).to_be_visible()
        wide = frame.locator("html").evaluate("node => node.scrollWidth - node.clientWidth")
        assert wide <= 0
        path = f"/o/{stand.org}/lti"
        owner = screen.sign_in(stand.courseway, path)
        screen.check(f"integrations-{width}")
        added = stand.add_registration(f"Fit {width}")
        owner.goto(f"{stand.courseway.url}{path}/registrations/{added['id']}")
        owner.get_by_label("Deployment ID", exact=True).fill("7")
        owner.get_by_role("button", name="Approve another").click()
        expect(owner.get_by_text("not offered")).to_be_visible()
        if width > 640:  # narrower, rows are cards without a head
            head, row = (owner.locator(one).first.bounding_box() for one in (".table thead th", ".table tbody tr"))
            assert head is not None
            assert row is not None
            assert head["y"] + head["height"] <= row["y"] + 1, "the head of the table hides its first row"
        screen.check(f"registration-{width}")
        owner.goto(stand.courseway.url + path)
        owner.get_by_role("button", name="Make a registration link").click()
        shown = owner.get_by_label("Registration URL", exact=True)
        expect(shown).to_be_visible()
        assert shown.input_value().startswith(f"{stand.courseway.url}/lti/register/")
        screen.check(f"registration-link-{width}")
        owner.goto(offer["url"])
        expect(owner.get_by_role("button", name="Connect")).to_be_visible()
        screen.check(f"registration-confirm-{width}")
    over = httpx2.get(f"{stand.courseway.url}/lti/register/nothing", trust_env=False, timeout=30)
    assert over.status_code == 410
    assert urlsplit(str(over.url)).path == "/lti/register/nothing"


def test_a_canvas_tells_of_its_copied_course(stand: Stand) -> None:
    """Registered with the right to notices: the first launch makes us subscribe, the greeting comes, and a course that
    is copied in the LMS has its child here before anybody opens it; a notice sent again makes no second one."""
    course = stand.import_example("constant_urls=true", "course_copy=true")
    offer = stand.lms.post("registrations", tool_url=make_link(stand), profile="canvas")
    assert confirm_as_owner(stand, offer["url"]).status_code == 200
    tool = stand.lms.get("registrations", id=offer["id"])["tool_id"]
    stand.lms.post("registrations", activate=tool)
    lms_course = stand.lms.post("courses", title="Master", profile="canvas")["id"]
    student = stand.lms.add_person(lms_course, "learner", given_name="Nora", family_name="Notice")
    first = course["assignments"][0]
    link = stand.lms.post("links", course=lms_course, tool=tool, title="First", url=first["constant_url"], points=10)
    stand.lms.post("links", id=link["id"], custom=first["custom"])
    with PlainBrowser(stand.lms, student) as browser:
        assert browser.launch(link["id"]).marks["launch"] == "ok"

    def list_sent(kind: str) -> list[Any]:
        return [one for one in stand.lms.get("notices") if (one["tool_id"], one["kind"]) == (tool, kind)]

    wait_for(lambda: [one for one in list_sent("LtiHelloWorldNotice") if one["status"] == 200])
    copy = stand.lms.post("courses/copy", course=lms_course, title="Autumn", sourcedid="AUTUMN", people=[student])
    children = wait_for(lambda: stand.courseway.run("course", "show", course["id"])["children"])
    sent = list_sent("LtiContextCopyNotice")[0]
    stand.lms.post("notices", again=sent["id"])
    wait_for(lambda: list_sent("LtiContextCopyNotice")[0]["status"] == 200)
    with PlainBrowser(stand.lms, student) as browser:
        assert browser.launch(copy["links"][link["id"]]).marks["launch"] == "ok"
    assert stand.courseway.run("course", "show", course["id"])["children"] == children
    assert len(children) == 1
