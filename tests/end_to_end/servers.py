"""An installation of Courseway and a practice LMS as processes of their own, on throw-away folders.

Both end with their block, whatever happened in it. Commands of `courseway` run in one process that stays, since
starting Python for each of a hundred commands would take longer than the tests.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from courseway.supervise import die_with
from tests.end_to_end.demo import EXAMPLE, free_port
from tests.migrated import lay_migrated_database
from tests.practice_lms.running import PracticeLms

START_SECONDS = 90
STOP_SECONDS = 30
SOURCE = Path(__file__).parents[2] / "src"
LOOPBACK = "127.0.0.0/8,::1/128"
_PROGRAM = [sys.executable, "-W", "ignore", "-P"]
_CONSOLE = """
import io, json, sys, traceback
from contextlib import redirect_stderr, redirect_stdout
from courseway.cli import main

for line in sys.stdin:
    said, refused = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(refused):
        try:
            status = main(json.loads(line))
        except SystemExit as end:
            status = end.code
        except Exception:
            status = -1
            traceback.print_exc()
    print(json.dumps([status, said.getvalue(), refused.getvalue()]), flush=True)
"""


@dataclass
class Courseway:
    """A served installation: `url` is its PUBLIC_URL, `local` where the process itself listens."""

    url: str
    local: str
    folder: Path
    environment: Mapping[str, str]
    console: subprocess.Popen[str]
    owner_cookies: list[Any] = field(default_factory=list)
    """Of a browser in which the owner signed in."""

    def run(self, *words: str) -> Any:
        """The JSON answer of a command."""
        assert self.console.stdin is not None
        assert self.console.stdout is not None
        self.console.stdin.write(json.dumps([*words, "--json"]) + "\n")
        self.console.stdin.flush()
        status, said, refused = json.loads(self.console.stdout.readline())
        assert status == 0, f"courseway {' '.join(words)}: {refused}"
        return json.loads(said)

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")


@dataclass
class Stand:
    """Courseway with one organization, and a practice LMS; `info` is what its tools have to know about it."""

    courseway: Courseway
    lms: PracticeLms
    org: str
    info: dict[str, str]

    def add_key(self, name: str, **values: Any) -> dict[str, Any]:
        """An LTI 1.1 key and its tool in the LMS. `values` are further ones of the tool."""
        key = self.courseway.run("key", "create", "--org", self.org, "--name", name)
        wanted = {"title": name, "launch_url": key["launch_url"], **values}
        return {**key, "tool": self.lms.post("tools", version="1.1", key=key["key"], secret=key["secret"], **wanted)}

    def add_registration(self, name: str, *, audience: str = "", **values: Any) -> dict[str, Any]:
        """A registration and its tool by LTI 1.3 in the LMS. `values` are further ones of the tool."""
        client = f"client-{secrets.token_hex(4)}"
        urls = [word for one in ("auth", "token", "keyset") for word in (f"--{one}-url", self.info[f"{one}_url"])]
        added = self.courseway.run(
            *("platform", "add", "--org", self.org, "--name", name, "--issuer", self.info["issuer"]),
            *("--client-id", client, *urls, *(("--audience", audience) if audience else ())),
        )
        wanted = {"title": name, "launch_url": added["launch_url"], "redirect_urls": [added["redirect_url"]], **values}
        ours = {one: added[one] for one in ("login_url", "keyset_url")}
        return {**added, "tool": self.lms.post("tools", version="1.3", client_id=client, **ours, **wanted)}

    def read_percent(self, course: str, person: str, title: str) -> Decimal | None:
        """What the gradebook of an LMS course holds; None for no grade."""
        for one in self.lms.get("gradebook", course=course)["grades"]:
            if (one["person"], one["title"]) == (person, title) and one["score"] is not None:
                return Decimal(one["score"]) / Decimal(one["score_maximum"]) * 100
        return None

    def wait_for_percent(self, course: str, person: str, title: str, percent: Decimal, *, seconds: float = 30) -> None:
        """Waits until the LMS holds this grade."""
        give_up_at = time.monotonic() + seconds
        while (held := self.read_percent(course, person, title)) is None or abs(held - percent) > Decimal("0.01"):
            if time.monotonic() > give_up_at:
                owed = self.courseway.run("deliveries", "--org", self.org)
                raise AssertionError(f"{course} holds {held} % for {title!r}, not {percent:.4g} %: {owed[:3]}")
            time.sleep(0.1)

    def import_example(self, *settings: str, teacher: str = "") -> dict[str, Any]:
        """The example course with LTI enabled and these settings; `teacher` is the e-mail of whose course it is."""
        words = ("--teacher", teacher) if teacher else ()
        made = self.courseway.run("course", "import", str(EXAMPLE.parent), "--org", self.org, *words)
        return dict(self.courseway.run("course", "set", made["id"], "lti_enabled=true", *settings))


OWNER = "owner@school.example"
PASSWORD = "correct horse battery"


@contextmanager
def run_stand(folder: Path, *, public_url: str = "", port: int = 0, trusted: Path | None = None) -> Iterator[Stand]:
    """Courseway on 127.0.0.1 and the practice LMS on localhost: two hosts, because cookies do not tell ports apart.

    `trusted` is a certificate that the LMS shall believe.
    """
    with ExitStack() as stack:
        courseway = stack.enter_context(run_courseway(folder / "courseway", public_url=public_url, port=port))
        lms = PracticeLms(folder / "practice-lms", **({"PRACTICE_LMS_CA_FILE": str(trusted)} if trusted else {}))
        stack.callback(lms.stop)
        made = courseway.run("org", "create", "--name", "North School", "--owner", OWNER)
        yield Stand(courseway, lms, made["org"], lms.get("info"))


@contextmanager
def run_courseway(folder: Path, *, public_url: str = "", port: int = 0, workers: int = 1) -> Iterator[Courseway]:
    """Migrated and served, ready when the block begins. The first owner's password is PASSWORD."""
    folder.mkdir(parents=True)
    port = port or free_port()
    local = f"http://127.0.0.1:{port}"
    url = public_url or local
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COURSEWAY_", "DJANGO_"))},
        "PYTHONPATH": str(SOURCE),
        "COURSEWAY_DATA_DIR": str(folder / "data"),
        "COURSEWAY_PUBLIC_URL": url,
        "COURSEWAY_ALLOWED_PRIVATE_NETWORKS": LOOPBACK,
        "COURSEWAY_OWNER_PASSWORD": PASSWORD,
    }
    with ExitStack() as stack:
        made = Courseway(url, local, folder, environment, stack.enter_context(run_console(environment)))
        lay_migrated_database(folder / "data" / "courseway.sqlite3", lambda: made.run("migrate"))
        serve = ["serve", "--port", str(port), "--workers", str(workers)]
        process = stack.enter_context(run_program(serve, environment, log=folder / "serve.log"))
        wait_until_ready(f"{local}{path_of(url)}/readyz", process, made)
        yield made


