"""Signing in beside a picker: a tab of its own, where the sign-in session lives, shows a code to type in the LMS.

A launch never touches the sign-in session, and a frame of another site would not get its cookie: so a person carries
the proof over, not a cookie.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from courseway.lms.models import PendingSelection
from courseway.lms.refusals import SelectionOverError
from courseway.lms.selection import PURPOSE, open_selection
from courseway.lms.sessions import selection_ticket_of
from courseway.orgs.access import sign_in_required
from courseway.orgs.email_codes import make_code
from courseway.orgs.visitor import visitor_of


@never_cache
@require_http_methods(["GET", "POST"])
def show_code(request: HttpRequest, reference: str) -> HttpResponseBase:
    """GET says who asks in the LMS; POST shows the code, since whoever types it there gets this account's courses."""
    if selection_ticket_of(request) is not None:
        raise PermissionDenied(_("Sign in in a tab of its own."))
    return _show_code(request, reference)


@sign_in_required
def _show_code(request: HttpRequest, reference: str) -> HttpResponse:
    now, account = timezone.now(), visitor_of(request).account
    row = PendingSelection.objects.select_related("platform__organization").filter(reference=reference).first()
    if row is None or account is None:
        raise PermissionDenied(_("Nobody waits for a code here. Open the link in the LMS again."))
    try:
        launch, _target = open_selection(row, now=now)
    except SelectionOverError as error:
        return render(request, "lms/choose/sign_in.html", {"problem": error.hint}, status=410)
    words = {"launch": launch, "platform": row.platform, "account": account}
    if request.method == "POST":
        words["code"] = make_code(account.email, purpose=PURPOSE, subject=reference, now=now)
    return render(request, "lms/choose/sign_in.html", words)
