"""A course moves between a tool's LTI 1.1 and its LTI 1.3, and launches say what the tool was."""

from __future__ import annotations

import base64
import hashlib
import hmac

from tests.practice_lms.running import PracticeLms, Tool11, Tool13
from tests.practice_lms.test_launch_13 import CLAIM, launch, read_token


def test_a_moved_course_says_what_it_was(
    lms: PracticeLms, course: str, student: str, tool11: Tool11, tool13: Tool13
) -> None:
    """The links keep their ids and columns, and the claim is signed with the key's secret over this very token."""
    link = tool11.place_link(course)
    fresh = tool13.place_link(course)
    assert CLAIM + "lti1p1" not in read_token(lms, launch(lms, fresh["id"], student))
    old, new = tool11.record["id"], tool13.record["id"]
    assert lms.post("courses/move", course=course, **{"from": old, "to": new}) == {"moved": 1}
    claims = read_token(lms, launch(lms, link["id"], student))
    assert claims[CLAIM + "resource_link"]["id"] == link["id"]
    said = claims[CLAIM + "lti1p1"]
    words = [
        tool11.record["key"],
        claims[CLAIM + "deployment_id"],
        claims["iss"],
        claims["aud"],
        str(claims["exp"]),
        claims["nonce"],
    ]
    digest = hmac.digest(tool11.record["secret"].encode(), "&".join(words).encode(), hashlib.sha256)
    assert said == {
        "oauth_consumer_key": tool11.record["key"],
        "oauth_consumer_key_sign": base64.b64encode(digest).decode(),
    }
    moved = lms.post("courses/move", course=course, **{"from": new, "to": old})
    assert moved == {"moved": 2}
    assert lms.post("launch", link=link["id"], person=student)["version"] == "1.1"


def test_a_course_moves_to_the_other_version_alone(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """From a version to the same one there is nothing to move."""
    other = tool13.record["id"]
    answer = lms.http.post("/api/courses/move", json={"course": course, "from": other, "to": other})
    assert answer.status_code == 400
