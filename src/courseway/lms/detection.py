"""What is known about the course of a launch that names no assignment: the facts for the rules in `resolve.py`.

Read only for such launches, in at most eight statements, however many courses and links there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q

from courseway.courses.models import Assignment, Course
from courseway.lms.models import CourseContext, CourseIdentity, ParentReplacement, ResourceLink
from courseway.lms.platforms import KnownPlatform
from courseway.lms.resolve import (
    CHOSEN,
    COPY,
    Candidate,
    CourseFacts,
    Facts,
    Identity,
    Kind,
    Target,
    describe_target,
    name_context,
    read_mark,
)
from ltikit.history import read_history
from ltikit.launch import Launch


def read_facts(
    launch: Launch,
    platform: KnownPlatform,
    target: Target,
    *,
    link_opened: Candidate | None,
    link_target: str,
    former: tuple[int, str] | None = None,
) -> Facts:
    """The facts about this launch's course, all within the platform's organization.

    `link_opened` is what the very link opened before, in another LMS course or for another target; `link_target` is
    what it asked for then. `former` is the platform of the LMS's other version of LTI, and what the LMS course is
    called there: what was known then is known now.
    """
    organization = platform.organization_id
    history = read_history(launch)
    ancestor_link = _find_ancestor(platform.pk, launch.deployment_id, history.resource_link_ids)
    content = target.id if target.kind is Kind.CONTENT else ""
    if not content and link_opened is not None:
        content = link_opened.content_id
    elif not content and ancestor_link is not None and ancestor_link.assignment is not None:
        content = ancestor_link.assignment.content_id
    named = name_identities(launch)
    stored = _read_stored([platform.pk, *(former or ())[:1]], [identity.value for identity in named])
    here, ancestors = _list_connected(launch, platform.pk, history.context_ids, former)
    connected = [row.course for row in here]
    if ancestor_link is not None and ancestor_link.assignment is not None:
        ancestors = [ancestor_link.assignment.course_id, *ancestors]
    parent_name = launch.custom.get("parent_course_id", "")
    targets = [i.value for i in named if i.is_target]
    origins = _read_origins(organization, ancestors, parent_name)
    courses = _read_courses(
        organization,
        pks={*(pk for pks in stored.values() for pk in pks), *connected, *ancestors, *origins.copied, *origins.heirs},
        public_ids={*targets, parent_name} - {""},
        content=content,
    )
    by_public_id = {course.public_id: course for course in courses.values()}
    heir = courses.get(origins.heirs[0]) if origins.heirs else None
    history_candidate = link_opened
    if history_candidate is None and ancestor_link is not None and ancestor_link.assignment is not None:
        own = courses.get(ancestor_link.assignment.course_id)
        history_candidate = own.candidates.get(ancestor_link.assignment.content_id) if own else None
    context = launch.context
    return Facts(
        content_id=target.id if target.kind is Kind.CONTENT else "",
        history=history_candidate,
        identities=tuple(Identity(i.value, i.is_target, i.value in by_public_id) for i in named),
        bound={value: tuple(courses[pk] for pk in pks if pk in courses) for value, pks in stored.items()},
        targets=tuple(by_public_id[value] for value in targets if value in by_public_id),
        connected=tuple(courses[pk] for pk in connected if pk in courses),
        copied=frozenset(row.course for row in here if row.rule == COPY or (row.accepted_at and row.rule == CHOSEN)),
        chosen=frozenset(row.course for row in here if row.rule == CHOSEN),
        is_target_changed=read_mark(link_target) not in ("", read_mark(describe_target(launch, target))),
        ancestors=tuple(courses[pk] for pk in dict.fromkeys(ancestors) if pk in courses),
        originals=tuple(courses[pk] for pk in origins.copied if pk in courses),
        parent=heir or by_public_id.get(parent_name),
        is_parent_named=bool(parent_name),
        context_identity=name_context(launch.deployment_id, context.id) if context else "",
    )


def _read_stored(platforms: list[int], values: list[str]) -> dict[str, list[int]]:
    """The courses stored for identity values: by a copy or a choice, then by LMS courses that came with them."""
    found: dict[str, list[int]] = {}
    if not values:
        return found
    rows = [
        *CourseIdentity.objects.filter(platform__in=platforms, identity__in=values).values_list(
            "identity", "course_id"
        ),
        *CourseContext.objects.filter(context__deployment__platform__in=platforms, identity__in=values)
        .order_by("-pk")
        .values_list("identity", "course_id"),
    ]
    for value, pk in rows:
        courses = found.setdefault(value, [])
        if pk not in courses:
            courses.append(pk)
    return found


def name_identities(launch: Launch) -> list[Identity]:
    """The identity values of the launching course in their order (E1), without blanks and repetitions."""
    context = launch.context
    sources = [
        context.offering_sourcedid if context else "",
        context.section_sourcedid if context else "",
        launch.custom.get("course_offering_sourcedid", ""),
    ]
    # The first source id that is there counts; a section's is not a second name of its offering.
    source = next((value.strip() for value in sources if value.strip()), "")
    found = [Identity(source[:255])] if source else []
    for value in _read_targets(launch):
        if value != source and all(value != identity.value for identity in found):
            found.append(Identity(value[:255], is_target=True))
    return found


def _read_targets(launch: Launch) -> list[str]:
    """Several targets come as a repeated parameter or with line breaks. One with blanks or commas is one target,
    unless one of its parts could be a course's id."""
    values: list[str] = []
    for value in launch.custom_lists.get("course_target_id", ()):
        parts = [part for part in value.replace(",", " ").split() if part]
        is_list = len(parts) > 1 and any(_looks_like_course_id(part) for part in parts)
        values += parts if is_list else [value.strip()]
    return [value for value in values if value][:50]


