"""`lti`, a library of other people, as an LTI 1.0 tool of the practice LMS: launches, and grades by Basic Outcomes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.peers.conftest import Sightings
from tests.peers.environment import EnvironmentNotMadeError, make_environment
from tests.peers.installation import find_port, stop, wait_until_answering
from tests.peers.tools import ToolStand
from tests.practice_lms.running import PracticeLms

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
KEY, SECRET = "key-of-the-peer", "secret & of the peer"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, sightings: Sightings) -> Iterator[ToolStand]:
    """The tool, started in its own environment; a run without one fails and says why."""
    try:
        python = make_environment("lti", HERE / "requirements-lti.txt")
    except EnvironmentNotMadeError as error:
        pytest.fail(f"lti could not be installed: {error}", pytrace=False)
    folder = tmp_path_factory.mktemp("lti-tool")
    port, log = find_port(), folder / "tool.log"
    base = f"http://127.0.0.1:{port}"
    lms = PracticeLms(folder / "lms")
    try:
        with log.open("wb") as output:
            program = [str(python), "-W", "ignore", str(HERE / "tool_of_lti10.py")]
            command = [*program, "--port", str(port), "--key", KEY, "--secret", SECRET]
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until_answering(process, f"{base}/about", log)
            with build_opener(ProxyHandler({})).open(f"{base}/about", timeout=10) as answer:
                named = ", ".join(f"{name} {version}" for name, version in json.load(answer).items())
            sightings.peers.append(f"tool of the practice LMS by LTI 1.0: {named}")
            known = {"title": "A tool of LTI 1.0", "version": "1.1", "key": KEY, "secret": SECRET}
            tool = lms.post("tools", **known, launch_url=f"{base}/launch")
            course = lms.add_course()
            people = [lms.add_person(course, role) for role in ("teacher", "learner", "learner")]
            yield ToolStand(lms, tool["id"], course, people[0], (people[1], people[2]), base)
        finally:
            stop(process)
    finally:
        lms.stop()


def test_launches(stand: ToolStand, sightings: Sightings) -> None:
    """A student and a teacher are launched; the library takes the signature and reads who they are."""
    link = stand.place(custom={"colour": "green"})
    for person, is_teacher in ((stand.students[0], False), (stand.teacher, True)):
        said = stand.launch(person, link)
        assert (said["user"], said["link"]) == (person, link)
        assert (said["is_teacher"], said["is_student"]) == (is_teacher, not is_teacher)
        assert said["custom"]["custom_colour"] == "green"
    sightings.note("lti: LTI 1.1 launches, student and teacher", "signature taken, roles read")


def test_what_the_tool_refuses(stand: ToolStand, sightings: Sightings) -> None:
    """The library checks what our LMS signs: changed after signing, or with another secret, nobody comes in."""
    link = stand.place()
    for overrides in ({"set_after_signing": {"roles": "Instructor"}}, {"secret": "another"}):
        with pytest.raises(AssertionError, match="/launch 401 "):
            stand.launch(stand.students[0], link, overrides=overrides)
    sightings.note("lti: changed after signing; another secret", "refused by lti")


def test_grades(stand: ToolStand, sightings: Sightings) -> None:
    """A score comes by replaceResult, is read by readResult and taken back by deleteResult."""
    link = stand.place(custom={"score": "0.75"})
    assert stand.launch(stand.students[0], link)["outcome"] == {"sent": "success", "read": "0.75"}
    assert stand.score_of(stand.students[0], link) == 15
    again = stand.place(custom={"score": "0.5", "takes_back": "yes"})
    done = stand.launch(stand.students[1], again)["outcome"]
    assert done == {"sent": "success", "read": "0.5", "deleted": "success"}
    assert stand.score_of(stand.students[1], again) is None
    sightings.note("lti: replaceResult, readResult, deleteResult", "15 of 20 in the gradebook, read back, taken back")
