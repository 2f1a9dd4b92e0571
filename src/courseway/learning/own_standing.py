"""An assignment and how one person stands with it, read in one statement: what every launch of a student asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest

from courseway.courses.models import Assignment
from courseway.kept_queries import KeptQuery
from courseway.learning.lateness import Due, Dues, find_due
from courseway.learning.models import Extension, Submission
from courseway.lms.due_dates import may_have_date

_READ_ALREADY = "_courseway_standing"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands with an assignment; of nobody (0) nothing is known."""

    person_pk: int
    submission: Submission | None
    extended_to: datetime | None
    may_have_lms_date: bool

    def due(self, assignment: Assignment) -> Due:
        """When the person's work is due. Asks the database only where an LMS sent a date."""
        if self.may_have_lms_date:
            return Dues([assignment], [self.person_pk]).of(assignment, self.person_pk)
        return find_due(assignment, None, self.extended_to)


def find_standing(request: HttpRequest, public_id: str, person_pk: int) -> tuple[Assignment, Standing] | None:
    """The assignment, whatever has become of it and whoever may see it, and the person's standing."""
    row, known_pk = request.__dict__.get(_READ_ALREADY, (None, 0))
    if row is None or (row.public_id, known_pk) != (public_id, person_pk):
        row = STANDING.first(public_id=public_id, person=person_pk)
    if row is None:
        return None
    # The joined submission becomes an attribute of the row where there is one.
    own = getattr(row, "own", None)
    standing = Standing(person_pk, own, row.extended_to, row.may_have_lms_date)
    return row, standing


def remember_standing(request: HttpRequest, row: Assignment, person_pk: int) -> None:
    """Notes an answer to `STANDING` that was read for this very request, so that nothing has to ask again."""
    request.__dict__[_READ_ALREADY] = row, person_pk


def _find(*, public_id: str, person: int) -> QuerySet[Assignment]:
    extensions = Extension.objects.filter(assignment=OuterRef("pk"), person=person)
    return (
        Assignment.objects.filter(public_id=public_id)
        .annotate(own=FilteredRelation("submissions", condition=Q(submissions__person=person)))
        .select_related("own")  # type: ignore[misc]  # the stubs know no filtered relations
        .annotate(
            extended_to=Subquery(extensions.values("due_at")[:1]),
            may_have_lms_date=may_have_date(person),
        )
        .order_by()
    )


STANDING = KeptQuery(_find, public_id=str, person=int)