def _looks_like_course_id(text: str) -> bool:
    return len(text) == 20 and text.isalnum() and text.islower()


def _find_ancestor(platform: int, deployment_id: str, ids: tuple[str, ...]) -> ResourceLink | None:
    """The nearest link of the history that is known and opens something; the whole chain is walked."""
    if not ids:
        return None
    links = ResourceLink.objects.select_related("assignment").filter(
        deployment__platform=platform,
        deployment__deployment_id=deployment_id,
        resource_link_id__in=ids,
        assignment__isnull=False,
    )
    place = {value: position for position, value in reversed(list(enumerate(ids)))}
    return min(links, key=lambda link: place[link.resource_link_id], default=None)


class _Connection(NamedTuple):
    context_id: str
    course: int
    pk: int
    rule: str
    accepted_at: datetime | None


def _list_connected(
    launch: Launch, platform: int, history: tuple[str, ...], former: tuple[int, str] | None
) -> tuple[list[_Connection], list[int]]:
    """The courses opened from this LMS course, newest first, and those of its ancestors, nearest first."""
    if launch.context is None:
        return [], []
    wanted = [launch.context.id, *history]
    found = CourseContext.objects.filter(
        Q(context__deployment__deployment_id=launch.deployment_id)
        # A course copied into another account of the same LMS may come with another deployment (C14).
        | Q(context__context_id__in=history),
        context__deployment__platform=platform,
        context__context_id__in=wanted,
    ).values_list("context__context_id", "course_id", "pk", "rule", "accepted_at")
    rows = [_Connection(*row) for row in found]
    if former is not None and former[1]:
        then = CourseContext.objects.filter(
            context__deployment__platform=former[0], context__context_id=former[1]
        ).values_list("course_id", "pk", "rule", "accepted_at")
        rows += [_Connection(launch.context.id, *row) for row in then]
    here = sorted((row for row in rows if row.context_id == launch.context.id), key=lambda row: -row.pk)
    place = {value: position for position, value in reversed(list(enumerate(history)))}
    before = sorted((row for row in rows if row.context_id in place), key=lambda row: (place[row.context_id], row.pk))
    return here, [row.course for row in before]


class _Origins(NamedTuple):
    """By primary key: the courses that may have been copied, nearest first, and what replaced the named parent."""

    copied: list[int]
    heirs: list[int]


def _read_origins(organization: int, ancestors: list[int], named: str) -> _Origins:
    """A copy of a child is one of its parent, since children allow none; and whoever was replaced has an heir."""
    parents: dict[int, int | None] = {}
    if ancestors:
        own = Course.objects.filter(organization=organization, pk__in=ancestors)
        parents = dict(own.values_list("pk", "parent"))
    chain = list(dict.fromkeys(pk for ancestor in ancestors for pk in (ancestor, parents.get(ancestor)) if pk))
    if not chain and not named:
        return _Origins([], [])
    rows = ParentReplacement.objects.filter(
        Q(old_parent__in=chain) | Q(old_parent__public_id=named), organization=organization
    ).values_list("old_parent", "old_parent__public_id", "new_parent")
    replaced = {old: new for old, _public_id, new in rows}
    return _Origins(
        [replaced.get(pk, pk) for pk in chain], [new for _old, public_id, new in rows if public_id == named]
    )


def _read_courses(
    organization: int, *, pks: Iterable[int], public_ids: Iterable[str], content: str
) -> dict[int, CourseFacts]:
    is_connected = Exists(CourseContext.objects.filter(course=OuterRef("pk")))
    rows = list(
        Course.objects.filter(
            Q(pk__in=set(pks)) | Q(public_id__in=set(public_ids)), organization=organization
        ).annotate(is_connected=is_connected)
    )
    candidates: dict[int, dict[str, Candidate]] = {}
    if content and rows:
        by_pk = {course.pk: course for course in rows}
        for assignment in Assignment.objects.filter(course__in=by_pk, content_id=content):
            candidate = candidate_of(assignment, by_pk[assignment.course_id])
            candidates.setdefault(assignment.course_id, {})[assignment.content_id] = candidate
    return {
        course.pk: CourseFacts(
            pk=course.pk,
            public_id=course.public_id,
            organization_pk=course.organization_id,
            allows_copy=course.course_copy and course.constant_urls,
            is_lti_enabled=course.lti_enabled,
            is_published=course.published,
            archived_at=course.archived_at,
            enrolls_only=course.enroll_only,
            is_connected=course.is_connected,
            candidates=candidates.get(course.pk, {}),
        )
        for course in rows
    }


def find_course(public_id: str, organization: int) -> CourseFacts | None:
    """A course of the organization by its own id."""
    found = _read_courses(organization, pks=set(), public_ids={public_id}, content="")
    return next(iter(found.values()), None)


def candidate_of(assignment: Assignment, course: Course) -> Candidate:
    return Candidate(
        assignment_pk=assignment.pk,
        public_id=assignment.public_id,
        content_id=assignment.content_id,
        course_pk=course.pk,
        organization_pk=course.organization_id,
        is_published=assignment.published,
        is_course_published=course.published,
        is_lti_enabled=course.lti_enabled,
        deleted_at=assignment.deleted_at,
        archived_at=course.archived_at,
    )
