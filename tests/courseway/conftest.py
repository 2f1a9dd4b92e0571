from __future__ import annotations

from collections.abc import Iterator

import pytest

from courseway.grades import tokens
from courseway.lms import platforms
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school13, run_practice_lms
from tests.practice_lms.running import PracticeLms


@pytest.fixture(scope="session")
def running_practice_lms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeLms]:
    with run_practice_lms(tmp_path_factory.mktemp("practice-lms")) as lms:
        yield lms


@pytest.fixture
def practice_lms(running_practice_lms: PracticeLms) -> Iterator[PracticeLms]:
    """The practice LMS in a process of its own, without faults and quirks of an earlier test."""
    platforms.forget_all()  # rows of this test take the numbers of earlier ones
    tokens.forget_kept_tokens()
    yield running_practice_lms
    running_practice_lms.post("faults", clear=True)
    running_practice_lms.post("profiles", use="practice", reset=True)


@pytest.fixture
def school(practice_lms: PracticeLms, cast: Cast) -> Iterator[School]:
    """A course of the practice LMS, connected to Acme by LTI 1.3, that lists its members and groups."""
    with make_school13(practice_lms, cast.acme) as made:
        yield made
