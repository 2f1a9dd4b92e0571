"""Tools made with libraries of other people, each in its own environment, on the same server as Courseway."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.peers.environment import make_environment
from tests.peers.installation import find_port, stop, wait_until_answering

from benchmarks.driver import Tool
from benchmarks.platform import DEPLOYMENT, Platform, Visit
from benchmarks.processes import start_on_tool_cpu
from benchmarks.stands import (
    Database,
    granian_command,
    inherited_environment,
    run_courseway,
    run_floor,
    run_ltijs,
)

PEERS = Path(__file__).parent / "peers"
DJANGO_LTI_LOGIN = "/login/6b1a3c52-0a63-4f0e-8f3f-0d9c4a3f2b11"
Stand = Callable[[Path, Database, Platform], AbstractContextManager[list[Tool]]]


@dataclass(frozen=True)
class Peer:
    """A library: its name, which names its requirements too, and the file of the tool made with it."""

    name: str
    module: str
    package: str
    version: str
    login_path: str = "/login"
    login_again: str = ""
    has_database: bool = False


@contextmanager
def run_peer(folder: Path, database: Database, platform: Platform, *, peer: Peer) -> Iterator[list[Tool]]:
    """The tool made with the library, on one worker of the same server."""
    python = make_environment(f"benchmark-{peer.name}", PEERS / f"requirements-{peer.name}.txt")
    port, key, secret = find_port(), secrets.token_hex(8), secrets.token_hex(16)
    base, log = f"http://127.0.0.1:{port}", folder / f"{peer.module}.log"
    told = {"base": base, "platform": platform.about(), "deployment": DEPLOYMENT, "key": key, "secret": secret}
    told |= {"secret_key": secrets.token_hex(32), "socket": database.socket, "database": peer.module}
    environment = {**inherited_environment(), "PEER": json.dumps(told), "PYTHONPATH": str(PEERS)}
    if peer.has_database:
        database.make(peer.module)
        subprocess.run([python, str(PEERS / f"{peer.module}.py")], env=environment, check=True, cwd=folder)
    command = granian_command(f"{peer.module}:application", port, str(python))
    process = start_on_tool_cpu(command, environment, log, folder=folder)
    try:
        wait_until_answering(process, f"{base}/readyz", log)

        def shown(visit: Visit) -> bytes:
            return visit.user.encode()

        launch = "/launch" if peer.version == "1.3" else "/launch11"
        yield [
            Tool(
                name=_describe(peer),
                version=peer.version,
                port=port,
                base=base,
                login_path=peer.login_path,
                launch_path=launch,
                targets=(f"{base}{launch}",),
                root=process.pid,
                database_root=database.root,
                shown=shown,
                key=key,
                secret=secret,
                login_again=peer.login_again,
            )
        ]
    finally:
        stop(process)


def _describe(peer: Peer) -> str:
    lines = (PEERS / f"requirements-{peer.name}.txt").read_text().splitlines()
    pinned = next(line.split()[0] for line in lines if line.lower().startswith(f"{peer.package.lower()}=="))
    storage = "PostgreSQL" if peer.has_database else "no database"
    return f"{peer.package} {pinned.partition('==')[2]}, {storage}"


STANDS: dict[str, Stand] = {
    "courseway": run_courseway,
    "floor": run_floor,
    "bare": partial(run_floor, name="bare floor", module="bare_floor"),
    "ltijs": run_ltijs,
    "django-lti": partial(
        run_peer,
        peer=Peer(
            "django-lti",
            "with_django_lti",
            "django-lti",
            "1.3",
            login_path=DJANGO_LTI_LOGIN,
            login_again="lti1p3_new_window=1",
            has_database=True,
        ),
    ),
    "pylti1p3": partial(run_peer, peer=Peer("pylti1p3", "with_pylti1p3", "PyLTI1p3", "1.3")),
    "lti": partial(run_peer, peer=Peer("lti", "with_lti", "lti", "1.1")),
    "pylti": partial(run_peer, peer=Peer("pylti", "with_pylti", "PyLTI", "1.1")),
}


@contextmanager
def run_stands(names: Sequence[str], database: Database, platform: Platform) -> Iterator[list[Tool]]:
    """All that are wished for, at once: they are measured in turn, so that each sees the same machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="courseway-benchmark-")))
        yield [tool for name in names for tool in stack.enter_context(STANDS[name](folder, database, platform))]
