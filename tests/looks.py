"""What is wrong with a page as people see it: by the rules of axe, wide and narrow, in light and dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Frame, Page

Look = tuple[int, Literal["light", "dark"]]
"""Width and colours of a window."""

WIDE_AND_NARROW: tuple[Look, ...] = ((1200, "light"), (360, "dark"))
SERIOUS = ("serious", "critical")
IMPACTS = ("minor", "moderate", *SERIOUS)
# Passes stay in the page: to hand them over takes as long as to find them.
_RUN = """() => typeof axe === "undefined" ? null :
  axe.run({resultTypes: ["violations"]}).then((found) => JSON.stringify(found.violations))"""

_WAIT_FOR_WIDTH = """(width) => new Promise((done) => {
  const look = () => innerWidth === width ? done() : setTimeout(look, 5);
  look();
})"""


def open_page(context: BrowserContext) -> Page:
    """A page for many addresses: axe is handed over once, and is there wherever it goes."""
    page = context.new_page()
    page.add_init_script(AXE_SCRIPT)
    return page


def each_look(page: Page, looks: tuple[Look, ...] = WIDE_AND_NARROW) -> Iterator[str]:
    """The same page in one window after the other, and what to call it there. It is loaded once: what it shows is up to
    its style sheet alone."""
    for width, scheme in looks:
        page.set_viewport_size({"width": width, "height": 800})
        # Without motion: a colour on its way to another is no colour of the page.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(_WAIT_FOR_WIDTH, width)
        yield f"{width}-{scheme}"


def find_faults(page: Page, name: str, *, impacts: tuple[str, ...] = IMPACTS) -> list[str]:
    """Rules of axe that the page breaks as it is shown now, and whether it scrolls sideways, each with its `name`."""
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    too_wide = [f"{name} ({page.url}) is {wider} pixels too wide"] if wider > 0 else []
    broken = [one for one in find_violations(page) if one["impact"] in impacts]
    return too_wide + [f"{name}: {one['id']}: {one['nodes'][0]['html'][:300]}" for one in broken]


def find_violations(page: Page | Frame) -> list[dict[str, Any]]:
    """Rules of axe that the page breaks as it is shown now."""
    found = page.evaluate(_RUN)
    if found is None:
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate(_RUN)
    violations: list[dict[str, Any]] = json.loads(found)
    return violations
