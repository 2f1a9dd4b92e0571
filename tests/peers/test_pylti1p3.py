"""pylti1p3, a tool library of other people, as a tool of the practice LMS by LTI 1.3."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.peers.conftest import Sightings
from tests.peers.environment import EnvironmentNotMadeError, make_environment
from tests.peers.installation import find_port
from tests.peers.tools import ToolStand, run_tool

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, sightings: Sightings) -> Iterator[ToolStand]:
    """The tool, started in its own environment; a run without one fails and says why."""
    requirements = HERE / "requirements-pylti1p3.txt"
    try:
        python = make_environment("pylti1p3", requirements)
    except EnvironmentNotMadeError as error:
        pytest.fail(f"pylti1p3 could not be installed: {error}", pytrace=False)
    port = find_port()
    folder = tmp_path_factory.mktemp("pylti1p3")
    command = (str(python), "-W", "ignore", str(HERE / "pylti1p3_tool.py"))
    with run_tool(folder, command, os.environ, wish={}, port=port) as made:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/about", timeout=10) as answer:
            versions = json.load(answer)
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        sightings.peers.append(f"tool of the practice LMS: {named}")
        pinned = f"\n{requirements.read_text().lower()}"
        assert all(f"\n{name.lower()}=={version} " in pinned for name, version in versions.items())
        yield made


def test_launches(stand: ToolStand, sightings: Sightings) -> None:
    """A student and a teacher are launched; the tool sees who they are, where, and the custom parameters."""
    link = stand.place(custom={"colour": "green", "do": ""})
    for person, is_teacher in ((stand.students[0], False), (stand.teacher, True)):
        said = stand.launch(person, link)
        assert (said["user"], said["context"], said["link"]) == (person, stand.course, link)
        assert (said["is_teacher"], said["is_student"]) == (is_teacher, not is_teacher)
        assert said["custom"]["colour"] == "green"
        assert said["email"] == "zoe@practice.example"
    sightings.note("pylti1p3: LTI 1.3 launches, student and teacher", "accepted, roles and custom parameters read")


def test_what_the_tool_refuses(stand: ToolStand, sightings: Sightings) -> None:
    """The tool checks what our LMS signs: with another key or another deployment it does not let anybody in."""
    link = stand.place()
    for name, overrides in (
        ("a key never published", {"foreign_key": True}),
        ("another nonce", {"claims": {"nonce": "another"}}),
        ("another deployment", {"claims": {f"{CLAIM}deployment_id": "another"}}),
    ):
        with pytest.raises(AssertionError, match="/launch 403 "):
            stand.launch(stand.students[0], link, overrides=overrides)
        sightings.note(f"pylti1p3: launch with {name}", "refused by pylti1p3")


CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"


def test_grades(stand: ToolStand, sightings: Sightings) -> None:
    """The tool sends a score into the link's column and reads the result; the gradebook shows it."""
    link = stand.place(custom={"do": "score", "points": "15"})
    (result,) = stand.launch(stand.students[0], link)["done"]["score"]["results"]
    assert stand.score_of(stand.students[0], link) == 15
    assert (result["userId"], result["resultScore"], result["resultMaximum"]) == (stand.students[0], 15, 20)
    assert stand.score_of(stand.students[1], link) is None
    sightings.note("pylti1p3: score and result by AGS", "15 of 20 in the gradebook, and read back")


def test_columns(stand: ToolStand, sightings: Sightings) -> None:
    """The tool makes a column of its own once, and finds it by its tag."""
    done = stand.launch(stand.teacher, stand.place(custom={"do": "column"}))["done"]["column"]
    assert done == {"is_same": True, "label": "Made by pylti1p3"}
    sightings.note("pylti1p3: line item made, found by tag, read", "one column")


def test_roster(stand: ToolStand, sightings: Sightings) -> None:
    """The tool reads who is in the course, with roles, however many pages there are."""
    stand.lms.post("people", count=30, course=stand.course)
    members = stand.launch(stand.teacher, stand.place(custom={"do": "roster"}))["done"]["roster"]
    known = {one["user_id"] for one in members}
    assert {stand.teacher, *stand.students} <= known
    assert len(members) == len(known) == 33
    sightings.note("pylti1p3: roster by NRPS", f"{len(members)} members")


def test_groups(stand: ToolStand, sightings: Sightings) -> None:
    """The tool reads the groups of the course, and those of one person."""
    one, other = stand.students
    stand.lms.post("groups", course=stand.course, name="Monday", set="Labs", people=[one])
    stand.lms.post("groups", course=stand.course, name="Friday", set="Labs", people=[other])
    done = stand.launch(one, stand.place(custom={"do": "groups"}))["done"]["groups"]
    assert {group["name"] for group in done["all"]} == {"Monday", "Friday"}
    assert [group["name"] for group in done["own"]] == ["Monday"]
    sightings.note("pylti1p3: Course Groups", "all, and one's own")


def test_submission_review(stand: ToolStand, sightings: Sightings) -> None:
    """A teacher opens a student's work from the gradebook: the tool is told who looks, and whose work it is."""
    link = stand.place()
    wish = {"placement": "review", "for": stand.students[0]}
    said = stand.launch(stand.teacher, link, **wish)
    assert (said["user"], said["for"]) == (stand.teacher, stand.students[0])
    assert "for" not in stand.launch(stand.teacher, link)
    sightings.note("pylti1p3: Submission Review", "told who looks and whose work it is")


def test_deep_linking(stand: ToolStand, sightings: Sightings) -> None:
    """The tool answers a deep linking request with two graded links; each opens and takes its grade."""
    selection = stand.select(stand.teacher)
    assert selection["state"] == "answered"
    assert len(selection["links"]) == 2
    for number, link in enumerate(map(str, selection["links"]), start=1):
        stand.launch(stand.students[1], link)
        assert stand.score_of(stand.students[1], link) == number * 5
    sightings.note("pylti1p3: two links by Deep Linking, a grade for each", "5 and 10 of 20")
