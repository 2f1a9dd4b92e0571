from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from courseway.orgs.visitor import Visitor


class LaunchSessionMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class LaunchCsrfMiddleware(CsrfViewMiddleware):
    pass


class VisitorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        account = request.user if request.user.is_authenticated else None
        request.visitor = Visitor(account=account)  # type: ignore[attr-defined,arg-type]
        return self.get_response(request)
