from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.courseway.events.receiver import Receiver, run_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running
