"""One practice LMS for all tests of this folder; each test makes its own course, people and tools in it."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.practice_lms.running import KeysetServer, PracticeLms, Tool11, Tool13, public_trust

Switch = Callable[..., None]
"""Switches quirks of a profile: `quirks("canvas", C3=False)`."""


@pytest.fixture(scope="session")
def running_lms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeLms]:
    """The process."""
    lms = PracticeLms(tmp_path_factory.mktemp("practice-lms"))
    yield lms
    lms.stop()


@pytest.fixture
def lms(running_lms: PracticeLms) -> Iterator[PracticeLms]:
    """The process, without faults and without anybody's cookies."""
    running_lms.http.cookies.clear()
    yield running_lms
    running_lms.post("faults", clear=True)


@pytest.fixture(scope="session")
def keyset() -> Iterator[KeysetServer]:
    """Where the tool's side publishes its keys."""
    server = KeysetServer()
    yield server
    server.stop()


@pytest.fixture
def course(lms: PracticeLms) -> str:
    """A course for one test."""
    return lms.add_course()


@pytest.fixture
def student(lms: PracticeLms, course: str) -> str:
    """A student of that course."""
    return lms.add_person(course)


@pytest.fixture
def tool11(lms: PracticeLms) -> Tool11:
    """A tool by LTI 1.1."""
    return Tool11(lms)


@pytest.fixture
def tool13(lms: PracticeLms, keyset: KeysetServer) -> Tool13:
    """A tool by LTI 1.3."""
    return Tool13(lms, keyset)


@pytest.fixture
def browser(lms: PracticeLms) -> Iterator[httpx2.Client]:
    """A browser of its own, that follows redirects."""
    trust = public_trust()
    with httpx2.Client(base_url=lms.url, follow_redirects=True, trust_env=False, timeout=30, verify=trust) as client:
        yield client


@pytest.fixture
def quirks(lms: PracticeLms) -> Iterator[Switch]:
    """A function that switches quirks of a profile; afterwards all is as it was."""

    def switch(profile: str, **wishes: bool) -> None:
        lms.post("profiles", profile=profile, quirks=wishes)

    yield switch
    lms.post("profiles", use="practice", reset=True)
