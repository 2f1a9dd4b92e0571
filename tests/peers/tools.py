"""The practice LMS with a tool of other people, each a process of its own: what both kinds of such tools share."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.end_to_end.plain_browser import Page, PlainBrowser
from tests.peers.installation import stop, wait_until_answering
from tests.practice_lms.running import PracticeLms

CLIENT = "client-of-the-peer"


@dataclass
class ToolStand:
    """One course of the practice LMS with a teacher and two students, and the tool registered there."""

    lms: PracticeLms
    tool: str
    course: str
    teacher: str
    students: tuple[str, str]
    base: str  # where the tool answers

    def place(self, **values: Any) -> str:
        """A link of 20 points; its id."""
        wanted = {"course": self.course, "tool": self.tool, "title": "By a peer", "points": 20}
        return str(self.lms.post("links", **{**wanted, **values})["id"])

    def launch(self, person: str, link: str, **wish: Any) -> Any:
        """What the tool says of a launch, as JSON."""
        with PlainBrowser(self.lms, person) as browser:
            return read(browser.launch(link, **wish))

    def select(self, person: str) -> Any:
        """Adds whatever the tool chooses; how the LMS took it."""
        begun = self.lms.post("selections", person=person, course=self.course, tool=self.tool)
        with PlainBrowser(self.lms, person) as browser:
            page = browser.carry(begun)
            (form,) = page.document.forms
            page = browser.send("POST", urljoin(page.url, form.action), form.form_values())
            assert page.status == 200, page.text
        return self.lms.get("selections", id=begun["selection"])

    def score_of(self, person: str, link: str) -> float | None:
        """The grade in the gradebook of the LMS."""
        grades = self.lms.get("gradebook", course=self.course)["grades"]
        found = [one["score"] for one in grades if (one["person"], str(one["link"])) == (person, link)]
        return float(found[0]) if found and found[0] is not None else None


def read(page: Page) -> Any:
    """The JSON of an answer."""
    assert page.status == 200, f"{page.url} {page.status} {page.text[:2000]}"
    return json.loads(page.text)


@contextmanager
def run_tool(
    folder: Path, command: Sequence[str], environment: Mapping[str, str], *, wish: Mapping[str, Any], port: int
) -> Iterator[ToolStand]:
    """Starts both. The tool gets one argument: JSON with its port and what it has to know of the platform."""
    lms = PracticeLms(folder / "lms")
    try:
        base = f"http://127.0.0.1:{port}"
        registered = {
            "title": "A tool of other people",
            "version": "1.3",
            "client_id": CLIENT,
            "launch_url": f"{base}/launch",
            "login_url": f"{base}/login",
            "redirect_urls": [f"{base}/launch"],
            "keyset_url": f"{base}/keys",
            "placements": {"link_selection": ""},
            "options": {"shares_roster": True, "shares_groups": True},
        }
        tool = lms.post("tools", **registered)
        info = lms.get("info", tool=tool["id"])
        told = json.dumps({**wish, "port": port, "platform": info})
        log = folder / "tool.log"
        with log.open("wb") as output:
            process = subprocess.Popen([*command, told], env=dict(environment), stdout=output, stderr=output)
        try:
            wait_until_answering(process, f"{base}/about", log)
            course = lms.add_course()
            people = [lms.add_person(course, role) for role in ("teacher", "learner", "learner")]
            yield ToolStand(lms, tool["id"], course, people[0], (people[1], people[2]), base)
        finally:
            stop(process)
    finally:
        lms.stop()
