"""The WSGI application.

A path in PUBLIC_URL is the script name, since a proxy passes the full path. `/healthz` and `/readyz` are answered
here, whatever the Host, with and without that path, so that no request pays for them.
"""

from __future__ import annotations

import json
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
        environ["PATH_INFO"] = path = path[len(prefix) :] or "/"
    if path in ("/healthz", "/readyz"):
        return _answer_health(path, start_response)
    # The address people use is PUBLIC_URL's, whatever a proxy or a client says.
    environ["wsgi.url_scheme"] = "https" if settings.PUBLIC_IS_HTTPS else "http"
    return _django(environ, start_response)


def _answer_health(path: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`/healthz` says that the process answers; `/readyz` that its database does and is migrated."""
    from courseway.health import READY, read_readiness

    problem = "" if path == "/healthz" else read_readiness()
    is_ok = problem in ("", READY)
    body = json.dumps({"ok": True} if is_ok else {"ok": False, "problem": problem}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response("200 OK" if is_ok else "503 Service Unavailable", headers)
    return [body]
