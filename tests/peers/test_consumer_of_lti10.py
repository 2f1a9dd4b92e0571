"""`lti`, a consumer of LTI 1.0 of other people, launches Courseway and takes a grade."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.browser import Browser, Form, Page, hand_in
from tests.peers.conftest import Sightings
from tests.peers.environment import EnvironmentNotMadeError, make_environment
from tests.peers.installation import Installation, find_port, stop, wait_until_answering

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
QUESTIONS = [
    {"key": "sum", "kind": "choice", "text": "2 + 2?", "options": ["3", "4"], "answer": "4", "points": 15},
    {"key": "half", "kind": "number", "text": "1 / 2?", "answer": 0.5, "points": 5},
]
SOURCEDID = 'course & link:<7>:"user"\'s'
PARAMS = {
    "lti_message_type": "basic-lti-launch-request",
    "lti_version": "lti_1p0",
    "resource_link_id": "link-1",
    "context_id": "course-1",
    "context_title": "Ä & <B>",
    "user_id": "zoe",
    "roles": ["Learner"],
    "lis_person_name_full": "Zoë d'Arc",
    "lis_result_sourcedid": SOURCEDID,
}


@dataclass
class World:
    """The consumer, and Courseway with one assignment."""

    url: str
    courseway: Installation
    course: str
    assignment: dict[str, Any]
    key: dict[str, str]

    def ask(self, path: str, body: object = None) -> Any:
        """What the consumer says."""
        content = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{path}", content), timeout=30) as answer:
            return json.loads(answer.read())

    def launch(self, browser: Browser, *, secret: str = "", **changes: Any) -> Page:
        """A launch of the assignment as the library signs it."""
        told = {"lti_version": "LTI-1p0", "lis_outcome_service_url": f"{self.url}/outcomes", **changes}
        wish = {"key": self.key["key"], "secret": secret or self.key["secret"], "url": self.assignment["url"]}
        signed = self.ask("launch", {**wish, "params": {**PARAMS, **told}})
        fields = tuple((name, value) for name, value in signed.items())
        return browser.send(Form(self.assignment["url"], fields, is_hidden=True))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sightings: Sightings) -> Iterator[World]:
    """Both programs, started; a run without the consumer fails and says why."""
    requirements = HERE / "requirements-lti.txt"
    try:
        python = make_environment("lti", requirements)
    except EnvironmentNotMadeError as error:
        pytest.fail(f"lti could not be installed: {error}", pytrace=False)
    folder = tmp_path_factory.mktemp("lti")
    port, log = find_port(), folder / "consumer.log"
    with log.open("wb") as output:
        command = [str(python), "-W", "ignore", str(HERE / "consumer_of_lti10.py"), "--port", str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    courseway = Installation(folder)
    try:
        wait_until_answering(process, f"http://127.0.0.1:{port}/about", log)
        courseway.run("migrate")
        courseway.run("org", "create", "--name", "Polytechnic", "--owner", "olga@polytechnic.example")
        assignment = {"title": "Sums", "points": 20, "pages": [{"title": "Questions", "questions": QUESTIONS}]}
        text = {"title": "Interoperability", "modules": [{"title": "Week 1", "assignments": [assignment]}]}
        (folder / "course.yaml").write_text(json.dumps(text))  # JSON is YAML
        course = courseway.run("course", "import", str(folder / "course.yaml"), "--org", "polytechnic")
        courseway.run("course", "set", course["id"], "lti_enabled=true", "release_grades_automatically=true")
        key = courseway.run("key", "create", "--org", "polytechnic", "--name", "lti")
        courseway.start()
        made = World(f"http://127.0.0.1:{port}", courseway, course["id"], course["assignments"][0], key)
        versions = made.ask("about")
        sightings.peers.append("consumer of LTI 1.0: " + ", ".join(f"{name} {one}" for name, one in versions.items()))
        assert f"\nlti=={versions['lti']} " in f"\n{requirements.read_text()}"
        yield made
    finally:
        courseway.stop()
        stop(process)


def test_launches(world: World, sightings: Sightings) -> None:
    """A student's and a teacher's launch, signed by the library, land on the assignment in their roles."""
    for user, role, lands in (("zoe", "Learner", "student"), ("tess", "Instructor", "teacher")):
        with Browser() as browser:
            page = world.launch(browser, user_id=user, roles=[role])
        assert (page.marks["launch"], page.marks["role"]) == ("ok", lands), page.words
        assert page.marks["assignment"] == world.assignment["id"]
    sightings.note("lti: LTI 1.0 launches, student and teacher", "land on the assignment")


def test_what_we_refuse(world: World, sightings: Sightings) -> None:
    """A launch with another secret is refused with its code, and so is one of a version that does not exist."""
    with Browser() as browser:
        wrong = world.launch(browser, secret="another secret")
        odd = world.launch(browser, lti_version="lti_1p0")
    assert (wrong.status, wrong.marks["code"]) == (401, "bad_signature")
    assert (odd.status, odd.marks["code"]) == (400, "unsupported_version")
    sightings.note("lti: another secret; version lti_1p0", f"{wrong.marks['code']}; {odd.marks['code']}")


def test_the_grade_comes_back(world: World, sightings: Sightings) -> None:
    """The work handed in becomes a replaceResult that the library reads, with the sourcedid exactly as it was sent."""
    with Browser() as browser:
        hand_in(browser, world.launch(browser, user_id="zoe"), {"q-sum": "4", "q-half": "0.7"})
    give_up_at = time.monotonic() + 40
    while not (grades := world.ask("grades")):
        assert time.monotonic() < give_up_at, world.courseway.run("deliveries", "--org", "polytechnic")
        time.sleep(0.2)
    expected = {"operation": "replaceResult", "sourcedid": SOURCEDID, "score": "0.75", "is_signed": True}
    assert grades == [expected]
    sightings.note("lti: replaceResult", "0.75, sourcedid unaltered")
