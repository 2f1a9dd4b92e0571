"""Django's PostgreSQL backend with a cheaper look at whether a kept connection still lives.

Django asks the server with a statement at the beginning of each request. A connection that the server closed, because
it was restarted say, shows that on this side: something is to be read though nothing was asked. Only a connection that
was quiet for long may have been lost unseen on the way, and is asked as before.
"""

from __future__ import annotations

import select
import time

from django.db.backends.postgresql import base

QUIET_SECONDS = 20.0


class DatabaseWrapper(base.DatabaseWrapper):
    health_check_enabled: bool
    health_check_done: bool
    asked_at = float("-inf")

    def close_if_health_check_failed(self) -> None:
        if self.connection is None or not self.health_check_enabled or self.health_check_done:
            return
        now = time.monotonic()
        is_fresh, self.asked_at = now - self.asked_at < QUIET_SECONDS, now
        if is_fresh and not _has_something_to_read(self.connection.fileno()):
            self.health_check_done = True
            return
        super().close_if_health_check_failed()


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
