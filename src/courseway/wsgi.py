"""The WSGI application.

A path in PUBLIC_URL is the script name, since a proxy passes the full path. `/healthz`, `/readyz` and `/metrics` are
answered here, whatever the Host, with and without that path, so that no request pays for them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections, reset_queries
from django.urls import get_resolver

from courseway.loading import loading_modules

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "courseway.settings")

# A file of the largest size that students hand in, and the rest of its form.
LARGEST_BODY = 28 * 1024 * 1024

with loading_modules():
    _django = get_wsgi_application()
    get_resolver().url_patterns  # noqa: B018 - all pages too, so that the first visitor does not wait for them


# What Django does at the beginning and at the end of each request for any number of databases and caches. There is one
# database here and no cache server, and `application` looks at that database itself: finding out that there is nothing
# else took twice as long as reading a session's ticket.
for _signal, _receivers in (
    (request_started, (reset_queries, close_old_connections)),
    (request_finished, (close_caches, close_old_connections, reset_urlconf)),
):
    for _receiver in _receivers:
        _signal.disconnect(_receiver)


def _look_at_connection() -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.queries_log.clear()
    connection.close_if_unusable_or_obsolete()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    prefix = settings.PUBLIC_PATH
    path = environ.get("PATH_INFO", "")
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = path = path[len(prefix) :] or "/"
    if path in ("/healthz", "/readyz"):
        return _answer_health(path, start_response)
    if path == "/metrics":
        return _answer_metrics(environ, start_response)
    if _says_too_much(environ):
        return _refuse_body(start_response)
    # The address people use is PUBLIC_URL's, whatever a proxy or a client says.
    environ["wsgi.url_scheme"] = "https" if settings.PUBLIC_IS_HTTPS else "http"
    _look_at_connection()
    return _django(environ, start_response)


def _says_too_much(environ: dict[str, Any]) -> bool:
    """Whether the body is larger than anything that is taken here: it is not even read."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    return not length.isascii() or not length.isdigit() or int(length[:20]) > LARGEST_BODY


def _refuse_body(start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = f"At most {LARGEST_BODY // 1024 // 1024} MB are taken in one request.\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("413 Content Too Large", headers)
    return [body]


def _answer_metrics(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Figures for Prometheus, for those who may read them (docs/operations.md)."""
    from courseway.metrics import CONTENT_TYPE, may_read_metrics, write_metrics

    may_read = may_read_metrics(environ)
    body = (write_metrics() if may_read else "Set COURSEWAY_METRICS_TOKEN and send it as a bearer token.\n").encode()
    headers = [
        ("Content-Type", CONTENT_TYPE if may_read else "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *([] if may_read else [("WWW-Authenticate", "Bearer")]),
    ]
    start_response("200 OK" if may_read else "401 Unauthorized", headers)
    return [body]


def _answer_health(path: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`/healthz` says that the process answers; `/readyz` that its database does and is migrated."""
    from courseway.health import READY, read_readiness

    problem = "" if path == "/healthz" else read_readiness()
    is_ok = problem in ("", READY)
    body = json.dumps({"ok": True} if is_ok else {"ok": False, "problem": problem}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response("200 OK" if is_ok else "503 Service Unavailable", headers)
    return [body]
