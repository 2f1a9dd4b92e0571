"""The LTI integrations page of an organization: everything an LMS administrator needs, for owners alone (A1)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from courseway.lms import addresses, tool_keys
from courseway.lms.deployment_claims import list_pending_claims, list_shared_platforms
from courseway.lms.keys import reinstate_platform, rename_platform, reset_secret, reveal_secret, revoke_platform
from courseway.lms.lms_guides import LMS_GUIDES, find_guide
from courseway.lms.models import Launch, Platform
from courseway.lms.org_access import get_consumer_key_to_own, get_platform_to_own
from courseway.lms.org_forms import ClaimForm, KeyForm, NameForm
from courseway.lms.registration_links import list_open_links
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.models import Organization


@sign_in_required
@require_safe
def show_integrations(request: HttpRequest, slug: str) -> HttpResponse:
    return show_page(request, get_organization_to_own(request, slug))


@sign_in_required
@require_POST
def add_key(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    form = KeyForm(request.POST)
    consumer_key = form.save(organization) if form.is_valid() else None
    if consumer_key is None:
        return show_page(request, organization, form, status=400)
    messages.success(request, _("The key of %(name)s was made. Copy its values into the LMS.") % form.cleaned_data)
    guide = find_guide(request.POST.get("guide", ""))
    if guide is not None:  # back to the page whose button it was
        address = reverse("grades_org:guide", args=[slug, guide.key])
        return redirect(f"{address}?platform={consumer_key.platform.public_id}")
    return redirect(_place_of(consumer_key.platform))


@sign_in_required
@require_POST
def show_secret(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    """The secret in clear, once: as JSON for the copy button, else on the page. Never kept by a cache."""
    consumer_key = get_consumer_key_to_own(request, slug, platform)
    secret = reveal_secret(consumer_key)
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        response: HttpResponse = JsonResponse({"secret": secret})
    else:
        organization = consumer_key.platform.tenant
        response = show_page(request, organization, shown=consumer_key.platform, secret=secret)
    response.headers["Cache-Control"] = "no-store, private"
    return response


@sign_in_required
@require_POST
def reset_key(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    consumer_key = get_consumer_key_to_own(request, slug, platform)
    reset_secret(consumer_key, now=timezone.now())
    words = _("The secret of %(name)s is new. Enter it in the LMS: launches signed with the old one are refused.")
    messages.success(request, words % {"name": consumer_key.platform})
    return redirect(_place_of(consumer_key.platform))


@sign_in_required
@require_POST
def rename(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    owned = get_platform_to_own(request, slug, platform)
    form = NameForm(request.POST)
    if form.is_valid():
        rename_platform(owned, form.cleaned_data["name"])
        messages.success(request, _("Renamed."))
    else:
        messages.error(request, _("A name has between 1 and 200 characters. Nothing was changed."))
    return redirect(_place_of(owned))


@sign_in_required
@require_POST
def revoke(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    owned = get_platform_to_own(request, slug, platform)
    revoke_platform(owned, now=timezone.now())
    messages.success(request, _("%(name)s was revoked: its launches are refused from now on.") % {"name": owned})
    return redirect("lms_org:integrations", slug)


@sign_in_required
@require_POST
def reinstate(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    owned = get_platform_to_own(request, slug, platform)
    reinstate_platform(owned)
    messages.success(request, _("%(name)s is in use again.") % {"name": owned})
    return redirect(_place_of(owned))


@sign_in_required
@require_safe
def show_last_launch(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    """Whether somebody came through the platform, for a page that looks again and again."""
    owned = get_platform_to_own(request, slug, platform)
    accepted = Launch.objects.filter(platform=owned).exclude(outcome=Launch.Outcome.REFUSED)
    at = accepted.order_by("-pk").values_list("at", flat=True).first()
    words = {"platform": owned, "at": at, "slug": slug}
    return render(request, "lms/last_launch.html", words)


def with_last_launch(platforms: QuerySet[Platform]) -> QuerySet[Platform]:
    """Adds `launched_at`: when somebody last came through the platform."""
    accepted = Launch.objects.filter(platform=OuterRef("pk")).exclude(outcome=Launch.Outcome.REFUSED).order_by("-pk")
    return platforms.annotate(launched_at=Subquery(accepted.values("at")[:1]))


def our_values() -> dict[str, str]:
    """What an LTI 1.3 platform has to know about us."""
    return {
        "login_url": addresses.login_url(),
        "redirect_url": addresses.redirect_url(),
        "launch_url": addresses.launch_url(),
        "keyset_url": addresses.keyset_url(),
        "deep_linking_url": addresses.deep_linking_url(),
        "canvas_json_url": addresses.canvas_json_url(),
        "public_key": tool_keys.public_key_pem(),
    }


def show_page(
    request: HttpRequest,
    organization: Organization,
    form: KeyForm | None = None,
    *,
    claim_form: ClaimForm | None = None,
    shown: Platform | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    platforms = with_last_launch(Platform.objects.filter(organization=organization).order_by("name", "pk"))
    keys = list(platforms.filter(version=Platform.Version.V11).select_related("consumer_key"))
    registrations = list(
        platforms.filter(version=Platform.Version.V13)
        .select_related("registration", "shared__registration")
        .prefetch_related("deployments")
    )
    shared = list(list_shared_platforms().select_related("registration"))
    words: dict[str, Any] = {
        "organization": organization,
        "keys": [(key, addresses.xml_url(key.consumer_key)) for key in keys if not key.revoked_at],
        "revoked_keys": [key for key in keys if key.revoked_at],
        "registrations": [platform for platform in registrations if not platform.revoked_at],
        "revoked_registrations": [platform for platform in registrations if platform.revoked_at],
        "registration_links": list_open_links(organization, now=timezone.now()),
        "is_empty": not keys and not registrations,
        "form": form or KeyForm(),
        "shared_platforms": shared,
        "claims": list_pending_claims(organization),
        "claim_form": claim_form or ClaimForm(shared),
        "shown": shown,
        "secret": secret,
        "guides": LMS_GUIDES,
        **our_values(),
    }
    return render(request, "lms/integrations.html", words, status=status)


def _place_of(platform: Platform) -> str:
    """The page with the key or registration in view."""
    slug = platform.tenant.slug
    if platform.version == Platform.Version.V13:
        return reverse("lms_org:registration", args=[slug, platform.public_id])
    return f"{reverse('lms_org:integrations', args=[slug])}#{platform.public_id}"
