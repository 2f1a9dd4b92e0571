"""The administrator's newer forms: copies of courses, profiles and quirks, placements, people."""

import re
from typing import Any

import httpx2
import pytest

from tests.practice_lms.conftest import Switch
from tests.practice_lms.running import KeysetServer, PracticeLms, Tool11, Tool13
from tests.practice_lms.test_pages import be
from tests.practice_lms.tool_side import CLAIM, finish_login, launch_11, launch_13


def submit(browser: httpx2.Client, page: str, **form: Any) -> httpx2.Response:
    """Send a form of an administrator's page, which was opened before."""
    if "practice_csrf" not in browser.cookies:
        browser.get(page)
    return browser.post(page, data={**form, "csrfmiddlewaretoken": browser.cookies["practice_csrf"]})


def test_course_is_copied_by_page(lms: PracticeLms, browser: httpx2.Client, course: str, tool11: Tool11) -> None:
    """The form makes a copy with its own title and SIS id, blank where it was left blank, and says its context id."""
    tool11.place_link(course)
    teacher = lms.add_person(course, "teacher")
    form = {"act": "copy", "course": course, "own_sourcedid": "on", "people": teacher}
    for title, sourcedid in (("Autumn", "sis:A"), ("Spring", "")):
        page = submit(browser, "/admin/courses", **form, title=title, sourcedid=sourcedid)
        made = next(one for one in lms.get("courses") if one["title"] == title and one["history"] == [course])
        assert f"context id {made['id']}, with 1 links" in page.text
        assert made["sourcedid"] == sourcedid
        assert [one["id"] for one in lms.get("people", course=made["id"])] == [teacher]


def test_course_is_changed_by_page(lms: PracticeLms, browser: httpx2.Client, course: str) -> None:
    """State, profile and SIS ids of a course are saved together, and stand on its page."""
    form = {"act": "state", "course": course, "state": "concluded", "profile": "canvas"}
    submit(browser, "/admin/courses", **form, sourcedid="sis:X", section_sourcedid="sec:1")
    record = next(one for one in lms.get("courses") if one["id"] == course)
    assert (record["state"], record["profile"], record["section_sourcedid"]) == ("concluded", "canvas", "sec:1")
    be(browser, lms.add_person(course, "teacher"))
    page = browser.get(f"/courses/{course}").text
    assert "like Canvas" in page
    assert "concluded" in page


def test_profiles_page(lms: PracticeLms, browser: httpx2.Client, quirks: Switch, course: str) -> None:
    """Each quirk stands on its profile's page with number and switch; saved ones hold, fixed ones cannot be taken."""
    page = browser.get("/admin/profiles?profile=canvas").text
    shown = {one["name"]: one["quirks"] for one in lms.get("profiles")["profiles"]}["canvas"]
    for number, quirk in shown.items():
        box = re.search(rf'<input type="checkbox" name="quirk_{number}"( checked)?( disabled)?>', page)
        assert box is not None, number
        assert (box[1] is not None, box[2] is not None) == (quirk["is_on"], quirk["is_fixed"])
    submit(browser, "/admin/profiles?profile=canvas", act="switch", profile="canvas", quirk_C12="on")
    after = {one["name"]: one["quirks"] for one in lms.get("profiles")["profiles"]}["canvas"]
    assert {number for number, one in after.items() if one["is_on"]} == {"C12", "C28", "D4", "M11", "M13"}
    submit(browser, "/admin/profiles", act="use", place=f"course:{course}", profile="sakai")
    assert next(one for one in lms.get("courses") if one["id"] == course)["profile"] == "sakai"
    submit(browser, "/admin/profiles", act="reset")
    assert {one["name"]: one["quirks"] for one in lms.get("profiles")["profiles"]}["canvas"] == shown
    assert browser.get("/admin/profiles?profile=edx").status_code == 404


def test_tool_form_keeps_placements_and_custom(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str
) -> None:
    """Custom parameters, placements, course and profile of a tool are changed on its page; its course shows the tab."""
    form = {
        "act": "save",
        "version": "1.1",
        "title": "Placed",
        "launch_url": "https://tool.example/launch",
        "key": f"key-{course}",
        "secret": "s",
        "signature_method": "HMAC-SHA1",
        "custom": "course_target_id=Fall 2026, A\nwho=$User.id",
        "placement_course_navigation": "on",
        "address_course_navigation": "https://tool.example/nav",
        "course_id": course,
        "profile": "canvas",
        "option_privacy": "name_only",
    }
    assert submit(browser, "/admin/tools", **form).status_code == 200
    tool = next(one for one in lms.get("tools") if one["key"] == form["key"])
    assert tool["custom"] == {"course_target_id": "Fall 2026, A", "who": "$User.id"}
    assert tool["placements"] == {"course_navigation": "https://tool.example/nav"}
    assert (tool["course_id"], tool["profile"], tool["options"]["privacy"]) == (course, "canvas", "name_only")
    page = browser.get(f"/admin/tools?tool={tool['id']}").text
    assert "course_target_id=Fall 2026, A" in page
    be(browser, student)
    address = f"/courses/{course}/tools/{tool['id']}/open"
    assert address in browser.get(f"/courses/{course}").text
    assert 'action="https://tool.example/nav"' in browser.get(address).text
    other = lms.add_course()
    assert lms.http.post("/api/links", json={"course": other, "tool": tool["id"], "title": "x"}).status_code == 400


def test_tool_outside_of_courses(lms: PracticeLms, browser: httpx2.Client, student: str) -> None:
    """A tool with that placement is offered beside the courses and opens without one."""
    tool = Tool11(lms, placements={"account_navigation": "https://tool.example/account"})
    be(browser, student)
    assert f'data-account="{tool.id}"' in browser.get("/courses").text
    page = browser.get(f"/tools/{tool.id}/open").text
    assert 'action="https://tool.example/account"' in page
    assert "context_id" not in page


