"""Inside a launch: the way to one's own work without the LMS, by a code to the address that the LMS sent (C2, C8).

The LMS's word about an address proves nothing, so the code does. People without an address come by launch only.
"""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from courseway.learning.joining import JoinError, find_lms_address, join_account
from courseway.orgs.email_codes import EmailCodeError, find_address, send_code, use_code
from courseway.orgs.models import Organization, Person
from courseway.orgs.public_address import public_address
from courseway.orgs.sign_in_links import make_sign_in_link
from courseway.orgs.visitor import LaunchVisit, visitor_of

PURPOSE = "account"
LINK_LIFETIME = timedelta(minutes=15)


@never_cache
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    visitor = visitor_of(request)
    if visitor.launch is None or visitor.person is None:
        raise PermissionDenied(_("This page is part of a course in an LMS."))
    error = ""
    try:
        if request.method == "POST" and "code" in request.POST:
            return _join(request, visitor.person)
        if request.method == "POST":
            _send(visitor.person, visitor.launch)
    except (EmailCodeError, JoinError) as refusal:
        error = str(refusal)
    except ValidationError:
        error = _("The address that your LMS sent is none that mail can be sent to.")
    context = {
        "person": visitor.person,
        "address": find_lms_address(visitor.person, visitor.launch.context_id),
        "sent_to": find_address(purpose=PURPOSE, subject=_subject(visitor.person), now=timezone.now()),
        "error": error,
        "sign_in_url": public_address("account_login"),
    }
    return render(request, "learning/account.html", context, status=400 if error else 200)


def _send(person: Person, visit: LaunchVisit) -> None:
    address = find_lms_address(person, visit.context_id)
    if person.account_id is not None or not address:
        raise PermissionDenied
    organization = Organization.objects.get(pk=visit.organization_id)
    reason = _("open your work at %(organization)s without the LMS") % {"organization": organization}
    send_code(address, purpose=PURPOSE, subject=_subject(person), reason=reason, now=timezone.now())


def _join(request: HttpRequest, person: Person) -> HttpResponse:
    now = timezone.now()
    email = use_code(request.POST["code"], purpose=PURPOSE, subject=_subject(person), now=now)
    joined = join_account(person, email, now=now)
    link = public_address("account_login")[: -len("/account/login/")] + make_sign_in_link(
        joined, now=now, lifetime=LINK_LIFETIME
    )
    context = {"person": person, "account": joined, "link": link, "sign_in_url": public_address("account_login")}
    return render(request, "learning/account_joined.html", context)


def _subject(person: Person) -> str:
    return f"person:{person.pk}"
