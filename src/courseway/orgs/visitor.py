"""Who is asking: an account that signed in, or a person in the session of one launch - never both.

The launch half is filled in by `lms.visitors`, which stands above this room; views and getters only read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from courseway.orgs.models import Account, Person


@dataclass(frozen=True, slots=True)
class LaunchVisit:
    """What the session of one launch allows: this person, this course, this role, nothing else."""

    reference: str
    organization_id: int
    course_id: int
    context_id: int  # lms.Context
    role: str  # courses.Role
    covers_whole_course: bool
    assignment_public_id: str
    return_url: str = ""
    lms_url: str = ""  # of the LMS course that one came from; the way back where the launch named none
    page: str = ""
    # Of a review: the student whose work at the assignment is read, and nothing else. 0 in every other launch.
    reviewed_person_id: int = 0


@dataclass(frozen=True, slots=True)
class Visitor:
    account: Account | None = None
    person: Person | None = None
    launch: LaunchVisit | None = None

    @property
    def is_known(self) -> bool:
        return self.account is not None or self.launch is not None


NOBODY = Visitor()


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor set by `VisitorsMiddleware`; nobody where that did not run."""
    visitor = getattr(request, "visitor", NOBODY)
    return visitor if isinstance(visitor, Visitor) else NOBODY


def visitor_context(request: HttpRequest) -> dict[str, Any]:
    """Template context: `visitor`."""
    return {"visitor": visitor_of(request)}
