"""An owner says by hand that a registration and an LTI 1.1 key are the same LMS, or takes that back (B7)."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from courseway.lms.models import ConsumerKey, Platform, PlatformJoin
from courseway.lms.org_access import get_consumer_key_to_own, get_lti13_platform_to_own
from courseway.lms.upgrades import join_platforms
from courseway.orgs.access import sign_in_required


def list_joinable_keys(platform: Platform) -> QuerySet[ConsumerKey]:
    """The organization's LTI 1.1 keys that are not joined to this registration as a whole."""
    joined = PlatformJoin.objects.filter(platform=platform, deployment_id="").values("former")
    keys = ConsumerKey.objects.filter(platform__organization=platform.organization_id, platform__revoked_at=None)
    return keys.exclude(platform__in=joined).select_related("platform").order_by("platform__name", "pk")


@sign_in_required
@require_POST
def join(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    """`key` is the public id of the key's platform."""
    owned = get_lti13_platform_to_own(request, slug, platform)
    key = get_consumer_key_to_own(request, slug, request.POST.get("key", ""))
    with transaction.atomic():
        join_platforms(owned.pk, key.platform_id, deployment_id="", now=timezone.now())
    messages.success(request, _("%(name)s is the same LMS: its people and links go on here.") % {"name": key.platform})
    return _back(slug, platform)


@sign_in_required
@require_POST
def part(request: HttpRequest, slug: str, platform: str, pk: int) -> HttpResponse:
    """Whoever was carried over stays; from now on only signed claims carry anybody over."""
    owned = get_lti13_platform_to_own(request, slug, platform)
    joined = get_object_or_404(PlatformJoin, platform=owned.pk, pk=pk)
    joined.delete()
    messages.success(request, _("%(name)s counts as another LMS now.") % {"name": joined.former})
    return _back(slug, platform)


def _back(slug: str, platform: str) -> HttpResponse:
    return redirect(reverse("lms_org:registration", args=[slug, platform]) + "#former")
