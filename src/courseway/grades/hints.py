"""Telling the workers at once that something is owed. A hint may be lost: they also look by themselves each second."""

from __future__ import annotations

import logging
import time

from django.db import transaction
from django_tasks import task

from courseway.grades.dispatch import wake_or_deliver

logger = logging.getLogger(__name__)

# One hint stands for all that is due when it arrives, so a burst of changes needs few of them.
MIN_SECONDS_BETWEEN = 0.2

# A queue that does not answer is not asked again for so long: nobody's request has to wait for it each time.
REST_SECONDS = 15.0

_last_hint_at = 0.0
_rests_until = 0.0


def hint_workers() -> None:
    """Once the transaction is committed, tell the workers that something is due."""
    transaction.on_commit(_enqueue, robust=True)


def _enqueue() -> None:
    global _last_hint_at, _rests_until
    now = time.monotonic()
    if now - _last_hint_at < MIN_SECONDS_BETWEEN or now < _rests_until:
        return
    _last_hint_at = now
    try:
        deliver_due.enqueue()
    except Exception as error:
        # Whatever the queue's storage raises: the grade is stored, and the workers find it within a second.
        _rests_until = time.monotonic() + REST_SECONDS
        logger.warning("The hint that grades are due could not be queued: %s", type(error).__name__)


@task()
def deliver_due() -> None:
    """Deliver what is due. In a worker this wakes the one loop that delivers; elsewhere it delivers here and now."""
    wake_or_deliver()
