"""A course moves from a tool's LTI 1.1 to its LTI 1.3, or back: links, columns and grades stay as they are.

Launches by LTI 1.3 then say what the tool was by LTI 1.1: the claim `lti1p1`, signed with the key's secret. User,
course and link have the same ids by both versions here, so the claim leaves them out.
"""

import base64
import hashlib
import hmac
import sqlite3
from typing import Any

from practice_lms.courses import get_course
from practice_lms.database import read_setting, write_setting
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, find_tool, get_tool


def move_course(db: sqlite3.Connection, course_id: str, *, former_id: str, tool_id: str) -> int:
    """Let every link of the course that opened one tool open another, of the other version; how many there were."""
    course, former, tool = get_course(db, course_id), get_tool(db, former_id), get_tool(db, tool_id)
    if former.version == tool.version:
        raise RefusedError("A course moves between LTI 1.1 and LTI 1.3.")
    if tool.course_id not in ("", course.id):
        raise RefusedError("That tool belongs to another course alone.")
    moved = db.execute(
        "UPDATE link SET tool_id = ? WHERE course_id = ? AND tool_id = ?", (tool.id, course.id, former.id)
    )
    db.execute("UPDATE line_item SET tool_id = ? WHERE course_id = ? AND tool_id = ?", (tool.id, course.id, former.id))
    if former.version == "1.1":
        write_setting(db, f"former-tool:{course.id}:{tool.id}", former.id)
    return moved.rowcount


def find_former_tool(db: sqlite3.Connection, course_id: str, tool: Tool) -> Tool | None:
    """What a tool by LTI 1.3 was in this course before."""
    former_id = read_setting(db, f"former-tool:{course_id}:{tool.id}") if tool.version == "1.3" else None
    return find_tool(db, "id", former_id) if former_id else None


def build_former_claim(
    former: Tool, *, deployment_id: str, issuer: str, client_id: str, expires_at: int, nonce: str
) -> dict[str, Any]:
    """The claim `lti1p1`: the key, and a signature that only whoever knows its secret can make."""
    words = "&".join((former.key, deployment_id, issuer, client_id, str(expires_at), nonce))
    digest = hmac.new(former.secret.encode(), words.encode(), hashlib.sha256).digest()
    return {"oauth_consumer_key": former.key, "oauth_consumer_key_sign": base64.b64encode(digest).decode()}
