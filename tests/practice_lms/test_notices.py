"""The practice LMS tells tools of copied courses, when they asked for it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.practice_lms.running import KeysetServer, PracticeLms, Tool13

SCOPE = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
COPY = "LtiContextCopyNotice"


@pytest.fixture
def tool(lms: PracticeLms, keyset: KeysetServer) -> Tool13:
    return Tool13(lms, keyset, options={"sends_notices": True}, profile="canvas")


def put(tool: Tool13, **document: Any) -> httpx2.Response:
    return tool.lms.http.put(f"/lti/notices/{tool.id}", headers=tool.get_token(SCOPE), json=document)


def test_a_tool_registers_handlers(tool: Tool13) -> None:
    """A handler of the tool's own host is kept, one of another host refused (C43), an empty one taken back."""
    assert put(tool, notice_type=COPY, handler="https://tool.example/notices").status_code == 200
    listed = tool.lms.http.get(f"/lti/notices/{tool.id}", headers=tool.get_token(SCOPE)).json()["notice_handlers"]
    assert listed == [{"notice_type": COPY, "handler": "https://tool.example/notices"}]
    assert put(tool, notice_type=COPY, handler="https://other.example/notices").status_code == 400
    assert put(tool, notice_type="Unknown", handler="https://tool.example/notices").status_code == 400
    assert put(tool, notice_type=COPY, handler="").json()["notice_handlers"] == []


def test_a_handler_needs_the_scope(lms: PracticeLms, tool13: Tool13, tool: Tool13) -> None:
    """Another tool's token, and one without the scope, register nothing."""
    document = {"notice_type": COPY, "handler": "https://tool.example/notices"}
    answer = lms.http.put(f"/lti/notices/{tool13.id}", headers=tool13.get_token(), json=document)
    assert answer.status_code == 403
    assert lms.http.put(f"/lti/notices/{tool13.id}", headers=tool.get_token(SCOPE), json=document).status_code == 403


def test_only_copies_of_courses_that_use_the_tool_are_told(lms: PracticeLms, tool: Tool13, course: str) -> None:
    """A copy is told to the tools whose links were copied, and to no others."""
    put(tool, notice_type=COPY, handler="https://tool.example/notices")
    lms.post("courses/copy", course=course)
    assert not [one for one in lms.get("notices") if one["tool_id"] == tool.id]
    tool.place_link(course)
    lms.post("courses/copy", course=course)
    assert [one["kind"] for one in lms.get("notices") if one["tool_id"] == tool.id] == [COPY]
