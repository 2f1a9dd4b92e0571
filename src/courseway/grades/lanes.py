"""Each platform's deliveries in one worker, in a lane of their own: an LMS that is slow or down holds up nobody else's.

A lane gets narrower with troubles and wider with successes. Troubles that go on open the platform's circuit, which
all workers see.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from courseway.grades.circuits import (
    DOWN_CODES,
    RATE_LIMITED,
    close_circuit,
    make_circuit,
    prolong,
    read_circuits,
    store_circuit,
    take_probe,
)
from courseway.grades.delivery import Job
from courseway.grades.models import Circuit
from courseway.grades.results import Outcome

NARROWER_AFTER = 3  # troubles in a row
OPEN_AFTER = 6
LANES_KEPT = 200


@dataclass(eq=False, slots=True)
class Lane:
    """`width`: how many run at once. `probe`: the one job that finds out whether the LMS is back."""

    width: int
    running: int = 0
    troubles: int = 0  # in a row
    waiting: deque[Job] = field(default_factory=deque)
    probe: Job | None = None

    @property
    def load(self) -> int:
        return self.running + len(self.waiting)

    @property
    def most(self) -> int:
        return 4 * self.width


class Lanes:
    """`minds_the_dead` False: only an LMS that asked for patience is left alone; one that is down is tried again."""

    def __init__(self, width: int, *, minds_the_dead: bool = True) -> None:
        self._width = width
        self._minds_the_dead = minds_the_dead
        self._lanes: dict[int, Lane] = {}
        self._circuits: dict[int, Circuit] = {}
        self._news: dict[int, Circuit | None] = {}  # opened or prolonged, None: closed

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def of(self, job: Job) -> Lane:
        platform_id = job.delivery.platform_id
        return self._lanes.get(platform_id) or self._lanes.setdefault(platform_id, Lane(self._width))

    @property
    def load(self) -> int:
        """Jobs in all lanes. What one platform has beyond its share takes nobody else's room."""
        return sum(min(lane.load, lane.most) for lane in self._lanes.values())

    @property
    def closed_platforms(self) -> list[int]:
        """Those of which nothing more is to be claimed: the lane is full, or the circuit is open."""
        full = {platform for platform, lane in self._lanes.items() if lane.load >= lane.most}
        return sorted(full | self._circuits.keys())

    def read_circuits(self, *, now: datetime, probe_seconds: float) -> list[int]:
        """Look which platforms are to be left alone. Returns those that this worker has to probe."""
        self._forget_idle()
        self._circuits = read_circuits(only_codes=None if self._minds_the_dead else (RATE_LIMITED,))
        over = [circuit for circuit in self._circuits.values() if circuit.open_until <= now]
        return [one.platform_id for one in over if take_probe(one, now=now, seconds=probe_seconds)]

    def add(self, job: Job, *, is_probe: bool = False) -> Lane:
        lane = self.of(job)
        lane.waiting.append(job)
        if is_probe:
            lane.probe = job
        return lane

    def pause_seconds(self, job: Job, *, now: datetime) -> float | None:
        """How long a job that has not begun is to be put off, None if it may begin."""
        circuit = self._circuits.get(job.delivery.platform_id)
        if circuit is None or job is self.of(job).probe:
            return None
        return max(0.0, (circuit.open_until - now).total_seconds())

    def learn(self, outcome: Outcome, *, now: datetime) -> None:
        """Troubles with nothing good in between mean that the LMS is down or overrun: ask less, then wait.

        Asks the database nothing: `store` does.
        """
        lane, platform_id = self.of(outcome.job), outcome.job.delivery.platform_id
        circuit = self._circuits.get(platform_id)
        was_probe = self.end_probe(outcome.job)
        if outcome.postponed_seconds is not None:
            return
        if outcome.code not in DOWN_CODES and outcome.code != RATE_LIMITED:
            lane.troubles = 0
            lane.width = min(self._width, lane.width + 1)
            # The LMS answers; but what was on its way when it asked for patience tells nothing.
            if circuit is not None and (was_probe or circuit.code != RATE_LIMITED):
                del self._circuits[platform_id]
                self._news[platform_id] = None
            return
        lane.troubles += 1
        if lane.troubles >= NARROWER_AFTER:
            lane.width = max(1, lane.width // 2)
        if was_probe and circuit is not None:
            prolong(circuit, outcome.code, outcome.words, seconds=outcome.retry_after, now=now)
            self._news[platform_id] = circuit
        elif circuit is None and self._is_enough(lane, outcome):
            circuit = make_circuit(platform_id, outcome.code, outcome.words, seconds=outcome.retry_after, now=now)
            self._circuits[platform_id] = self._news[platform_id] = circuit

    def end_probe(self, job: Job) -> bool:
        """True if this job was the probe of its platform."""
        lane = self.of(job)
        was_probe = lane.probe is job
        if was_probe:
            lane.probe = None
        return was_probe

    def store(self, *, now: datetime) -> None:
        """Tell all workers which circuits were opened and closed here."""
        while self._news:
            platform_id, circuit = self._news.popitem()
            if circuit is None:
                close_circuit(platform_id, now=now)
            else:
                store_circuit(circuit)

    def _is_enough(self, lane: Lane, outcome: Outcome) -> bool:
        if outcome.code == RATE_LIMITED:
            return lane.troubles >= NARROWER_AFTER
        return self._minds_the_dead and lane.troubles >= OPEN_AFTER

    def _forget_idle(self) -> None:
        """Lanes of which nothing is to be remembered."""
        if len(self._lanes) > LANES_KEPT:
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.load or lane.troubles}
