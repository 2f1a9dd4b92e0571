from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# A supervisor of two small programs instead of web and worker: what is tested is who lives and who dies.
SUPERVISOR = """
import sys
from courseway.supervise import Child, keep_running
folder = sys.argv[1]
program = (
    "import os, subprocess, sys, time;"
    "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "open(sys.argv[1], 'a').write(f'{os.getpid()} {helper.pid}' + chr(10));"
    "time.sleep(60)"
)
children = [Child(name, [sys.executable, "-c", program, f"{folder}/{name}"]) for name in ("web", "worker")]
sys.exit(keep_running(children))
"""


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _wait_for(is_true: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_true():
            return True
        time.sleep(0.05)
    return is_true()


def _lives(folder: Path, name: str) -> list[list[int]]:
    """Process ids of each life of a child: its own and its helper's."""
    try:
        lines = (folder / name).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [[int(number) for number in line.split()] for line in lines]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)], env=environment)
    try:
        assert _wait_for(lambda: bool(_lives(tmp_path, "web") and _lives(tmp_path, "worker")))
        yield process
    finally:
        process.kill()
        process.wait()
        for name in ("web", "worker"):
            for life in _lives(tmp_path, name):
                for number in filter(_is_alive, life):
                    os.kill(number, signal.SIGKILL)


def test_a_child_that_dies_is_started_again_without_its_leftovers(
    supervisor: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A killed child comes back, what it had started is swept up first, and the other child goes on."""
    (first, helper) = _lives(tmp_path, "web")[0]
    os.kill(first, signal.SIGKILL)
    assert _wait_for(lambda: len(_lives(tmp_path, "web")) == 2)
    assert not _is_alive(helper)
    assert _is_alive(_lives(tmp_path, "web")[1][0])
    assert len(_lives(tmp_path, "worker")) == 1
    assert _is_alive(_lives(tmp_path, "worker")[0][0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all(supervisor: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end the supervisor with status 0 and leave no process behind."""
    supervisor.send_signal(number)
    assert supervisor.wait(15) == 0
    assert not [one for name in ("web", "worker") for life in _lives(tmp_path, name) for one in life if _is_alive(one)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_children_die_with_a_killed_parent(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A supervisor that is killed outright takes web and worker with it."""
    children = [_lives(tmp_path, name)[0][0] for name in ("web", "worker")]
    supervisor.kill()
    assert _wait_for(lambda: not any(map(_is_alive, children)))


def test_a_child_that_cannot_live_is_started_more_and_more_slowly(tmp_path: Path) -> None:
    """A program that ends at once is not started in a tight loop."""
    script = (
        "import sys; from courseway.supervise import Child, keep_running;"
        "keep_running([Child('web', [sys.executable, '-c', 'open(sys.argv[1], \"a\").write(\"x\")'"
        ".replace('open', 'import sys; open', 1), sys.argv[1]])])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lives")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.DEVNULL,
    )
    assert _wait_for((tmp_path / "lives").exists)
    time.sleep(3.0)
    process.terminate()
    assert process.wait(10) == 0
    assert 1 <= len((tmp_path / "lives").read_text()) <= 4


def test_the_web_process_listens_where_it_is_told() -> None:
    """The command of the web process is one that this granian takes."""
    from courseway.supervise import web_command

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = web_command("127.0.0.1", port, 3)
    assert command[command.index("--port") + 1] == str(port)
    assert command[command.index("--workers") + 1] == "3"
    said = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
