"""Somebody at the practice LMS in a real browser: who they are, their course, and opening an activity in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from lxml import html
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect, sync_playwright

from tests.end_to_end.chromium import find_headless_shell
from tests.end_to_end.demo import CHROMIUM_ARGUMENTS, read_answers
from tests.end_to_end.servers import OWNER, PASSWORD, Courseway, path_of
from tests.looks import find_faults

MILLISECONDS = 60_000
_WAIT_FOR_SCRIPTS = """() => new Promise((done) =>
  document.readyState === "complete" ? done() : addEventListener("load", () => done()))"""


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """A browser process for many tests; each person gets a context of their own in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_headless_shell()), args=CHROMIUM_ARGUMENTS)
        expect.set_options(timeout=MILLISECONDS)  # a busy machine is no failure
        yield browser
        browser.close()


class Screen:
    """One person's browser: cookies, tabs and clipboard of their own. What goes wrong in it is kept in `problems`."""

    def __init__(self, browser: Browser | BrowserContext, *, width: int = 1200, height: int = 900) -> None:
        # A context that is there already has settings of its own, and one person after the other.
        self.context: BrowserContext = (
            browser.new_context(viewport={"width": width, "height": height}, ignore_https_errors=True)
            if isinstance(browser, Browser)
            else browser
        )
        self.context.set_default_timeout(MILLISECONDS)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.problems: list[str] = []
        self.context.on("weberror", lambda error: self.problems.append(str(error.error)))
        self.context.on(
            "response",
            lambda answer: self.problems.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )
        self.page: Page = self.context.new_page()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def check(self, name: str, *, page: Page | None = None) -> None:
        """The page breaks no rule of axe and is not wider than the window; its picture goes where SCREENSHOTS says."""
        page = page or self.page
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{name}.png", full_page=True)
        found = find_faults(page, name)
        assert not found, "\n".join(found)

    def read_clipboard(self, page: Page | None = None) -> str:
        page = page or self.page
        page.bring_to_front()  # only a document that has the focus may read it
        return str(page.evaluate("navigator.clipboard.readText()"))

    def sign_in(self, courseway: Courseway, path: str) -> Page:
        """The owner, signed in, at a page of Courseway: by the form, then by its cookies: passwords are slow."""
        if courseway.owner_cookies:
            self.context.add_cookies(courseway.owner_cookies)
            self.page.goto(courseway.url + path)
        else:
            self.page.goto(f"{courseway.url}/account/login/?next={path_of(courseway.url)}{path}")
            self.page.get_by_label("E-mail").fill(OWNER)
            self.page.get_by_label("Password").fill(PASSWORD)
            self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.page).to_have_url(courseway.url + path)
        courseway.owner_cookies = [dict(one) for one in self.context.cookies(courseway.url + "/")]
        return self.page


class LmsScreen(Screen):
    """A person of the practice LMS."""

    def __init__(
        self, browser: Browser | BrowserContext, lms: str, name: str, *, width: int = 1200, height: int = 900
    ) -> None:
        super().__init__(browser, width=width, height=height)
        self.lms = lms
        self.become(name)

    def become(self, name: str) -> None:
        """Chooses who to be at the LMS, with the cookies of this browser but without drawing its page of all people."""
        chooser = html.document_fromstring(self.context.request.get(f"{self.lms}/", params={"q": name}).text())
        button = chooser.xpath("//button[@name='person'][contains(normalize-space(.), $name)]", name=name)[0]
        form = next(button.iterancestors("form"))
        wish = {**dict(form.form_values()), "person": button.get("value")}
        self.context.request.post(self.lms + form.action, form=wish, fail_on_status_code=True)

    def open_course(self, course: str) -> Page:
        self.page.goto(f"{self.lms}/courses/{course}")
        return self.page

    def open_activity(self, course: str, title: str, *, place: str = "window") -> Page | FrameLocator:
        """Clicks a link of the course; where the tool appears: this window, a new `tab` or a `frame`."""
        self.page.goto(f"{self.lms}/courses/{course}?in={place}")
        link = self.page.get_by_role("link", name=title, exact=True)
        if place == "tab":
            with self.context.expect_page() as opened:
                link.click()
            return opened.value
        link.click()
        return self.page.frame_locator("iframe.tool") if place == "frame" else self.page


def expect_landed(shown: Page | FrameLocator, *, role: str = "", assignment: str = "") -> None:
    """A launch that was accepted, in this role and at this assignment."""
    expect(shown.locator("body[data-launch=ok]")).to_have_count(1)
    if role:
        expect(shown.locator(f"body[data-role={role}]")).to_have_count(1)
    if assignment:
        expect(shown.locator(f"body[data-assignment='{assignment}']")).to_have_count(1)


def hand_in(shown: Page | FrameLocator, title: str, *, wrong: int = 0) -> Decimal:
    """Answers an assignment page by page, `wrong` of its questions wrongly, and hands it in; the percent this earns."""
    expect(shown.locator("form[data-form=submit]")).to_be_visible()
    shown.locator("body").evaluate(_WAIT_FOR_SCRIPTS)  # until then all questions stand on one page
    answers = read_answers(title)
    lost = Decimal(0)
    for index, (name, right) in enumerate(answers.items()):
        field = shown.locator(f"[name='{name}']")
        while not field.first.is_visible():
            shown.get_by_role("button", name="Next").click()
        if index < wrong:
            lost += right.points
        if right.kind != "choice":
            field.fill("12345.678" if index < wrong else right.text)
        elif index < wrong:
            shown.locator(f"[name='{name}']:not([value='{right.text}'])").first.check()
        else:
            shown.locator(f"[name='{name}'][value='{right.text}']").check()
    shown.get_by_role("button", name="Hand in").click()
    total = sum((right.points for right in answers.values()), Decimal(0))
    return (total - lost) / total * 100
