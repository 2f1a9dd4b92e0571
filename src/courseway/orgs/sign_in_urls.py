"""Below /account/: allauth's pages and ours. The names have no namespace, as allauth's have none."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import urls as allauth_urls
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from courseway.orgs import sign_in_views
from courseway.orgs.visitor import visitor_of


def _outside_launches(pattern: URLPattern) -> URLPattern:
    """The same address, refused below `/at/…`: a launch never touches the sign-in session (B6)."""
    view: Callable[..., Any] = pattern.callback

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if visitor_of(request).launch is not None:
            raise PermissionDenied(_("This page is not part of the LMS course."))
        return view(request, *args, **kwargs)

    return URLPattern(pattern.pattern, checked, pattern.default_args, pattern.name)


_pages = [
    path("", sign_in_views.show_account, name="account_home"),
    path("link/<str:token>", sign_in_views.open_link, name="account_link"),
    path("invitation/<str:token>", sign_in_views.open_invitation, name="account_invitation"),
    path("new-password", sign_in_views.set_new_password, name="account_new_password"),
    *allauth_urls.urlpatterns,
]

urlpatterns = [_outside_launches(page) for page in _pages]
