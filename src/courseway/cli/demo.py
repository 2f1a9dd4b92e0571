"""`courseway demo`: the whole main job on this machine, in one command.

Courseway and the practice LMS run on different hosts, 127.0.0.1 and localhost, because cookies do not tell ports apart.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from courseway.cli.answers import RefusedError

if TYPE_CHECKING:
    from courseway.cli.example import Notes

NOTES = "demo.json"
# Variables that say how things look; all others would make the demo touch something that is not the demo's.
KEPT = ("COURSEWAY_LANGUAGE", "COURSEWAY_TIME_ZONE", "COURSEWAY_LOG_LEVEL", "COURSEWAY_OWNER_PASSWORD")
START_SECONDS = 120.0
STOP_SECONDS = 15.0


def run_demo(wish: Namespace) -> int:
    from courseway.cli.start import refusing_plainly

    if wish.port == wish.lms_port:
        raise RefusedError("Courseway and the practice LMS need different ports: --port and --lms-port.")
    folder: Path = wish.data.resolve()
    public_url, lms_url = f"http://127.0.0.1:{wish.port}", f"http://localhost:{wish.lms_port}"
    _prepare_environment(folder, public_url)
    with refusing_plainly(), _hold_folder(folder):
        _refuse_busy_ports(wish)
        _prepare_folder(folder, is_fresh=wish.fresh)
        notes = _load(folder, lms_url)
        return _run(folder, wish, public_url, lms_url, notes)


def _prepare_environment(folder: Path, public_url: str) -> None:
    for name in [name for name in os.environ if name.startswith("COURSEWAY_") and name not in KEPT]:
        del os.environ[name]
    os.environ.update(
        COURSEWAY_DATA_DIR=str(folder),
        COURSEWAY_PUBLIC_URL=public_url,
        COURSEWAY_ALLOWED_PRIVATE_NETWORKS="127.0.0.0/8,::1/128",
    )


def _refuse_busy_ports(wish: Namespace) -> None:
    from courseway.cli.ports import refuse_busy_port

    refuse_busy_port("127.0.0.1", wish.port, flag="--port")
    refuse_busy_port("127.0.0.1", wish.lms_port, flag="--lms-port")


@contextmanager
def _hold_folder(folder: Path) -> Iterator[None]:
    """One demo at a time in a folder. The lock lies beside it, since `--fresh` removes the folder itself."""
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise RefusedError(f"{error.filename or folder} cannot be used: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RefusedError(f"Another demo is running in {folder}. Stop it, or choose another --data.") from None
        yield


def _prepare_folder(folder: Path, *, is_fresh: bool) -> None:
    """Never removes a folder that no demo has made."""
    try:
        if is_fresh and folder.exists() and any(folder.iterdir()):
            if not (folder / NOTES).exists():
                raise RefusedError(
                    f"{folder} is not the folder of a demo, so it is not removed. Choose another --data."
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(f"{error.filename or folder} cannot be used: {error.strerror}.") from None


def _load(folder: Path, lms_url: str) -> Notes:
    from courseway.cli.start import set_up_django

    set_up_django()
    from django.utils import timezone

    from courseway.cli.example import describe_for_lms, load_example
    from courseway.cli.processes import migrate

    _say("Preparing the database and the example …")
    migrate()
    lms = _ask_lms(folder, "info", "--json", "--public-url", lms_url)
    notes = load_example(folder / NOTES, lms, now=timezone.now())
    seed_file = folder / "practice-lms.json"
    seed_file.write_text(json.dumps(describe_for_lms(notes, lms)))
    seed_file.chmod(0o600)
    _ask_lms(folder, "seed", "--courseway-json", str(seed_file), "--public-url", lms_url, "--json")
    return notes


def _ask_lms(folder: Path, *words: str) -> dict[str, Any]:
    command = _program("practice_lms", *words, "--data", str(folder / "practice-lms"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RefusedError(f"The practice LMS cannot be prepared: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _program(module: str, *words: str) -> list[str]:
    # -P: a folder of this name where the command was given is not the program.
    return [sys.executable, "-P", "-m", module, *words]


def _run(folder: Path, wish: Namespace, public_url: str, lms_url: str, notes: Notes) -> int:
    signal.signal(signal.SIGTERM, _stop)
    lms_words = ("serve", "--port", str(wish.lms_port), "--host", "localhost", "--data", str(folder / "practice-lms"))
    children: dict[Path, subprocess.Popen[bytes]] = {}
    try:
        # The practice LMS listens on 127.0.0.1 too; its name in addresses is localhost.
        for name, command in (
            ("practice-lms", _program("practice_lms", *lms_words, "--public-url", lms_url)),
            ("courseway", _program("courseway", "serve", "--port", str(wish.port), "--host", "127.0.0.1")),
        ):
            log = folder / f"{name}.log"
            children[log] = _start(command, log)
        _say("Starting Courseway and the practice LMS …")
        _wait_for([f"{public_url}/readyz", f"{lms_url}/api/info"], children)
        _say(_tell_where_to_click(folder, public_url, lms_url, notes))
        while True:
            _refuse_ended(children)
            time.sleep(0.5)
    except KeyboardInterrupt:
        _say("\nStopping …")
        return 0
    finally:
        _stop_all(list(children.values()))


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    from courseway.supervise import die_with

    parent = os.getpid()
    with log.open("wb") as file:
        # A session of its own: Ctrl-C reaches us alone, and we stop the children in order; if we die, the kernel does.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait_for(urls: list[str], children: dict[Path, subprocess.Popen[bytes]]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    for url in urls:
        while not _answers(url):
            _refuse_ended(children)
            if time.monotonic() > give_up_at:
                logs = ", ".join(map(str, children))
                raise RefusedError(f"{url} does not answer after {START_SECONDS:g} seconds. See {logs}.")
            time.sleep(0.1)


def _answers(url: str) -> bool:
    # Our own address on this machine, so a proxy of the environment is none of its business.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _refuse_ended(children: dict[Path, subprocess.Popen[bytes]]) -> None:
    for log, child in children.items():
        if child.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise RefusedError(f"{log.stem} ended with {child.returncode}: {last[0]} (the whole log: {log})")


def _stop_all(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    give_up_at = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, give_up_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _tell_where_to_click(folder: Path, public_url: str, lms_url: str, notes: Notes) -> str:
    from courseway.cli.example import OWNER, TEACHER

    return f"""
The demo is running.

  1  Open the practice LMS      {lms_url}
     Choose a student, such as Ada Moreau, open the course and click one of its links: you arrive in
     Courseway, signed in, at the assignment. Some links use LTI 1.1, the others LTI 1.3.
  2  Answer and hand in. Back in the practice LMS choose the teacher Tomas Lindqvist and open the
     gradebook: the grade is there within seconds, scaled to the points of the LMS.
  3  See the same in Courseway  {public_url}
     teacher  {TEACHER[0]}   password  {notes.teacher_password}
     owner    {OWNER[0]}     password  {notes.owner_password}
     Change a grade in the gradebook of the course, and see it follow into the LMS.

Everything is kept in {folder}; start with --fresh to forget it. Ctrl-C stops the demo.
"""


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
