"""Who comes with a launch's ticket, and whether they still may: asked for each request, in one statement."""

from __future__ import annotations

from django.db.models import Exists, QuerySet, Subquery
from django.http import HttpRequest

from courseway.courses.access import remember_course
from courseway.courses.models import Enrollment, Role
from courseway.kept_queries import KeptQuery
from courseway.lms.models import ContextMembership, CourseContext, Platform
from courseway.lms.sessions import Ticket, review_ticket_of
from courseway.orgs.models import Person
from courseway.orgs.visitor import LaunchVisit, Visitor


def visitor_of_ticket(request: HttpRequest, ticket: Ticket) -> Visitor | None:
    """One statement: the enrollment is active and the LMS's last word on the role is still the ticket's."""
    enrollment = STILL_ENROLLED.first(**values_of(ticket))
    return make_visitor(request, ticket, enrollment, enrollment.person) if enrollment else None


def values_of(ticket: Ticket) -> dict[str, int | str]:
    """What `STILL_ENROLLED` asks about a ticket."""
    return {"course": ticket.course, "person": ticket.person, "context": ticket.context, "role": ticket.role}


def make_visitor(request: HttpRequest, ticket: Ticket, enrollment: Enrollment, person: Person) -> Visitor:
    """The person of a ticket, by an enrollment that still holds."""
    remember_course(request, enrollment.course)
    visit = LaunchVisit(
        reference=ticket.reference,
        organization_id=ticket.organization,
        course_id=ticket.course,
        context_id=ticket.context,
        role=ticket.role,
        covers_whole_course=enrollment.covers_whole_course,
        assignment_public_id=ticket.assignment,
        return_url=ticket.return_url,
        lms_url=enrollment.own_lms_url or enrollment.course.lms_url,  # type: ignore[attr-defined]
        page=ticket.page,
    )
    return Visitor(person=person, launch=visit)


def find_still_enrolled(*, course: int, person: int, context: int, role: str) -> QuerySet[Enrollment]:
    """The enrollment with its course, if it is active and the LMS's last word on the role is this one."""
    still_so = ContextMembership.objects.filter(context=context, person=person, role=role, active=True)
    here = CourseContext.objects.filter(course=course, context=context)
    return (
        Enrollment.objects.select_related("course")
        .filter(Exists(still_so), course=course, person=person, active=True, course__lti_enabled=True)
        .annotate(own_lms_url=Subquery(here.values("lms_url")[:1]))
    )


def _with_person(**values: int | str) -> QuerySet[Enrollment]:
    return find_still_enrolled(**values).select_related("person")  # type: ignore[arg-type]


STILL_ENROLLED = KeptQuery(_with_person, course=int, person=int, context=int, role=str)


def visitor_of_review(request: HttpRequest) -> Visitor | None:
    """One statement: the student is still in the course, and the owner still lets this LMS open students' work.

    The visitor is in no course (0), so that every page but the review refuses.
    """
    ticket = review_ticket_of(request)
    if ticket is None:
        return None
    accepted = Platform.objects.filter(pk=ticket.platform, accepts_actual_user=True, revoked_at=None)
    students = Enrollment.objects.filter(Exists(accepted), course=ticket.course, course__lti_enabled=True)
    if not students.filter(person=ticket.person, role=Role.STUDENT).exists():
        return None
    visit = LaunchVisit(
        reference=ticket.reference,
        organization_id=ticket.organization,
        course_id=0,
        context_id=0,
        role=ticket.role,
        covers_whole_course=False,
        assignment_public_id=ticket.assignment,
        return_url=ticket.return_url,
        reviewed_person_id=ticket.person,
    )
    return Visitor(launch=visit)
