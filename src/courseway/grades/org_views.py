"""Grade delivery: what is owed, sent and stuck in an organization, why, and sending it again."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from courseway.grades.access import get_delivery_to_own, list_deliveries_to_own
from courseway.grades.delivery_csv import DELIVERY_HEADS, list_delivery_rows
from courseway.grades.lineitems import allow_new_lineitem
from courseway.grades.models import Circuit, Delivery
from courseway.grades.org_home import draw_deliveries, list_days
from courseway.grades.outbox import resend
from courseway.grades.reasons import Reason, explain
from courseway.grades.retry import HELD_CODES
from courseway.grades.share_chart import draw_shares
from courseway.lms.models import Platform
from courseway.orgs.access import sign_in_required
from courseway.orgs.models import Organization
from courseway.spreadsheets import csv_download

PER_PAGE = 50
TRIES_SHOWN = 100
STUCK = (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of deliveries is narrowed to; also what "send all of these again" means."""

    q: str = ""
    state: str = ""
    platform: str = ""
    code: str = ""

    @classmethod
    def read(cls, form: QueryDict) -> Filters:
        state = form.get("state", "")
        known = (*Delivery.State.values, "stuck")
        return cls(
            q=form.get("q", "").strip()[:200],
            state=state if state in known else "",
            platform=form.get("platform", "")[:20],
            code=form.get("code", "")[:40],
        )

    @property
    def is_narrow(self) -> bool:
        return bool(self.q or self.state or self.platform or self.code)

    def apply(self, deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if self.state == "stuck":
            deliveries = deliveries.filter(state__in=STUCK)
        elif self.state:
            deliveries = deliveries.filter(state=self.state)
        if self.platform:
            deliveries = deliveries.filter(platform__public_id=self.platform)
        if self.code:
            deliveries = deliveries.filter(last_error_code=self.code)
        for word in self.q.split():
            deliveries = deliveries.filter(
                Q(person__name__icontains=word)
                | Q(person__email__icontains=word)
                | Q(assignment__title__icontains=word)
                | Q(assignment__course__title__icontains=word)
                | Q(resource_link__context__title__icontains=word)
            )
        return deliveries


@dataclass(frozen=True, slots=True)
class PlatformCounts:
    platform: Platform
    waiting: int
    stuck: int
    sent: int
    sent_at: object
    circuit: Circuit | None = None  # the LMS is left alone for a while


@dataclass(frozen=True, slots=True)
class Trouble:
    """The same reason on the same platform, however many grades it holds up."""

    platform: Platform
    code: str
    number: int
    reason: Reason


@sign_in_required
@require_safe
def show_deliveries(request: HttpRequest, slug: str) -> HttpResponse:
    organization, deliveries = list_deliveries_to_own(request, slug)
    filters = Filters.read(request.GET)
    shown = filters.apply(deliveries).select_related(
        "person", "assignment__course", "platform", "resource_link__context"
    )
    page = Paginator(shown.order_by("-wanted_at", "-pk"), PER_PAGE).get_page(request.GET.get("page"))
    platforms = {platform.pk: platform for platform in Platform.objects.filter(organization=organization)}
    counts = count_by_platform(deliveries, platforms)
    words = {
        "organization": organization,
        "filters": filters,
        "states": [("stuck", _("did not arrive")), *Delivery.State.choices],
        "platforms": platforms.values(),
        "counts": counts,
        "throughput": draw_deliveries(organization, list_days(timezone.now())),
        "shares": draw_shares([(str(one.platform), one.sent, one.waiting, one.stuck) for one in counts]),
        "troubles": list_troubles(deliveries, platforms),
        "page_obj": page,
    }
    return render(request, "grades/deliveries.html", words)


@sign_in_required
@require_safe
def download_deliveries(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The deliveries that the page's filters find, as CSV."""
    organization, deliveries = list_deliveries_to_own(request, slug)
    found = Filters.read(request.GET).apply(deliveries)
    return csv_download(f"grades-{organization.slug}", DELIVERY_HEADS, list_delivery_rows(found))


@sign_in_required
@require_safe
def show_delivery(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    delivery = get_delivery_to_own(request, slug, pk)
    words = {
        "organization": delivery.organization,
        "delivery": delivery,
        "reason": explain(delivery.last_error_code) if delivery.last_error_code else None,
        "tries": [{"made": one, "reason": explain(one.code)} for one in delivery.attempts_made.all()[:TRIES_SHOWN]],
    }
    return render(request, "grades/delivery.html", words)


@sign_in_required
@require_POST
def send_again(request: HttpRequest, slug: str) -> HttpResponse:
    """One delivery, those that were ticked, or all that the filters fit."""
    organization, deliveries = list_deliveries_to_own(request, slug)
    filters = Filters.read(request.POST)
    chosen = [number for number in request.POST.getlist("delivery") if number.isdecimal()]
    if "all" in request.POST:
        # What teachers changed in the LMS is overwritten only by who chose just that.
        overwrites = filters.code in HELD_CODES
        deliveries = filters.apply(deliveries)
    else:
        overwrites = True
        deliveries = deliveries.filter(pk__in=chosen)
    _tell_how_many(request, resend(deliveries, now=timezone.now(), overwrites=overwrites))
    return _back(organization, request.POST.get("next", ""), filters)


@sign_in_required
@require_POST
def make_column(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The yes to a new column in place of a deleted one; everything that waits for it goes."""
    delivery = get_delivery_to_own(request, slug, pk)
    now = timezone.now()
    with transaction.atomic():
        allow_new_lineitem(delivery.resource_link, now=now)
        held_up = Delivery.objects.filter(resource_link=delivery.resource_link, last_error_code="line_item_gone")
        number = resend(held_up, now=now)
    _tell_how_many(request, number)
    return redirect("grades_org:delivery", slug, pk)


def count_by_platform(deliveries: QuerySet[Delivery], platforms: dict[int, Platform]) -> list[PlatformCounts]:
    """Waiting, stuck and sent of each platform that was owed something, troubled ones first."""
    rows = (
        deliveries.order_by()
        .values("platform")
        .annotate(
            waiting=Count("pk", filter=Q(state=Delivery.State.WAITING)),
            stuck=Count("pk", filter=Q(state__in=STUCK)),
            sent=Count("pk", filter=Q(state__in=(Delivery.State.SENT, Delivery.State.UNCHANGED))),
            last_sent_at=Max("sent_at"),
        )
    )
    circuits = Circuit.objects.filter(platform__in=platforms).in_bulk()
    counts = [
        PlatformCounts(
            platforms[row["platform"]],
            row["waiting"],
            row["stuck"],
            row["sent"],
            row["last_sent_at"],
            circuits.get(row["platform"]),
        )
        for row in rows
    ]
    return sorted(counts, key=lambda one: (one.platform.revoked_at is not None, -one.stuck, str(one.platform)))


def list_troubles(deliveries: QuerySet[Delivery], platforms: dict[int, Platform]) -> list[Trouble]:
    """What holds grades up, by platform and reason, most grades first. Revoked platforms are no trouble."""
    rows = (
        deliveries.order_by()
        .exclude(last_error_code="")
        .filter(state__in=(*STUCK, Delivery.State.WAITING), platform__revoked_at=None)
        .values("platform", "last_error_code")
        .annotate(number=Count("pk"))
        .order_by("-number")
    )
    return [
        Trouble(platforms[row["platform"]], row["last_error_code"], row["number"], explain(row["last_error_code"]))
        for row in rows
    ]


def _tell_how_many(request: HttpRequest, number: int) -> None:
    if number:
        text = ngettext("%(n)d grade is on its way again.", "%(n)d grades are on their way again.", number)
        messages.success(request, text % {"n": number})
    else:
        messages.warning(request, _("Nothing was chosen, so nothing was sent again."))


def _back(organization: Organization, delivery: str, filters: Filters) -> HttpResponseRedirect:
    """Where the button was: the page of a delivery, or the list with its filters."""
    if delivery.isdecimal():
        return redirect("grades_org:delivery", organization.slug, int(delivery))
    query = QueryDict(mutable=True)
    for name in ("q", "state", "platform", "code"):
        if value := getattr(filters, name):
            query[name] = value
    address = reverse("grades_org:deliveries", args=[organization.slug])
    return redirect(f"{address}?{query.urlencode()}" if query else address)
