"""Whose grade goes where: the people and links that an LMS takes a grade for.

Mostly somebody who came through a link. By LTI 1.3, which grades by user id, also whoever the LMS lists as a student
of a course in which the assignment is linked, and who has not come yet (I1).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from courseway.courses.models import Assignment, Role
from courseway.grades.models import Delivery
from courseway.kept_queries import KeptQuery
from courseway.lms.models import Arrival, ContextMembership, LmsIdentity, Platform, ResourceLink
from ltikit import vocabulary

Place = tuple[int, int]
"""Person and resource link, by their primary keys."""


@dataclass(frozen=True, slots=True)
class Recipient:
    person_id: int
    resource_link: ResourceLink
    platform: Platform
    carries_comment: bool
    """The LMS gets the teacher's words with the grade: always by LTI 1.3, by LTI 1.1 where a Canvas takes them."""

    @property
    def carries_progress(self) -> bool:
        """The LMS may be told that work waits for a grade: by LTI 1.3."""
        return self.platform.version == Platform.Version.V13


def find_recipients(assignment: Assignment, people: Sequence[int]) -> dict[Place, Recipient]:
    """Each of these people at each link whose LMS asked for a grade.

    Rows are locked: two changes of one person's grade take turns, also while there is no delivery yet.
    """
    if len(people) == 1:
        arrivals = _ARRIVALS_OF_ONE.all(assignment=assignment.pk, person=people[0])
    else:
        arrivals = list(_list_arrivals(assignment.pk).filter(person_id__in=people))
    found = {
        (arrival.person_id, arrival.resource_link_id): Recipient(
            arrival.person_id, arrival.resource_link, arrival.platform, _carries_comment(arrival)
        )
        for arrival in arrivals
        if _takes_grades(arrival)
    }
    to_come = set(people) - {arrival.person_id for arrival in arrivals}
    return {**found, **_find_listed(assignment, to_come)} if to_come else found


def _list_arrivals(assignment: int) -> QuerySet[Arrival]:
    return (
        Arrival.objects.select_for_update(of=("self",), no_key=True)
        .select_related("resource_link", "context", "platform")
        .filter(
            role=Role.STUDENT,
            resource_link__assignment=assignment,
            resource_link__assignment__course__enroll_only=False,
            superseded_by=None,  # the LMS has another grade service for this link by now
            identity__is_test_user=False,  # LMSs refuse grades of their test people (C16)
        )
        .order_by("arrived_at", "pk")
    )


# Each answer that is handed in asks this.
_ARRIVALS_OF_ONE = KeptQuery(
    lambda assignment, person: _list_arrivals(assignment).filter(person_id=person), assignment=int, person=int
)


def _takes_grades(arrival: Arrival) -> bool:
    """True if the LMS gave a way to return a grade for this person and link; most placed links are not graded."""
    if arrival.platform.version == Platform.Version.V11:
        return bool(arrival.outcome_url and arrival.result_sourcedid_encrypted)
    return _has_column(arrival.resource_link)


def _carries_comment(arrival: Arrival) -> bool:
    accepts = arrival.outcome_accepts.split()
    return arrival.platform.version == Platform.Version.V13 or ("text" in accepts and "url" not in accepts)


def _has_column(link: ResourceLink) -> bool:
    return bool(link.lineitem_url or link.lineitems_url) and vocabulary.SCOPE_SCORE in link.ags_scopes.split()


def _find_listed(assignment: Assignment, people: Collection[int]) -> dict[Place, Recipient]:
    """Students of the LMS courses in which the assignment is linked, who came through none of its links yet."""
    links = [
        link
        for link in ResourceLink.objects.select_related("deployment__platform").filter(
            assignment=assignment,
            assignment__course__enroll_only=False,
            deployment__platform__version=Platform.Version.V13,
            deployment__platform__revoked_at=None,
        )
        if _has_column(link)
    ]
    if not links:
        return {}
    listed = _list_members({link.context_id for link in links}, people)
    # Locked in one order: two changes of one person's grade take turns here too.
    known = set(
        LmsIdentity.objects.select_for_update(no_key=True)
        .filter(person__in={person for person, _ in listed}, is_test_user=False)
        .order_by("pk")
        .values_list("person", "platform")
    )
    return {
        (person, link.pk): Recipient(person, link, link.deployment.platform, carries_comment=True)
        for person, context in sorted(listed)
        for link in links
        if link.context_id == context and (person, link.deployment.platform_id) in known
    }


def _list_members(contexts: Collection[int], people: Collection[int]) -> set[tuple[int, int]]:
    members = ContextMembership.objects.filter(context__in=contexts, person__in=people, role=Role.STUDENT, active=True)
    return set(members.values_list("person_id", "context_id"))


def find_listed_ids(deliveries: Collection[Delivery]) -> dict[Place, str]:
    """The LMS user ids of people who are owed a grade by LTI 1.3 without having come through the link, in two
    statements. Only those whom the LMS still lists."""
    deliveries = [one for one in deliveries if one.platform.version == Platform.Version.V13]
    if not deliveries:
        return {}
    people = {one.person_id for one in deliveries}
    listed = _list_members({one.resource_link.context_id for one in deliveries}, people)
    identities = LmsIdentity.objects.filter(
        Q(person__in=people) & Q(platform__in={one.platform_id for one in deliveries}), is_test_user=False
    )
    ids = {
        (person, platform): user_id
        for person, platform, user_id in identities.order_by("pk").values_list("person", "platform", "lms_user_id")
    }
    return {
        (one.person_id, one.resource_link_id): ids[one.person_id, one.platform_id]
        for one in deliveries
        if (one.person_id, one.resource_link.context_id) in listed and (one.person_id, one.platform_id) in ids
    }
