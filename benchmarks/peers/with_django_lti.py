"""A tool made with django-lti, as its documentation shows, on PostgreSQL. Runs in an environment of its own.

Django's sessions are in the database; what the library keeps of a launch is in the memory of the one process, which
is the fastest cache that Django has.
"""

from __future__ import annotations

import json
import os

import django
from django.conf import settings

TOLD = json.loads(os.environ["PEER"])
REGISTRATION = "6b1a3c52-0a63-4f0e-8f3f-0d9c4a3f2b11"

settings.configure(
    SECRET_KEY=TOLD["secret_key"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "lti_tool"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "lti_tool.middleware.LtiLaunchMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": TOLD["database"],
            "USER": "postgres",
            "HOST": TOLD["socket"],
            "CONN_MAX_AGE": None,
        }
    },
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 1_000_000},
        }
    },
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect  # noqa: E402
from django.urls import path  # noqa: E402
from lti_tool.models import Key, LtiDeployment, LtiRegistration  # noqa: E402
from lti_tool.views import LtiLaunchBaseView, OIDCLoginInitView, jwks  # noqa: E402


class Launch(LtiLaunchBaseView):
    """Leads the person to the page."""

    def handle_resource_launch(self, request, lti_launch):
        return HttpResponseRedirect("/at")


def show(request: HttpRequest) -> HttpResponse:
    """The page on which a launch lands."""
    launch = request.lti_launch
    if launch.is_absent:
        return HttpResponse(status=403)
    return HttpResponse(f"<!doctype html><title>Exercise</title><p>{launch.get_claim('sub')}</p>")


def prepare() -> None:
    """Tables, a key, the platform."""
    call_command("migrate", verbosity=0)
    Key.objects.generate()
    names = ("issuer", "client_id", "auth_url", "token_url", "keyset_url")
    platform = {name: TOLD["platform"][name] for name in names}
    registration = LtiRegistration.objects.create(name="Platform", uuid=REGISTRATION, **platform)
    LtiDeployment.objects.create(registration=registration, deployment_id=TOLD["deployment"], is_active=True)


urlpatterns = [
    path("keys", jwks),
    path("login/<uuid:registration_uuid>", OIDCLoginInitView.as_view()),
    path("launch", Launch.as_view()),
    path("at", show),
    path("readyz", lambda request: HttpResponse("ok")),
]
application = get_wsgi_application()

if __name__ == "__main__":
    prepare()
