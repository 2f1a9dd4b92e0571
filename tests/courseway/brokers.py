"""RabbitMQ and Redis of the tests: private servers on free ports, children of this process that end with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Debian's own command changes the user and uses the machine's folders; this is the program behind it.
RABBITMQ = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
KINDS = ("rabbitmq", "redis")


def find_broker(kind: str) -> str | None:
    """The program of a broker, None if it is not installed."""
    if kind == "redis":
        return shutil.which("redis-server") or shutil.which("valkey-server")
    if shutil.which("epmd") is None:
        return None
    return next((path for path in RABBITMQ if os.access(path, os.X_OK)), None)


def why_missing(kind: str) -> str:
    return f"no {kind} on this machine: apt-get install {kind}-server"


@contextmanager
def run_broker(kind: str, folder: Path, *, configuration: Path | None = None) -> Iterator[str]:
    """The address of a broker of one's own, for COURSEWAY_TASKS_URL; without a password that a configuration sets."""
    program = find_broker(kind)
    assert program is not None, why_missing(kind)
    folder.mkdir(parents=True, exist_ok=True)
    run = _run_redis if kind == "redis" else _run_rabbitmq
    with run(program, folder, configuration) as url:
        yield url


@contextmanager
def _run_redis(program: str, folder: Path, configuration: Path | None) -> Iterator[str]:
    port = free_port()
    command = [
        program,
        *([str(configuration)] if configuration else []),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    with _run([*command, "--daemonize", "no"], {}, folder, port, seconds=20):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _run_rabbitmq(program: str, folder: Path, configuration: Path | None) -> Iterator[str]:
    port, distribution, mapper = free_port(), free_port(), free_port()
    environment = {
        "HOME": str(folder),  # for Erlang's cookie
        "RABBITMQ_NODENAME": f"courseway{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(configuration or folder / "none"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    (folder / "plugins").write_text("[].\n")
    names = ["epmd", "-port", str(mapper), "-address", "127.0.0.1"]
    # Not by itself: a mapper that the server starts would stay behind.
    with (
        _run(names, environment, folder, mapper, seconds=20),
        _run([program], environment, folder, port, seconds=120),
    ):
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def _run(command: list[str], environment: dict[str, str], folder: Path, port: int, *, seconds: float) -> Iterator[None]:
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_port(port, process, log, seconds)
            yield
        finally:
            end_group(process)
    assert not is_listening(port), f"{command[0]} was left behind"


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a server of ours and what it started."""
    for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        if is_listening(port):
            return
        time.sleep(0.1)
    raise AssertionError(f"it did not listen within {seconds:g} s: {log.read_text(errors='replace')[-2000:]}")


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
