"""The address of the form that carries a launch from a frame into a new tab."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from courseway.lms.new_tab import redeem_code
from courseway.lms.refusals import LaunchMethodError
from courseway.lms.views import refuse
from ltikit.errors import LtiError


@csrf_exempt  # the frame keeps no cookies, so no CSRF cookie either; `redeem_code` asks where the form came from
def continue_in_tab(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    try:
        if request.method != "POST":
            raise LaunchMethodError
        return redeem_code(request, now=now)
    except LtiError as error:
        return refuse(request, error, now=now)
