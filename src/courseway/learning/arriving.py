"""The page on which a student's launch lands asks who they are and how they stand in one statement."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest

from courseway.kept_queries import KeptQuery, first_of_both
from courseway.learning.own_standing import STANDING, remember_standing
from courseway.lms.middleware import VisitorMiddleware
from courseway.lms.sessions import Ticket, path_of
from courseway.lms.visitors import find_still_enrolled, make_visitor, values_of
from courseway.orgs.models import Person
from courseway.orgs.visitor import Visitor


class ArrivingMiddleware(VisitorMiddleware):
    """Finds out who is asking; on the page of the launch's assignment, how they stand with it as well."""

    def find_visitor(self, request: HttpRequest, ticket: Ticket) -> Visitor | None:
        if not ticket.assignment or request.path_info != "/" + path_of("learning:assignment", ticket.assignment):
            return super().find_visitor(request, ticket)
        wanted: dict[str, int | str] = {"public_id": ticket.assignment, "person": ticket.person}
        enrollment, assignment = first_of_both(_STILL_ENROLLED, values_of(ticket), STANDING, wanted)
        if enrollment is None:
            return None
        if assignment is not None:
            remember_standing(request, assignment, ticket.person)
        # The page says nothing of the person; what somebody asks of them after all is read then.
        person = Person.from_db(DEFAULT_DB_ALIAS, ["id", "organization_id"], [ticket.person, ticket.organization])
        return make_visitor(request, ticket, enrollment, person)


_STILL_ENROLLED = KeptQuery(find_still_enrolled, course=int, person=int, context=int, role=str)
