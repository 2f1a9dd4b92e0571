"""The page on which a student's launch lands asks who they are and how they stand in one statement."""

from __future__ import annotations

from django.http import HttpRequest

from courseway.kept_queries import first_of_both
from courseway.learning.own_standing import STANDING, remember_standing
from courseway.lms.middleware import VisitorMiddleware
from courseway.lms.sessions import Ticket, path_of
from courseway.lms.visitors import STILL_ENROLLED, make_visitor, values_of
from courseway.orgs.visitor import Visitor


class ArrivingMiddleware(VisitorMiddleware):
    """Finds out who is asking; on the page of the launch's assignment, how they stand with it as well."""

    def find_visitor(self, request: HttpRequest, ticket: Ticket) -> Visitor | None:
        if not ticket.assignment or request.path_info != "/" + path_of("learning:assignment", ticket.assignment):
            return super().find_visitor(request, ticket)
        wanted: dict[str, int | str] = {"public_id": ticket.assignment, "person": ticket.person}
        enrollment, assignment = first_of_both(STILL_ENROLLED, values_of(ticket), STANDING, wanted)
        if assignment is not None:
            remember_standing(request, assignment, ticket.person)
        return make_visitor(request, ticket, enrollment)
