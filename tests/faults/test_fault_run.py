from __future__ import annotations

import pytest
from django.db import connection

from tests.depth import IS_DEEP
from tests.faults.__main__ import run_combination


@pytest.mark.django_db  # once on each kind of database, though on one of its own
@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.skipif(not IS_DEEP, reason="goes its way only in `make test-deep`; test_killed_workers.py goes some of it")
@pytest.mark.timeout(240)
def test_a_small_fault_run_loses_nothing() -> None:
    """50 grades over three LMSs change while workers are killed, the database restarts, the clock jumps and the LMSs
    fail in every way: what the LMSs hold in the end is what was wanted, or a person was told why not."""
    figures = run_combination(
        "postgres" if connection.vendor == "postgresql" else "sqlite",
        "huey",
        grades=50,
        platforms=3,
        seconds=90,
        kills=0.7,
        slowness=1,
    )
    assert figures is not None
    assert figures["kills"] > 0
    assert sum(figures["faults"].values()) > 10, "the LMSs were too kind for this test to mean much"
    assert (figures["lost"], figures["older_over_newer"], figures["unexplained"]) == (0, 0, 0), figures
    assert figures["is_good"], figures
