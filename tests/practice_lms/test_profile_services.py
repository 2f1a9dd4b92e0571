"""Profiles of other LMSs: how their grade services, tokens, keys and rosters differ."""

import time
from typing import Any

import httpx2
import pytest

from tests.practice_lms.running import (
    AGS,
    ITEM_TYPE,
    KeysetServer,
    PracticeLms,
    Tool11,
    Tool13,
    add_to_path,
    make_outcome,
    make_timestamp,
)
from tests.practice_lms.tool_side import ENDPOINT, launch_13

SUBMISSION = "https://canvas.instructure.com/lti/submission"
ROSTER = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
ROSTER_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


def get_token(tool: Tool13, *scopes: str) -> dict[str, str]:
    """A token whose assertion names the audience that the profile wants."""
    audience = "https://api.brightspace.com/auth/token" if tool.record["profile"] == "brightspace" else None
    claims = {"aud": audience} if audience else {}
    answer = (
        tool.ask_token(scopes, tool.make_assertion(**claims))
        if scopes
        else tool.ask_token(assertion=tool.make_assertion(**claims))
    )
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def place(lms: PracticeLms, course: str, keyset: KeysetServer, profile: str, **values: Any) -> tuple[Tool13, Any]:
    """A tool of a profile and a graded link of it."""
    tool = Tool13(lms, keyset, profile=profile)
    return tool, tool.place_link(course, **values)


@pytest.mark.parametrize(
    ("profile", "outsider", "nobody", "teacher", "words"),
    [
        ("practice", 400, 404, 400, "Incorrect score"),
        ("canvas", 422, 422, 422, "is not a student"),
        ("moodle", 400, 404, 400, "Incorrect score"),
        ("blackboard", 400, 400, 400, "User could not be found:"),
        ("schoology", 400, 404, 400, "Incorrect score"),
    ],
)
def test_who_cannot_be_graded(
    lms: PracticeLms,
    course: str,
    keyset: KeysetServer,
    profile: str,
    outsider: int,
    nobody: int,
    teacher: int,
    words: str,
) -> None:
    """A score for somebody outside, unknown or on the staff is refused in the words of each LMS (M6, B3, C16)."""
    tool, link = place(lms, course, keyset, profile)
    url, token = link["line_item"]["url"], tool.get_token()
    people = {lms.add_person(lms.add_course()): outsider, "nobody": nobody, lms.add_person(course, "teacher"): teacher}
    answers = {one: tool.post_score(url, token, userId=one) for one in people}
    assert {one: answer.status_code for one, answer in answers.items()} == people
    assert words in next(iter(answers.values())).text


