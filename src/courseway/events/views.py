"""Webhooks of an organization: where events go, what came of each, and sending it again (J1)."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from courseway.events import endpoints
from courseway.events.access import get_delivery_to_own, get_endpoint_to_own
from courseway.events.endpoints import EndpointRefusedError
from courseway.events.forms import EndpointForm, NewEndpointForm
from courseway.events.kinds import TEST, Kind
from courseway.events.letters import new_secret, read_secrets, write_body
from courseway.events.models import WebhookDelivery, WebhookEndpoint
from courseway.events.retry import Verdict
from courseway.orgs.access import get_organization_to_own, sign_in_required

PER_PAGE = 50
TRIES_SHOWN = 100
STATES = WebhookDelivery.State


@sign_in_required
@require_safe
def list_endpoints(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    found = organization.webhook_endpoints.annotate(
        waiting=Count("deliveries", filter=Q(deliveries__state=STATES.WAITING)),
        failed=Count("deliveries", filter=Q(deliveries__state=STATES.FAILED)),
    )
    words = {"organization": organization, "endpoints": found.order_by("created_at", "pk"), "all_kinds": Kind.choices}
    return render(request, "events/webhooks.html", words)


@sign_in_required
@require_http_methods(["GET", "POST"])
def add_endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    form = NewEndpointForm(request.POST or None, initial={"secret": new_secret()})
    if request.method == "POST" and form.is_valid():
        try:
            endpoint = endpoints.create_endpoint(organization, **form.cleaned_data, now=timezone.now())
        except EndpointRefusedError as error:
            form.add_error("url", str(error))
        else:
            messages.success(request, _("The webhook took a test event. It is told of events from now on."))
            return redirect("events:webhook", slug, endpoint.public_id)
    words = {"organization": organization, "form": form}
    return _unkept(render(request, "events/webhook_new.html", words, status=400 if form.errors else 200))


@sign_in_required
@require_safe
def show_endpoint(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    return _page(request, get_endpoint_to_own(request, slug, endpoint))


@sign_in_required
@require_POST
def change(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    owned = get_endpoint_to_own(request, slug, endpoint)
    form = EndpointForm(request.POST)
    if form.is_valid():
        try:
            endpoints.change_endpoint(owned, **form.cleaned_data, now=timezone.now())
        except EndpointRefusedError as error:
            form.add_error("url", str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("events:webhook", slug, endpoint)
    return _page(request, get_endpoint_to_own(request, slug, endpoint), form=form, status=400)


@sign_in_required
@require_POST
def show_secret(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    """The secret in clear, once: as JSON for the copy button, else on the page."""
    owned = get_endpoint_to_own(request, slug, endpoint)
    secret = read_secrets(owned, now=timezone.now())[0]
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return _unkept(JsonResponse({"secret": secret}))
    return _unkept(_page(request, owned, secret=secret))


@sign_in_required
@require_POST
def rotate(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    owned = get_endpoint_to_own(request, slug, endpoint)
    endpoints.rotate_secret(owned, now=timezone.now())
    hours = int(endpoints.OVERLAP.total_seconds() // 3600)
    words = _("There is a new secret. For %(hours)d hours events are signed with the old one too: change it meanwhile.")
    messages.success(request, words % {"hours": hours})
    return redirect("events:webhook", slug, endpoint)


@sign_in_required
@require_POST
def test(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    posted = endpoints.send_test(get_endpoint_to_own(request, slug, endpoint), now=timezone.now())
    if posted.verdict is Verdict.TAKEN:
        words = _("The test event was answered with %(status)s after %(milliseconds)s ms.")
        messages.success(request, words % {"status": posted.status, "milliseconds": posted.milliseconds})
    else:
        messages.error(request, endpoints.explain_refusal(posted))
    return redirect("events:webhook", slug, endpoint)


@sign_in_required
@require_POST
def switch_off(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    owned = get_endpoint_to_own(request, slug, endpoint)
    endpoints.disable_endpoint(owned, WebhookEndpoint.Reason.OWNER, now=timezone.now())
    messages.success(request, _("Switched off: no more events go there."))
    return redirect("events:webhook", slug, endpoint)


@sign_in_required
@require_POST
def switch_on(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    endpoints.enable_endpoint(get_endpoint_to_own(request, slug, endpoint), now=timezone.now())
    messages.success(request, _("Switched on. What failed before can be sent again below."))
    return redirect("events:webhook", slug, endpoint)


@sign_in_required
@require_POST
def delete(request: HttpRequest, slug: str, endpoint: str) -> HttpResponse:
    get_endpoint_to_own(request, slug, endpoint).delete()
    messages.success(request, _("The webhook and its log are gone."))
    return redirect("events:webhooks", slug)


@sign_in_required
@require_POST
def send_again(request: HttpRequest, slug: str, endpoint: str) -> HttpResponseRedirect:
    """One event (`event`), or everything that failed."""
    owned = get_endpoint_to_own(request, slug, endpoint)
    chosen = request.POST.get("event", "")
    deliveries = (
        owned.deliveries.filter(event__public_id=chosen) if chosen else owned.deliveries.filter(state=STATES.FAILED)
    )
    number = endpoints.redeliver(deliveries, now=timezone.now())
    if number:
        text = ngettext("%(n)d event is on its way again.", "%(n)d events are on their way again.", number)
        messages.success(request, text % {"n": number})
    elif owned.disabled_at is not None:
        messages.warning(request, _("The webhook is switched off. Switch it on first."))
    else:
        messages.warning(request, _("There is nothing to send again."))
    if chosen and number:
        return redirect("events:delivery", slug, endpoint, chosen)
    return redirect("events:webhook", slug, endpoint)


@sign_in_required
@require_safe
def show_delivery(request: HttpRequest, slug: str, endpoint: str, event: str) -> HttpResponse:
    delivery = get_delivery_to_own(request, slug, endpoint, event)
    body = json.dumps(json.loads(write_body(delivery.event, delivery.endpoint)), ensure_ascii=False, indent=2)
    words = {
        "organization": delivery.endpoint.organization,
        "endpoint": delivery.endpoint,
        "delivery": delivery,
        "body": body,
        "tries": delivery.tries_made.all()[:TRIES_SHOWN],
    }
    return render(request, "events/delivery.html", words)


def _page(
    request: HttpRequest,
    owned: WebhookEndpoint,
    *,
    form: EndpointForm | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    state = request.GET.get("state", "")
    kind = request.GET.get("kind", "")
    deliveries = owned.deliveries.select_related("event").order_by("-event__at", "-event_id")
    if state in STATES.values:
        deliveries = deliveries.filter(state=state)
    if kind:
        deliveries = deliveries.filter(event__kind=kind)
    initial = {"url": owned.url, "kinds": owned.kinds, "shares_people": owned.shares_people}
    words: dict[str, Any] = {
        "organization": owned.organization,
        "endpoint": owned,
        "form": form or EndpointForm(initial=initial),
        "secret": secret,
        "page_obj": Paginator(deliveries, PER_PAGE).get_page(request.GET.get("page")),
        "state": state,
        "kind": kind,
        "states": STATES.choices,
        "kinds": [*Kind.values, TEST],
        "failed": owned.deliveries.filter(state=STATES.FAILED).count(),
        "waiting": owned.deliveries.filter(state=STATES.WAITING).count(),
        "signs_with_old": bool(owned.old_secret_until and owned.old_secret_until > timezone.now()),
    }
    return render(request, "events/webhook.html", words, status=status)


def _unkept(response: HttpResponse) -> HttpResponse:
    """Never kept by a cache: it holds a secret."""
    response.headers["Cache-Control"] = "no-store, private"
    return response
