"""Whose work a mentor may see in a course: the lists that launches bring and programs set, and whom they name (G1).

Nobody is named until a list says so. A list may name people who never came: they are seen once they do.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db.models import Q

from courseway.courses.models import Course
from courseway.lms.models import Arrival, LmsIdentity, MentorScope, Platform
from courseway.orgs.models import Person
from ltikit.launch import Launch
from ltikit.parameters import split_list

# Far more than a launch has room for; each entry becomes several parameters of a statement.
MOST_LEARNERS: Final = 5000


def read_mentor_list(launch: Launch) -> tuple[str, ...]:
    """The e-mail addresses and LMS user ids that the launch names: by `mentor_for`, and by the LMS's own scope."""
    named = split_list(launch.custom_lists.get("mentor_for", ()))
    return tuple(dict.fromkeys((*named, *split_list(launch.mentor_for))))[:MOST_LEARNERS]


def store_mentor_list(launch: Launch, *, platform_pk: int, course_pk: int, person_pk: int, now: datetime) -> None:
    """The list of this launch takes the place of the mentor's earlier one; without a list nobody is named any more.

    A link whose list differs must not be repeated in one statement, or an older list would seem to be the newest.
    """
    learners = list(read_mentor_list(launch))
    scope, is_new = MentorScope.objects.select_for_update().get_or_create(
        course_id=course_pk,
        mentor_id=person_pk,
        source=MentorScope.Source.LAUNCH,
        defaults={"platform_id": platform_pk, "learners": learners, "stated_at": now},
    )
    if is_new or (scope.learners == learners and scope.platform_id == platform_pk):
        return
    scope.learners, scope.platform_id, scope.stated_at = learners, platform_pk, now
    scope.save(update_fields=["learners", "platform", "stated_at"])
    Arrival.objects.filter(course=course_pk, person=person_pk).update(fingerprint="")


def set_mentor_list(
    course: Course, mentor: Person, learners: Iterable[str], *, platform: Platform | None = None, now: datetime
) -> MentorScope:
    """Sets the list that no launch changes. An empty one names nobody, and leaves what launches name.

    Entries are e-mail addresses, public ids of people, and LMS user ids: those of `platform`, or of the LMSs that the
    mentor comes from.
    """
    named = split_list(learners)
    if len(named) > MOST_LEARNERS:
        raise ValueError(f"a mentor's list holds at most {MOST_LEARNERS} learners")
    if mentor.organization_id != course.organization_id:
        raise ValueError("the mentor belongs to another organization")
    scope, _is_new = MentorScope.objects.update_or_create(
        course=course,
        mentor=mentor,
        source=MentorScope.Source.API,
        defaults={"platform": platform, "learners": list(named), "stated_at": now},
    )
    return scope


def name_learners(course: Course, mentor: Person) -> Q:
    """The condition on enrollments of the course that is true for the people named for this mentor."""
    condition = Q(pk__in=())
    for scope in MentorScope.objects.filter(course=course, mentor=mentor):
        entries = scope.learners
        emails = {entry.casefold() for entry in entries if "@" in entry}
        identities = LmsIdentity.objects.filter(platform__organization=course.organization_id)
        if scope.platform_id is not None:
            platforms = Q(platform=scope.platform_id)
        else:
            platforms = Q(platform__in=LmsIdentity.objects.filter(person=mentor).values("platform"))
        by_identity = identities.filter(Q(folded_email__in=emails) | (platforms & Q(lms_user_id__in=entries)))
        condition |= Q(person__folded_email__in=emails) | Q(person__in=by_identity.values("person"))
        if scope.source == MentorScope.Source.API:
            condition |= Q(person__public_id__in=entries)
    return condition
