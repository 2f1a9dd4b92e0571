"""The shortest measurement that is one: a served floor, its PostgreSQL, launches by both versions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HAS_CPUS = shutil.which("taskset") is not None and {0, 1} <= os.sched_getaffinity(0)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_CPUS, reason="needs taskset and the CPUs 0 and 1")
def test_a_short_run_measures_both_versions() -> None:
    """The command launches for real, and its table has a line for each version and concurrency."""
    words = ["--work", "launches", "--only", "bare", "--people", "20", "--seconds", "0.1", "--rounds", "1"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks", *words]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    rows = [tuple(line.split(" | ")[:3]) for line in ended.stdout.splitlines() if "bare floor |" in line]
    assert rows == [(f"| {lti}", "bare floor", at_once) for lti in ("1.3", "1.1") for at_once in ("8", "32")]
