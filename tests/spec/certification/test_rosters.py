"""LTI Advantage certification 6.3: an instructor's launch names the roster, and the tool reads it by itself."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.ltikit.v13.platform import MEMBERSHIP
from tests.spec.certification.cases import TEACHER
from tests.spec.certification.conftest import Browser, Stand
from tests.spec.certification.validator import MEMBERSHIPS, ROSTER_SCOPE, Message

CLAIM = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
SECONDS = 60


@pytest.fixture(scope="module")
def listed(stand: Stand) -> list[dict[str, Any]]:
    """An instructor came from a course with seven members; the platform's calls once the roster was read."""
    stand.validator.members = [
        {"user_id": "roster-teacher", "roles": [MEMBERSHIP + "Instructor"], "status": "Active"},
        *({"user_id": f"roster-{one}", "roles": ["Learner"], "name": f"Member {one}"} for one in range(6)),
    ]
    service = {"context_memberships_url": f"{stand.validator.url}/roster?course=1", "service_versions": ["2.0"]}
    context = {"id": "course-with-a-roster", "title": "Rostered"}
    changes = {"roles": [TEACHER], "sub": "roster-teacher", "context": context, CLAIM: service}
    link = {"id": "link-of-the-roster", "title": "Quiz"}
    with Browser() as browser:
        answer = stand.launch(browser, Message(changes={**changes, "resource_link": link}))
    assert (answer.marks["launch"], answer.marks["role"]) == ("ok", "teacher")
    give_up_at = time.monotonic() + SECONDS
    while len(calls := [one for one in stand.validator.calls if one["path"] == "/roster"]) < 4:
        assert time.monotonic() < give_up_at, f"the roster was not read: {stand.validator.violations}"
        time.sleep(0.2)
    return calls


def test_instructor_launch(stand: Stand, listed: list[dict[str, Any]], row: Any) -> None:
    """The launch with the roster's claim lands as ever."""
    row("NR1", "Instructor launch with the claim", "lands as teacher", "HTTP 303, teacher")
    assert listed


def test_accept(listed: list[dict[str, Any]], row: Any) -> None:
    """Each request accepts the media type of memberships."""
    accepted = {call["headers"].get("Accept") for call in listed}
    row("NR2", "Accept header", MEMBERSHIPS, ", ".join(map(str, accepted)))
    assert accepted == {MEMBERSHIPS}


def test_token(stand: Stand, listed: list[dict[str, Any]], row: Any) -> None:
    """The bearer token is one that the platform's own server gave."""
    sent = {call["headers"].get("Authorization", "").removeprefix("Bearer ") for call in listed}
    row(
        "NR3",
        "Access token",
        "of the platform",
        f"{len(sent)} used, known" if sent <= set(stand.validator.granted) else "?",
    )
    assert sent <= set(stand.validator.granted)


def test_scope(stand: Stand, listed: list[dict[str, Any]], row: Any) -> None:
    """It was asked for with the scope of rosters and no other."""
    scopes = stand.validator.granted[listed[0]["headers"]["Authorization"].removeprefix("Bearer ")]
    row("NR4", "Scope of the token", "contextmembership.readonly", ", ".join(one.rpartition("/")[2] for one in scopes))
    assert scopes == {ROSTER_SCOPE}


def test_all_pages(stand: Stand, listed: list[dict[str, Any]], row: Any) -> None:
    """Every page was read, and everybody is known in the role that the platform gives them."""
    starts = [call["query"].get("from", ["0"])[0] for call in listed][:4]
    give_up_at = time.monotonic() + SECONDS
    while True:
        enrolled = stand.courseway.run("course", "show", stand.course["id"])["enrollments"]
        known = {one["lms_user_ids"][0]: one["role"] for one in enrolled if one["lms_user_ids"]}
        if known.keys() >= {member["user_id"] for member in stand.validator.members}:
            break
        assert time.monotonic() < give_up_at, known
        time.sleep(0.2)
    row("NR5", "All pages", "four pages, seven people", f"{len(starts)} pages, {len(stand.validator.members)} people")
    assert starts == ["0", "2", "4", "6"]
    assert known["roster-teacher"] == "teacher"
    assert known["roster-0"] == "student"
    assert stand.validator.violations == []
