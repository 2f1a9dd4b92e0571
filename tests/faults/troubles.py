"""What goes wrong in a fault run: the LMSs, the workers, the database, the clock."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.courseway.grades.fake_lms import Misbehaviour, outcome_answer
from tests.courseway.grades.nursery import Nursery
from tests.faults.school import School

# Kind of fault: how often it happens beside the others, and what the LMS does then. A late answer comes after the
# patience of the workers (0.7 s), before the end of the quiet time after it (1.5 s).
KINDS: dict[str, tuple[int, Misbehaviour]] = {
    "500": (6, Misbehaviour(500, body=b"oh no")),
    "429": (4, Misbehaviour(429, (("Retry-After", "1"),))),
    "409": (3, Misbehaviour(409, body=b"a later score is there")),
    "404": (1, Misbehaviour(404, body=b"nothing here")),
    "garbage": (2, Misbehaviour(garbles_answer=True)),
    "garbage for an answer": (2, Misbehaviour(502, body=b"\x00\xff<not html")),
    "web page": (2, Misbehaviour(200, (("Content-Type", "text/html"),), b"<!DOCTYPE html><title>Sign in</title>")),
    "nothing": (4, Misbehaviour(loses_answer=True)),
    "late": (4, Misbehaviour(silent_seconds=1.2)),
}
NOT_ENROLLED = b"User is not enrolled in the course"


class Faults:
    """The faults of all LMSs. `share`: how often one comes. Two in a hundred people are refused for good by some.

    `slowness`: how many times longer than usual the workers' patience is, and with it all silences of the LMSs.
    """

    def __init__(self, school: School, *, seed: int, share: float, slowness: float) -> None:
        self.share = share
        self._slowness = slowness
        self.counts: Counter[str] = Counter()
        self._school = school
        self._chance = random.Random(seed)
        self._dead: int | None = None  # the number of a platform that answers nothing but 503
        self.refused = frozenset(
            (platform, person)
            for platform in range(0, len(school.links), 5)
            for person in range(0, len(school.people), 50)
        )

    def kill_platform(self) -> None:
        self._dead = self._chance.randrange(len(self._school.links))

    def revive_platform(self) -> None:
        self._dead = None

    def __call__(self, service: str, key: str) -> Misbehaviour | None:
        place = self._school.find_place(key) if service in ("score", "outcome") else None
        if place is not None and place in self.refused:
            return self._count("not enrolled", self._refuse(service))
        if place is not None and place[0] == self._dead:
            return self._count("dead", Misbehaviour(503, body=b"down for maintenance"))
        if self._chance.random() >= self.share:
            return None
        (kind,) = self._chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])
        fault = KINDS[kind][1]
        return self._count(kind, replace(fault, silent_seconds=fault.silent_seconds * self._slowness))

    def _refuse(self, service: str) -> Misbehaviour:
        if service == "score":
            return Misbehaviour(422, body=NOT_ENROLLED)
        return Misbehaviour(200, body=outcome_answer("failure", NOT_ENROLLED.decode()))

    def _count(self, kind: str, misbehaviour: Misbehaviour) -> Misbehaviour:
        self.counts[kind] += 1
        return misbehaviour


class Chaos(threading.Thread):
    """Kills the oldest worker every few seconds; now and then restarts the database, sets the clock wrong, or takes an
    LMS down. `end` brings everything back to order."""

    def __init__(
        self,
        nursery: Nursery,
        faults: Faults,
        school: School,
        *,
        restart: Callable[[], None] | None,
        clock_file: Path,
        seconds_between: float,
    ) -> None:
        super().__init__(daemon=True)
        self.kills = self.restarts = self.jumps = self.moves = 0
        self.error: Exception | None = None
        self._nursery, self._faults, self._school = nursery, faults, school
        self._restart, self._clock_file, self._seconds_between = restart, clock_file, seconds_between
        self._is_over = threading.Event()

    def run(self) -> None:
        number = 0
        try:
            while not self._is_over.wait(self._seconds_between):
                self._wait_for_work()
                number += 1
                self._kill_one()
                self._make_trouble(number)
        except Exception as error:
            self.error = error

    def _wait_for_work(self) -> None:
        """On a busy machine workers need longer to come to anything that could be cut off."""
        seen, until = sum(self._school.lms.requests.values()), time.monotonic() + 3 * self._seconds_between
        while sum(self._school.lms.requests.values()) < seen + 20 and time.monotonic() < until:
            if self._is_over.wait(0.02):
                return

    def _kill_one(self) -> None:
        os.kill(self._nursery.workers.pop(0), signal.SIGKILL)
        self.kills += 1
        self._nursery.start_worker()

    def _make_trouble(self, number: int) -> None:
        if number % 4 == 1:
            self.set_clock(3600.0 if number % 8 == 1 else -1800.0)
            self.jumps += 1
        elif number % 4 == 2:
            self.set_clock(0.0)
            self._faults.kill_platform()
        elif number % 4 == 3 and self._restart is not None:
            self._restart()
            self.restarts += 1
        elif number % 4 == 0:
            self._faults.revive_platform()
            if self.moves < len(self._school.links) // 8:
                self._school.move_column(self.moves * 4 + 2)
                self.moves += 1

    def set_clock(self, offset: float) -> None:
        """Wrong by so many seconds, for all workers."""
        new = self._clock_file.with_suffix(".new")
        new.write_text(str(offset))
        new.replace(self._clock_file)

    def end(self) -> None:
        if self._is_over.is_set():
            return
        self._is_over.set()
        self.join(60)
        self.set_clock(0.0)
        self._faults.revive_platform()
        time.sleep(0.2)
        self._kill_one()  # a new worker looks at once for what a wrong clock left behind
