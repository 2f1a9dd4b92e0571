"""A teacher chooses assignments in the picker, over HTTP: proves the e-mail once, marks, and the LMS gets its links."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.end_to_end.plain_browser import Page, PlainBrowser
from tests.end_to_end.servers import Stand

MAIL_SECONDS = 20
SELECTION_PATH = "/lti/resource_selection"


def pick_assignments(
    stand: Stand, *, person: str, email: str, course: str, tool: str, assignments: Sequence[dict[str, Any]], points: int
) -> dict[str, str]:
    """Adds these assignments from the tool, all at once where the LMS takes many; titles and ids of the new links.

    `email` is the address of the teacher's account; the LMS may say another one. `points` count where the tool's
    answer cannot say any.
    """
    links: dict[str, str] = {}
    left = list(assignments)
    while left:
        begun = stand.lms.post(
            "selections", person=person, course=course, tool=tool, placement="link_selection", points=str(points)
        )
        with PlainBrowser(stand.lms, person) as browser:
            page = browser.carry(begun)
            assert page.marks.get("launch") == "waiting", f"{page.status} {page.marks} {page.heading}\n{page.text}"
            if not _shows(page, left[0]["id"]):
                page = prove_address(stand, browser, page, email)
            left = left[_choose(browser, page, left) :]
        answered = stand.lms.get("selections", id=begun["selection"])
        assert answered["state"] == "answered", answered
        titles = {str(one["id"]): one["title"] for one in stand.lms.get("links", course=course)}
        links |= {titles[str(link)]: str(link) for link in answered["links"]}
    assert list(links) == [one["title"] for one in assignments]
    return links


def prove_address(stand: Stand, browser: PlainBrowser, page: Page, email: str) -> Page:
    """Asks for a code, reads it in the mail, and types it."""
    before = len(list_mails(stand, email))
    page = browser.submit_form(page, "/choose/code", {"email": email})
    assert page.status == 200, page.text
    page = browser.submit_form(page, "/choose/prove", {"code": read_code(stand, email, after=before)})
    assert page.status == 200, page.text
    return page


def read_code(stand: Stand, email: str, *, after: int) -> str:
    """The code of the newest mail to the address."""
    give_up_at = time.monotonic() + MAIL_SECONDS
    while len(mails := list_mails(stand, email)) <= after:
        assert time.monotonic() < give_up_at, f"no mail came for {email}"
        time.sleep(0.1)
    found = re.search(r"^Subject: Your code: (\S+(?: \S+)?)\s*$", mails[-1], re.MULTILINE)
    assert found is not None, mails[-1]
    return found.group(1)


def list_mails(stand: Stand, email: str) -> list[str]:
    """Mails to the address, oldest first; unsent mail is kept readable in the data folder."""
    folder = Path(stand.courseway.environment["COURSEWAY_DATA_DIR"]) / "mail"
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime) if folder.exists() else []
    texts = (file.read_text(errors="replace") for file in files)
    return [text for text in texts if re.search(rf"^To: {re.escape(email)}$", text, re.MULTILINE)]


def _shows(page: Page, assignment: str) -> bool:
    return assignment in page.text


def _choose(browser: PlainBrowser, page: Page, wanted: Sequence[dict[str, Any]]) -> int:
    """Takes all of them, or the first where only one is taken; how many that were."""
    takes_many = bool(page.document.xpath("//input[@type='checkbox'][@name='mark']"))
    if takes_many:
        for one in wanted:
            page = browser.submit_form(page, "/choose/", {"go": f"take:{one['id']}"})
        page = browser.submit_form(page, "/choose/", {"go": "add"})
    else:
        page = browser.submit_form(page, "/choose/", {"go": f"take:{wanted[0]['id']}"})
    forms = page.document.xpath("//form[@data-auto-submit]")
    if forms:
        page = browser.send("POST", urljoin(page.url, forms[0].action), forms[0].form_values())
    assert page.url.startswith(browser.lms.public_url), f"{page.url} {page.status} {page.heading}"
    assert page.status == 200, page.text
    return len(wanted) if takes_many else 1
