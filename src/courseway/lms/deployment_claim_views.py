"""The short form: an owner enters only a deployment ID of an LMS that the operator has registered for all (A6)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from courseway.lms.deployment_claims import list_shared_platforms, withdraw_claim
from courseway.lms.org_access import get_claim_to_own
from courseway.lms.org_forms import ClaimForm
from courseway.lms.org_views import show_page
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.visitor import visitor_of


@sign_in_required
@require_POST
def claim(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    form = ClaimForm(list(list_shared_platforms()), request.POST)
    account = visitor_of(request).account
    if not form.platforms:
        messages.error(request, _("No LMS is registered for all organizations here. Add a registration instead."))
    elif not form.is_valid() or form.save(organization, account, now=timezone.now()) is None:
        return show_page(request, organization, claim_form=form, status=400)
    else:
        messages.success(request, _("The deployment ID is stored. It counts once an administrator has confirmed it."))
    return _back(slug)


@sign_in_required
@require_POST
def withdraw(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    owned = get_claim_to_own(request, slug, pk)
    if withdraw_claim(owned):
        messages.success(request, _("The deployment ID %(id)s is taken back.") % {"id": owned})
    else:
        messages.error(request, _("%(id)s is confirmed already. Revoke its connection to the LMS.") % {"id": owned})
    return _back(slug)


def _back(slug: str) -> HttpResponse:
    return redirect(reverse("lms_org:integrations", args=[slug]) + "#deployment-claims")
