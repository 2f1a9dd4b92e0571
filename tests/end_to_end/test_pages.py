"""Every page in a real browser: for assistive technology, on phones, in light and dark; what is clicked is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from courseway.courses.models import Role
from courseway.learning.scoring import set_grade
from courseway.lms.models import Launch
from courseway.orgs.invitations import invite
from courseway.orgs.sign_in_links import make_sign_in_link
from tests.cast import Cast, make_cast
from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.demo import CHROMIUM_ARGUMENTS
from tests.visits import make_lms11, make_lms13, open_launch

CHROMIUM = find_chromium()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium was found on this machine"),
]
WIDTHS = (1200, 360)


@dataclass
class Scene:
    """An organization in the middle of a term, seen by its owner, a student of a launch, and nobody."""

    cast: Cast
    url: str
    cookies: dict[str, list[dict[str, Any]]]
    pages: dict[str, list[str]]


@pytest.fixture
def scene(live_server: LiveServer, settings: Any) -> Scene:
    """All rows are written before a browser starts: Playwright's event loop would forbid it to Django."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    cast = make_cast()
    now = datetime.now(UTC)
    lms, lms13 = make_lms11(cast.acme), make_lms13(cast.acme, policy="approved")
    assignment = f"/lti/a/{cast.operators.public_id}"
    assert lms.launch(Client(), assignment).status_code == 303
    assert lms.launch(Client(), assignment, signing={"secret": "wrong"}).status_code >= 400
    invite(cast.acme, "new@acme.example", "teacher", invited_by=cast.olive, now=now)
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(80), complete=True, release=True, now=now)
    course = f"/courses/{cast.course.public_id}"
    results = f"{course}/assignments/{cast.operators.public_id}/results/"
    owner, student = Client(), Client()
    owner.force_login(cast.olive)
    prefix = open_launch(student, cast.sam, cast.course, Role.STUDENT, cast.operators)
    references = Launch.objects.order_by("pk").values_list("reference", flat=True)
    pages = {
        "nobody": [
            "/",
            "/nowhere",
            "/account/login/",
            "/account/login/code/",
            "/account/password/reset/",
            "/account/signup/",
            make_sign_in_link(cast.tom, now=now),
            "/account/link/over",
        ],
        "owner": [
            "/account/",
            "/account/email/",
            "/account/password/change/",
            "/courses/",
            f"{course}/",
            f"{course}/lti/",
            f"{course}/settings/",
            f"{course}/gradebook/",
            results,
            f"{results}{cast.sam.public_id}/",
            "/courses/import/",
            "/o/",
            "/o/acme/",
            "/o/acme/members",
            "/o/acme/settings",
            "/o/acme/lti?lms=canvas",
            "/o/acme/lti/registrations/new?lms=blackboard",
            f"/o/acme/lti/registrations/{lms13.platform.public_id}",
            "/o/acme/launches",
            *(f"/o/acme/launches/{reference}" for reference in references),
            "/o/acme/grades",
            "/o/umbrella/",
        ],
        "student": [
            f"{prefix}/learn/",
            f"{prefix}/learn/courses/{cast.course.public_id}/",
            f"{prefix}/learn/assignments/{cast.operators.public_id}/",
            f"{prefix}/learn/assignments/{cast.operators.public_id}/feedback/",
            f"{prefix}/learn/assignments/{cast.loops.public_id}/",
            f"{prefix}/o/acme/lti",
        ],
    }
    cookies = {
        who: [
            {"name": name, "value": morsel.value, "domain": "localhost", "path": morsel["path"] or f"{path}/"}
            for name, morsel in client.cookies.items()
        ]
        for who, client, path in (("nobody", Client(), ""), ("owner", owner, ""), ("student", student, prefix))
    }
    return Scene(cast, live_server.url.replace("127.0.0.1", "localhost"), cookies, pages)


@contextmanager
def browse(scene: Scene, who: str, *, width: int, scheme: str = "light") -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS)
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_cookies(scene.cookies[who])  # type: ignore[arg-type]
        yield context.new_page()
        chromium.close()


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
@pytest.mark.parametrize("who", ["nobody", "owner", "student"])
def test_pages_are_accessible(scene: Scene, who: str, width: int, scheme: str) -> None:
    """No page breaks a rule of axe, scrolls sideways, runs into the content policy, or throws in its script."""
    found = []
    with browse(scene, who, width=width, scheme=scheme) as page:
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on("console", lambda line: found.append(line.text) if "Content Security Policy" in line.text else None)
        for path in scene.pages[who]:
            response = page.goto(scene.url + path)
            if response is None or response.status >= 500:
                found.append(f"{path} does not answer")
            assert page.locator("h1").count() == 1, path
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wider > 0:
                found.append(f"{path} is {wider} pixels too wide")
            broken = Axe().run(page).response["violations"]
            found += [f"{path}: {rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in broken]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", WIDTHS)
def test_values_are_copied(scene: Scene, width: int) -> None:
    """A click on the button or the field, and Enter in the field, copy and say so; a secret stays masked."""
    with browse(scene, "owner", width=width) as page:
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


def test_menus_and_questions_by_keyboard(scene: Scene) -> None:
    """The name opens a menu that arrows walk through and Escape closes; a dangerous act asks in place first."""
    with browse(scene, "owner", width=1200) as page:
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


def test_unsaved_changes_are_said(scene: Scene) -> None:
    """A form that was changed says that nothing is saved yet."""
    with browse(scene, "owner", width=1200) as page:
        page.goto(f"{scene.url}/o/acme/settings")
        expect(page.get_by_text("Not saved yet")).to_be_hidden()
        page.get_by_label("Name").fill("Acme 2")
        expect(page.get_by_text("Not saved yet")).to_be_visible()


def read_clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))
