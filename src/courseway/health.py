"""Is the process up, and can it do its work? Answered before anything else, whatever the Host."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse


class HealthMiddleware:
    """`/healthz` says that the process answers; `/readyz` that its database does and is migrated."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info.removeprefix(settings.PUBLIC_PATH)
        if path == "/healthz":
            return JsonResponse({"ok": True})
        if path == "/readyz":
            return _readiness()
        return self.get_response(request)


def _readiness() -> JsonResponse:
    try:
        executor = MigrationExecutor(connection)
        is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception:
        # Whatever the driver raises, the answer is the same: not ready.
        return JsonResponse({"ok": False, "problem": "The database does not answer."}, status=503)
    if not is_migrated:
        return JsonResponse({"ok": False, "problem": "Run `courseway migrate`."}, status=503)
    return JsonResponse({"ok": True})
