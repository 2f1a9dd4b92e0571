"""A sign-in is bound to the browser in which it began: by a cookie, else by a secret in the platform's storage.

A frame may keep no cookies. Then the page of the login asks the LMS's page by postMessage to keep the secret
(LTI OIDC Login with LTI Client Side postMessages), and a page before the launch asks for it again. Whatever a page
says, the server compares: the secret must fit the sealed state, and only a form of our own page may bring it, since
whoever began the sign-in in another browser knows its secret too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from courseway.lms import platforms
from courseway.lms.frames import allow_framing, comes_from_our_page
from courseway.lms.platforms import KnownPlatform
from courseway.lms.sessions import login_cookie_name, read_launch_cookie
from ltikit.errors import LtiError
from ltikit.v13 import login as v13_login

SECRET_FIELD = "platform_storage"  # noqa: S105 - the name of a form's field
_LOGIN_FIELDS = ("iss", "login_hint", "target_link_uri", "lti_message_hint", "client_id", "lti_deployment_id")

Pairs = Sequence[tuple[str, str]]


def read_stored_secret(request: HttpRequest, form: Pairs) -> str | None:
    """What the platform's storage held of a sign-in, brought by our own page; None if nothing."""
    if not comes_from_our_page(request):
        return None
    return next((value for name, value in form if name == SECRET_FIELD), None)


def show_login(
    request: HttpRequest,
    login: v13_login.LoginRequest,
    platform: KnownPlatform,
    *,
    url: str,
    attempt_id: str,
    secret: str,
) -> HttpResponse:
    """The way to the authorization endpoint through a page that finds out how this browser can be bound.

    Where it cannot be, the login begins once more in a new tab, with the parameters as they came.
    """
    sent = request.POST if request.method == "POST" else request.GET
    context = {
        "step": "login",
        "url": url,
        "continue_to": url.partition("?")[0],
        "continue_fields": parse_qsl(urlsplit(url).query, keep_blank_values=True),
        "new_tab_to": "lti:login",
        "new_tab_fields": [(name, sent[name]) for name in _LOGIN_FIELDS if name in sent],
        "storage_target": login.storage_target,
        "storage_key": _storage_key(attempt_id),
        "storage_value": secret,
        "authentication_url": platform.authentication_url,
    }
    return allow_framing(render(request, "lms/opening.html", context))


def ask_for_secret(request: HttpRequest, form: Pairs, *, now: datetime) -> HttpResponse | None:
    """The page that asks the platform's storage for the secret of a launch without a cookie.

    None when there is a cookie, when the page was there already, and when there is nowhere to ask: then the launch is
    verified as it is.
    """
    fields = dict(form)
    if SECRET_FIELD in fields or not fields.get("id_token") or not fields.get("state"):
        return None
    try:
        attempt_id = v13_login.peek_attempt_id(fields["state"])
        if read_launch_cookie(request, login_cookie_name(attempt_id)) is not None:
            return None
        keys = [key.encode() for key in settings.SECRET_KEYS]
        stored = v13_login.find_stored_secret(fields["state"], secrets=keys, now=now)
    except LtiError:
        return None  # verifying says it in the right words, and logs it
    if stored is None or not stored.registration_id.isdecimal():
        return None
    platform = platforms.find_by_pk(int(stored.registration_id), is_fresh=False)
    if platform is None or platform.is_revoked:
        return None
    context = {
        "step": "secret",
        "continue_fields": [("id_token", fields["id_token"]), ("state", fields["state"]), (SECRET_FIELD, "")],
        "storage_target": stored.storage_target,
        "storage_key": _storage_key(attempt_id),
        "authentication_url": platform.authentication_url,
    }
    return allow_framing(render(request, "lms/opening.html", context))


def _storage_key(attempt_id: str) -> str:
    return f"courseway-{attempt_id}"
