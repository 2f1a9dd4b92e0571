"""What Django itself costs: bare views that check the signature, write one row in one statement, and show a page.

Nothing is left out that a launch needs by the specification's letter, and nothing else is there: no middleware, no
template, no model, one registered platform, one key. No tool on Django can be faster.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from urllib.parse import urlencode

import dj_database_url
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings
from django.core import signing
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path

from benchmarks.platform import oauth_signature

TOLD = json.loads(os.environ["FLOOR"])
BASE = TOLD["base"]
PLATFORM = TOLD["platform"]

_STORE = """
INSERT INTO launch (nonce, person, link) SELECT %s, key, %s FROM person WHERE key = %s
ON CONFLICT (nonce) DO NOTHING RETURNING id, (SELECT name FROM person WHERE key = launch.person)
"""

settings.configure(
    SECRET_KEY=TOLD["secret_key"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": dj_database_url.parse(TOLD["database"], conn_max_age=600)},
    USE_I18N=False,
)
_key = serialization.load_pem_public_key(TOLD["pem"].encode())
assert isinstance(_key, rsa.RSAPublicKey)
KEY = _key


def login(request: HttpRequest) -> HttpResponse:
    """A signed state, and on to the platform."""
    nonce, browser = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": PLATFORM["client_id"],
        "redirect_uri": f"{BASE}/launch",
        "nonce": nonce,
        "login_hint": request.GET["login_hint"],
        "lti_message_hint": request.GET["lti_message_hint"],
        "state": signing.dumps([nonce, browser]),
    }
    response = HttpResponseRedirect(f"{PLATFORM['auth_url']}?{urlencode(query)}")
    response.set_cookie("browser", browser, secure=True, samesite="None", httponly=True)
    return response


def launch(request: HttpRequest) -> HttpResponse:
    """An LTI 1.3 launch."""
    nonce, browser = signing.loads(request.POST["state"], max_age=600)
    if not hmac.compare_digest(browser, request.COOKIES["browser"]):
        return HttpResponse(status=403)
    signed, _, signature = request.POST["id_token"].rpartition(".")
    KEY.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(_decode(signed.partition(".")[2]))
    expected = (PLATFORM["issuer"], PLATFORM["client_id"], nonce)
    if (claims["iss"], claims["aud"], claims["nonce"]) != expected or claims["exp"] < time.time():
        return HttpResponse(status=403)
    link = claims["https://purl.imsglobal.org/spec/lti/claim/resource_link"]["id"]
    return _land(nonce, link, claims["sub"])


def launch_v11(request: HttpRequest) -> HttpResponse:
    """An LTI 1.1 launch."""
    form = request.POST.dict()
    expected = oauth_signature(form, url=f"{BASE}/launch11", secret=TOLD["secret"])
    is_right = hmac.compare_digest(expected, form["oauth_signature"]) and form["oauth_consumer_key"] == TOLD["key"]
    if not is_right or abs(time.time() - int(form["oauth_timestamp"])) > 300:
        return HttpResponse(status=403)
    nonce = hashlib.sha256(form["oauth_nonce"].encode()).hexdigest()
    return _land(nonce, form["resource_link_id"], form["user_id"])


def _land(nonce: str, link: str, person: str) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [nonce, link, person])
        row = cursor.fetchone()
    if row is None:
        return HttpResponse(status=403)
    response = HttpResponseRedirect(f"/at/{row[0]}", status=303)
    response.set_cookie("session", signing.dumps([row[0], person, row[1]]), secure=True, samesite="None", httponly=True)
    return response


def show(request: HttpRequest, reference: int) -> HttpResponse:
    """The page on which a launch lands."""
    number, person, name = signing.loads(request.COOKIES["session"])
    if number != reference:
        return HttpResponse(status=403)
    return HttpResponse(f"<!doctype html><title>Exercise</title><h1>Welcome, {name}</h1><p>{person}</p>")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


urlpatterns = [
    path("login", login),
    path("launch", launch),
    path("launch11", launch_v11),
    path("at/<int:reference>", show),
    path("readyz", lambda request: HttpResponse("ok")),
]
application = get_wsgi_application()
