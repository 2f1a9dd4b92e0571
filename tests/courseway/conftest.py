from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from courseway.grades import tokens
from courseway.lms import platforms, tool_keys
from ltikit.v13.keys import PrivateKey, generate_private_key
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school13, run_practice_lms
from tests.practice_lms.running import PracticeLms

_key_pairs: list[PrivateKey] = []
_read_once = cache(PrivateKey.from_pem)


@pytest.fixture(autouse=True)
def key_pairs_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key pairs take a tenth of a second to make and half of that to read. Each test gets real ones, different from
    each other, that an earlier test has had too."""
    taken = iter(range(10_000))

    def take() -> PrivateKey:
        number = next(taken)
        if number == len(_key_pairs):
            _key_pairs.append(generate_private_key())
        return _key_pairs[number]

    monkeypatch.setattr(tool_keys, "generate_private_key", take)
    monkeypatch.setattr(PrivateKey, "from_pem", _read_once)


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
