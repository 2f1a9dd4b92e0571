"""How the LMS divides a context into sections and groups, and who is in which: filters of the gradebook (I2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from courseway.lms.models import Context, LmsIdentity, Section, SectionMember
from ltikit.members import Member
from ltikit.v13.groups import Group

CHUNK = 500


def list_sections(course_pk: int) -> QuerySet[Section]:
    """The sections and groups of a course's LMS courses that anybody is in, by name."""
    sections = Section.objects.filter(context__course_contexts__course=course_pk, section_members__isnull=False)
    return sections.select_related("context").distinct().order_by("set_name", "name", "pk")


def store_sections(names: Sequence[str], *, context_pk: int, person_pk: int, now: datetime) -> None:
    """The sections that a launch says its person is in, in the place of those of an earlier launch."""
    own = SectionMember.objects.filter(
        person=person_pk, section__context=context_pk, section__kind=Section.Kind.SECTION
    )
    before = set(own.values_list("section__lms_id", flat=True))
    if before == set(names):
        return
    Section.objects.bulk_create(
        (
            Section(context_id=context_pk, kind=Section.Kind.SECTION, lms_id=name, name=name, created_at=now)
            for name in names
        ),
        ignore_conflicts=True,
    )
    sections = Section.objects.filter(context=context_pk, kind=Section.Kind.SECTION, lms_id__in=names)
    own.exclude(section__lms_id__in=names).delete()
    SectionMember.objects.bulk_create(
        (SectionMember(section=section, person_id=person_pk) for section in sections), ignore_conflicts=True
    )


def store_groups(
    context: Context,
    members: Sequence[Member],
    groups: Sequence[Group],
    sets: Mapping[str, str],
    *,
    is_whole: bool,
    now: datetime,
) -> None:
    """The groups of a context and who is in them, as its roster says. Hidden groups are the LMS's own."""
    names = {group.id: group for group in groups if not group.is_hidden}
    for member in members:
        if not groups:  # an LMS that names groups in the list of members alone
            names |= {one: Group(one, one) for one in member.group_ids}
    kind = Section.Kind.GROUP
    with transaction.atomic():
        Section.objects.bulk_create(
            (
                Section(
                    context=context,
                    kind=kind,
                    lms_id=group.id[:255],
                    name=group.name[:255],
                    set_name=sets.get(group.set_id, "")[:255],
                    created_at=now,
                )
                for group in names.values()
            ),
            update_conflicts=True,
            unique_fields=["context", "kind", "lms_id"],
            update_fields=["name", "set_name"],
        )
        stored = Section.objects.filter(context=context, kind=kind)
        if is_whole:
            stored.exclude(lms_id__in=[one[:255] for one in names]).delete()
        by_id = dict(stored.values_list("lms_id", "pk"))
        for start in range(0, len(members), CHUNK):
            _store_group_members(context, members[start : start + CHUNK], by_id)


def _store_group_members(context: Context, members: Sequence[Member], sections: Mapping[str, int]) -> None:
    platform = context.deployment.platform_id
    identities = LmsIdentity.objects.filter(platform=platform, lms_user_id__in=[member.user_id for member in members])
    people = dict(identities.values_list("lms_user_id", "person"))
    wanted = {
        (sections[group[:255]], people[member.user_id])
        for member in members
        for group in member.group_ids
        if group[:255] in sections and member.user_id in people
    }
    held = SectionMember.objects.filter(section__in=sections.values(), person__in=people.values())
    there = {(section, person): pk for pk, section, person in held.values_list("pk", "section", "person")}
    SectionMember.objects.filter(pk__in=[there[key] for key in there.keys() - wanted]).delete()
    SectionMember.objects.bulk_create(
        (SectionMember(section_id=section, person_id=person) for section, person in wanted - there.keys()),
        ignore_conflicts=True,
    )