@contextmanager
def run_console(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that runs commands of `courseway`, one for each line."""
    parent = os.getpid()
    with subprocess.Popen(
        [*_PROGRAM, "-c", _CONSOLE],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: die_with(parent),
    ) as console:
        try:
            yield console
        finally:
            console.kill()


@contextmanager
def run_program(words: list[str], environment: Mapping[str, str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`courseway` with these words, in a process group of its own, ended with the block."""
    parent = os.getpid()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_PROGRAM, "-m", "courseway", *words],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )
    try:
        yield process
    finally:
        stop(process)


def path_of(url: str) -> str:
    """The path of a base address; nothing for one without."""
    return "/" + url.split("/", 3)[3].rstrip("/") if url.count("/") > 2 else ""


def wait_until_ready(url: str, process: subprocess.Popen[bytes], courseway: Courseway) -> None:
    opener = build_opener(ProxyHandler({}))
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, courseway.log
        try:
            with opener.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            pass
        assert time.monotonic() < give_up_at, f"{url} does not answer.\n{courseway.log}"
        time.sleep(0.1)


def wait_for(ask: Callable[[], Any], *, seconds: float = 30) -> Any:
    """What `ask` answers, as soon as that is something."""
    give_up_at = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    return found


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that leads a group, and whatever is left of its group."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
