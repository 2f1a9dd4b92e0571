"""When results are read back, and by whom: a row for each link, leased by a worker, at night or because somebody asked.

Nights are spread over hours, one link after the other, so that no LMS and no worker notices.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from courseway.grades.circuits import DOWN_CODES, RATE_LIMITED
from courseway.grades.errands import run_errand
from courseway.grades.exchange import DeliveryError
from courseway.grades.models import Circuit, Delivery, ResultCheck
from courseway.grades.reconcile import Counts, compare, list_comparable
from courseway.grades.result_reading import Held, Reading, read_column, read_one_by_one
from courseway.leases import claim
from courseway.lms.models import Arrival, Platform, ResourceLink
from courseway.outbound import OutboundError
from ltikit import vocabulary
from ltikit.errors import ServiceError

logger = logging.getLogger(__name__)

NIGHT_BEGINS_HOUR, NIGHT_SECONDS = 1, 4 * 3600
# Columns that got no grade for so long are not read every night any more.
ACTIVE = timedelta(days=30)
PLANNED_AT_ONCE = 500
LEASE_SECONDS = 300.0
TURN_SECONDS = 120.0  # of reading one link
PEOPLE_AT_ONCE = 100  # of LTI 1.1, then the next link has its turn
SECONDS_BETWEEN_BATCHES = 2.0
MOST_TRIES = 3
FIRST_PAUSE = timedelta(minutes=5)


def ask_for_checks(links: Collection[ResourceLink], *, now: datetime) -> int:
    """Somebody wants to know now. Returns how many links are read."""
    rows = [ResultCheck(resource_link=link, next_try_at=now, asked_at=now) for link in links]
    ResultCheck.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["resource_link"], update_fields=["asked_at"]
    )
    waiting = ResultCheck.objects.filter(resource_link__in=links, lease_token="")
    waiting.update(next_try_at=now, tries=0, last_person=0)
    return len(rows)


def plan_nightly(*, now: datetime) -> int:
    """A place in the coming night for each link that got grades lately and has none. Returns how many."""
    recent = Delivery.objects.filter(resource_link=OuterRef("pk"), sent_at__gt=now - ACTIVE, platform__revoked_at=None)
    readable = Q(deployment__platform__version=Platform.Version.V11) | Q(
        ags_scopes__contains=vocabulary.SCOPE_RESULT_READONLY
    )
    has_place = ResultCheck.objects.filter(
        Q(next_try_at__isnull=False) | Q(tries__gte=MOST_TRIES), resource_link=OuterRef("pk")
    )
    links = ResourceLink.objects.filter(readable, Exists(recent), ~Exists(has_place)).order_by("pk")
    rows = [ResultCheck(resource_link=link, next_try_at=next_night(link.pk, now)) for link in links[:PLANNED_AT_ONCE]]
    ResultCheck.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["resource_link"], update_fields=["next_try_at"]
    )
    return len(rows)


def next_night(link_pk: int, now: datetime) -> datetime:
    """The link's own moment of the next night, in the installation's time zone."""
    local = timezone.localtime(now)
    begins = local.replace(hour=NIGHT_BEGINS_HOUR, minute=0, second=0, microsecond=0)
    if begins <= local:
        begins += timedelta(days=1)
    return begins + timedelta(seconds=link_pk * 7919 % NIGHT_SECONDS)


def check_due(*, now: datetime) -> bool:
    """Read back one link that is due. False if there is none."""
    due = ResultCheck.objects.select_related(
        "resource_link__deployment__platform__registration", "resource_link__deployment__platform__consumer_key"
    )
    claimed = claim(due, now=now, lease_seconds=LEASE_SECONDS, limit=1)
    for check in claimed:
        _check(check, now)
    return bool(claimed)


def _check(check: ResultCheck, now: datetime) -> None:
    link = check.resource_link
    platform = link.deployment.platform
    circuit = Circuit.objects.filter(platform=platform, open_until__gt=now).first()
    try:
        if platform.revoked_at is not None:
            raise DeliveryError("platform_revoked", "")
        if circuit is not None:
            _put_off(check, circuit.open_until, circuit.code, circuit.words)
        elif platform.version == Platform.Version.V11:
            _check_people(check, now)
        else:
            reading = run_errand(read_column(link, now=now), seconds=TURN_SECONDS)
            _end(check, compare(list_comparable(link, begun_at=now), reading, now=now), now)
    except ServiceError as error:
        _fail(check, error.code, error.detail or error.hint, now)
    except DeliveryError as error:
        _fail(check, error.code, error.words, now)
    except OutboundError as error:
        _fail(check, "no_answer", error.detail, now)


def _check_people(check: ResultCheck, now: datetime) -> None:
    """Some people of an LTI 1.1 link, after those of the last turn."""
    link, until = check.resource_link, time.monotonic() + TURN_SECONDS
    comparable = list_comparable(link, begun_at=now).filter(person__gt=check.last_person).order_by("person")
    deliveries = list(comparable[:PEOPLE_AT_ONCE])
    arrivals = {
        one.person_id: one
        for one in Arrival.objects.select_related("platform__consumer_key")
        .filter(resource_link=link, person__in=[delivery.person_id for delivery in deliveries])
        .order_by("arrived_at", "pk")
    }
    reading, read = Reading(), []
    in_order = [arrivals[delivery.person_id] for delivery in deliveries if delivery.person_id in arrivals]
    for person_id, steps in read_one_by_one(in_order, now=now):
        if time.monotonic() > until:
            break
        held: Held | None = run_errand(steps, seconds=until - time.monotonic())
        read.append(person_id)
        if held is not None:
            reading.held[person_id] = held
    counts = compare([one for one in deliveries if one.person_id in read], reading, now=now)
    if read and (len(read) < len(in_order) or len(deliveries) == PEOPLE_AT_ONCE):
        _go_on(check, counts, read[-1], now)
    else:
        _end(check, counts, now)


def _held(check: ResultCheck) -> dict[str, object]:
    return {"pk": check.pk, "lease_token": check.lease_token}


def _go_on(check: ResultCheck, counts: Counts, last_person: int, now: datetime) -> None:
    """The rest of the people after a moment. Numbers of a round that is not over are kept apart from the last one's."""
    is_first = check.last_person == 0
    before = Counts() if is_first else Counts(check.same, check.different, check.unseen)
    before.add(counts)
    ResultCheck.objects.filter(**_held(check)).update(
        lease_token="",
        next_try_at=now + timedelta(seconds=SECONDS_BETWEEN_BATCHES),
        last_person=last_person,
        same=before.same,
        different=before.different,
        unseen=before.unseen,
        tries=0,
    )


