"""How a function becomes an address of the JSON API, and reads what was sent."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from practice_lms.refusals import RefusedError, read_whole_number

Handle = Callable[[HttpRequest, dict[str, Any]], Any]


def endpoint(*methods: str) -> Callable[[Handle], Callable[[HttpRequest], JsonResponse]]:
    """Make a function of (request, body) an address of the API."""

    def decorate(handle: Handle) -> Callable[[HttpRequest], JsonResponse]:
        @csrf_exempt
        @wraps(handle)
        def answer(request: HttpRequest) -> JsonResponse:
            try:
                if request.method not in methods:
                    raise RefusedError(f"This address takes {' and '.join(methods)} only.", 405)
                return JsonResponse(handle(request, read_body(request)), safe=False)
            except RefusedError as refusal:
                body = {"error": refusal.code, "error_description": refusal.message}
                return JsonResponse(body, status=refusal.status)

        return answer

    return decorate


def read_body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of a POST; nothing for other methods."""
    if request.method != "POST":
        return {}
    if request.content_type != "application/json":
        raise RefusedError("The body must be application/json.", 415)
    try:
        body = json.loads(request.body)
    except ValueError:
        raise RefusedError("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise RefusedError("The body must be a JSON object.")
    return body


def read_number(request: HttpRequest, name: str, default: int) -> int:
    """A whole number of the query."""
    return read_whole_number(name, request.GET.get(name), default)


def need(body: dict[str, Any], name: str) -> str:
    """A member that has to be there, as text."""
    value = body.get(name)
    if value in (None, ""):
        raise RefusedError(f"{name} is missing.")
    return str(value)
