"""The gradebook as rows of a table for spreadsheets: whom the reader may see, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Enrollment
from courseway.learning.gradebook import Cell as GradeCell
from courseway.learning.gradebook import build_rows
from courseway.lms.exported_ids import read_lti_ids
from courseway.orgs.state_words import state_words
from courseway.spreadsheets import Cell

BATCH: Final = 200


def list_gradebook_heads(assignments: Sequence[Assignment]) -> list[str | Promise]:
    """Two columns for each assignment: percentage and state."""
    heads: list[str | Promise] = [_("student"), _("e-mail"), _("LTI ID"), _("active")]
    for assignment in assignments:
        heads += [
            _("%(title)s (%%)") % {"title": assignment.title},
            _("%(title)s: state") % {"title": assignment.title},
        ]
    return heads


def list_gradebook_rows(
    learners: QuerySet[Enrollment], assignments: Sequence[Assignment]
) -> Iterator[tuple[Cell, ...]]:
    """One row for each learner, in the order given; some hundred at a time."""
    pks = list(learners.values_list("pk", flat=True))
    for start in range(0, len(pks), BATCH):
        found = {one.pk: one for one in learners.filter(pk__in=pks[start : start + BATCH])}
        batch = [found[pk] for pk in pks[start : start + BATCH] if pk in found]
        lti_ids = read_lti_ids({enrollment.person_id for enrollment in batch})
        for row in build_rows(batch, assignments):
            person = row.enrollment.person
            yield (
                person.shown_name,
                person.email,
                lti_ids.get(person.pk, ""),
                row.enrollment.active,
                *(value for cell in row.cells for value in _describe(cell)),
            )


def _describe(cell: GradeCell) -> tuple[Cell, Cell]:
    words = [str(state_words(cell.state).word)]
    if cell.waits_for_release:
        words.append(_("not released"))
    if cell.delivery:
        words.append(str(state_words(cell.delivery).word))
    return None if cell.percent is None else round(cell.percent, 4), ", ".join(words)
