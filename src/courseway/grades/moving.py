"""A grade that is still owed by a link's old grade service goes by the new one once the person came that way.

An LMS that changes between LTI 1.1 and 1.3 has another service for the same link (`lms/upgrades.py`). The newest launch
decides: what waits is moved before it is sent, and an older wish never takes the place of a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from courseway.grades.models import Delivery
from courseway.lms.models import ResourceLink

_WANTED = ("score", "maximum", "comment", "progress", "started_at", "submitted_at", "at")


def move_superseded(moves: Iterable[tuple[Delivery, int]], *, now: datetime) -> None:
    """Each of these leased deliveries to the link with this primary key."""
    for delivery, link_pk in moves:
        with transaction.atomic():
            _move(delivery, ResourceLink.objects.select_related("deployment").get(pk=link_pk), now)


def _move(delivery: Delivery, link: ResourceLink, now: datetime) -> None:
    rows = Delivery.objects.select_for_update(no_key=True)
    old = rows.filter(pk=delivery.pk, lease_token=delivery.lease_token).first()
    if old is None:  # somebody else has it by now
        return
    new = rows.filter(person=old.person_id, resource_link=link).first()
    if new is None:
        new = Delivery(
            organization_id=old.organization_id,
            platform_id=link.deployment.platform_id,
            person_id=old.person_id,
            resource_link=link,
            assignment_id=old.assignment_id,
            wanted_version=0,
        )
    if new.pk is None or new.wanted_at < old.wanted_at:
        for name in _WANTED:
            setattr(new, f"wanted_{name}", getattr(old, f"wanted_{name}"))
        new.wanted_version += 1
        new.state, new.tries, new.next_try_at = Delivery.State.WAITING, 0, now
        new.last_error = new.last_error_code = ""
        new.save()
    old.state, old.next_try_at, old.lease_token = Delivery.State.UNCHANGED, None, ""
    old.last_error = old.last_error_code = ""
    old.save(update_fields=["state", "next_try_at", "lease_token", "last_error", "last_error_code"])
