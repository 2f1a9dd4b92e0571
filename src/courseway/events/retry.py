"""What happens after a try: a table, from the answer of an endpoint to what becomes of the event and of the endpoint.

Nothing here looks at a row or a clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta

MINUTE, HOUR = 60.0, 3600.0
# Seconds to the next try, after the first one, the second one …: more than three days in all.
WAITS = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
LONGEST_RETRY_AFTER = 24 * HOUR
# An endpoint that is down is asked less and less often, with one event at a time; the others wait uncounted.
FIRST_REST, LONGEST_REST = 5.0, HOUR
# Then it is switched off, and the owners are told.
GIVE_UP_AFTER = timedelta(days=5)

GONE = 410
_BUSY = (408, 425, 429)


class Verdict(enum.Enum):
    TAKEN = "taken"
    GONE = "gone"  # the endpoint wants no more events
    REFUSED = "refused"  # this event was not taken; others may be
    DOWN = "down"  # nothing would be taken now


def judge(status: int) -> Verdict:
    """`status` 0: there was no answer."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    if status == GONE:
        return Verdict.GONE
    return Verdict.DOWN if status == 0 or status >= 500 or status in _BUSY else Verdict.REFUSED


@dataclass(frozen=True, slots=True)
class Next:
    """Seconds until the event is tried again, None for no further try; and how long the endpoint is left alone."""

    seconds: float | None
    rest_seconds: float = 0.0


def decide_next(
    verdict: Verdict, *, tries: int, failures_in_row: int, retry_after: float | None, jitter: float
) -> Next:
    """After a try that failed. `tries` and `failures_in_row` count it too; `jitter`, 0 to 1, spreads tries."""
    wait = WAITS[tries - 1] * (1 + jitter / 5) if tries <= len(WAITS) else None
    if verdict is not Verdict.DOWN:
        return Next(wait)
    rest = min(LONGEST_REST, FIRST_REST * 2.0 ** min(failures_in_row - 1, 30))
    if retry_after is not None:
        asked = min(max(retry_after, 0.0), LONGEST_RETRY_AFTER)
        rest, wait = max(rest, asked), None if wait is None else max(wait, asked)
    return Next(wait, rest)
