"""The XML configuration that an administrator gives to an LMS by its address (A2)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from courseway.lms import addresses
from ltikit.v11.tool_xml import MEDIA_TYPE, build_tool_xml


@require_safe
def show_tool_xml(request: HttpRequest) -> HttpResponse:
    """LMSs fetch it without signing in. It is the same for every key, so it tells nobody whether a key exists."""
    document = build_tool_xml(
        title="Courseway",
        description=_("Courses and assignments whose grades come back to the LMS."),
        launch_url=addresses.launch_url(),
        tool_id="courseway",
        vendor_name="Courseway",
        vendor_code="courseway",
    )
    response = HttpResponse(document, content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
