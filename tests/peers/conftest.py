"""At the end of a run with peers: which programs of other people, in which versions, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest


@dataclass
class Sightings:
    """What the tests saw, for people to read. `peers` are names with versions."""

    peers: list[str] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)

    def note(self, what: str, seen: str) -> None:
        """One line of the table."""
        self.rows.append((what, seen))


_KEY = pytest.StashKey[Sightings]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with an empty table."""
    config.stash[_KEY] = Sightings()


@pytest.fixture(scope="session")
def sightings(pytestconfig: pytest.Config) -> Sightings:
    """The table that is printed at the end."""
    return pytestconfig.stash[_KEY]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    seen = config.stash[_KEY]
    if not seen.rows:
        return
    terminalreporter.section("peers")
    for line in seen.peers:
        terminalreporter.write_line(line)
    width = max(len(what) for what, _ in seen.rows)
    for what, result in seen.rows:
        terminalreporter.write_line(f"  {what:{width}}  {result}")
