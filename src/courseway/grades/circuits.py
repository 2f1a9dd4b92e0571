"""One circuit for each platform, shared by all workers: an LMS that is down, or asks for patience, is left alone.

Its grades stay due and use up no tries. When a pause is over, one worker sends one of them; the answer decides.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from courseway.grades.happenings import record_failed
from courseway.grades.models import Circuit, Delivery

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
LONGEST_ASKED_SECONDS = 3600.0
# So long a grade waits for an LMS that is down; then people are told. It follows when the LMS is back.
PATIENCE = timedelta(days=3)
LONG_TIME = timedelta(hours=1)
DOWN_CODES = frozenset(("service_unavailable", "no_answer"))
RATE_LIMITED = "service_rate_limited"
_BATCH = 200


def read_circuits(*, only_codes: Collection[str] | None = None) -> dict[int, Circuit]:
    """The platforms that are to be left alone, by primary key; with those whose pause is over and need a probe."""
    circuits = Circuit.objects.all()
    if only_codes is not None:
        circuits = circuits.filter(code__in=only_codes)
    return circuits.in_bulk()


def make_circuit(platform_id: int, code: str, words: str, *, seconds: float | None, now: datetime) -> Circuit:
    """A circuit that leaves the platform alone for `seconds`, or for a first short pause. Not stored yet."""
    pause = FIRST_PAUSE_SECONDS if seconds is None else min(seconds, LONGEST_ASKED_SECONDS)
    return Circuit(platform_id=platform_id, opened_at=now, open_until=now + _spread(pause), code=code, words=words)


def prolong(circuit: Circuit, code: str, words: str, *, seconds: float | None, now: datetime) -> None:
    """The probe failed: twice as long a pause, or as long as the LMS asked for. Not stored yet."""
    pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(circuit.pauses, 20))
    pause = max(pause, min(seconds or 0.0, LONGEST_ASKED_SECONDS))
    circuit.open_until = now + _spread(pause)
    circuit.pauses += 1
    circuit.code, circuit.words = code, words


def store_circuit(circuit: Circuit) -> None:
    """For all workers to see. What another one stored meanwhile is as good."""
    Circuit.objects.bulk_create(
        [circuit],
        update_conflicts=True,
        unique_fields=["platform"],
        update_fields=["open_until", "pauses", "code", "words"],
    )


def take_probe(circuit: Circuit, *, now: datetime, seconds: float) -> bool:
    """True for the one worker that may try a single grade now; for `seconds` nobody else may."""
    taken = Circuit.objects.filter(platform=circuit.platform_id, open_until__lte=now)
    return bool(taken.update(open_until=now + timedelta(seconds=seconds)))


def close_circuit(platform_id: int, *, now: datetime) -> None:
    """The LMS answers again. After a long time, what was given up meanwhile follows too."""
    with transaction.atomic():
        circuit = Circuit.objects.filter(platform=platform_id).first()
        if circuit is None:
            return
        circuit.delete()
        if circuit.opened_at > now - LONG_TIME:
            return
        given_up = Delivery.objects.filter(
            platform=platform_id, state=Delivery.State.FAILED, last_error_code__in=DOWN_CODES, next_try_at=None
        )
        given_up.update(state=Delivery.State.WAITING, next_try_at=now, tries=0)


def give_up_on_dead(*, now: datetime) -> int:
    """Grades that waited for days for an LMS that is down have failed, so that somebody is told. Returns how many."""
    number = 0
    long_open = Circuit.objects.filter(opened_at__lte=now - PATIENCE, code__in=DOWN_CODES, open_until__gt=now)
    for circuit in long_open:
        waiting = Delivery.objects.filter(
            platform=circuit.platform_id, state=Delivery.State.WAITING, wanted_at__lte=now - PATIENCE, lease_token=""
        )
        while True:
            with transaction.atomic():
                batch = list(waiting.select_for_update(no_key=True, of=("self",)).order_by("pk")[:_BATCH])
                for delivery in batch:
                    _give_up(delivery, circuit, now)
            number += len(batch)
            if len(batch) < _BATCH:
                break
    return number


def _give_up(delivery: Delivery, circuit: Circuit, now: datetime) -> None:
    failed = Delivery.State.FAILED
    Delivery.objects.filter(pk=delivery.pk).update(
        state=failed, next_try_at=None, last_error_code=circuit.code, last_error=circuit.words
    )
    record_failed(delivery, failed, circuit.code, now=now)


def _spread(seconds: float) -> timedelta:
    # Not a secret: it only keeps the workers apart.
    return timedelta(seconds=seconds * (1 + random.random() / 4))  # noqa: S311
