"""Why did this launch fail? For owners, by the reference that the page of a refusal shows."""

from __future__ import annotations

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from courseway.lms.launch_log import hint_of, is_after, list_launches, list_steps
from courseway.lms.launch_log_csv import LAUNCH_HEADS, list_launch_rows
from courseway.lms.models import Launch
from courseway.lms.org_access import get_launch_to_inspect
from courseway.lms.rule_words import say_rule
from courseway.lms.sent_messages import find_same_message, list_sent_values
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.spreadsheets import csv_download

PER_PAGE = 50


@sign_in_required
@require_safe
def show_launches(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    text, outcome = request.GET.get("q", "").replace("\0", ""), request.GET.get("outcome", "")
    launches = list_launches(organization, text=text, outcome=outcome)
    words = {
        "organization": organization,
        "page_obj": Paginator(launches, PER_PAGE).get_page(request.GET.get("page")),
        "q": text,
        "outcome": outcome,
        "outcomes": Launch.Outcome.choices,
        "kept_days": settings.LAUNCH_LOG_DAYS,
    }
    return render(request, "lms/launches.html", words)


@sign_in_required
@require_safe
def download_launches(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The launches that the page's search finds, newest first, as CSV."""
    organization = get_organization_to_own(request, slug)
    text, outcome = request.GET.get("q", "").replace("\0", ""), request.GET.get("outcome", "")
    launches = list_launches(organization, text=text, outcome=outcome)
    return csv_download(f"launches-{organization.slug}", LAUNCH_HEADS, list_launch_rows(launches))


@sign_in_required
@require_safe
def show_launch(request: HttpRequest, slug: str, reference: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    launch = get_launch_to_inspect(organization, reference)
    same = find_same_message(launch)
    words = {
        "organization": organization,
        "launch": launch,
        "hint": hint_of(launch.code),
        "rule": say_rule(launch.rule),
        "steps": list_steps(launch),
        "sent": list_sent_values(same or launch),
        "same": same,
        "is_verified": launch.outcome != Launch.Outcome.REFUSED or is_after(launch.step, "signature"),
    }
    return render(request, "lms/launch.html", words)
