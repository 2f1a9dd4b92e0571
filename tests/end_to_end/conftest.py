"""One installation and one practice LMS for all tests that only need a course of their own in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.lms_screen import run_chromium
from tests.end_to_end.servers import Stand, run_stand


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with run_stand(tmp_path_factory.mktemp("stand")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while it runs, Playwright keeps an event loop in this thread."""
    if find_chromium() is None:
        pytest.skip("no Chromium was found on this machine")
    with run_chromium() as running:
        yield running
