from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _no_remembered_tries() -> Iterator[None]:
    """Limits on sign-in tries are kept in the cache; each test begins without any."""
    cache.clear()
    yield
    cache.clear()
