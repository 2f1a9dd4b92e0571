"""What Django itself costs: bare views that check the signature, write one row in one statement, and show a page.

Nothing is left out that a launch needs by the specification's letter, and nothing else is there: no middleware, no
template, no model, one registered platform, one key. No tool on Django can be faster.
"""

from __future__ import annotations

import hmac
import secrets

import dj_database_url
from django.conf import settings
from django.core import signing
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path

from benchmarks.floor import STORE, Arrival, read_environment, write_page

FLOOR = read_environment()

settings.configure(
    SECRET_KEY=FLOOR.secret_key,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": dj_database_url.parse(FLOOR.database, conn_max_age=600)},
    USE_I18N=False,
)


def login(request: HttpRequest) -> HttpResponse:
    """A signed state, and on to the platform."""
    nonce, browser = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    address = FLOOR.ask_platform(
        login_hint=request.GET["login_hint"],
        message_hint=request.GET["lti_message_hint"],
        nonce=nonce,
        state=signing.dumps([nonce, browser]),
    )
    response = HttpResponseRedirect(address)
    response.set_cookie("browser", browser, secure=True, samesite="None", httponly=True)
    return response


def launch(request: HttpRequest) -> HttpResponse:
    """An LTI 1.3 launch."""
    nonce, browser = signing.loads(request.POST["state"], max_age=600)
    if not hmac.compare_digest(browser, request.COOKIES["browser"]):
        return HttpResponse(status=403)
    return _land(FLOOR.check_v13(request.POST["id_token"], nonce))


def launch_v11(request: HttpRequest) -> HttpResponse:
    """An LTI 1.1 launch."""
    return _land(FLOOR.check_v11(request.POST.dict()))


def _land(arrival: Arrival | None) -> HttpResponse:
    if arrival is None:
        return HttpResponse(status=403)
    with connection.cursor() as cursor:
        cursor.execute(STORE, [arrival.nonce, arrival.link, arrival.person])
        row = cursor.fetchone()
    if row is None:
        return HttpResponse(status=403)
    response = HttpResponseRedirect(f"/at/{row[0]}", status=303)
    session = signing.dumps([row[0], arrival.person, row[1]])
    response.set_cookie("session", session, secure=True, samesite="None", httponly=True)
    return response


def show(request: HttpRequest, reference: int) -> HttpResponse:
    """The page on which a launch lands."""
    number, person, name = signing.loads(request.COOKIES["session"])
    if number != reference:
        return HttpResponse(status=403)
    return HttpResponse(write_page(person, name))


urlpatterns = [
    path("login", login),
    path("launch", launch),
    path("launch11", launch_v11),
    path("at/<int:reference>", show),
    path("readyz", lambda request: HttpResponse("ok")),
]
application = get_wsgi_application()