def _end(check: ResultCheck, counts: Counts, now: datetime) -> None:
    total = Counts() if check.last_person == 0 else Counts(check.same, check.different, check.unseen)
    total.add(counts)
    ResultCheck.objects.filter(**_held(check)).update(
        lease_token="",
        next_try_at=None,  # plan_nightly gives it a place as long as grades are sent
        asked_at=None,
        last_person=0,
        checked_at=now,
        same=total.same,
        different=total.different,
        unseen=total.unseen,
        tries=0,
        last_error_code="",
        last_error="",
    )


def _put_off(check: ResultCheck, until: datetime, code: str, words: str) -> None:
    ResultCheck.objects.filter(**_held(check)).update(
        lease_token="", next_try_at=until, last_error_code=code[:40], last_error=words
    )


def _fail(check: ResultCheck, code: str, words: str, now: datetime) -> None:
    """What passes is tried some times more; then, or when it does not pass, whoever asked reads why."""
    passes = code in DOWN_CODES or code == RATE_LIMITED
    if passes and check.tries + 1 < MOST_TRIES:
        _put_off(check, now + FIRST_PAUSE * 2**check.tries, code, words)
        ResultCheck.objects.filter(pk=check.pk).update(tries=F("tries") + 1)
        return
    ResultCheck.objects.filter(**_held(check)).update(
        lease_token="",
        next_try_at=next_night(check.resource_link_id, now) if passes else None,
        asked_at=None,
        last_person=0,
        tries=0 if passes else MOST_TRIES,  # what does not pass by itself has no place in the nights
        last_error_code=code[:40],
        last_error=words,
    )
