"""Deleting rows that nobody needs any more: some at a time, so that nobody who writes meanwhile has to wait for it.

Each batch is a transaction of its own with a few statements, however many rows there are; whoever dies between two of
them leaves the rest to the next one who looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

AT_ONCE = 1000
# Between two batches, for whoever waits for the same tables.
PAUSE_SECONDS = 0.02


def delete_batches(old: QuerySet[Any], *, is_over: Callable[[], bool], at_once: int = AT_ONCE) -> int:
    """Delete all of `old`, for which there should be an index. Returns how many rows of that model went."""
    removed = 0
    while not is_over():
        pks = list(old.order_by().values_list("pk", flat=True)[:at_once])
        if not pks:
            break
        removed += _delete(old.filter(pk__in=pks))
        if len(pks) < at_once:
            break
        time.sleep(PAUSE_SECONDS)
    return removed


def delete_walking(
    log: QuerySet[Any],
    *,
    before: datetime,
    find_needed: Callable[[list[int]], Collection[int]],
    is_over: Callable[[], bool],
    at_once: int = AT_ONCE,
) -> int:
    """Delete what a log has `at` times before `before`. Returns how many rows went.

    `find_needed` is given the keys of a batch and says which of them have to stay.

    Walks from the first row on, since rows were written in the order of their time, and ends at a batch without an old
    one: no index of the times is needed, which every new row would have to pay for.
    """
    removed = after = 0
    while not is_over():
        batch = list(log.filter(pk__gt=after).order_by("pk").values_list("pk", "at")[:at_once])
        old = [pk for pk, at in batch if at < before]
        if not old:
            break
        after = batch[-1][0]
        removed += _delete(log.filter(pk__in=set(old).difference(find_needed(old))))
        if len(batch) < at_once:
            break
        time.sleep(PAUSE_SECONDS)
    return removed


def _delete(rows: QuerySet[Any]) -> int:
    return rows.delete()[1].get(rows.model._meta.label, 0)
