"""The only ways to deliveries: an organization's for its owners, a course's for its teachers."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from courseway.courses.access import CourseAccess, get_course_to_teach
from courseway.grades.models import Delivery
from courseway.lms.access import list_learners
from courseway.orgs.access import get_organization_to_own
from courseway.orgs.models import Organization
from courseway.orgs.visitor import visitor_of


def list_deliveries_to_own(request: HttpRequest, slug: str) -> tuple[Organization, QuerySet[Delivery]]:
    """All deliveries of an organization, for its owners alone."""
    organization = get_organization_to_own(request, slug)
    return organization, Delivery.objects.filter(organization=organization)


def get_delivery_to_own(request: HttpRequest, slug: str, pk: int) -> Delivery:
    """One of them, with what its page shows."""
    _organization, deliveries = list_deliveries_to_own(request, slug)
    related = ("organization", "platform", "person", "resource_link__context", "assignment__course")
    delivery = deliveries.select_related(*related).filter(pk=pk).first()
    if delivery is None:
        raise Http404(_("There is no such delivery in this organization."))
    return delivery


def list_deliveries_to_teach(request: HttpRequest, course_id: str) -> tuple[CourseAccess, QuerySet[Delivery]]:
    """The deliveries of a course's learners whose work this teacher may see."""
    access = get_course_to_teach(request, course_id)
    learners = list_learners(access, visitor_of(request)).order_by()
    deliveries = Delivery.objects.filter(
        organization=access.course.organization_id,
        assignment__course=access.course,
        person__in=learners.values("person"),
        platform__revoked_at=None,
    )
    return access, deliveries
