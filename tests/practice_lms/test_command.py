"""The command `practice-lms`: starting, info, and the demo course."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.practice_lms.running import PracticeLms, run_command

SEED: dict[str, Any] = {
    "launch_url": "http://127.0.0.1:8000/lti/launch",
    "login_url": "http://127.0.0.1:8000/lti/login",
    "redirect_url": "http://127.0.0.1:8000/lti/launch",
    "keyset_url": "http://127.0.0.1:8000/lti/keys",
    "key": "the-key",
    "secret": "the-secret",
    "client_id": "the-client",
    "deployment_id": "7",
    "links": [
        {"title": "Operators", "url": "http://127.0.0.1:8000/lti/a/1", "version": "1.1", "points": 25},
        {"title": "Loops", "url": "http://127.0.0.1:8000/lti/a/2", "version": "1.3", "points": 10},
        {"title": "Notes", "url": "http://127.0.0.1:8000/lti/a/3", "version": "1.3", "points": None},
    ],
}


def seed(data: Path, values: dict[str, Any]) -> None:
    """Seed the folder with these values."""
    path = data / "seed.json"
    path.write_text(json.dumps(values))
    done = run_command("seed", "--courseway-json", str(path), data=data)
    assert done.returncode == 0, done.stderr


def test_info_is_there_before_the_first_start(tmp_path: Path) -> None:
    """`info` names issuer, addresses and ids at once, and the same ones when asked again."""
    first = run_command("info", "--json", "--public-url", "http://localhost:8123/", data=tmp_path)
    second = run_command("info", "--json", data=tmp_path)
    described = json.loads(first.stdout)
    assert described == json.loads(second.stdout)
    assert described["issuer"] == "http://localhost:8123"
    assert described["auth_url"] == "http://localhost:8123/lti/auth"
    assert described["token_url"] == "http://localhost:8123/lti/token"
    assert described["keyset_url"] == "http://localhost:8123/lti/keys"
    assert described["client_id"]
    assert described["deployment_id"] == "1"


def test_seed_makes_the_demo_course(tmp_path: Path) -> None:
    """The demo course holds the links of the file, each by its version; seeding again changes and doubles nothing."""
    seed(tmp_path, SEED)
    changed = {**SEED, "secret": "new-secret", "links": [{**SEED["links"][0], "points": 30}, *SEED["links"][1:]]}
    seed(tmp_path, changed)
    lms = PracticeLms(tmp_path)
    try:
        tools = {tool["id"]: tool for tool in lms.get("tools")}
        assert sorted(tool["version"] for tool in tools.values()) == ["1.1", "1.3"]
        assert [tool["secret"] for tool in tools.values() if tool["version"] == "1.1"] == ["new-secret"]
        [course] = lms.get("courses")
        assert course["title"] == "Introduction to programming"
        shown = [
            (link["title"], tools[link["tool_id"]]["version"], (link["line_item"] or {}).get("score_maximum"))
            for link in lms.get("links", course=course["id"])
        ]
        assert shown == [("Operators", "1.1", "30"), ("Loops", "1.3", "10"), ("Notes", "1.3", None)]
        assert len(lms.get("people")) == 8
        assert (lms.get("info")["client_id"], lms.get("info")["deployment_id"]) == ("the-client", "7")
    finally:
        lms.stop()


def test_seed_of_a_running_lms_is_seen(lms: PracticeLms, tmp_path: Path) -> None:
    """`serve` and `seed` share the folder: what is seeded while the LMS runs is there at once."""
    running = PracticeLms(tmp_path)
    try:
        assert running.get("tools") == []
        seed(tmp_path, SEED)
        assert len(running.get("tools")) == 2
        assert running.get("info")["issuer"] == running.url, "seeding leaves the address alone"
    finally:
        running.stop()


def test_fresh_begins_anew(tmp_path: Path) -> None:
    """Data outlives a restart, until `--fresh`."""
    first = PracticeLms(tmp_path)
    course = first.add_course()
    first.stop()
    second = PracticeLms(tmp_path)
    assert course in [one["id"] for one in second.get("courses")]
    second.stop()
    third = PracticeLms(tmp_path, "--fresh")
    try:
        assert course not in [one["id"] for one in third.get("courses")]
    finally:
        third.stop()


def test_public_url_is_the_issuer(tmp_path: Path) -> None:
    """Behind another address, everything that is handed out names that address."""
    lms = PracticeLms(tmp_path, "--public-url", "https://lms.example/")
    try:
        assert lms.get("info")["token_url"] == "https://lms.example/lti/token"
        page = lms.http.get("/.well-known/openid-configuration", headers={"Host": "lms.example"})
        assert page.json()["issuer"] == "https://lms.example"
    finally:
        lms.stop()
    done = run_command("serve", "--port", "0", "--public-url", "https://lms.example/below", data=tmp_path)
    assert (done.returncode, "no path" in done.stderr) == (1, True)


def test_other_networks_are_not_served(tmp_path: Path) -> None:
    """The LMS has no passwords, so it refuses to listen on anything but this machine."""
    done = run_command("serve", "--host", "0.0.0.0", "--port", "0", data=tmp_path)  # noqa: S104 - it is refused
    assert done.returncode == 1
    assert "serves this machine alone" in done.stderr
    assert "Traceback" not in done.stderr


def test_taken_port_is_named(lms: PracticeLms, tmp_path: Path) -> None:
    """A port that is in use is said in one line."""
    done = run_command("serve", "--port", lms.url.rpartition(":")[2], data=tmp_path)
    assert done.returncode == 1
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("seed", "--courseway-json", "/no/such/file"),
        ("tool", "add", '{"version": "1.1"}'),
        ("tool", "add", "no json"),
        ("fault", '{"kind": "explode"}'),
    ],
    ids=str,
)
def test_mistakes_are_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A caller's mistake is one line and exit code 1."""
    done = run_command(*arguments, data=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("practice-lms: ")
    assert len(done.stderr.splitlines()) == 1


def test_tools_and_faults_by_command(tmp_path: Path) -> None:
    """Tools and faults can be ordered without a running LMS."""
    tool = {"version": "1.1", "title": "T", "launch_url": "https://t.example/", "key": "k", "secret": "s"}
    added = run_command("tool", "add", json.dumps(tool), "--json", data=tmp_path)
    assert json.loads(added.stdout)["key"] == "k"
    ordered = run_command("fault", '{"service": "scores", "status": 503, "count": 1}', "--json", data=tmp_path)
    assert [fault["status"] for fault in json.loads(ordered.stdout)] == [503]
    assert json.loads(run_command("fault", "clear", "--json", data=tmp_path).stdout) == []


def test_nothing_of_the_tool_is_imported() -> None:
    """The practice LMS shares no code with the product it tests."""
    folder = Path(__file__).parents[2] / "src" / "practice_lms"
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import ltikit" not in text, path
        assert "from ltikit" not in text, path
        assert "import courseway" not in text, path
        assert "from courseway" not in text, path
