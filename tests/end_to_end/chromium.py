"""Where a Chromium is on this machine: named in CHROMIUM, on the PATH, or in Playwright's own folder.

`python -m tests.end_to_end.chromium` prints it, or ends with 1; with `--headless-shell` the one without windows.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HEADLESS_SHELLS = ("chromium-headless-shell", "chrome-headless-shell")


@cache
def find_headless_shell() -> Path | None:
    """The same Chromium without what is around a page, which takes most of the time of a short test. It reads no
    profile, so what depends on a person's settings needs a whole one."""
    if os.environ.get("CHROMIUM"):
        return find_chromium()
    on_path = next((found for name in HEADLESS_SHELLS if (found := shutil.which(name))), None)
    return Path(on_path) if on_path else find_chromium()


@cache
def find_chromium() -> Path | None:
    named = os.environ.get("CHROMIUM", "")
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    on_path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if on_path:
        return Path(on_path)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


if __name__ == "__main__":
    chromium = find_headless_shell() if "--headless-shell" in sys.argv else find_chromium()
    if chromium is None:
        sys.exit(1)
    print(chromium)
