from __future__ import annotations

import pytest
from hypothesis import settings

from courseway.lms import platforms
from tests.cast import Cast, make_cast

# No time limit per example: a busy machine is not a broken rule. pytest's own time limit still holds.
settings.register_profile("courseway", deadline=None)
settings.load_profile("courseway")


@pytest.fixture
def cast(db: None) -> Cast:
    platforms.forget_all()  # each test has a database of its own, whose rows take the numbers of earlier ones
    return make_cast()
