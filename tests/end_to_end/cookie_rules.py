"""Chromiums that treat cookies of framed sites differently, as people's browsers do.

`on`: every cookie is kept. `blocked`: no third-party cookies but partitioned ones (CHIPS), Chromium's own setting.
`none`: a frame of the tool in the LMS's page keeps no cookie at all, as in browsers without partitioned cookies.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, expect

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.demo import CHROMIUM_ARGUMENTS
from tests.end_to_end.lms_screen import MILLISECONDS

RULES = ("on", "blocked", "none")
# Frames of other sites stay in the page's process: one of their own at times waits for Playwright for ever.
ARGUMENTS = [*CHROMIUM_ARGUMENTS, "--disable-site-isolation-trials"]


@contextmanager
def run_chromiums(
    chromium: Browser, *sites: tuple[str, str], rules: Sequence[str] = RULES
) -> Iterator[dict[str, BrowserContext]]:
    """A Chromium for each rule, with an empty page; `on` needs no settings, so that the one that runs will do.

    `sites` are pairs of a framed site and the one that frames it.
    """
    with tempfile.TemporaryDirectory() as folder:
        expect.set_options(timeout=MILLISECONDS)
        contexts = {}
        for rule in rules:
            if rule == "on":
                contexts[rule] = chromium.new_context()
                contexts[rule].new_page()
                continue
            profile = Path(folder) / rule
            (profile / "Default").mkdir(parents=True)
            preferences = {"profile": _make_preferences(rule, sites)}
            (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
            contexts[rule] = chromium.browser_type.launch_persistent_context(
                profile, executable_path=str(find_chromium()), args=ARGUMENTS
            )
        yield contexts
        for context in contexts.values():
            context.close()


def _make_preferences(rule: str, sites: Sequence[tuple[str, str]]) -> dict[str, Any]:
    blocked: dict[str, Any] = {"cookie_controls_mode": 1, "block_third_party_cookies": True}
    if rule == "none":
        never = {"setting": 2, "last_modified": "13300000000000000"}
        blocked["content_settings"] = {
            "exceptions": {"cookies": {f"{framed},{around}": never for framed, around in sites}}
        }
    return blocked
