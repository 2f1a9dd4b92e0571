"""The WSGI application. A path in PUBLIC_URL is the script name: a proxy passes the full path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courseway.settings")

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    prefix = settings.PUBLIC_PATH
    path = environ.get("PATH_INFO", "")
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = path[len(prefix) :] or "/"
    # The address people use is PUBLIC_URL's, whatever a proxy or a client says.
    environ["wsgi.url_scheme"] = "https" if settings.PUBLIC_IS_HTTPS else "http"
    return _django(environ, start_response)
