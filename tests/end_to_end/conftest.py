"""One installation and one practice LMS for all tests that only need a course of their own in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.servers import Stand, run_stand


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with run_stand(tmp_path_factory.mktemp("stand")) as running:
        yield running
