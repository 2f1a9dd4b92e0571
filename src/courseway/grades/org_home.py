"""The home of an organization: is everything healthy, and if not, what needs somebody?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from courseway.courses.models import Course
from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.week_chart import WeekChart, draw_week
from courseway.lms.deployment_claims import count_waiting_claims
from courseway.lms.models import Deployment, InstructorApproval, Launch, Platform
from courseway.orgs.access import get_membership, sign_in_required
from courseway.orgs.models import Member, Organization

DAYS = 7
COURSES_SHOWN = 10
# A grade that waits longer than this has failed several times already.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for a person, and the page on which it is mended."""

    state: str
    text: str
    link: str
    link_text: str


@sign_in_required
@require_safe
def show_organization(request: HttpRequest, slug: str) -> HttpResponse:
    member = get_membership(request, slug)
    organization = member.organization
    if member.role != Member.Role.OWNER:
        owners = organization.members.select_related("account").filter(role=Member.Role.OWNER)
        return render(request, "grades/org_member.html", {"member": member, "owners": owners})
    now = timezone.now()
    days = list_days(now)
    words = {
        "organization": organization,
        "has_platform": Platform.objects.filter(organization=organization, revoked_at=None).exists(),
        "needs": list_needs(organization, now=now),
        "launches": draw_launches(organization, days),
        "deliveries": draw_deliveries(organization, days),
        "courses": list_courses_by_launch(organization),
    }
    return render(request, "grades/org_home.html", words)


def list_needs(organization: Organization, *, now: datetime) -> list[Need]:
    """What waits for somebody, the most urgent first."""
    needs = []
    deliveries = Delivery.objects.filter(organization=organization, platform__revoked_at=None).aggregate(
        stuck=Count("pk", filter=Q(state__in=(Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER))),
        late=Count("pk", filter=Q(state=Delivery.State.WAITING, wanted_at__lt=now - PATIENCE)),
    )
    if stuck := deliveries["stuck"]:
        text = ngettext("%(n)d grade did not reach the LMS.", "%(n)d grades did not reach the LMS.", stuck)
        needs.append(Need("failed", text % {"n": stuck}, _deliveries_of(organization), _("See why")))
    if late := deliveries["late"]:
        text = ngettext("%(n)d grade waits for more than an hour.", "%(n)d grades wait for more than an hour.", late)
        needs.append(Need("waiting", text % {"n": late}, _deliveries_of(organization), _("See why")))
    pending = Deployment.objects.filter(
        platform__organization=organization, platform__revoked_at=None, approved=False
    ).count()
    if pending:
        text = ngettext(
            "%(n)d deployment waits for your approval.", "%(n)d deployments wait for your approval.", pending
        )
        link = reverse("lms_org:integrations", args=[organization.slug])
        needs.append(Need("needs_teacher", text % {"n": pending}, link, _("Look at it")))
    if claimed := count_waiting_claims(organization):
        text = ngettext(
            "%(n)d deployment waits for a launch by the administrator of its LMS.",
            "%(n)d deployments wait for a launch by the administrator of their LMS.",
            claimed,
        )
        link = reverse("lms_org:integrations", args=[organization.slug]) + "#deployment-claims"
        needs.append(Need("waiting", text % {"n": claimed}, link, _("See what to do")))
    since = now - timedelta(days=1)
    refused = Launch.objects.filter(organization=organization, outcome=Launch.Outcome.REFUSED, at__gte=since).count()
    if refused:
        text = ngettext(
            "%(n)d launch was refused in the last 24 hours.",
            "%(n)d launches were refused in the last 24 hours.",
            refused,
        )
        link = reverse("lms_org:launches", args=[organization.slug]) + "?outcome=refused"
        needs.append(Need("refused", text % {"n": refused}, link, _("See why")))
    asked = InstructorApproval.objects.filter(platform__organization=organization, approved_at=None)
    if waiting := asked.filter(platform__asks_about_instructors=True, platform__revoked_at=None).count():
        text = ngettext("%(n)d instructor waits for your yes.", "%(n)d instructors wait for your yes.", waiting)
        link = reverse("lms_org:integrations", args=[organization.slug])
        needs.append(Need("needs_teacher", text % {"n": waiting}, link, _("Look at it")))
    return needs


def list_days(now: datetime) -> list[date]:
    """The days that the small pictures show, today last."""
    today = timezone.localdate(now)
    return [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]


def draw_launches(organization: Organization, days: list[date]) -> WeekChart:
    """Launches of each day: opened (or waiting for a choice), and refused."""
    refused = Count("pk", filter=Q(outcome=Launch.Outcome.REFUSED))
    rows = (
        Launch.objects.filter(organization=organization, at__gte=_start_of(days[0]))
        .annotate(day=TruncDate("at"))
        .values("day")
        .annotate(total=Count("pk"), refused=refused)
        .values_list("day", "total", "refused")
    )
    return draw_week(days, {day: (total - bad, bad) for day, total, bad in rows})


def draw_deliveries(organization: Organization, days: list[date]) -> WeekChart:
    """Tries of each day: grades that the LMS took, and tries that failed."""
    sent = Count("pk", filter=Q(code="sent"))
    rows = (
        DeliveryTry.objects.filter(delivery__organization=organization, at__gte=_start_of(days[0]))
        .annotate(day=TruncDate("at"))
        .values("day")
        .annotate(total=Count("pk"), sent=sent)
        .values_list("day", "total", "sent")
    )
    return draw_week(days, {day: (good, total - good) for day, total, good in rows})


def list_courses_by_launch(organization: Organization) -> list[Course]:
    courses = Course.objects.filter(organization=organization, archived_at=None, launches__outcome=Launch.Outcome.OK)
    return list(courses.annotate(launched_at=Max("launches__at")).order_by("-launched_at")[:COURSES_SHOWN])


def _deliveries_of(organization: Organization) -> str:
    return reverse("grades_org:deliveries", args=[organization.slug])


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - made aware at once
