"""Every way a launch goes in a browser: version x place x cookies x role, printed as a table.

`python -m tests.end_to_end.launch_matrix` runs it and ends with 1 if a cell failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.cookie_rules import run_chromiums
from tests.end_to_end.lms_screen import LmsScreen, expect_landed, run_chromium
from tests.end_to_end.servers import Stand, run_stand
from tests.end_to_end.test_journeys import Room, make_room

VERSIONS = ("1.1", "1.3")
PLACES = {"frame": "frame", "tab": "new tab", "window": "same window"}
RULES = {"on": "cookies on", "blocked": "third-party blocked"}
ROLES = {"student": "Ada", "teacher": "Tea", "mentor": "Mum"}

Cell = tuple[str, str, str, str]
"""Version, place, cookies, role."""


def run_matrix(
    stand: Stand, chromiums: Mapping[str, BrowserContext], say: Callable[[str], None] = lambda _line: None
) -> dict[Cell, str]:
    """What became of each cell: nothing if it landed as it should, else why not. A Chromium is needed for each rule."""
    rooms = {version: make_room(stand, "Matrix", version) for version in VERSIONS}
    for room in rooms.values():
        room.place_assignments(1)
    found: dict[Cell, str] = {}
    for rule in RULES:
        for version, room in rooms.items():
            for role, given in ROLES.items():
                screen = LmsScreen(chromiums[rule], stand.lms.url, f"{given} {room.name}")
                for place in PLACES:
                    found[version, place, rule, role] = _launch(screen, room, place, role)
                    say(".")
                screen.page.close()
    return found


def _launch(screen: LmsScreen, room: Room, place: str, role: str) -> str:
    assignment = room.course["assignments"][0]
    screen.problems.clear()
    try:
        shown = screen.open_activity(room.lms_course, assignment["title"], place=place)
        expect_landed(shown, role=role, assignment=assignment["id"])
        if role == "student":
            expect(shown.locator("form[data-form=submit]")).to_be_visible()
        return "; ".join(screen.problems)
    except AssertionError as error:
        return str(error).strip().splitlines()[0]
    finally:
        for page in screen.context.pages[1:]:  # the first one keeps the Chromium open
            if page is not screen.page:
                page.close()


def draw(found: dict[Cell, str]) -> str:
    """The table, a line for each version, place and kind of cookies."""
    lines = ["| LTI | opened in | cookies | " + " | ".join(ROLES) + " |", "|---|---|---|" + "---|" * len(ROLES)]
    for version in VERSIONS:
        for place, place_name in PLACES.items():
            for rule, rule_name in RULES.items():
                cells = ["lands" if not found[version, place, rule, role] else "FAILS" for role in ROLES]
                lines.append(f"| {version} | {place_name} | {rule_name} | {' | '.join(cells)} |")
    failed = {cell: why for cell, why in found.items() if why}
    lines += ["", f"{len(found) - len(failed)} of {len(found)} launches landed."]
    lines += [f"{' '.join(cell)}: {why}" for cell, why in failed.items()]
    return "\n".join(lines)


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if find_chromium() is None:
        print("No Chromium was found on this machine.", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        run_stand(Path(folder) / "stand") as stand,
        run_chromium() as chromium,
        run_chromiums(chromium, (stand.courseway.url, stand.lms.url), rules=tuple(RULES)) as chromiums,
    ):
        found = run_matrix(stand, chromiums, lambda mark: print(mark, end="", flush=True))
    print("\n" + draw(found))
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
