"""Figures for Prometheus, counted in the database, so that every web process of an installation says the same.

Nothing here names a person, an organization or an LMS: labels are words of this program alone.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min
from django.utils import timezone

from courseway.events.models import Event, Mail, WebhookDelivery
from courseway.grades.models import Delivery
from courseway.lms.models import Launch

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
WINDOW: Final = timedelta(minutes=5)
# However busy the last minutes were, reading them stays quick.
_MOST_LAUNCHES: Final = 50_000
# What a proxy adds: then the request did not begin on this machine.
_FORWARDED: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP", "HTTP_VIA")


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure, with a value for each set of labels."""

    name: str
    help: str
    values: Iterable[tuple[Mapping[str, str], float]]

    def write(self) -> Iterator[str]:
        yield f"# HELP courseway_{self.name} {self.help}"
        yield f"# TYPE courseway_{self.name} gauge"
        for labels, value in self.values:
            shown = ",".join(f'{name}="{text}"' for name, text in labels.items())
            yield f"courseway_{self.name}{{{shown}}} {value:g}" if shown else f"courseway_{self.name} {value:g}"


def may_read_metrics(environ: Mapping[str, Any]) -> bool:
    """Whoever has the token; without one set, requests from this machine that no proxy passed on."""
    if settings.METRICS_TOKEN:
        given = str(environ.get("HTTP_AUTHORIZATION", ""))
        return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    try:
        is_here = ipaddress.ip_address(str(environ.get("REMOTE_ADDR", ""))).is_loopback
    except ValueError:
        return False
    return is_here and not any(environ.get(name) for name in _FORWARDED)


def write_metrics() -> str:
    """The text that Prometheus reads."""
    try:
        lines = [line for gauge in _list_gauges(timezone.now()) for line in gauge.write()]
    finally:
        if not connection.in_atomic_block:  # as tests have it
            connection.close_if_unusable_or_obsolete()
    return "\n".join(lines) + "\n"


def _list_gauges(now: datetime) -> Iterator[Gauge]:
    yield Gauge("launches_recent", "Launches of the last five minutes.", _count_launches(now))
    yield Gauge("events_recent", "Events of the last five minutes.", _count_events(now))
    yield Gauge("deliveries", "Grades for LMSs by state.", _count_deliveries())
    owed = (("grade", Delivery), ("webhook", WebhookDelivery), ("mail", Mail))
    waiting = [(kind, model._default_manager.filter(next_try_at__isnull=False)) for kind, model in owed]
    yield Gauge(
        "outbox_waiting",
        "What is still to be sent, now or at a later try.",
        [({"kind": kind}, rows.count()) for kind, rows in waiting],
    )
    due = [(kind, rows.filter(next_try_at__lte=now)) for kind, rows in waiting]
    yield Gauge("outbox_due", "What could be sent now.", [({"kind": kind}, rows.count()) for kind, rows in due])
    oldest = [(kind, rows.aggregate(at=Min("next_try_at"))["at"]) for kind, rows in due]
    yield Gauge(
        "outbox_oldest_due_seconds",
        "For how long the oldest of it has been due; grows when no worker runs.",
        [({"kind": kind}, (now - at).total_seconds() if at else 0.0) for kind, at in oldest],
    )


def _count_launches(now: datetime) -> Iterator[tuple[Mapping[str, str], float]]:
    newest = Launch.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    recent = Launch.objects.filter(pk__gt=newest - _MOST_LAUNCHES, at__gte=now - WINDOW)
    counted = recent.order_by().values_list("outcome", "version").annotate(n=Count("pk"))
    found = {(outcome, version): n for outcome, version, n in counted}
    for outcome in Launch.Outcome.values:
        for version in ("1.1", "1.3"):
            yield {"outcome": outcome, "version": version}, found.get((outcome, version), 0)
    # A message that could not be read says no version.
    unread = sum(n for (_outcome, version), n in found.items() if version not in ("1.1", "1.3"))
    yield {"outcome": "refused", "version": "unknown"}, unread


def _count_events(now: datetime) -> Iterator[tuple[Mapping[str, str], float]]:
    counted = Event.objects.filter(at__gte=now - WINDOW).order_by().values_list("kind").annotate(n=Count("pk"))
    for kind, n in sorted(counted):
        yield {"kind": kind}, n


def _count_deliveries() -> Iterator[tuple[Mapping[str, str], float]]:
    found = dict(Delivery.objects.order_by().values_list("state").annotate(n=Count("pk")))
    for state in Delivery.State.values:
        yield {"state": state}, found.get(state, 0)
