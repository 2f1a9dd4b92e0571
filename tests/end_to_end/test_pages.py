"""Every page in a real browser: for assistive technology, on phones, in light and dark; what is clicked is copied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from courseway.courses.models import Assignment, Role
from courseway.learning.models import Submission
from courseway.lms.mentors import set_mentor_list
from courseway.lms.models import Launch
from courseway.orgs.sign_in_links import make_sign_in_link
from tests.cast import Cast, make_account, make_cast
from tests.looks import each_look, find_faults, open_page
from tests.test_access_sweep import fill, list_routes, make_scene
from tests.visits import TOOL, Lms11, open_launch

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
WIDTHS = (1200, 360)


# A 405 is no page, and these answer files or parts of pages.
NO_PAGES = (".csv", ".json", "/progress", "/last-launch", "/delivery/", "/download/")
# How many pages each sort of people has at least, so that none gets lost unseen.
LEAST_PAGES = {"nobody": 6, "owner": 40, "teacher": 12, "student": 6, "learner": 5, "mentor": 3}
# What addresses alone do not open: a search, a chosen tab, a page of the work.
VARIANTS = {
    "owner": ["/o/acme/lti?lms=canvas", "/o/acme/lti/registrations/new?lms=blackboard", "/o/acme/launches?q=nothing"],
    "teacher": ["/courses/{course}/gradebook/?q=Sam&sort=name", "/courses/{course}/gradebook/?q=nobody"],
    "student": ["/learn/assignments/{assignment}/?page=finish"],
}


@dataclass
class Scene:
    """An organization in the middle of a term, as each sort of people sees it."""

    cast: Cast
    url: str
    cookies: dict[str, list[dict[str, Any]]]
    pages: dict[str, list[str]]
    launches: dict[str, tuple[str, list[tuple[str, str]]]]


@dataclass
class Visitor:
    """Somebody's cookies, and what stands in front of their addresses."""

    client: Client
    prefix: str = ""


@pytest.fixture
def scene(live_server: LiveServer, settings: Any, request: pytest.FixtureRequest) -> Scene:
    """Pages are looked for only for whom the test is about."""
    looking = getattr(request.node, "callspec", None)
    wanted = looking.params.get("who") if looking else None
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    cast = make_cast()
    term = make_scene(cast, Client())
    now = datetime.now(UTC)
    assert term.lms.launch(Client(), "/lti/a/nowhere", signing={"secret": "wrong"}).status_code >= 400
    cast.course.filter_learners_for_mentors = cast.course.provide_feedback_link = True
    cast.course.save()
    visitors = make_visitors(cast)
    term.values["token"] = [*Submission.objects.filter(person=cast.sam).values_list("feedback_token", flat=True)]
    term.values["person"].append(cast.sam.public_id)
    term.values["reference"] = list(Launch.objects.order_by("pk").values_list("reference", flat=True))
    paths = list(chain.from_iterable(fill(route, term.values) for route in list_routes()))
    if wanted in ("teacher", "learner"):  # whose account has the same pages as an owner's
        paths = [path for path in paths if not path.startswith("/account/")]
    pages = {who: find_pages(one, paths) if who == wanted else [] for who, one in visitors.items()}
    for who, variants in VARIANTS.items():
        ids = {"course": cast.course.public_id, "assignment": cast.operators.public_id}
        pages[who] += [visitors[who].prefix + variant.format(**ids) for variant in variants]
    pages["nobody"] += ["/nowhere", make_sign_in_link(cast.tom, now=now)]
    pages["student"] += [visitors["student"].prefix + "/o/acme/lti"]
    cookies = {
        who: [
            {"name": name, "value": morsel.value, "domain": "localhost", "path": morsel["path"] or f"{visitor.prefix}/"}
            for name, morsel in visitor.client.cookies.items()
        ]
        for who, visitor in visitors.items()
    }
    url = live_server.url.replace("127.0.0.1", "localhost")
    return Scene(cast, url, cookies, pages, sign_launches(cast, term.lms))


