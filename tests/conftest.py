from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from hypothesis import settings

from courseway.lms import platforms
from tests.cast import Cast, make_cast
from tests.end_to_end.chromium import find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# No time limit per example: a busy machine is not a broken rule. pytest's own time limit still holds.
settings.register_profile("courseway", deadline=None)
settings.load_profile("courseway")


@pytest.fixture
def cast(db: None) -> Cast:
    platforms.forget_all()  # each test has a database of its own, whose rows take the numbers of earlier ones
    return make_cast()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a module; each takes a context of its own. It ends with its module, since while it
    runs Playwright keeps an event loop in this thread."""
    if find_chromium() is None:
        pytest.skip("no Chromium was found on this machine: set CHROMIUM to one, or run `playwright install chromium`")
    from tests.end_to_end.lms_screen import run_chromium  # only here, since it takes a while

    with pytest.MonkeyPatch.context() as patch, run_chromium() as running:
        # Django refuses rows to a thread with an event loop unless told.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield running
        # Beside an event loop Django had a connection of its own: PostgreSQL drops no database that is still in use.
        connections.close_all()
