"""A running course moves from LTI 1.1 to 1.3 and back, in Chromium: half-finished work, people, grades (B7)."""

from __future__ import annotations

import os
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.end_to_end.demo import read_answers
from tests.end_to_end.lms_screen import expect_landed, hand_in
from tests.end_to_end.servers import Stand
from tests.end_to_end.test_journeys import Room, make_room

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]


def move(room: Room, start: str, end: str) -> None:
    moved = room.stand.lms.post("courses/move", course=room.lms_course, **{"from": start, "to": end})
    assert moved["moved"] == 2


def read_people(room: Room) -> list[tuple[str, tuple[str, ...]]]:
    """Who is in the course here, with the ids that the LMS calls them by."""
    shown = room.stand.courseway.run("course", "show", room.course["id"])
    return sorted((one["person"], tuple(sorted(set(one["lms_user_ids"])))) for one in shown["enrollments"])


def test_a_course_is_upgraded_and_taken_back(stand: Stand, chromium: Browser) -> None:
    """Ada goes on with half-finished work, Ben's old grade stays; nobody is doubled, each grade goes the newest way."""
    room = make_room(stand, "Upgrade", "1.1")
    later = stand.add_registration("Upgrade by LTI 1.3")["tool"]["id"]
    first, second = room.place_assignments(2)
    with room.be(chromium, "Ben") as ben:
        percent = hand_in(ben.open_activity(room.lms_course, first["title"]), first["title"], wrong=1)
    stand.wait_for_percent(room.lms_course, room.people["Ben"], first["title"], percent)
    typed = "12345.678"
    with room.be(chromium, "Ada") as ada:
        page = ada.open_activity(room.lms_course, first["title"])
        name = next(name for name, right in read_answers(first["title"]).items() if right.kind != "choice")
        field = page.locator(f"[name='{name}']")
        expect(page.locator("form[data-form=submit]")).to_be_visible()
        while not field.first.is_visible():
            page.get_by_role("button", name="Next").click()
        field.fill(typed)
        expect(page.get_by_text("Saved").first).to_be_visible()
        people = read_people(room)
        move(room, room.tool, later)
        page = ada.open_activity(room.lms_course, first["title"])
        expect_landed(page, role="student", assignment=first["id"])
        expect(page.locator(f"[name='{name}']")).to_have_value(typed)
        assert read_people(room) == people
        earned = hand_in(page, first["title"])
        stand.wait_for_percent(room.lms_course, room.people["Ada"], first["title"], earned)
    with room.be(chromium, "Ben") as ben:
        shown = ben.open_activity(room.lms_course, first["title"])
        expect_landed(shown, role="student", assignment=first["id"])
        percent_13 = hand_in(ben.open_activity(room.lms_course, second["title"]), second["title"])
    stand.wait_for_percent(room.lms_course, room.people["Ben"], second["title"], percent_13)
    assert stand.read_percent(room.lms_course, room.people["Ben"], first["title"]) == pytest.approx(percent)
    move(room, later, room.tool)
    with room.be(chromium, "Ada") as ada:
        shown = ada.open_activity(room.lms_course, second["title"])
        expect_landed(shown, role="student", assignment=second["id"])
        back = hand_in(shown, second["title"], wrong=1)
    stand.wait_for_percent(room.lms_course, room.people["Ada"], second["title"], back)
    after = read_people(room)
    assert [person for person, _ in after] == [person for person, _ in people]
    refused = [one for one in stand.courseway.run("launches", "--org", stand.org) if one["outcome"] == "refused"]
    assert not [one for one in refused if one["context_id"] == room.lms_course]
    owed = stand.courseway.run("deliveries", "--org", stand.org)
    assert {one["state"] for one in owed if one["person"] in dict(after)} <= {"sent", "unchanged"}, owed


def test_what_is_owed_moves_too(stand: Stand, chromium: Browser) -> None:
    """A grade that the old service did not take goes by the new one after the next launch; nothing stays stuck."""
    room = make_room(stand, "Owed", "1.1")
    later = stand.add_registration("Owed by LTI 1.3")["tool"]["id"]
    first, _ = room.place_assignments(2)
    stand.lms.post("faults", services="outcomes", kind="status", status=503)
    try:
        with room.be(chromium, "Ada") as ada:
            percent = hand_in(ada.open_activity(room.lms_course, first["title"]), first["title"], wrong=1)
            expect(ada.page.get_by_text("Handed in").first).to_be_visible()
            move(room, room.tool, later)
            expect_landed(ada.open_activity(room.lms_course, first["title"]), role="student")
        stand.wait_for_percent(room.lms_course, room.people["Ada"], first["title"], percent)
        give_up_at = time.monotonic() + 90
        while True:
            owed = stand.courseway.run("deliveries", "--org", stand.org)
            states = {one["state"] for one in owed if one["person"] == f"Ada {room.name}"}
            if states and states <= {"sent", "unchanged"}:
                break
            assert time.monotonic() < give_up_at, owed
            time.sleep(0.5)
    finally:
        stand.lms.post("faults", clear=True)
