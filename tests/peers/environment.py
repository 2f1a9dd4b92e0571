"""An environment of its own for a program of other people: made when it is missing, or its requirements changed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-peers"


class EnvironmentNotMadeError(Exception):
    """There is no environment, and none can be made; the text says why."""


def make_environment(name: str, requirements: Path, *, folder: Path = FOLDER) -> Path:
    """The Python of the environment `name` with exactly `requirements`, which are pinned with hashes."""
    place = folder / name
    python = place / "bin" / "python"
    stamp = place / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    _run("making the environment", sys.executable, "-m", "venv", "--clear", str(place))
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run("installing its requirements", *pip, "--require-hashes", "-r", str(requirements))
    stamp.write_text(wanted)
    return python


def _run(what: str, *command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        words = (ended.stderr.strip() or ended.stdout.strip())[-3000:]
        raise EnvironmentNotMadeError(f"{what} failed, so nothing was tested ({' '.join(command)}):\n{words}")
