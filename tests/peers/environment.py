"""An environment of its own for a program of other people: made when it is missing, or its requirements changed."""

from __future__ import annotations

import hashlib
import shutil
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
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if not _is_made(place, wanted):
        _run("making the environment", sys.executable, "-m", "venv", "--clear", str(place))
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run("installing its requirements", *pip, "--require-hashes", "-r", str(requirements))
        _stamp(place).write_text(wanted)
    return python


def make_node_environment(name: str, source: Path, *, folder: Path = FOLDER) -> Path:
    """The `node_modules` with exactly what `source`/package-lock.json pins, each package with its hash."""
    if shutil.which("npm") is None:
        raise EnvironmentNotMadeError("there is no npm here, so nothing was tested: install Node.js with npm")
    place = folder / name
    files = ("package.json", "package-lock.json", ".npmrc")
    wanted = hashlib.sha256(b"".join((source / file).read_bytes() for file in files)).hexdigest()
    if not _is_made(place, wanted):
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(source / file, place / file)
        _run("installing its packages", "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=place)
        _stamp(place).write_text(wanted)
    return place / "node_modules"


def _stamp(place: Path) -> Path:
    return place / "requirements.sha256"


def _is_made(place: Path, wanted: str) -> bool:
    return _stamp(place).exists() and _stamp(place).read_text() == wanted


def _run(what: str, *command: str, cwd: Path | None = None) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if ended.returncode != 0:
        words = (ended.stderr.strip() or ended.stdout.strip())[-3000:]
        raise EnvironmentNotMadeError(f"{what} failed, so nothing was tested ({' '.join(command)}):\n{words}")
