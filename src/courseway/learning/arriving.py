"""The page on which a student's launch lands asks who they are and how they stand in one statement."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from courseway.courses.models import Enrollment, Role
from courseway.kept_queries import KeptQuery, first_of_both, make_model
from courseway.learning.own_standing import STANDING, remember_standing
from courseway.lms.middleware import VisitorsMiddleware
from courseway.lms.sessions import Ticket, path_of
from courseway.lms.visitors import STILL_ENROLLED, find_still_enrolled, make_visitor, values_of
from courseway.orgs.models import Person
from courseway.orgs.visitor import Visitor


class ArrivingMiddleware(VisitorsMiddleware):
    """Finds out who is asking; on the page of the launch's assignment, how they stand with it as well."""

    def find_visitor(self, request: HttpRequest, ticket: Ticket) -> Visitor | None:
        if not ticket.assignment or request.path_info != "/" + path_of("learning:assignment", ticket.assignment):
            return super().find_visitor(request, ticket)
        is_student = ticket.role == Role.STUDENT
        wanted: dict[str, int | str] = {"public_id": ticket.assignment, "person": ticket.person}
        still_enrolled = _STUDENT_STILL_ENROLLED if is_student else STILL_ENROLLED
        enrollment, assignment = first_of_both(still_enrolled, values_of(ticket), STANDING, wanted)
        if enrollment is None:
            return None
        if assignment is not None:
            remember_standing(request, assignment, ticket.person)
        if not is_student:
            return make_visitor(request, ticket, enrollment, enrollment.person)
        # The page says nothing of the student; what somebody asks of them after all is read then.
        person = make_model(Person, [("id", ticket.person), ("organization_id", ticket.organization)])
        return make_visitor(request, ticket, enrollment, person)


def _find(**values: int | str) -> QuerySet[Enrollment]:
    """Without what a student's page never asks for."""
    found = find_still_enrolled(**values)  # type: ignore[arg-type]
    return found.defer("created_at", "announced_at", *[f"course__{name}" for name in _NOT_ASKED])


_NOT_ASKED = (
    "created_at",
    "constant_urls",
    "course_copy",
    "enroll_only",
    "filter_learners_for_mentors",
    "iframe_height",
    "iframe_width",
    "parent",
    "provide_feedback_link",
    "release_grades_automatically",
)
_STUDENT_STILL_ENROLLED = KeptQuery(_find, course=int, person=int, context=int, role=str)
