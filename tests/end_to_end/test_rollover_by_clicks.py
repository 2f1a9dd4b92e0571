"""The roll-over of a term as people do it: an owner, a teacher and students click in Courseway and in the LMS."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.lms_screen import LmsScreen, Screen, expect_landed, hand_in
from tests.end_to_end.recipes import BRIGHTSPACE_AUDIENCE, OWN_TARGET
from tests.end_to_end.servers import Stand

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]


def switch_copy_on(screen: Screen, stand: Stand, course: str) -> list[str]:
    """On the tab LTI/LMS: both switches, Save changes, and the two parameters into the clipboard."""
    page = screen.sign_in(stand.courseway, f"/courses/{course}/lti/")
    page.get_by_label("Enable LTI constant URLs").check()
    page.get_by_label("Enable LTI course copy").check()
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    assert stand.courseway.run("course", "show", course)["settings"]["course_copy"] is False
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    copied = []
    for label in ("Custom parameter for your LMS", "Custom parameter that names the parent"):
        page.get_by_label(label, exact=True).click()
        expect(page.locator("#announcer")).to_have_text(f"{label}: Copied")
        copied.append(screen.read_clipboard())
    assert copied == [f"course_target_id={course}", f"parent_course_id={course}"]
    return copied


def set_up_tool(page: Page, lms: str, tool: dict[str, Any], custom: list[str], course_title: str) -> None:
    """In the LMS's administration: the tool's parameters, and that it belongs to the one course."""
    page.goto(f"{lms}/admin/tools?tool={tool['id']}#edit")
    form = page.locator("#edit form")
    form.get_by_label("Custom parameters for every launch").fill("\n".join(custom))
    form.get_by_label("Belongs to").select_option(label=f"{course_title} alone")
    form.get_by_role("button", name="Save the tool").click()
    expect(page.get_by_text(f"Saved: {tool['title']}")).to_be_visible()


def place_link(page: Page, lms: str, *, course: str, tool: str, title: str, url: str) -> None:
    page.goto(f"{lms}/admin/courses")
    panel = page.locator("details.panel", has_text="Place a link")
    panel.locator("summary").first.click()
    panel.locator("[name=course]").select_option(label=course)
    panel.locator("[name=tool]").select_option(label=tool)
    panel.locator("[name=title]").fill(title)
    panel.locator("[name=url]").fill(url)
    panel.get_by_role("button", name="Place the link").click()


def copy_lms_course(page: Page, lms: str, title: str, new_title: str, people: list[str]) -> None:
    page.goto(f"{lms}/admin/courses")
    room = page.locator("section.panel").filter(has=page.get_by_role("heading", name=title, exact=True))
    room.get_by_text("Copy this course", exact=True).click()
    room.get_by_label("Title of the copy").fill(new_title)
    room.get_by_label("Ids of people who come along").fill(",".join(people))
    room.get_by_role("button", name="Copy “").click()
    expect(page.get_by_role("heading", name=new_title, exact=True)).to_be_visible()


# One for each version: of the others the pages here are the same.
LOOKED_AT = ("canvas", "moodle")


@pytest.mark.parametrize(
    ("version", "profile"),
    [
        ("1.1", "canvas"),
        ("1.3", "moodle"),
        ("1.3", "blackboard"),
        ("1.3", "brightspace"),
        ("1.1", "schoology"),
        ("1.1", "sakai"),
    ],
)
def test_a_term_rolls_over_by_clicks(stand: Stand, chromium: Browser, version: str, profile: str) -> None:
    """Switches, clipboard, tool, link, work, copy; and in the copy a child course that is right and says where from."""
    lms, name = stand.lms, f"Click {profile.title()}"

    def look(screen: Screen, page: str) -> None:
        if profile in LOOKED_AT:
            screen.check(f"{page}-{version}")

    course = stand.import_example("release_grades_automatically=true")
    assignment = course["assignments"][0]
    old, new = f"{name} 2026", f"{name} 2027"
    old_course = lms.post("courses", title=old, label="C26", profile=profile, sourcedid="")["id"]
    people = {
        role: lms.add_person(old_course, role, given_name=given, family_name=profile.title(), email="")
        for role, given in (("teacher", "Thea"), ("learner", "Otto"))
    }
    nils = lms.post("people", given_name="Nina", family_name=profile.title(), email="")["id"]
    if version == "1.1":
        tool = stand.add_key(name, profile=profile)["tool"]
    else:
        audience = BRIGHTSPACE_AUDIENCE if profile == "brightspace" else ""
        tool = stand.add_registration(name, profile=profile, audience=audience)["tool"]
    with Screen(chromium) as screen:
        parameters = switch_copy_on(screen, stand, course["id"])
        look(screen, "teacher-lti-tab")
        if version == "1.3":
            parameters.append("context_id_history=$Context.id.history")
        set_up_tool(screen.page, lms.url, tool, parameters, old)
        place_link(
            screen.page, lms.url, course=old, tool=name, title=assignment["title"], url=assignment["constant_url"]
        )
    with LmsScreen(chromium, lms.url, f"Thea {profile.title()}") as teacher:
        expect_landed(
            teacher.open_activity(old_course, assignment["title"]), role="teacher", assignment=assignment["id"]
        )
    with LmsScreen(chromium, lms.url, f"Otto {profile.title()}") as student:
        shown = student.open_activity(old_course, assignment["title"], place="frame")
        expect_landed(shown, role="student", assignment=assignment["id"])
        percent = hand_in(shown, assignment["title"])
        expect(shown.get_by_text("Your LMS has this grade")).to_be_visible()
    stand.wait_for_percent(old_course, people["learner"], assignment["title"], percent)
    with Screen(chromium) as screen:
        copy_lms_course(screen.page, lms.url, old, new, [people["teacher"]])
        new_course = next(one["id"] for one in lms.get("courses") if one["title"] == new)
        if version == "1.1":
            copied_tool = next(one for one in lms.get("tools") if one["course_id"] == new_course)
            set_up_tool(screen.page, lms.url, copied_tool, [f"course_target_id={OWN_TARGET}", parameters[1]], new)
    lms.post("people", id=nils, given_name="Nina", course=new_course, role="learner")
    with LmsScreen(chromium, lms.url, f"Nina {profile.title()}") as student:
        shown = student.open_activity(new_course, assignment["title"])
        expect_landed(shown, role="student")
        (child,) = stand.courseway.run("course", "show", course["id"])["children"]
        copied = stand.courseway.run("course", "show", child)
        expect_landed(shown, assignment=copied["assignments"][0]["id"])
        look(student, "student-child")
        new_percent = hand_in(shown, assignment["title"], wrong=1)
        expect(shown.get_by_text("Your LMS has this grade")).to_be_visible()
        look(student, "student-result")
    stand.wait_for_percent(new_course, nils, assignment["title"], new_percent)
    assert stand.read_percent(old_course, people["learner"], assignment["title"]) == Decimal(100)
    assert stand.read_percent(new_course, people["learner"], assignment["title"]) is None
    with Screen(chromium) as screen:
        page = screen.sign_in(stand.courseway, f"/courses/{child}/lti/connections")
        expect(page.get_by_role("heading", name=new, level=1)).to_be_visible()
        expect(page.get_by_text(f"A copy of “{course['title']}”, made by a launch from “{new}”")).to_be_visible()
        look(screen, "teacher-review")
        page.get_by_role("button", name=f"Accept {new}").click()
        expect(page.get_by_text("Accepted", exact=True)).to_be_visible()
        page.goto(f"{stand.courseway.url}/courses/{child}/")
        expect(page.get_by_role("heading", name=new, level=1)).to_be_visible()
        look(screen, "teacher-child")
        assert not screen.problems
