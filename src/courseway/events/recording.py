"""Writing down what happened, in the transaction in which it happened: so that neither exists without the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists

from courseway.events.kinds import Kind
from courseway.events.models import Event, WebhookEndpoint

# Rows of one statement; each carries the question for endpoints, and SQLite allows only so many values.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened to whom: `data` as `Event` describes it, with texts, numbers and ids only."""

    kind: Kind
    data: Mapping[str, Any]
    person_pk: int | None = None


def record(organization_pk: int, happening: Happening, *, now: datetime) -> None:
    """To be called inside the transaction that makes it happen."""
    record_all(organization_pk, [happening], now=now)


def record_all(organization_pk: int, happenings: Iterable[Happening], *, now: datetime) -> None:
    """The same for many things at once, in one statement for each hundred.

    Where no endpoint listens nothing is left to do: the statement itself finds that out, and for many rows one before.
    """
    happenings = list(happenings)
    listening = WebhookEndpoint.objects.filter(organization=organization_pk, disabled_at=None)
    # Django writes the question out for every row, which costs more than to ask it.
    listens = listening.exists() if len(happenings) > 3 else Exists(listening)
    Event.objects.bulk_create(
        [
            Event(
                organization_id=organization_pk,
                kind=happening.kind.value,
                at=now,
                person_id=happening.person_pk,
                data=dict(happening.data),
                is_waiting=listens,
            )
            for happening in happenings
        ],
        batch_size=_AT_ONCE,
    )


def describe_row(row: Any) -> dict[str, str]:
    """How a course, an assignment or the like is named in `data`: by the id of its address and its title."""
    return {"id": row.public_id, "title": row.title}


def as_number(value: Decimal | None) -> float | None:
    """A percentage as a number of JSON; four decimals are more than any gradebook shows."""
    return None if value is None else round(float(value), 4)