def test_brightspace_says_it_otherwise(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A Brightspace answers 403 and 404 (D2), a good score with nothing at all (D9), and has its own audience (D1)."""
    tool, link = place(lms, course, keyset, "brightspace")
    assert tool.ask_token().status_code == 400
    token = get_token(tool)
    items = launch_13(lms, student, link=link["id"])[ENDPOINT]["lineitems"]
    assert "?" not in items
    document = {"label": "Quiz", "scoreMaximum": 10, "resourceLinkId": link["id"]}
    item = lms.http.post(items, json=document, headers={**token, "Content-Type": ITEM_TYPE}).json()["id"]
    outsider = lms.add_person(lms.add_course())

    def post(person: str) -> httpx2.Response:
        return lms.http.post(
            f"{item}/scores",
            json={
                "userId": person,
                "timestamp": make_timestamp(),
                "activityProgress": "Completed",
                "gradingProgress": "FullyGraded",
                "scoreGiven": 7,
                "scoreMaximum": 10,
            },
            headers={**token, "Content-Type": "application/vnd.ims.lis.v1.score+json"},
        )

    assert (post(outsider).status_code, post("nobody").status_code) == (403, 404)
    good = post(student)
    assert (good.status_code, good.content, good.headers.get("Content-Type")) == (200, b"", None)


def test_canvas_counts_attempts(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """Each score is an attempt unless it says it is none (C7); after the last allowed one 422 (C9)."""
    tool, link = place(lms, course, keyset, "canvas", allowed_attempts=2)
    url, token = link["line_item"]["url"], tool.get_token()

    def post(**values: Any) -> int:
        return int(tool.post_score(url, token, userId=student, **values).status_code)

    def count() -> Any:
        return lms.get("gradebook", course=course)["grades"][0]["attempts"]

    assert (post(), count()) == (200, 1)
    assert (post(**{SUBMISSION: {"new_submission": False}}), count()) == (200, 1)
    assert (post(), count()) == (200, 2)
    assert post() == 422
    assert "maximum number of allowed attempts" in lms.get("scores", course=course)[-1]["reason"]
    assert post(**{SUBMISSION: {"new_submission": False}}) == 200


def test_canvas_mails_each_score(
    lms: PracticeLms,
    course: str,
    student: str,
    keyset: KeysetServer,
    quirks: Any,
) -> None:
    """The student of a Canvas is mailed on each score, on the same one again too (C32); switched off, on none."""
    tool, link = place(lms, course, keyset, "canvas")
    url, token = link["line_item"]["url"], tool.get_token()
    for _ in range(2):
        tool.post_score(url, token, userId=student)
    assert [one["subject"] for one in lms.get("mails", person=student)] == ["Quiz: 17.5 of 25"] * 2
    quirks("canvas", C32=False)
    tool.post_score(url, token, userId=student)
    assert len(lms.get("mails", person=student)) == 2


def test_unpublished_and_concluded(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A Canvas takes no score while course or assignment are unpublished (C17), nor after the end (C10)."""
    tool, link = place(lms, course, keyset, "canvas")
    old = Tool11(lms, profile="canvas")
    sourcedid = old.read_sourcedid(old.place_link(course)["id"], student)
    url, token = link["line_item"]["url"], tool.get_token()

    def post() -> str:
        answer = tool.post_score(url, token, userId=student)
        return f"{answer.status_code} {answer.json().get('error_description', '')}"

    lms.post("links", id=link["id"], state="unpublished")
    assert post() == "422 This assignment is still unpublished"
    lms.post("links", id=link["id"], state="published")
    lms.post("courses", id=course, state="unpublished")
    assert post().startswith("422")
    lms.post("courses", id=course, state="concluded")
    assert post() == "422 This course has concluded"
    refused = old.post_outcome(make_outcome("replaceResult", sourcedid, "0.5"))
    assert (refused.status_code, b"Course not available for student" in refused.content) == (422, True)
    lms.post("courses", id=course, state="published")
    assert post().startswith("200")


def test_test_student_gets_no_grade(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """A Canvas cannot grade its test student (C16); others can."""
    tester = lms.add_person(course, is_test=True)
    for profile, status in (("canvas", 422), ("moodle", 200)):
        tool, link = place(lms, course, keyset, profile)
        answer = tool.post_score(link["line_item"]["url"], tool.get_token(), userId=tester)
        assert answer.status_code == status


def test_moodle_keeps_whole_seconds(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A second score in the same second is refused with 409 in a Moodle (M2), and taken in the next."""
    tool, link = place(lms, course, keyset, "moodle")
    url, token = link["line_item"]["url"], tool.get_token()
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    stamps = {f"{second}.100000Z": 200, f"{second}.900000Z": 409, make_timestamp(2): 200}
    assert [tool.post_score(url, token, userId=student, timestamp=one).status_code for one in stamps] == list(
        stamps.values()
    )


def test_moodle_reads_with_a_scope_of_its_own(
    lms: PracticeLms,
    course: str,
    keyset: KeysetServer,
    quirks: Any,
) -> None:
    """In a Moodle the scope lineitem does not read (M3), the token comes as text/html (M4)."""
    tool, _ = place(lms, course, keyset, "moodle")
    assert tool.ask_token().headers["Content-Type"].startswith("text/html")
    items = f"/lti/ags/{course}/lineitems?type_id={tool.id}"
    assert lms.http.get(items, headers=tool.get_token(AGS + "lineitem")).status_code == 403
    assert lms.http.get(items, headers=tool.get_token(AGS + "lineitem.readonly")).status_code == 200
    quirks("moodle", M3=False)
    assert lms.http.get(items, headers=tool.get_token(AGS + "lineitem")).status_code == 200


def test_programs_have_to_name_themselves(
    lms: PracticeLms,
    course: str,
    keyset: KeysetServer,
    quirks: Any,
) -> None:
    """Without a User-Agent a Canvas's services and a Moodle's keyset answer 403 (C11, M5)."""
    tool, _ = place(lms, course, keyset, "canvas")
    token = tool.get_token()
    with httpx2.Client(base_url=lms.url, trust_env=False, timeout=30, headers={"User-Agent": ""}) as silent:
        assert silent.get(f"/lti/ags/{course}/lineitems", headers=token).status_code == 403
        assert silent.get("/lti/keys").status_code == 200
        lms.post("profiles", use="moodle")
        assert silent.get("/lti/keys").status_code == 403
    assert lms.http.get("/lti/keys").status_code == 200


def test_brightspace_keys_name_no_algorithm(lms: PracticeLms, quirks: Any) -> None:
    """Keys of a Brightspace have no alg (G8); launches still verify."""
    lms.post("profiles", use="brightspace")
    assert all("alg" not in key for key in lms.http.get("/lti/keys").json()["keys"])


def test_schoology_refuses_what_it_does_not_know(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer
) -> None:
    """A Schoology refuses a score or line item with an extension (O3, C8); a Canvas takes it."""
    for profile, score_status, item_status in (("schoology", 400, 400), ("canvas", 200, 201)):
        tool, link = place(lms, course, keyset, profile)
        token = tool.get_token()
        extension = {SUBMISSION: {"new_submission": True}}
        answer = tool.post_score(link["line_item"]["url"], token, userId=student, **extension)
        assert answer.status_code == score_status
        document = {"label": "New", "scoreMaximum": 5, "https://canvas.instructure.com/lti/submission_type": {}}
        answer = lms.http.post(
            f"/lti/ags/{course}/lineitems", json=document, headers={**token, "Content-Type": ITEM_TYPE}
        )
        assert answer.status_code == item_status


def test_blackboard_loses_comments(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A Blackboard drops new lines (B2), and the whole comment when one user's result is asked for (B1)."""
    tool, link = place(lms, course, keyset, "blackboard")
    url, token = link["line_item"]["url"], tool.get_token()
    tool.post_score(url, token, userId=student, comment="Good.\nGo on.")
    all_of_them = lms.http.get(add_to_path(url, "/results").rstrip("?"), headers=token).json()
    assert all_of_them[0]["comment"] == "Good.Go on."
    one = lms.http.get(f"{url}/results", params={"user_id": student}, headers=token).json()
    assert one[0]["resultScore"] == 17.5
    assert "comment" not in one[0]


def test_blackboard_on_a_bad_day(
    lms: PracticeLms,
    course: str,
    student: str,
    quirks: Any,
) -> None:
    """With B12 the first try of an outcome fails with HTTP 200 and nothing is stored; the second works."""
    tool = Tool11(lms, profile="blackboard")
    sourcedid = tool.read_sourcedid(tool.place_link(course)["id"], student)
    quirks("blackboard", B12=True)
    first = tool.post_outcome(make_outcome("replaceResult", sourcedid, "0.5"))
    assert (first.status_code, b"LTI outcome request failed" in first.content) == (200, True)
    assert lms.read_grade(course, student) is None
    assert b"success" in tool.post_outcome(make_outcome("replaceResult", sourcedid, "0.5")).content
    assert lms.read_grade(course, student) == "12.5"


def test_canvas_takes_points_and_an_address(lms: PracticeLms, course: str, student: str) -> None:
    """An outcome of a Canvas may give points, more than there are, and where the work is shown."""
    tool = Tool11(lms, profile="canvas")
    link = tool.place_link(course)["id"]
    outcome = make_outcome("replaceResult", tool.read_sourcedid(link, student), "0.5").replace(
        b"<result><resultScore><textString>0.5</textString></resultScore>",
        b"<result><resultTotalScore><language>en</language><textString>27.5</textString></resultTotalScore>"
        b"<resultData><ltiLaunchUrl>https://tool.example/work</ltiLaunchUrl></resultData>",
    )
    assert b"success" in tool.post_outcome(outcome).content
    assert lms.read_grade(course, student) == "27.5"
    wish = {"link": link, "placement": "speedgrader", "for": student, "person": lms.add_person(course, "teacher")}
    assert lms.post("launch", **wish)["url"] == "https://tool.example/work"


def read_roster(lms: PracticeLms, tool: Tool13, link: str, person: str, **query: Any) -> httpx2.Response:
    """The roster that a launch names, for the link or the course."""
    url = launch_13(lms, person, link=link)[ROSTER]["context_memberships_url"]
    return (
        lms.http.get(url, params=query, headers=get_token(tool, ROSTER_SCOPE))
        if query
        else lms.http.get(url, headers=get_token(tool, ROSTER_SCOPE))
    )


def test_roster_says_who_is_there(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A tool that may see the roster reads everybody with role and state, in pages; another gets no token for it."""
    tool = Tool13(lms, keyset, options={"shares_roster": True, "privacy": "name_only"})
    link = tool.place_link(course)["id"]
    gone, teacher = lms.add_person(course, is_active=False), lms.add_person(course, "teacher")
    document = read_roster(lms, tool, link, student).json()
    assert document["context"]["id"] == course
    members = {one["user_id"]: one for one in document["members"]}
    assert set(members) == {student, gone, teacher}
    assert members[gone]["status"] == "Inactive"
    assert "email" not in members[student]
    assert members[student]["given_name"] == "Zoë"
    page = read_roster(lms, tool, link, student, limit=2)
    assert len(page.json()["members"]) == 2
    assert 'rel="next"' in page.headers["Link"]
    only = read_roster(lms, tool, link, student, role="Instructor").json()["members"]
    assert [one["user_id"] for one in only] == [teacher]
    closed = Tool13(lms, keyset)
    assert ROSTER not in launch_13(lms, student, link=closed.place_link(course)["id"])
    assert closed.ask_token((ROSTER_SCOPE,)).status_code == 400


@pytest.mark.parametrize(
    ("profile", "kind", "legacy", "role"),
    [("practice", list, False, None), ("blackboard", dict, False, None), ("canvas", list, True, None),
     ("moodle", list, False, "Learner")],
)  # fmt: skip
def test_roster_of_a_link(
    lms: PracticeLms,
    course: str,
    student: str,
    keyset: KeysetServer,
    profile: str,
    kind: type,
    legacy: bool,
    role: str | None,
) -> None:
    """For a link each member has messages: a list, in a Blackboard an object (B5); a Canvas adds old ids (G11)."""
    tool = Tool13(lms, keyset, profile=profile, options={"shares_roster": True})
    link = tool.place_link(course)["id"]
    query = {} if profile == "moodle" else {"rlid": link}
    (member,) = read_roster(lms, tool, link, student, **query).json()["members"]
    assert isinstance(member["message"], kind), "in a Moodle the address names the link already (M9)"
    assert ("lti11_legacy_user_id" in member) == legacy
    assert role is None or member["roles"] == [role]
