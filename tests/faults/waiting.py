"""Looking at a fault run from outside: how far it is, and no hours of waiting for what failed."""

from __future__ import annotations

import sys
import time

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from courseway.grades.models import Delivery
from tests.faults.school import School
from tests.faults.troubles import Chaos, Faults

WIDTH = 30
_UNREFUSED = ~Q(last_error_code="person_not_gradable")


class Progress:
    def __init__(self, school: School, faults: Faults, chaos: Chaos, *, name: str) -> None:
        self._school, self._faults, self._chaos, self._name = school, faults, chaos, name
        self._begun = time.monotonic()
        self._shown_at = 0.0
        self._waiting = school.grades
        self._is_screen = sys.stderr.isatty()

    def show(self) -> int:
        """Returns how many grades wait, or have failed though the LMS will take them."""
        interval = 0.5 if self._is_screen else 15.0
        try:
            left = Delivery.objects.filter(~Q(state__in=("sent", "unchanged")), _UNREFUSED)
            counted = left.aggregate(n=Count("pk"))["n"]
            self._waiting = counted + self._school.grades - Delivery.objects.count()
        except (OperationalError, InterfaceError):
            connection.close()
        if time.monotonic() - self._shown_at >= interval:
            self._shown_at = time.monotonic()
            self._print()
        return self._waiting

    def _print(self) -> None:
        share = 1 - self._waiting / self._school.grades
        bar = "█" * round(share * WIDTH)
        line = (
            f"{self._name:18} {bar:░<{WIDTH}} {share:4.0%}  {time.monotonic() - self._begun:4.0f} s  "
            f"{self._school.changes} changes  {self._chaos.kills} kills  {self._chaos.restarts} restarts  "
            f"{self._faults.counts.total()} faults"
        )
        print(
            f"\r{line}\x1b[K" if self._is_screen else line,
            end="" if self._is_screen else "\n",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        self._print()
        if self._is_screen:
            print(file=sys.stderr)


def make_due() -> None:
    """The run has no hours for the longer waits; Retry-After and requests under way are still respected."""
    now = timezone.now()
    is_allowed = Q(not_before_at=None) | Q(not_before_at__lte=now)
    is_quiet = Q(quiet_until=None) | Q(quiet_until__lte=now)
    resting = Delivery.objects.filter(is_allowed, is_quiet, _UNREFUSED, lease_token="", next_try_at__gt=now)
    stuck = Delivery.objects.filter(_UNREFUSED, state__in=("failed", "needs_teacher"), next_try_at=None)
    try:
        for rows in (resting, stuck):
            with transaction.atomic():
                if connection.vendor == "postgresql":
                    rows = rows.select_for_update(skip_locked=True)
                Delivery.objects.filter(pk__in=rows.values("pk")).update(next_try_at=now)
    except (OperationalError, InterfaceError):
        connection.close()
