"""Where a frame keeps no cookies, an accepted launch goes on in a new tab by one click (B5).

The page in the frame has a form that opens the tab and brings a code in its body, never in an address. The code is
good once, for a short time, and only from our own page; for it the tab gets the cookie of the launch's session.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from courseway.lms.frames import allow_framing, comes_from_our_page, mark_browser
from courseway.lms.models import UsedTabCode
from courseway.lms.refusals import TabCodeOverError
from courseway.lms.sessions import set_launch_cookie

LIFETIME = timedelta(seconds=120)
_SALT = "courseway.lms.new_tab"


def lead_on(request: HttpRequest, response: HttpResponseRedirect) -> HttpResponse:
    """A page in the place of an accepted launch's redirect, in a frame of which nobody knows that it keeps cookies.

    The page finds out whether the cookie stayed, then goes where the redirect led, or offers the new tab.
    """
    context = {
        "step": "landing",
        "url": response["Location"],
        "new_tab_to": "lti:continue",
        "new_tab_fields": [("code", _make_code(response))],
    }
    page = allow_framing(render(request, "lms/opening.html", context))
    for name, morsel in response.cookies.items():
        # SimpleCookie would turn the Morsel into one of its own class.
        dict.__setitem__(page.cookies, name, morsel)
    mark_browser(page)
    return page


def redeem_code(request: HttpRequest, *, now: datetime) -> HttpResponse:
    """The session of a launch for the tab that brings its code. Raises TabCodeOverError."""
    code = request.POST.get("code", "")
    if not comes_from_our_page(request):
        raise TabCodeOverError("not sent by our page")
    try:
        name, value, path, url = signing.loads(
            code, salt=_SALT, max_age=LIFETIME, fallback_keys=[*settings.SECRET_KEY_FALLBACKS]
        )
    except signing.BadSignature as error:
        raise TabCodeOverError("too old" if isinstance(error, signing.SignatureExpired) else "not ours") from None
    digest = urlsafe_b64encode(hashlib.sha256(code.encode()).digest()).decode().rstrip("=")
    try:
        with transaction.atomic():
            UsedTabCode(digest=digest, used_at=now).save(force_insert=True)
    except IntegrityError:
        raise TabCodeOverError("used before") from None
    response = HttpResponseRedirect(url)
    response.status_code = 303
    response.headers["Cache-Control"] = "no-store"
    set_launch_cookie(response, name, value, path=path)
    return response


def _make_code(response: HttpResponseRedirect) -> str:
    name, morsel = next(iter(response.cookies.items()))
    return signing.dumps([name, morsel.value, morsel["path"], response["Location"]], salt=_SALT)
