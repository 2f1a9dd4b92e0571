"""Where each grade stands on its way to the LMS, for pages that show many of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from courseway.grades.models import Delivery

# The first one that applies is shown where one sign has to stand for several links.
WORST_FIRST = (
    Delivery.State.NEEDS_TEACHER,
    Delivery.State.FAILED,
    Delivery.State.WAITING,
    Delivery.State.SENT,
    Delivery.State.UNCHANGED,
)


def delivery_states(
    assignment_ids: Collection[int], person_ids: Collection[int]
) -> dict[tuple[int, int], list[Delivery]]:
    """The deliveries of each (assignment, person), in one statement. Platforms that were revoked do not count."""
    deliveries = (
        Delivery.objects.select_related("platform", "resource_link__context")
        .filter(assignment_id__in=assignment_ids, person_id__in=person_ids, platform__revoked_at=None)
        .order_by("pk")
    )
    found: dict[tuple[int, int], list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        found[delivery.assignment_id, delivery.person_id].append(delivery)
    return dict(found)


def worst_state(deliveries: Iterable[Delivery]) -> str:
    """The state that somebody has to know first; "" when nothing is owed."""
    states = {delivery.state for delivery in deliveries}
    return next((state.value for state in WORST_FIRST if state in states), "")
