"""The event of an enrollment. The row itself is the wish to announce it, so that launches write nothing further."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db import connection, transaction

from courseway.courses.models import Enrollment
from courseway.events.kinds import Kind
from courseway.events.recording import Happening, describe_row, record_all

AT_ONCE = 500


def announce_enrollments(*, now: datetime) -> int:
    """Record who came into a course since the last call, each person once; the worker calls it again and again.

    Returns how many there were. Whoever dies in the middle leaves them to be announced.
    """
    unannounced = Enrollment.objects.filter(announced_at=None)
    if not unannounced.exists():  # a look costs no write lock
        return 0
    with transaction.atomic():
        skips = connection.features.has_select_for_update_skip_locked
        found = list(
            unannounced.select_related("course")
            .select_for_update(skip_locked=skips, of=("self",), no_key=True)
            .order_by("pk")[:AT_ONCE]
        )
        by_organization: dict[tuple[int, datetime], list[Happening]] = defaultdict(list)
        for enrollment in found:
            data = {"course": describe_row(enrollment.course), "role": enrollment.role}
            happening = Happening(Kind.ENROLLED, data, enrollment.person_id)
            # It happened then, not now.
            by_organization[enrollment.course.organization_id, enrollment.created_at].append(happening)
        for (organization_pk, created_at), happenings in by_organization.items():
            record_all(organization_pk, happenings, now=created_at)
        Enrollment.objects.filter(pk__in=[enrollment.pk for enrollment in found]).update(announced_at=now)
    return len(found)
