"""One installation and one practice LMS for all tests that only need a course of their own in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.servers import Stand, run_stand


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those tests stand together at the beginning, and so do those of a broker: one process of a parallel run has them
    all, with one stand, since what its idle neighbours take over comes from the end."""
    items.sort(key=lambda item: {"stand", "broker"}.isdisjoint(getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with run_stand(tmp_path_factory.mktemp("stand")) as running:
        yield running