def sign_launches(cast: Cast, lms: Lms11) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Launches that end on a page of their own: refused for a student and for a teacher, and one that waits."""
    Assignment.objects.filter(pk=cast.loops.pk).update(deleted_at=datetime.now(UTC))
    gone, link = f"/lti/a/{cast.loops.public_id}", "/lti/link"
    forms = {
        "refused-student": (gone, lms.form(resource_link_id="gone")),
        "refused-teacher": (gone, lms.form(resource_link_id="gone", roles="Instructor", user_id="teacher-9")),
        "waiting-student": (link, lms.form(resource_link_id="new", context_id="course-9")),
    }
    return {name: (path, lms.sign(TOOL + path, form)) for name, (path, form) in forms.items()}


def make_visitors(cast: Cast) -> dict[str, Visitor]:
    """Nobody, those who sign in, and those whom an LMS sends."""
    visitors = {who: Visitor(Client()) for who in ("nobody", "owner", "teacher", "student", "learner", "mentor")}
    visitors["owner"].client.force_login(cast.olive)
    visitors["teacher"].client.force_login(cast.tom)
    # Sue signs in without the LMS too.
    cast.sue.account = make_account("sue@acme.example", "Sue Student")
    cast.sue.save()
    visitors["learner"].client.force_login(cast.sue.account)
    for who, person, role in (("student", cast.sam, Role.STUDENT), ("mentor", cast.mia, Role.MENTOR)):
        visitors[who].prefix = open_launch(visitors[who].client, person, cast.course, role, cast.operators)
    set_mentor_list(cast.course, cast.mia, [cast.sam.public_id], now=datetime.now(UTC))
    return visitors


def find_pages(visitor: Visitor, paths: list[str]) -> list[str]:
    """The addresses that answer this visitor with a page."""
    found = []
    for path in paths:
        if path.startswith(("/account/logout", "/lti/")) or any(part in path for part in NO_PAGES):
            continue
        answer = visitor.client.get(visitor.prefix + path, secure=True, HTTP_HOST="tool.example")
        is_html = answer["Content-Type"].startswith("text/html")
        if answer.status_code == 200 and is_html and "<h1" in answer.content.decode():
            found.append(visitor.prefix + path)
    return found


@contextmanager
def browse(chromium: Browser, scene: Scene, who: str, *, width: int = 1200) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": width, "height": 800}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_cookies(scene.cookies[who])  # type: ignore[arg-type]
        yield open_page(context)


SEND = """([address, pairs]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = address;
  for (const [name, value] of pairs) {
    const field = document.createElement("input");
    field.type = "hidden"; field.name = name; field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


def test_pages_that_answer_a_launch_are_accessible(chromium: Browser, scene: Scene) -> None:
    """A refused launch and one that waits for a teacher's choice: pages like all others, and they say which it is."""
    found = []
    with browse(chromium, scene, "nobody") as page:
        for name, (path, pairs) in scene.launches.items():
            page.goto(scene.url + "/account/login/")
            page.evaluate(SEND, [scene.url + path, pairs])
            expect(page.locator(f"body[data-launch={name.split('-')[0]}]")).to_have_count(1)
            for look in each_look(page):
                keep_picture(page, "launch", name, look)
                found += find_faults(page, f"{name} {look}")
    assert not found, "\n".join(found)


def keep_picture(page: Page, who: str, path: str, kind: str) -> None:
    """For people to look at: where SCREENSHOTS says."""
    if folder := os.environ.get("SCREENSHOTS"):
        name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"/at/\w+", "", path.lower())).strip("-")[:80]
        page.screenshot(path=f"{folder}/{who}-{name or 'home'}-{kind}.png", full_page=True)


@pytest.mark.parametrize("who", LEAST_PAGES)
def test_pages_are_accessible(chromium: Browser, scene: Scene, who: str) -> None:
    """No page that opens for somebody breaks a rule of axe, scrolls sideways, breaks the content policy, or throws."""
    found: list[str] = []
    assert len(scene.pages[who]) >= LEAST_PAGES[who], scene.pages[who]
    with browse(chromium, scene, who) as page:
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on("console", lambda line: found.append(line.text) if "Content Security Policy" in line.text else None)
        for path in scene.pages[who]:
            response = page.goto(scene.url + path)
            if response is None or response.status >= 500:
                found.append(f"{path} does not answer")
            if page.locator("h1").count() != 1:
                found.append(f"{path} has not one heading of the first level")
            for look in each_look(page):
                keep_picture(page, who, path, look)
                found += find_faults(page, f"{path} {look}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", WIDTHS)
def test_values_are_copied(chromium: Browser, scene: Scene, width: int) -> None:
    """A click on the button or the field, and Enter in the field, copy and say so; a secret stays masked."""
    with browse(chromium, scene, "owner", width=width) as page:
        page.goto(f"{scene.url}/o/acme/lti")
        card = page.locator("article").first
        fields, buttons = card.locator("[data-copy-value]"), card.locator("[data-copy-button]")
        buttons.nth(0).click()
        expect(page.locator("#announcer")).to_have_text("LTI Consumer: Copied")
        expect(buttons.nth(0)).to_contain_text("Copied")
        assert read_clipboard(page) == fields.nth(0).input_value()
        fields.nth(2).click()
        expect(page.locator("#announcer")).to_have_text("LTI URL: Copied")
        assert read_clipboard(page) == "https://tool.example/lti/launch"
        fields.nth(3).focus()
        page.keyboard.press("Enter")
        expect(page.locator("#announcer")).to_have_text("XML Configuration URL: Copied")
        buttons.nth(1).click()
        expect(page.locator("#announcer")).to_have_text("LTI Secret: Copied")
        secret = read_clipboard(page)
        assert len(secret) >= 32
        assert secret not in page.content()
        card.get_by_role("button", name="Show the secret").click()
        expect(page.locator("article").first.locator("[data-copy-value]").nth(1)).to_have_value(secret)


def test_menus_and_questions_by_keyboard(chromium: Browser, scene: Scene) -> None:
    """The name opens a menu that arrows walk through and Escape closes; a dangerous act asks in place first."""
    with browse(chromium, scene, "owner", width=1200) as page:
        page.goto(f"{scene.url}/o/acme/lti")
        page.locator(".user-button").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name="Organizations").and_(page.locator(":focus"))).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("details.menu[open]")).to_have_count(0)
        page.get_by_text("Reset secret").first.click()
        expect(page.get_by_text("Launches and grades signed with the old one stop at once").first).to_be_visible()
        page.locator("details.confirm[open]").get_by_role("button", name="Reset secret").click()
        expect(page.get_by_text("The secret of Moodle is new.")).to_be_visible()


def test_unsaved_changes_are_said(chromium: Browser, scene: Scene) -> None:
    """A form that was changed says that nothing is saved yet."""
    with browse(chromium, scene, "owner", width=1200) as page:
        page.goto(f"{scene.url}/o/acme/settings")
        expect(page.get_by_text("Not saved yet")).to_be_hidden()
        page.get_by_label("Name").fill("Acme 2")
        expect(page.get_by_text("Not saved yet")).to_be_visible()


def read_clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))
