"""What the LMS is owed, as rows of a table for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from courseway.grades.models import Delivery
from courseway.lms.exported_ids import read_lti_ids
from courseway.spreadsheets import Cell

BATCH: Final = 1000
DELIVERY_HEADS: Final = (
    _("person"),
    _("e-mail"),
    _("LTI ID"),
    _("course"),
    _("assignment"),
    _("LMS"),
    _("LMS course"),
    _("state"),
    _("wanted %"),
    _("sent %"),
    _("tries"),
    _("owed since (UTC)"),
    _("sent (UTC)"),
    _("next try (UTC)"),
    _("error code"),
    _("error"),
)


def list_delivery_rows(deliveries: QuerySet[Delivery]) -> Iterator[tuple[Cell, ...]]:
    """Newest wish first. Read in batches, so that any number of deliveries takes little memory."""
    every = (
        deliveries.select_related("person", "assignment__course", "platform", "resource_link__context")
        .order_by("-wanted_at", "-pk")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(every, BATCH)):
        lti_ids = read_lti_ids({delivery.person_id for delivery in batch})
        for delivery in batch:
            wanted, sent = delivery.wanted_percent, delivery.sent_percent
            yield (
                delivery.person.shown_name,
                delivery.person.email,
                lti_ids.get(delivery.person_id, ""),
                delivery.assignment.course.title,
                delivery.assignment.title,
                str(delivery.platform),
                delivery.resource_link.context.title or delivery.resource_link.context.context_id,
                delivery.get_state_display(),
                None if wanted is None else round(wanted, 4),
                None if sent is None else round(sent, 4),
                delivery.tries,
                delivery.wanted_at,
                delivery.sent_at,
                delivery.next_try_at,
                delivery.last_error_code,
                delivery.last_error,
            )
