"""The LTI IDs of people for exports (A7): what the organization's chosen field held in their launches."""

from __future__ import annotations

from collections.abc import Iterable

from courseway.lms.models import LmsIdentity


def read_lti_ids(persons: Iterable[int]) -> dict[int, str]:
    """By person, in one statement. Who is known by several LMSs with different values has them all, oldest first."""
    found: dict[int, dict[str, None]] = {}
    identities = LmsIdentity.objects.filter(person__in=persons).exclude(lti_id="").order_by("pk")
    for person, lti_id in identities.values_list("person", "lti_id"):
        found.setdefault(person, {})[lti_id] = None
    return {person: ", ".join(ids) for person, ids in found.items()}
