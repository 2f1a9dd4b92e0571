"""The configurations that an administrator gives to an LMS by their address: XML for LTI 1.1, Canvas's JSON for 1.3."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from courseway.lms import addresses
from ltikit import vocabulary
from ltikit.canvas_placements import Placement, list_placements
from ltikit.v11 import tool_xml
from ltikit.v13 import canvas_config

TITLE: Final = "Courseway"
TOOL_ID: Final = "courseway"


@require_safe
def show_tool_xml(request: HttpRequest) -> HttpResponse:
    """LMSs fetch it without signing in. It is the same for every key, so it tells nobody whether a key exists."""
    document = tool_xml.build_tool_xml(
        title=TITLE,
        description=describe_tool(),
        launch_url=addresses.launch_url(),
        tool_id=TOOL_ID,
        vendor_name=TITLE,
        vendor_code=TOOL_ID,
        placements=list_tool_placements(),
        custom=vocabulary.CANVAS_VARIABLES,
    )
    return _publish(document, tool_xml.MEDIA_TYPE)


@require_safe
def show_canvas_json(request: HttpRequest) -> HttpResponse:
    """The same for every organization, and for everybody: it holds our addresses and nothing secret."""
    document = canvas_config.build_canvas_config(
        title=TITLE,
        description=describe_tool(),
        login_url=addresses.login_url(),
        launch_url=addresses.launch_url(),
        keyset_url=addresses.keyset_url(),
        tool_id=TOOL_ID,
        placements=list_tool_placements(),
    )
    return _publish(document, canvas_config.MEDIA_TYPE)


def list_tool_placements() -> tuple[Placement, ...]:
    return list_placements(
        selection_url=addresses.deep_linking_url(),
        editor_url=addresses.editor_button_url(),
        navigation_url=addresses.course_navigation_url(),
        text=TITLE,
    )


def describe_tool() -> str:
    return _("Courses and assignments whose grades come back to the LMS.")


def _publish(document: bytes, media_type: str) -> HttpResponse:
    response = HttpResponse(document, content_type=media_type)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
