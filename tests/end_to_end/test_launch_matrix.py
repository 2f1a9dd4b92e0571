"""Both versions, three places, cookies of third parties kept or blocked, three roles: every launch lands."""

from __future__ import annotations

import os

import pytest

from tests.end_to_end.chromium import find_chromium
from tests.end_to_end.launch_matrix import draw, run_matrix
from tests.end_to_end.servers import Stand

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium was found on this machine"),
]


def test_every_launch_of_the_matrix_lands(stand: Stand) -> None:
    """36 launches in Chromium end on the right assignment in the right role, without one error on the way."""
    found = run_matrix(stand)
    assert len(found) == 36
    assert not any(found.values()), draw(found)
