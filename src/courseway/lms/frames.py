"""What is different where an LMS shows us in a frame: another site's page decides whether our cookies are kept.

One cookie that says nothing but "kept" tells, at the next request from the same place, that cookies stay there
(`sessions.may_lose_cookies`).
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from courseway.lms.sessions import KEPT_COOKIE, keeps_cookies, set_launch_cookie

KEPT_FOR = timedelta(days=180)


def mark_browser(response: HttpResponse) -> None:
    """Gives the browser the cookie that shows, when it comes back, that cookies are kept."""
    set_launch_cookie(response, KEPT_COOKIE, "1", path=f"{settings.PUBLIC_PATH}/lti/", lifetime=KEPT_FOR)


@require_safe
def show_kept(request: HttpRequest) -> JsonResponse:
    """Asked by our own pages in a frame: did the cookie that came with the page stay?"""
    response = JsonResponse({"kept": keeps_cookies(request)})
    response.headers["Cache-Control"] = "no-store"
    return response


def comes_from_our_page(request: HttpRequest) -> bool:
    """True for a form that one of our own pages sent. Browsers add `Origin` to every POST, and no page can forge it."""
    ours = urlsplit(settings.PUBLIC_URL)
    usual_port = {"https": 443, "http": 80}.get(ours.scheme)
    port = "" if ours.port in (None, usual_port) else f":{ours.port}"
    host = f"[{ours.hostname}]" if ":" in (ours.hostname or "") else ours.hostname
    return request.headers.get("Origin") == f"{ours.scheme}://{host}{port}"


def allow_framing(response: HttpResponse) -> HttpResponse:
    """LMSs show launches in frames; whatever they show must be readable there too."""
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    response.headers["Cache-Control"] = "no-store"
    return response