def test_people_of_two_more_kinds(lms: PracticeLms, browser: httpx2.Client, course: str) -> None:
    """A test student and an administrator are made by page."""
    for kind in ("is_test", "is_admin"):
        name = f"{kind}-{course}"
        submit(browser, "/admin/courses", act="person", given_name=name, course=course, role="learner", **{kind: "on"})
        assert next(one for one in lms.get("people", course=course) if one["given_name"] == name)[kind] is True


def test_only_teachers_add_from_tools(lms: PracticeLms, browser: httpx2.Client, course: str, student: str) -> None:
    """A student sees no such button, and a selection that is begun all the same is refused and forgotten."""
    tool = Tool11(lms, placements={"link_selection": ""})
    be(browser, student)
    assert "Add from tool" not in browser.get(f"/courses/{course}").text
    form = {"pick": f"link_selection:{tool.id}", "csrfmiddlewaretoken": browser.cookies["practice_csrf"]}
    assert browser.post(f"/courses/{course}/selections", data=form).status_code == 403
    module = {"title": "Mine", "csrfmiddlewaretoken": browser.cookies["practice_csrf"]}
    assert browser.post(f"/courses/{course}/build", data=module).status_code == 403
    assert [one for one in lms.get("selections") if one["tool"] == tool.id] == []


def test_unpublished_link_is_the_teachers_alone(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str, tool11: Tool11
) -> None:
    """Students neither see nor open a link that is not published; teachers do."""
    link = tool11.place_link(course, title="Secret", state="unpublished")["id"]
    be(browser, student)
    assert "Secret" not in browser.get(f"/courses/{course}").text
    assert lms.http.post("/api/launch", json={"person": student, "link": link}).status_code == 403
    be(browser, lms.add_person(course, "teacher"))
    assert "Secret" in browser.get(f"/courses/{course}").text


@pytest.mark.parametrize(
    ("hints", "expected"),
    [({"window": {"targetName": "_blank"}}, "in=tab"), ({"iframe": {"width": 1000, "height": 800}}, "in=frame"),
     ({}, "in=window")],
    ids=str,
)  # fmt: skip
def test_tool_decides_how_its_link_opens(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str, tool11: Tool11, hints: Any, expected: str
) -> None:
    """A tool's hint opens a link in a tab or a frame of its size, until the person chooses otherwise."""
    link = tool11.place_link(course, hints=hints)["id"]
    be(browser, student)
    assert f"links/{link}/open?{expected}" in browser.get(f"/courses/{course}").text
    assert f"links/{link}/open?in=window" in browser.get(f"/courses/{course}?in=window").text
    if "iframe" in hints:
        frame = browser.get(f"/courses/{course}/links/{link}/open?in=frame").text
        assert 'width="1000"' in frame
        assert 'height="800"' in frame


def test_sakai_only_closes(lms: PracticeLms, browser: httpx2.Client, course: str, student: str, tool11: Tool11) -> None:
    """The way back to a Sakai only says that the tab may be closed (O1)."""
    lms.post("courses", id=course, profile="sakai")
    link = tool11.place_link(course)["id"]
    be(browser, student)
    page = browser.get(f"/courses/{course}/links/{link}/return?lti_msg=Done").text
    assert "You may close this tab" in page
    assert "To the grades" not in page


def test_info_says_what_a_tool_has_to_know(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer, quirks: Switch
) -> None:
    """Issuer, deployment and audience of a tool under its profile are the ones that its launches and tokens have."""
    tool = Tool13(lms, keyset, profile="canvas", course=course)
    quirks("canvas", C12=True)
    info = lms.get("info", tool=tool.id)
    claims = finish_login(lms, lms.post("launch", person=student, link=tool.place_link(course)["id"]), student)
    assert (info["issuer"], info["deployment_id"]) == (claims["iss"], claims[f"{CLAIM}deployment_id"])
    assert info["token_audience"] == f"{lms.url}/lti/token"
    brightspace = Tool13(lms, keyset, profile="brightspace")
    audience = lms.get("info", tool=brightspace.id)["token_audience"]
    assert brightspace.ask_token(assertion=brightspace.make_assertion(aud=audience)).status_code == 200


def test_what_may_be_missing(
    lms: PracticeLms, course: str, student: str, tool11: Tool11, tool13: Tool13, quirks: Switch
) -> None:
    """Link id (G4) and context (G5) are left out of both versions when that is switched on."""
    old, new = tool11.place_link(course)["id"], tool13.place_link(course)["id"]
    quirks("practice", G4=True, G5=True)
    sent, claims = launch_11(lms, student, link=old), launch_13(lms, student, link=new)
    assert not {"resource_link_id", "context_id"} & set(sent)
    assert not {f"{CLAIM}resource_link", f"{CLAIM}context"} & set(claims)


def test_user_names_of_a_blackboard(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A Blackboard puts cuid: before user names (B14); a Canvas assistant is an Instructor with a sub-role (C35)."""
    tool = Tool13(lms, keyset, profile="blackboard")
    claims = launch_13(lms, student, link=tool.place_link(course)["id"])
    assert claims[f"{CLAIM}lis"]["person_sourcedid"].startswith("cuid:")
    canvas = Tool13(lms, keyset, profile="canvas")
    assistant = lms.add_person(course, "assistant")
    roles = launch_13(lms, assistant, link=canvas.place_link(course)["id"])[f"{CLAIM}roles"]
    assert "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor" in roles
    assert "http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant" in roles
