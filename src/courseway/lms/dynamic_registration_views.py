"""The page that an LMS opens to register us: an owner signs in, sees which LMS it is, and agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from courseway.lms.addresses import absolute
from courseway.lms.dynamic_registration import Invitation, list_missing, read_configuration, register, suggest_name
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.models import Registration, RegistrationLink
from courseway.lms.org_access import get_registration_link_to_own
from courseway.lms.org_forms import NameForm
from courseway.lms.registration_links import (
    find_registration_link,
    hold_link,
    make_registration_link,
    release_link,
    use_link,
    withdraw_link,
)
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.visitor import visitor_of
from ltikit.errors import LtiError
from ltikit.v13.registration import PlatformConfiguration

_FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


@never_cache
@require_http_methods(["GET", "POST"])
def open_registration(request: HttpRequest, token: str) -> HttpResponseBase:
    """What an LMS opens with `openid_configuration` and, mostly, `registration_token`."""
    link = find_registration_link(token, now=timezone.now())
    if link is None:
        response = render(request, "lms/register_over.html", status=410)
    elif request.GET.get("openid_configuration", "") == "":
        response = render(
            request, "lms/register_by_hand.html", {"address": absolute(f"/lti/register/{token}")}, status=400
        )
    elif request.headers.get("Sec-Fetch-Dest", "") in _FRAMES:
        response = render(request, "lms/register_in_tab.html", {"address": request.get_full_path()})
    else:
        return _register(request, token=token)
    # What an LMS shows in a frame; none of it does anything but lead to a tab of its own.
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    return response


@sign_in_required
def _register(request: HttpRequest, *, token: str) -> HttpResponse:
    """In a window of its own, where sign-in works: a frame of another site keeps no session of ours."""
    link = find_registration_link(token, now=timezone.now())
    if link is None:
        return render(request, "lms/register_over.html", status=410)
    get_organization_to_own(request, link.organization.slug)
    invitation = Invitation(
        request.GET["openid_configuration"][:2000], request.GET.get("registration_token", "")[:8000]
    )
    try:
        configuration = read_configuration(invitation)
    except LtiError as error:
        return _refuse(request, link, _Problem(error.hint, error.detail, error.code, error.status))
    form = NameForm(request.POST or None, initial={"name": suggest_name(configuration)})
    if request.method == "POST" and form.is_valid():
        return _confirm(request, link, configuration, invitation, form.cleaned_data["name"])
    return _ask(request, link, configuration, form)


def _confirm(
    request: HttpRequest,
    link: RegistrationLink,
    configuration: PlatformConfiguration,
    invitation: Invitation,
    name: str,
) -> HttpResponse:
    if not hold_link(link, now=timezone.now()):
        hint = _("A registration by this link is under way. Wait a moment, then look under LTI integrations.")
        return _refuse(request, link, _Problem(hint, "", "registration_under_way", 409))
    try:
        registration = register(link.organization, configuration, invitation, name=name)
    except LtiError as error:
        release_link(link)
        return _refuse(request, link, _Problem(error.hint, error.detail, error.code, error.status))
    except IntegrationError as error:
        release_link(link)
        hint = _(
            "The LMS registered us, but what it answered cannot be used. Remove the tool there before trying again."
        )
        return _refuse(request, link, _Problem(hint, error.message, "registration_unusable", 409))
    except BaseException:
        release_link(link)
        raise
    use_link(link, registration.platform, now=timezone.now())
    return _finish(request, link, registration)


def _ask(
    request: HttpRequest, link: RegistrationLink, configuration: PlatformConfiguration, form: NameForm
) -> HttpResponse:
    words = {
        "organization": link.organization,
        "configuration": configuration,
        "host": urlsplit(configuration.registration_url).netloc,
        "missing": list_missing(configuration),
        "form": form,
        "address": request.get_full_path(),
    }
    return render(request, "lms/register.html", words, status=400 if form.errors else 200)


def _finish(request: HttpRequest, link: RegistrationLink, registration: Registration) -> HttpResponse:
    deployments = list(registration.platform.deployments.values_list("deployment_id", flat=True))
    words = {
        "organization": link.organization,
        "platform": registration.platform,
        "registration": registration,
        "deployments": deployments,
    }
    return render(request, "lms/registered.html", words)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why nothing was registered: what to do, the LMS's own words, and a code for whoever is asked for help."""

    hint: str
    detail: str
    code: str
    status: int


def _refuse(request: HttpRequest, link: RegistrationLink, problem: _Problem) -> HttpResponse:
    words: dict[str, Any] = {
        "organization": link.organization,
        "problem": problem,
        "address": request.get_full_path(),
    }
    return render(request, "lms/register_problem.html", words, status=problem.status)


@sign_in_required
@require_POST
def make_link(request: HttpRequest, slug: str) -> HttpResponse:
    """A new link, shown once: only its hash is kept."""
    organization = get_organization_to_own(request, slug)
    link, address = make_registration_link(organization, made_by=visitor_of(request).account, now=timezone.now())
    words = {"organization": organization, "link": link, "address": address}
    response = render(request, "lms/registration_link.html", words)
    response.headers["Cache-Control"] = "no-store, private"
    return response


@sign_in_required
@require_POST
def withdraw(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    withdraw_link(get_registration_link_to_own(request, slug, pk), now=timezone.now())
    messages.success(request, _("The link cannot be used any more."))
    return redirect("lms_org:integrations", slug)
