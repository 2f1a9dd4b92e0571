"""A new term's master takes the place of an old one: links keep naming the old one, copies are made of the new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course
from courseway.lms.models import ParentReplacement
from courseway.orgs.models import Organization


class ReplacementError(ValueError):
    """It cannot be so; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many assignments of the old parent the new one has too: only their constant URLs open in its copies."""

    shared: int
    all: int

    @property
    def is_whole(self) -> bool:
        return self.shared == self.all


def compare(old: Course, new: Course) -> Overlap:
    mine = Assignment.objects.filter(course=old, deleted_at=None, published=True)
    there = Assignment.objects.filter(course=new, deleted_at=None, published=True).values("content_id")
    return Overlap(mine.filter(content_id__in=there).count(), mine.count())


@transaction.atomic
def replace_parent(old: Course, new: Course, *, now: datetime) -> ParentReplacement:
    """From now on copies asked of `old` are made of `new`; whoever was to be replaced by `old` is by `new` too.

    Raises ReplacementError for the same course, another organization's, and a course that is replaced itself.
    """
    if old.pk == new.pk:
        raise ReplacementError(_("A course cannot replace itself. Choose two different courses."))
    if old.organization_id != new.organization_id:
        raise ReplacementError(_("Both courses must belong to the same organization."))
    Organization.objects.select_for_update().get(pk=old.organization_id)
    further = ParentReplacement.objects.filter(old_parent=new).select_related("new_parent").first()
    if further is not None:
        raise ReplacementError(
            _("“%(new)s” is itself replaced by “%(further)s”. Choose that one, or undo that replacement first.")
            % {"new": new.title, "further": further.new_parent.title}
        )
    if not (new.course_copy and new.constant_urls):
        raise ReplacementError(
            _("“%(new)s” does not allow copies. Switch on its Enable LTI course copy first.") % {"new": new.title}
        )
    # Rules follow one replacement only, so that a chain never has to be walked.
    ParentReplacement.objects.filter(new_parent=old).update(new_parent=new)
    replacement, _made = ParentReplacement.objects.update_or_create(
        old_parent=old, defaults={"organization_id": old.organization_id, "new_parent": new, "created_at": now}
    )
    return replacement


def undo_replacement(replacement: ParentReplacement) -> None:
    replacement.delete()
