"""The tab LTI/LMS and the review of connections in a real browser: clicks copy, and what surprises is asked."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from courseway.courses.copying import copy_course
from courseway.courses.models import Assignment, Course
from courseway.lms.models import Launch
from courseway.lms.parent_replacement import replace_parent
from tests.cast import Cast, make_cast
from tests.looks import each_look, find_faults, open_page
from tests.visits import make_lms11

EVIL = '=HYPERLINK("https://evil.example","click")'
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@dataclass
class Scene:
    """A master with links and a child that a launch made, seen by the owner."""

    cast: Cast
    child: Course
    next_master: Course
    url: str
    cookies: list[dict[str, Any]]

    @property
    def tab(self) -> str:
        return f"{self.url}/courses/{self.cast.course.public_id}/lti/"

    @property
    def review(self) -> str:
        return f"{self.url}/courses/{self.child.public_id}/lti/connections"


@pytest.fixture
def scene(live_server: LiveServer, settings: Any) -> Scene:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    cast = make_cast()
    lms = make_lms11(cast.acme)
    assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}").status_code == 303
    switches = {"constant_urls": True, "course_copy": True, "enroll_only": True}
    Course.objects.filter(pk=cast.course.pk).update(**switches)
    form = {"context_id": "c-2", "resource_link_id": "l-2", "lis_course_offering_sourcedid": "SIS-2"}
    response = lms.launch(
        Client(),
        f"/lti/c/{cast.operators.content_id}",
        **form,
        context_title="Python, Fall 2026",
        custom_parent_course_id=cast.course.public_id,
        launch_presentation_return_url="https://canvas.example/courses/12/external_content/success",
    )
    assert response.status_code == 303
    child = Launch.objects.latest("pk").course
    assert child is not None
    cast.course.refresh_from_db()
    new = copy_course(cast.course, title="Python basics 2027", now=child.created_at)
    new.course_copy = True
    new.save()
    replace_parent(cast.course, new, now=child.created_at)
    owner = Client()
    owner.force_login(cast.olive)
    cookies = [
        {"name": name, "value": morsel.value, "domain": "localhost", "path": "/"}
        for name, morsel in owner.cookies.items()
    ]
    return Scene(cast, child, new, live_server.url.replace("127.0.0.1", "localhost"), cookies)


@contextmanager
def browse(chromium: Browser, scene: Scene, *, width: int = 1200) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": width, "height": 900}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_cookies(scene.cookies)  # type: ignore[arg-type]
        yield open_page(context)


def read_clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize("width", [1200, 360])
def test_every_field_of_the_tab_is_copied(chromium: Browser, scene: Scene, width: int) -> None:
    """A click on a field puts exactly its value on the clipboard: both parameters and the link to enroll."""
    course = scene.cast.course.public_id
    wanted = {
        "Custom parameter for your LMS": f"course_target_id={course}",
        "Custom parameter that names the parent": f"parent_course_id={course}",
        "Link to enroll": f"https://tool.example/lti/e/{course}",
    }
    with browse(chromium, scene, width=width) as page:
        page.goto(scene.tab)
        assert page.locator("[data-copy-value]").count() == len(wanted)
        for label, value in wanted.items():
            page.evaluate("navigator.clipboard.writeText('')")
            page.get_by_label(label, exact=True).click()
            expect(page.locator("#announcer")).to_have_text(f"{label}: Copied")
            assert read_clipboard(page) == value
            page.evaluate("navigator.clipboard.writeText('')")
            page.get_by_role("button", name=f"Copy {label}").click()
            expect(page.locator("#announcer")).to_have_text(f"{label}: Copied")
            assert read_clipboard(page) == value


@pytest.mark.parametrize("width", [1200, 360])
def test_the_integration_url_of_the_menu_is_copied(chromium: Browser, scene: Scene, width: int) -> None:
    """In the ⋮ menu the constant URL and its parameters are copied whole, line by line."""
    assignment, course = scene.cast.operators, scene.cast.course.public_id
    with browse(chromium, scene, width=width) as page:
        page.goto(f"{scene.url}/courses/{course}/")
        page.get_by_label("Actions for Operators").click()
        row = page.locator(f"[id='{assignment.public_id}']")
        row.get_by_label("LTI integration URL", exact=True).click()
        expect(page.locator("#announcer")).to_have_text("LTI integration URL: Copied")
        assert read_clipboard(page) == f"https://tool.example/lti/c/{assignment.content_id}"
        row.get_by_label("Custom parameters that belong to it", exact=True).click()
        expect(page.locator("#announcer")).to_have_text("Custom parameters that belong to it: Copied")
        assert read_clipboard(page) == f"course_target_id={course}\nparent_course_id={course}"


def test_pages_are_accessible(chromium: Browser, scene: Scene) -> None:
    """The tab, its question, the reviews and the choice of the LTI ID break no rule of axe and fit the screen."""
    found: list[str] = []
    with browse(chromium, scene) as page:
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on("console", lambda line: found.append(line.text) if "Content Security Policy" in line.text else None)

        def look(what: str) -> None:
            for shown in each_look(page):
                found.extend(find_faults(page, f"{what} {shown}"))

        course = f"{scene.url}/courses/{scene.cast.course.public_id}"
        guides = [f"{scene.url}/o/acme/lti/guides/{lms}" for lms in ("moodle", "canvas-1.1", "blackboard", "schoology")]
        pages = [scene.tab, scene.review, f"{course}/settings/", f"{course}/lti/guides/canvas", *guides]
        pages += [f"{scene.url}/o/acme/connections", f"{scene.url}/o/acme/lti/lti-id", f"{scene.url}/courses/"]
        for address in pages:
            response = page.goto(address)
            assert response is not None
            assert response.status == 200
            look(address)
        page.goto(scene.review)
        page.locator("details.confirm > summary").first.click()
        look("changing a connection")
        page.goto(scene.tab)
        page.get_by_label("Hide not started assignments").check()
        page.get_by_role("button", name="Save changes").click()
        expect(page.get_by_text("leave a new student with an empty course")).to_be_visible()
        look("a question")
    assert not found, "\n".join(found)


def test_nothing_is_live_before_the_yes(chromium: Browser, scene: Scene) -> None:
    """A change that surprises is asked about with all that was typed; going away changes nothing, a yes saves it."""
    with browse(chromium, scene) as page:
        page.goto(scene.tab)
        expect(page.get_by_text("Not saved yet")).to_be_hidden()
        page.get_by_label("Course LMS URL").fill("https://lms.example/courses/1")
        page.get_by_label("Hide not started assignments").check()
        expect(page.get_by_text("Not saved yet")).to_be_visible()
        page.get_by_role("button", name="Save changes").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing is saved yet")
        expect(page.get_by_label("Course LMS URL")).to_have_value("https://lms.example/courses/1")
        page.get_by_role("link", name="Change nothing").click()
        expect(page.get_by_label("Hide not started assignments")).not_to_be_checked()
        expect(page.get_by_label("Course LMS URL")).to_have_value("")
        page.get_by_label("Hide not started assignments").check()
        page.get_by_role("button", name="Save changes").click()
        page.get_by_role("button", name="Save all the same").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        expect(page.get_by_label("Hide not started assignments")).to_be_checked()


def test_a_match_is_reviewed_by_mouse_alone(chromium: Browser, scene: Scene) -> None:
    """Take the proposed address, accept, change to another course, and see it there."""
    with browse(chromium, scene) as page:
        page.goto(scene.review)
        page.get_by_role("button", name="Use this address").click()
        expect(page.get_by_label("Its own LMS URL (optional)")).to_have_value("https://canvas.example/courses/12")
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_text("is matched as it should be")).to_be_visible()
        page.locator("details.confirm > summary").first.click()
        page.get_by_label("“Python, Fall 2026” shall open").select_option(value=scene.next_master.public_id)
        page.locator("details.confirm[open]").get_by_role("button", name="Change").click()
        expect(page.get_by_text("opens “Python basics 2027” from now on")).to_be_visible()
        page.goto(f"{scene.url}/o/acme/connections?q=2027")
        expect(page.get_by_role("row", name="Python, Fall 2026")).to_contain_text("A teacher chose it")


def test_exports_are_downloaded(chromium: Browser, scene: Scene, tmp_path: Path) -> None:
    """Both buttons give files; the table opens in LibreOffice with the same URLs, and no formula runs in it."""
    with browse(chromium, scene) as page:
        page.goto(scene.tab)
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Export Assignment URLs").click()
        table = tmp_path / "urls.csv"
        waiting.value.save_as(table)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Export Common Cartridge").click()
        assert waiting.value.suggested_filename.endswith(".imscc")
    rows = list(csv.DictReader(table.open(newline="", encoding="utf-8-sig")))
    assert rows[0]["URL"] == f"https://tool.example/lti/c/{scene.cast.operators.content_id}"


def test_a_spreadsheet_computes_nothing(cast: Cast, client: Client, tmp_path: Path) -> None:
    """Opened and saved again by LibreOffice, titles that look like formulas are text and URLs are the same."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed on this machine")
    Assignment.objects.filter(pk=cast.operators.pk).update(title=EVIL)
    Assignment.objects.filter(pk=cast.loops.pk).update(title="=1+1")
    client.force_login(cast.tom)
    response: Any = client.get(f"/courses/{cast.course.public_id}/lti/assignment-urls.csv")
    table = tmp_path / "urls.csv"
    table.write_bytes(response.getvalue())
    command = [office, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--convert-to"]
    subprocess.run([*command, "csv", "--outdir", str(tmp_path / "out"), str(table)], check=True, timeout=120)
    before = list(csv.DictReader(table.open(newline="", encoding="utf-8-sig")))
    after = list(csv.DictReader((tmp_path / "out" / "urls.csv").open(newline="", encoding="utf-8-sig")))
    assert [row["URL"] for row in after] == [row["URL"] for row in before]
    assert [row["assignment"].lstrip("'") for row in after] == [EVIL, "=1+1"]
