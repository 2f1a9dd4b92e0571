"""Faults on purpose: the services answer 500, 429, nonsense, too late or not at all, as somebody asked for.

One draw decides per request, and the probabilities of the faults add up: 30 % of 500, 10 % of 429 and 5 % of hanging
leave 55 % of good answers. A fault at the stage `before` happens instead of the work (a hanging one delays it, unless
it is to drop the request); one at the stage `after` happens when the work is done and stored: the answer is lost.
"""

import json
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from practice_lms.refusals import RefusedError

SERVICES = ("scores", "results", "lineitems", "outcomes", "token", "keyset", "roster", "groups")
KINDS = ("status", "garbage", "hang", "close")

_random = random.SystemRandom()


@dataclass(frozen=True)
class Fault:
    """One kind of trouble for some services."""

    id: int
    services: tuple[str, ...]
    kind: str
    stage: str
    status: int
    retry_after: str | None
    seconds: float
    then_drop: bool
    probability: float
    remaining: int | None
    until: float | None
    hits: int

    @property
    def summary(self) -> str:
        """In a few words, for people and logs."""
        what = {
            "status": f"answer {self.status}",
            "garbage": "answer nonsense",
            "hang": f"hang {self.seconds:g} s" + (" and drop" if self.then_drop else ""),
            "close": "close the connection",
        }[self.kind]
        return what + (" after storing" if self.stage == "after" else "")

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return asdict(self)


def add_fault(db: sqlite3.Connection, values: Mapping[str, Any], *, now: float) -> Fault:
    """Order a fault from loose values; see the API's docstring for the names."""
    known = {
        "service",
        "services",
        "kind",
        "stage",
        "status",
        "retry_after",
        "seconds",
        "then_drop",
        "probability",
        "count",
        "for_seconds",
    }
    strange = set(values) - known
    if strange:
        raise RefusedError(f"Unknown member {sorted(strange)[0]!r} of a fault: use {', '.join(sorted(known))}.")
    wanted = values.get("services") or values.get("service") or "all"
    services = SERVICES if wanted in ("all", ["all"]) else tuple([wanted] if isinstance(wanted, str) else wanted)
    kind, stage = str(values.get("kind", "status")), str(values.get("stage", "before"))
    for name, value, allowed in (
        *(("service", one, SERVICES) for one in services),
        ("kind", kind, KINDS),
        ("stage", stage, ("before", "after")),
    ):
        if value not in allowed:
            raise RefusedError(f"The {name} {value!r} is unknown: use {', '.join(allowed)}.")
    try:
        status, seconds = int(values.get("status", 500)), float(values.get("seconds", 3))
        probability = float(values.get("probability", 1))
        count = None if values.get("count") in (None, "") else int(values["count"])
        for_seconds = None if values.get("for_seconds") in (None, "") else float(values["for_seconds"])
    except (TypeError, ValueError):
        raise RefusedError("status, seconds, probability, count and for_seconds must be numbers.") from None
    if not (400 <= status <= 599 and 0 <= seconds <= 600 and 0 < probability <= 1):
        raise RefusedError("A fault needs a status of 400 to 599, at most 600 seconds, and a probability of 0 to 1.")
    retry_after = None if values.get("retry_after") in (None, "") else str(values["retry_after"])
    cursor = db.execute(
        "INSERT INTO fault (services, kind, stage, status, retry_after, seconds, then_drop, probability, remaining,"
        " until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            json.dumps(services),
            kind,
            stage,
            status,
            retry_after,
            seconds,
            int(bool(values.get("then_drop"))),
            probability,
            count,
            None if for_seconds is None else now + for_seconds,
        ),
    )
    return _read_fault(db.execute("SELECT * FROM fault WHERE id = ?", (cursor.lastrowid,)).fetchone())


def order_faults(db: sqlite3.Connection, values: Mapping[str, Any], *, now: float) -> None:
    """Order one fault, or those of `faults`; `replace` and `clear` call off all others first."""
    if values.get("clear") or values.get("replace"):
        clear_faults(db)
    only_clears = set(values) <= {"clear", "replace"}
    for one in values.get("faults", [] if only_clears else [values]):
        add_fault(db, one, now=now)


def list_faults(db: sqlite3.Connection) -> list[Fault]:
    """Every fault that was ordered, spent ones too."""
    return [_read_fault(row) for row in db.execute("SELECT * FROM fault ORDER BY id")]


def is_live(fault: Fault, now: float) -> bool:
    """Whether a fault can still happen."""
    return (fault.remaining is None or fault.remaining > 0) and (fault.until is None or now < fault.until)


def clear_faults(db: sqlite3.Connection, fault_id: int | None = None) -> None:
    """Call off one fault, or all."""
    if fault_id is None:
        db.execute("DELETE FROM fault")
    else:
        db.execute("DELETE FROM fault WHERE id = ?", (fault_id,))


def draw_fault(db: sqlite3.Connection, service: str, *, now: float) -> Fault | None:
    """Decide what happens to one request to a service."""
    share = _random.random()
    for row in db.execute("SELECT * FROM fault ORDER BY id").fetchall():
        fault = _read_fault(row)
        if service not in fault.services or not is_live(fault, now):
            continue
        share -= fault.probability
        if share < 0:
            db.execute("UPDATE fault SET hits = hits + 1, remaining = remaining - 1 WHERE id = ?", (fault.id,))
            return fault
    return None


def _read_fault(row: sqlite3.Row) -> Fault:
    return Fault(
        id=row["id"],
        services=tuple(json.loads(row["services"])),
        kind=row["kind"],
        stage=row["stage"],
        status=row["status"],
        retry_after=row["retry_after"],
        seconds=row["seconds"],
        then_drop=bool(row["then_drop"]),
        probability=row["probability"],
        remaining=row["remaining"],
        until=row["until"],
        hits=row["hits"],
    )
