"""The command as a real program, on an installation of its own: starting, checking, serving, stopping."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.migrated import lay_migrated_database

# Each run makes a database of its own, so that once is enough.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Installation:
    """A data folder and an environment without any settings of whoever runs the tests."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        ours = ("COURSEWAY_", "DJANGO_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        own = {"COURSEWAY_DATA_DIR": str(self.folder), "PYTHONPATH": str(ROOT / "src")}
        return {**inherited, **own, **self.settings}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), env=self.environ, capture_output=True, text=True, check=False)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words), env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def migrate(self) -> None:
        lay_migrated_database(self.folder / "courseway.sqlite3", lambda: self.run("migrate"))

    @staticmethod
    def command(*words: str) -> list[str]:
        return [sys.executable, "-W", "ignore", "-P", "-m", "courseway", *words]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status, json.loads(answer.read())


def test_a_new_installation_is_led_to_its_first_organization(installation: Installation) -> None:
    """Without a migrated database everything but `migrate` names that remedy in one line; then it works.

    The key of the installation is made on the way, once, and only its owner may read it.
    """
    make = ("org", "create", "--name", "A", "--owner", "a@b.example")
    for words in (make, ("serve",)):
        ended = installation.run(*words)
        assert ended.returncode == 1
        assert ended.stderr == (
            "courseway: The database is not migrated to this version. Run `courseway migrate`.\n"
        ), ended.stderr
    file = installation.folder / "secret_key"
    key = file.read_text()
    assert len(key) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    # Whoever reads the answer may hang up, as `head` does.
    shell = " ".join(f"'{word}'" for word in installation.command("migrate", "--json")) + " | true"
    ended = subprocess.run(["sh", "-c", shell], env=installation.environ, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert installation.run(*make).returncode == 0
    assert file.read_text() == key


def test_check_is_content_with_defaults_and_says_where_mail_is(installation: Installation) -> None:
    """Nothing has to be set; `check` is content, and tells where mail is kept."""
    ended = installation.run("check", "--json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["ok"]) == (0, True)
    assert any("mail" in problem["message"].lower() for problem in document["problems"])


def test_check_names_every_wrong_setting_at_once(installation: Installation) -> None:
    """Each wrong setting has an id and a hint, a misspelled one the right name; other commands refuse."""
    installation.settings = {
        "COURSEWAY_PUBLIC_URL": "courses.example.edu",
        "COURSEWAY_DATABASE_URL": "mysql://localhost/courses",
        "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": "10.0.0.0/8,home",
        "COURSEWAY_TIME_ZONE": "Middle/Earth",
        "COURSEWAY_EMAIL_URL": "pigeon://loft",
        "COURSEWAY_EMAIL_FROM": "nobody",
        "COURSEWAY_LOG_LEVEL": "chatty",
        "COURSEWAY_TASKS_URL": "kafka://queue",
        "COURSEWAY_PUBIC_URL": "https://courses.example.edu",
    }
    ended = installation.run("check", "--json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["ok"]) == (1, False)
    problems = {problem["id"]: problem for problem in document["problems"]}
    expected = {"E001", "E003", "E005", "E006", "E007", "E008", "E009", "E010", "E011", "W003"}
    assert {f"courseway.{one}" for one in expected} <= set(problems)
    assert all(problem["hint"] for name, problem in problems.items() if name.startswith("courseway."))
    assert "COURSEWAY_PUBLIC_URL" in problems["courseway.W003"]["hint"]
    refused = installation.run("migrate")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr


def test_a_secret_may_stand_in_a_file(installation: Installation, tmp_path: Path) -> None:
    """NAME_FILE is read without the line break at its end; a file that is not there is named in one line."""
    file = tmp_path / "key"
    file.write_text("k" * 40 + "\n")
    installation.settings = {"COURSEWAY_SECRET_KEY_FILE": str(file)}
    show = [sys.executable, "-c", "from courseway import settings; print(settings.SECRET_KEYS)"]
    shown = subprocess.run(show, env=installation.environ, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(["k" * 40])
    assert not (installation.folder / "secret_key").exists()
    installation.settings = {"COURSEWAY_SECRET_KEY_FILE": str(tmp_path / "missing")}
    ended = installation.run("migrate")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "COURSEWAY_SECRET_KEY_FILE" in ended.stderr


def test_a_database_that_does_not_answer_is_a_refusal(installation: Installation) -> None:
    """An unreachable server is one line for a command, and a problem for `check`."""
    installation.settings = {
        "COURSEWAY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/courses",
        "COURSEWAY_SECRET_KEY": "k" * 40,
    }
    ended = installation.run("migrate")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert "does not answer" in ended.stderr
    document = json.loads(installation.run("check", "--json").stdout)
    assert "courseway.E020" in [problem["id"] for problem in document["problems"]]


def test_django_commands_stay_reachable(installation: Installation) -> None:
    """`courseway manage` runs Django's own commands with our settings."""
    ended = installation.run("manage", "diffsettings", "--all")
    assert ended.returncode == 0
    assert "courseway.urls" in ended.stdout


def test_a_command_loads_nothing_that_it_does_not_need(installation: Installation) -> None:
    """The queue of hints, drivers of servers and the web's code are loaded by those alone who use them: they would be
    a third of a command's start."""
    start = "from courseway.cli.start import set_up_django; set_up_django(); import sys; print(*sys.modules)"
    command = [sys.executable, "-c", start]
    started = subprocess.run(command, env=installation.environ, capture_output=True, text=True, check=True)
    assert not {"huey", "redis", "psycopg", "granian", "httpcore2", "courseway.urls"} & set(started.stdout.split())


def test_serve_answers_and_ends_with_all_its_children(installation: Installation) -> None:
    """`serve` answers with web and worker; SIGTERM ends it in order, and its port is free again."""
    port = find_port()
    installation.settings = {"COURSEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    installation.migrate()
    server = installation.start("serve", "--port", str(port))
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}/readyz")
        assert get(f"http://127.0.0.1:{port}/healthz") == (200, {"ok": True})
        busy = installation.run("serve", "--port", str(port))
        assert busy.returncode == 1
        assert f"127.0.0.1:{port} cannot be used" in busy.stderr
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.communicate()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.mark.parametrize("path", ["", "/campus/courseway"])
def test_pages_bring_their_styles_and_scripts(installation: Installation, path: str) -> None:
    """Below a path too: every file that a page names is there, as what it is, and kept for long."""
    port = find_port()
    base = f"http://127.0.0.1:{port}"
    installation.settings = {"COURSEWAY_PUBLIC_URL": base + path}
    installation.migrate()
    server = installation.start("serve", "--port", str(port), "--no-worker", "--workers", "1")
    try:
        wait_until_ready(server, f"{base}{path}/readyz")
        with urllib.request.urlopen(f"{base}{path}/account/login/", timeout=10) as answer:
            page = answer.read().decode()
        files = re.findall(r'(?:href|src)="([^"]+\.(?:css|js|svg))"', page)
        kinds = set()
        for file in files:
            assert file.startswith(f"{path}/static/")
            with urllib.request.urlopen(base + file, timeout=10) as answer:
                kinds.add(answer.headers.get_content_type())
                assert "immutable" in answer.headers["Cache-Control"]
        assert kinds == {"text/css", "text/javascript", "image/svg+xml"}
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)


def test_the_demo_takes_nothing_that_is_not_its_own(installation: Installation, tmp_path: Path) -> None:
    """A port that is taken, one port for both, or a folder of something else: one line, and nothing is removed."""
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("Dear reader")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy, free = str(taken.getsockname()[1]), str(find_port())
        demo = ("demo", "--data", str(folder), "--fresh")
        for words, expected in (
            (("--port", busy, "--lms-port", free), f"127.0.0.1:{busy} cannot be used"),
            (("--port", free, "--lms-port", free), "different ports"),
            (("--port", free, "--lms-port", str(find_port())), "not the folder of a demo"),
        ):
            ended = installation.run(*demo, *words)
            assert ended.returncode == 1
            assert ended.stderr.count("\n") == 1, ended.stderr
            assert expected in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def wait_until_ready(server: subprocess.Popen[str], url: str) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        assert server.poll() is None, server.communicate()[0]
        try:
            get(url)
            return
        except OSError:
            assert time.monotonic() < give_up_at, "it does not answer"
            time.sleep(0.1)
