"""Processes kept to one CPU, and the CPU seconds that they and their children took, from /proc."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path

TOOL_CPU, DRIVER_CPU = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")


class TooFewCpusError(Exception):
    """The tool and whoever drives it would take time from each other."""


def keep_driver_apart() -> None:
    """Keeps this process, and the threads that it starts, to the driver's CPU."""
    if not {TOOL_CPU, DRIVER_CPU} <= os.sched_getaffinity(0):
        raise TooFewCpusError("Two CPUs are needed: one for the tool and its PostgreSQL, one for the driver.")
    os.sched_setaffinity(0, {DRIVER_CPU})


def start_on_tool_cpu(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """A tool, which passes its CPU on to its children."""
    pinned = ["taskset", "--cpu-list", str(TOOL_CPU), *command]
    with log.open("wb") as output:
        return subprocess.Popen(pinned, env=dict(environment), stdout=output, stderr=output, cwd=folder)


def keep_on_tool_cpu(root: int) -> None:
    """Moves a running tree of processes; what it starts later follows."""
    move(root, {TOOL_CPU})


def move(root: int, cpus: Set[int]) -> None:
    """Moves a running tree of processes to these CPUs."""
    for pid in tree_of(root):
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(pid, cpus)


def tree_of(root: int) -> list[int]:
    """The process and everything below it, as of now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:  # grows while it is read
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree. A child that has ended counts in the parent that waited for it."""
    ticks = 0
    for pid in tree_of(root):
        fields = _stat(pid)
        if fields is not None:
            ticks += sum(int(one) for one in fields[11:15])
    return ticks / _TICKS


def memory_of(root: int) -> int:
    """Bytes of memory that the tree's processes wrote themselves. Files that they map are left out: whoever else of the
    machine maps the same ones would change the sum."""
    total = 0
    for pid in tree_of(root):
        with suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) * 1024
    return total


def busy_seconds() -> float:
    """What all processes of the machine took of all CPUs."""
    user, nice, system, _idle, _wait, irq, softirq = (
        int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:8]
    )
    return (user + nice + system + irq + softirq) / _TICKS


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, which may hold anything; None if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
