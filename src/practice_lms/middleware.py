"""What happens around every request: unknown hosts are refused, and refusals become pages that say what to do."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from practice_lms.refusals import RefusedError

Respond = Callable[[HttpRequest], HttpResponse]


def check_host(respond: Respond) -> Respond:
    """Answer only to our own names, so that no web page can reach us under a name of its own."""

    def check(request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            return HttpResponse(
                "Practice LMS does not answer to this host name.", status=400, content_type="text/plain"
            )
        return respond(request)

    return check


class show_refusals:
    """Show a refusal of a page as a page."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.respond(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Refusals only; anything else is a fault of ours and stays a 500."""
        if not isinstance(exception, RefusedError):
            return None
        return render(request, "refused.html", {"refusal": exception}, status=exception.status)
