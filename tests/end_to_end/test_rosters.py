"""Rosters and columns through a served installation with its worker: what a teacher gets without doing anything."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.end_to_end.plain_browser import PlainBrowser
from tests.end_to_end.servers import Stand

pytestmark = pytest.mark.slow
ROSTER = {"shares_roster": True, "shares_groups": True}


def enrolled(stand: Stand, course: str) -> dict[str, tuple[str, bool]]:
    """Role and activity by LMS user id, as `course show` says."""
    shown = stand.courseway.run("course", "show", course)["enrollments"]
    return {user: (one["role"], one["active"]) for one in shown for user in one["lms_user_ids"]}


def wait_for(stand: Stand, course: str, expected: dict[str, tuple[str, bool]], *, seconds: float = 40) -> None:
    give_up_at = time.monotonic() + seconds
    while (found := enrolled(stand, course)) != expected:
        assert time.monotonic() < give_up_at, found
        time.sleep(0.2)


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_teachers_launch_brings_the_roster(stand: Stand, version: str) -> None:
    """A teacher opens a link; the worker knows everybody a moment later, and follows who comes and goes at the next
    launch. By LTI 1.3 a student who never came can be graded, and the LMS holds the grade."""
    course = stand.import_example("release_grades_automatically=true")
    assignment = course["assignments"][0]
    add: Any = stand.add_key if version == "1.1" else stand.add_registration
    added = add(f"Practice {version}", options=ROSTER)
    lms_course = stand.lms.add_course()
    teacher = stand.lms.add_person(lms_course, "teacher")
    ada, bob = stand.lms.add_person(lms_course), stand.lms.add_person(lms_course)
    link = stand.lms.post(
        "links",
        course=lms_course,
        tool=added["tool"]["id"],
        title=assignment["title"],
        url=assignment["url"],
        points=20,
    )
    with PlainBrowser(stand.lms, teacher) as browser:
        assert browser.launch(link["id"]).marks["role"] == "teacher"
        wait_for(
            stand,
            course["id"],
            {teacher: ("teacher", True), ada: ("student", True), bob: ("student", True)},
        )
        stand.lms.post("people", id=bob, course=lms_course, leaves=True)
        assert browser.launch(link["id"]).marks["role"] == "teacher"
        wait_for(
            stand,
            course["id"],
            {teacher: ("teacher", True), ada: ("student", True), bob: ("student", False)},
        )
    if version == "1.3":
        set_grade = ("grade", "set", "--assignment", assignment["id"], "--person", ada, "--percent", "80")
        stand.courseway.run(*set_grade, "--complete", "--release")
        stand.wait_for_percent(lms_course, ada, assignment["title"], Decimal(80))
