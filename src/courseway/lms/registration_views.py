"""One LTI 1.3 registration: its values, its deployments, and whether it works."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from courseway.lms.integration_errors import IntegrationError
from courseway.lms.lms_guides import find_guide
from courseway.lms.models import Deployment, Launch, Platform, PlatformJoin
from courseway.lms.org_access import get_deployment_to_own, get_lti13_platform_to_own, get_registration_to_own
from courseway.lms.org_forms import DeploymentForm, RegistrationForm
from courseway.lms.org_views import our_values
from courseway.lms.platform_join_views import list_joinable_keys
from courseway.lms.registrations import (
    ConnectionFinding,
    add_deployment,
    approve_deployment,
    test_connection,
)
from courseway.orgs.access import get_organization_to_own, sign_in_required


@sign_in_required
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    guide = find_guide(request.GET.get("lms", ""))
    initial = {"name": guide.name, **guide.known} if guide and guide.version == "1.3" else {}
    form = RegistrationForm(request.POST or None, initial=initial)
    registration = form.save(organization) if request.method == "POST" and form.is_valid() else None
    if registration is not None:
        messages.success(request, _("%(name)s is registered. Test the connection now.") % form.cleaned_data)
        return redirect("lms_org:registration", slug, registration.platform.public_id)
    words = {"organization": organization, "form": form, "guide": guide, **our_values()}
    return render(request, "lms/registration_new.html", words, status=400 if form.errors else 200)


@sign_in_required
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    if request.method != "POST":
        return _page(request, get_lti13_platform_to_own(request, slug, platform))
    registration = get_registration_to_own(request, slug, platform)
    stored = get_registration_to_own(request, slug, platform)
    form = RegistrationForm(request.POST, registration=registration)
    if form.is_valid() and form.save(registration.platform.tenant) is not None:
        messages.success(request, _("Saved. Launches follow the new values from now on."))
        return redirect("lms_org:registration", slug, platform)
    return _page(request, stored.platform, form, status=400)


@sign_in_required
@require_POST
def test(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    """Asks the LMS; the answer stands on the same page."""
    owned = get_lti13_platform_to_own(request, slug, platform)
    return _page(request, owned, findings=test_connection(owned.registered_as, now=timezone.now()))


@sign_in_required
@require_POST
def add_one(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    registration = get_registration_to_own(request, slug, platform)
    form = DeploymentForm(request.POST)
    if form.is_valid():
        try:
            add_deployment(registration, form.cleaned_data["deployment_id"])
        except IntegrationError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("The deployment is approved."))
    else:
        messages.error(request, _("A deployment ID has between 1 and 255 characters. Nothing was changed."))
    return redirect("lms_org:registration", slug, platform)


@sign_in_required
@require_POST
def approve(request: HttpRequest, slug: str, platform: str, pk: int) -> HttpResponse:
    deployment = get_deployment_to_own(get_registration_to_own(request, slug, platform), pk)
    approve_deployment(deployment)
    messages.success(request, _("The deployment %(id)s is approved.") % {"id": deployment})
    return redirect("lms_org:registration", slug, platform)


test.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _page(
    request: HttpRequest,
    platform: Platform,
    form: RegistrationForm | None = None,
    *,
    findings: list[ConnectionFinding] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Of the operator's registration an owner sees what the LMS has to know, and changes nothing."""
    registration = platform.registered_as
    if form is None and platform.shared is None:
        form = RegistrationForm(registration=registration)
    accepted = Launch.objects.filter(context__deployment=OuterRef("pk")).exclude(outcome=Launch.Outcome.REFUSED)
    deployments = (
        Deployment.objects.filter(platform=platform)
        .annotate(launched_at=Subquery(accepted.order_by("-pk").values("at")[:1]))
        .select_related("notice_subscription")
        .order_by("approved", "pk")
    )
    words = {
        "organization": platform.tenant,
        "registration": registration,
        "platform": platform,
        "form": form,
        "deployments": deployments,
        "findings": findings,
        "joins": PlatformJoin.objects.filter(platform=platform).select_related("former").order_by("pk"),
        "joinable_keys": list_joinable_keys(platform),
        **our_values(),
    }
    return render(request, "lms/registration.html", words, status=status)
