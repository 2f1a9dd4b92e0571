"""How the LMS divides a context into sections and groups, and who is in which: filters of the gradebook (I2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from courseway.courses.models import Course, Enrollment
from courseway.lms.models import Context, ContextMembership, LmsIdentity, Section, SectionMember
from ltikit.members import Member
from ltikit.v13.groups import Group

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Division:
    """A part of a course's people: those of one LMS course, of a section or of a group. `value` names it in a query."""

    value: str
    name: str


def list_divisions(course: Course, learners: QuerySet[Enrollment]) -> list[tuple[str, list[Division]]]:
    """How these learners may be told apart, under headings; nothing where there is only one part of each kind."""
    people = learners.order_by().values("person")
    headed: dict[str, list[Division]] = {}
    contexts = Context.objects.filter(course_contexts__course=course, memberships__person__in=people).distinct()
    for context in contexts.order_by("title", "label", "pk"):
        headed.setdefault(_("LMS courses"), []).append(Division(f"lms-{context.pk}", str(context)))
    sections = Section.objects.filter(context__course_contexts__course=course, section_members__person__in=people)
    for section in sections.distinct().order_by("kind", "set_name", "name", "pk"):
        heading = section.set_name or (_("Groups") if section.kind == Section.Kind.GROUP else _("Sections"))
        headed.setdefault(heading, []).append(Division(section.public_id, section.name))
    # One part that holds everybody tells nobody apart; one group may well be some of them.
    alone = (_("LMS courses"), _("Sections"))
    return [(heading, parts) for heading, parts in headed.items() if len(parts) > 1 or heading not in alone]


def in_division(course: Course, value: str) -> Exists | None:
    """The condition on an enrollment of the course that its person is in the part; None for what names none."""
    if value.startswith("lms-") and value[4:].isdecimal():
        members = ContextMembership.objects.filter(context__course_contexts__course=course, context=int(value[4:]))
        return Exists(members.filter(person=OuterRef("person")))
    if not value:
        return None
    parts = SectionMember.objects.filter(
        section__public_id=value, section__context__course_contexts__course=course, person=OuterRef("person")
    )
    return Exists(parts)


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
