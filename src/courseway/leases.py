"""Work that must not be lost: rows with a time for the next try, claimed in batches, so that a crash means a retry.

A model that can be leased has `next_try_at` (null: nothing to do) and `lease_token`. Claiming moves `next_try_at`
ahead to the end of the lease; whoever dies with a lease leaves a row that becomes due by itself. Results are stored
only `filter(lease_token=…)`, so that a holder who woke up too late changes nothing.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connections, models, router, transaction

Row = TypeVar("Row", bound=models.Model)


def claim(
    due: models.QuerySet[Row],
    *,
    now: datetime,
    lease_seconds: float = 60.0,
    limit: int,
    also_set: dict[str, Any] | None = None,
    only: models.Q | None = None,
) -> list[Row]:
    """The rows of `due` that this caller alone now holds, longest due first, read after the claim.

    The UPDATE that takes them writes `also_set` too. `only` narrows `due` by what the claim itself changes, such as who
    had the lease before. Two callers at once get different rows: PostgreSQL skips those that another one is taking,
    SQLite lets one writer in at a time.
    """
    alias = router.db_for_write(due.model)
    # A look costs no write lock; on SQLite an idle worker must not stand in the way of the others.
    if connections[alias].vendor == "sqlite" and not due.filter(next_try_at__lte=now).exists():
        return []
    token, leased_until = secrets.token_hex(16), now + timedelta(seconds=lease_seconds)
    with transaction.atomic(using=alias):
        # Not as a part of the UPDATE: PostgreSQL may plan to run it for each row, and would take more than `limit`.
        picked = list(
            due.using(alias)
            .filter(only or models.Q(), next_try_at__lte=now)
            .select_related(None)
            .prefetch_related(None)
            .order_by("next_try_at", "pk")
            .select_for_update(skip_locked=connections[alias].features.has_select_for_update_skip_locked)
            .values_list("pk", flat=True)[:limit]
        )
        if not picked:
            return []
        rows = due.model._default_manager.using(alias)
        rows.filter(pk__in=picked).update(next_try_at=leased_until, lease_token=token, **(also_set or {}))
    return list(due.using(alias).filter(next_try_at=leased_until, lease_token=token).order_by("pk"))
