"""The pages of people, without script: who sees what, the way back from a tool, and what is refused."""

import httpx2
import pytest

from tests.practice_lms.running import PracticeLms, Tool11, Tool13, make_outcome


@pytest.fixture
def graded(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> dict[str, str]:
    """A course where one student has 0.9 of 25 points and another has 0.4."""
    link = tool11.place_link(course, title="Loops & <lists>")
    other = lms.add_person(course)
    for person, score in ((student, "0.9"), (other, "0.4")):
        tool11.post_outcome(make_outcome("replaceResult", tool11.read_sourcedid(link["id"], person), score))
    return {"link": link["id"], "item": link["line_item"]["id"], "other": other}


def be(browser: httpx2.Client, person: str) -> httpx2.Response:
    """Choose who to be, as the page does it."""
    browser.get("/")
    form = {"person": person, "csrfmiddlewaretoken": browser.cookies["practice_csrf"]}
    return browser.post("/be", data=form)


def test_person_is_chosen_and_sees_the_course(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str, graded: dict[str, str]
) -> None:
    """Choosing a person leads to the course, where the activity, its points and the own grade stand, escaped."""
    page = be(browser, student)
    assert page.url.path == f"/courses/{course}"
    assert "Loops &amp; &lt;lists&gt;" in page.text
    assert "22.5" in page.text
    assert f"/courses/{course}/links/{graded['link']}/open?in=window" in page.text


def test_everybody_in_the_cast_is_offered(lms: PracticeLms, browser: httpx2.Client) -> None:
    """A new installation has a teacher, an assistant, five students and an observer of one of them."""
    course = next(one for one in lms.get("courses") if one["title"] == "Introduction to programming")
    people = lms.get("people", course=course["id"])
    roles = [person["role"] for person in people]
    assert [roles.count(role) for role in ("teacher", "assistant", "learner", "observer")] == [1, 1, 5, 1]
    observer = next(person for person in people if person["role"] == "observer")
    ada = next(person for person in people if person["given_name"] == "Ada")
    assert observer["mentor_for"] == [ada["id"]]
    assert "Ada Moreau" in browser.get("/").text


@pytest.mark.parametrize(
    ("role", "sees"), [("teacher", (True, True)), ("assistant", (True, True)), ("observer", (True, False))]
)
def test_gradebook_shows_what_the_role_may_see(
    lms: PracticeLms,
    browser: httpx2.Client,
    course: str,
    student: str,
    graded: dict[str, str],
    role: str,
    sees: tuple[bool, bool],
) -> None:
    """Staff sees everybody's grades, an observer those of the named student alone."""
    be(browser, lms.add_person(course, role, mentor_for=[student] if role == "observer" else []))
    page = browser.get(f"/courses/{course}/gradebook").text
    assert ('data-score="22.5"' in page, 'data-score="10"' in page) == sees


def test_student_sees_the_own_grades_alone(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str, graded: dict[str, str]
) -> None:
    """A student sees the own grade and history, and nobody else's."""
    be(browser, student)
    page = browser.get(f"/courses/{course}/gradebook").text
    assert 'data-score="22.5"' in page
    assert 'data-score="10"' not in page
    history = f"/courses/{course}/gradebook/{graded['item']}"
    assert "0.9 / 1" in browser.get(f"{history}/{student}").text
    assert browser.get(f"{history}/{graded['other']}").status_code == 403


def test_gradebook_says_when_something_arrived(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str, tool11: Tool11, graded: dict[str, str]
) -> None:
    """The part that the page asks for every second is empty until a score arrives, and then holds it."""
    be(browser, student)
    newest = max(one["arrival"] for one in lms.get("scores"))
    rows = f"/courses/{course}/gradebook/rows?after={newest}"
    assert browser.get(rows).status_code == 204
    sourcedid = tool11.read_sourcedid(graded["link"], student)
    tool11.post_outcome(make_outcome("replaceResult", sourcedid, "0.95"))
    answer = browser.get(rows)
    assert answer.status_code == 200
    assert 'data-score="23.75"' in answer.text


def test_outsider_and_nobody_see_no_course(
    lms: PracticeLms, browser: httpx2.Client, course: str, graded: dict[str, str]
) -> None:
    """Nobody is led to the choice of a person; a person of another course is refused."""
    assert browser.get(f"/courses/{course}").url.path == "/"
    assert browser.get(f"/courses/{course}/gradebook").url.path == "/"
    be(browser, lms.add_person(lms.add_course()))
    assert browser.get(f"/courses/{course}").status_code == 403
    assert browser.get(f"/courses/{course}/gradebook").status_code == 403
    assert browser.get(f"/courses/{course}/links/{graded['link']}/open").status_code == 403


@pytest.mark.parametrize(("target", "expected"), [("window", "window"), ("frame", "iframe"), ("tab", "window")])
def test_way_back_shows_the_tools_message(
    lms: PracticeLms,
    browser: httpx2.Client,
    course: str,
    student: str,
    tool13: Tool13,
    tool11: Tool11,
    target: str,
    expected: str,
) -> None:
    """The return address of a launch exists and shows the tool's message and error, escaped."""
    link = tool11.place_link(course)["id"]
    be(browser, student)
    fields = dict(lms.post("launch", link=link, person=student, **{"in": target})["fields"])
    assert fields["launch_presentation_document_target"] == expected
    address = fields["launch_presentation_return_url"]
    address += ("&" if "?" in address else "?") + "lti_msg=Well%20done&lti_errormsg=%3Cscript%3E"
    page = browser.get(address)
    assert page.status_code == 200
    assert "Well done" in page.text
    assert "&lt;script&gt;" in page.text
    assert ('target="_top"' in page.text) == (target == "frame")


def test_frame_holds_the_launch(
    lms: PracticeLms, browser: httpx2.Client, course: str, student: str, tool11: Tool11
) -> None:
    """In a frame, the page holds a frame whose address launches."""
    link = tool11.place_link(course)["id"]
    be(browser, student)
    page = browser.get(f"/courses/{course}/links/{link}/open?in=frame")
    assert "<iframe" in page.text
    inner = browser.get(f"/courses/{course}/links/{link}/open?in=frame&framed=1")
    assert 'name="oauth_signature"' in inner.text
    assert 'name="launch_presentation_document_target" value="iframe"' in inner.text


def test_forms_are_protected(lms: PracticeLms, browser: httpx2.Client, student: str) -> None:
    """A form of another site cannot choose a person or order faults, and the API takes no forms."""
    assert browser.post("/be", data={"person": student}).status_code == 403
    assert browser.post("/admin/faults", data={"act": "preset", "preset": "0"}).status_code == 403
    assert browser.post("/api/faults", data={"status": "500"}).status_code == 415
    assert lms.get("faults") == []


def test_foreign_host_name_is_refused(lms: PracticeLms) -> None:
    """A page that gives our address a name of its own reaches nothing."""
    assert lms.http.get("/api/people", headers={"Host": "evil.example"}).status_code == 400


def test_administrator_defines_a_tool_a_link_and_people(lms: PracticeLms, browser: httpx2.Client, course: str) -> None:
    """By the pages alone a tool is defined, a link placed, and twenty more people are made."""
    browser.get("/admin/tools")
    token = {"csrfmiddlewaretoken": browser.cookies["practice_csrf"]}
    tool = {
        "version": "1.1",
        "title": "By hand",
        "launch_url": "https://tool.example/x",
        "key": f"k{course}",
        "secret": "s",
    }
    page = browser.post("/admin/tools", data={**token, "act": "save", "option_outcome_failure_status": "422", **tool})
    assert "Saved: By hand" in page.text
    made = next(one for one in lms.get("tools") if one["title"] == "By hand" and one["key"] == f"k{course}")
    assert made["options"]["outcome_failure_status"] == 422
    link = {"course": course, "tool": made["id"], "title": "A link", "points": "12", "custom": "a=1\nb = 2"}
    browser.post("/admin/courses", data={**token, "act": "link", **link})
    [placed] = lms.get("links", course=course)
    assert placed["custom"] == {"a": "1", "b": "2"}
    assert placed["line_item"]["score_maximum"] == "12"
    browser.post("/admin/courses", data={**token, "act": "more", "course": course, "count": "20"})
    assert len(lms.get("people", course=course)) == 20


def test_refused_form_keeps_what_was_typed(lms: PracticeLms, browser: httpx2.Client) -> None:
    """A tool without a secret is refused with a reason, and the form still holds the title."""
    browser.get("/admin/tools")
    form = {"act": "save", "version": "1.1", "title": "Half a tool", "launch_url": "https://tool.example/x", "key": "k"}
    answer = browser.post("/admin/tools", data={"csrfmiddlewaretoken": browser.cookies["practice_csrf"], **form})
    assert answer.status_code == 400
    assert "needs its key, and its secret" in answer.text
    assert 'value="Half a tool"' in answer.text


def test_every_admin_page_opens(lms: PracticeLms, browser: httpx2.Client, graded: dict[str, str]) -> None:
    """The administrator's pages open with tools, links, people, faults and messages there."""
    lms.post("faults", service="token", status=500, probability=0.5)
    for page in ("tools", "courses", "faults", "messages", "messages?service=outcomes"):
        assert browser.get(f"/admin/{page}").status_code == 200, page
    lms.post("faults", clear=True)


def test_a_named_fault_can_be_ordered_and_called_off(lms: PracticeLms, browser: httpx2.Client) -> None:
    """'Answer 500 for a minute' is one click, and so is calling it off."""
    browser.get("/admin/faults")
    token = {"csrfmiddlewaretoken": browser.cookies["practice_csrf"]}
    browser.post("/admin/faults", data={**token, "act": "preset", "preset": "0"})
    assert lms.http.get("/lti/keys").status_code == 500
    browser.post("/admin/faults", data={**token, "act": "clear"})
    assert lms.http.get("/lti/keys").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("people", {"count": "many", "course": "2"}),
        ("people", {"given_name": "A", "course": "no-such-course"}),
        ("people", {"given_name": "A", "course": "2", "role": "king"}),
        ("courses", {"title": ""}),
        ("courses", {"title": "A", "id": "a/b"}),
        ("tools", {"version": "2.0", "title": "T", "launch_url": "https://t.example/"}),
        ("tools", {"version": "1.1", "title": "T", "launch_url": "javascript:1", "key": "k", "secret": "s"}),
        ("tools", {"version": "1.1", "title": "T", "launch_url": "https://t.example/", "options": {"colour": 1}}),
        (
            "tools",
            {
                "version": "1.1",
                "title": "T",
                "launch_url": "https://t.example/",
                "key": "k",
                "secret": "s",
                "options": {"token_lifetime": "long"},
            },
        ),
        ("links", {"course": "2", "tool": "no-such-tool", "title": "L"}),
        ("launch", {"person": "no-such-person", "link": "no-such-link"}),
        ("launch", {"person": "3", "link": "1", "overrides": []}),
        ("keys", {"action": "lose"}),
        ("delete", {"kind": "course", "id": "2"}),
    ],
    ids=str,
)
def test_api_says_what_is_wrong(lms: PracticeLms, path: str, body: dict[str, object]) -> None:
    """A senseless document is refused with a sentence, never with an error of ours."""
    answer = lms.http.post(f"/api/{path}", json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error_description"]


def test_unknown_address_is_a_page(lms: PracticeLms, browser: httpx2.Client) -> None:
    """An address that does not exist answers 404 with a way on."""
    answer = browser.get("/no/such/page")
    assert answer.status_code == 404
    assert "To the courses" in answer.text
    assert lms.http.get("/api/scores?limit=some").status_code == 400


def test_style_sheet_is_our_own(lms: PracticeLms, browser: httpx2.Client) -> None:
    """Pages load nothing from elsewhere, and only files that are meant to be served."""
    page = browser.get("/").text
    assert "https://" not in page
    assert browser.get("/static/practice.css").headers["Content-Type"].startswith("text/css")
    assert browser.get("/static/..%2Fsettings.py").status_code == 404
    assert browser.get("/static/nothing.css").status_code == 404
