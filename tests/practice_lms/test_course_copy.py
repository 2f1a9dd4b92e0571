"""A course is copied for a new term: what is new, what stays, and what a launch of the copy says about it."""

from typing import Any

import pytest

from tests.practice_lms.running import ITEM_TYPE, KeysetServer, PracticeLms, Tool11, Tool13
from tests.practice_lms.tool_side import CLAIM, ENDPOINT, launch, launch_11, launch_13

HISTORIES = {"contexts": "$Context.id.history", "links": "$ResourceLink.id.history"}


def copy(lms: PracticeLms, course: str, **wish: Any) -> Any:
    """A copy of a course, with a teacher and a student of its own."""
    made = lms.post("courses/copy", course=course, **wish)
    made["student"] = lms.add_person(made["course"]["id"])
    return made


def test_copy_has_new_ids_and_the_same_content(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """Context, link and column get new ids; titles, address, custom parameters and points stay."""
    link = tool13.place_link(course, title="Loops", url="https://tool.example/a?b=1", custom={"page": "2"})
    made = copy(lms, course, title="Rocks, autumn", sourcedid="sis:GEO-2")
    assert made["course"]["id"] != course
    assert (made["course"]["title"], made["course"]["sourcedid"]) == ("Rocks, autumn", "sis:GEO-2")
    (new,) = lms.get("links", course=made["course"]["id"])
    assert made["links"] == {link["id"]: new["id"]}
    assert new["id"] != link["id"]
    assert new["line_item"]["id"] != link["line_item"]["id"]
    for name in ("title", "url", "custom", "tool_id"):
        assert new[name] == link[name]
    assert new["line_item"]["score_maximum"] == "25"


def test_people_and_grades_stay_behind(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """Nobody is in the copy but those who were named, as what they were; no grade came along."""
    teacher = lms.add_person(course, "teacher")
    link = tool13.place_link(course)
    tool13.post_score(link["line_item"]["url"], tool13.get_token(), userId=student)
    made = lms.post("courses/copy", course=course, people=[teacher])["course"]["id"]
    assert [(one["id"], one["role"]) for one in lms.get("people", course=made)] == [(teacher, "teacher")]
    assert lms.get("gradebook", course=made)["grades"] == []
    assert lms.read_grade(course, student) == "17.5"
    outsider = lms.add_person(lms.add_course())
    refused = lms.http.post("/api/courses/copy", json={"course": course, "people": [outsider]})
    assert refused.status_code == 404


def test_columns_of_the_tool_keep_their_names(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """A column that the tool made has a new id in the copy, and its resourceId and tag are as before."""
    token = tool13.get_token()
    items = f"/lti/ags/{course}/lineitems?type_id={tool13.id}"
    document = {"label": "Essay", "scoreMaximum": 40, "resourceId": "essay-1", "tag": "final"}
    made = lms.http.post(items, json=document, headers={**token, "Content-Type": ITEM_TYPE})
    assert made.status_code == 201
    copied = copy(lms, course)["course"]["id"]
    found = lms.http.get(
        f"/lti/ags/{copied}/lineitems", params={"type_id": tool13.id, "resource_id": "essay-1"}, headers=token
    ).json()
    assert [(one["tag"], one["label"], one["scoreMaximum"]) for one in found] == [("final", "Essay", 40)]
    assert found[0]["id"] != made.json()["id"]
    assert f"/lti/ags/{copied}/" in found[0]["id"]


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_histories_name_all_ancestors(lms: PracticeLms, course: str, keyset: KeysetServer, version: str) -> None:
    """A copy of a copy says where it comes from, newest first; a course that was never copied says nothing."""
    tool = Tool11(lms, custom=HISTORIES) if version == "1.1" else Tool13(lms, keyset, custom=HISTORIES)
    link = tool.place_link(course)
    first = launch(lms, tool, lms.add_person(course), link=link["id"])
    assert (first["contexts"], first["links"]) == ("", "")
    second = copy(lms, course)
    third = copy(lms, second["course"]["id"])
    middle = second["links"][link["id"]]
    said = launch(lms, tool, third["student"], link=third["links"][middle])
    assert said["contexts"] == f"{second['course']['id']},{course}"
    assert said["links"] == f"{middle},{link['id']}"


@pytest.mark.parametrize(
    ("profile", "contexts", "links"),
    [
        ("canvas", True, None),
        ("moodle", True, None),
        ("blackboard", True, True),
        ("brightspace", False, False),
        ("schoology", None, None),
        ("sakai", True, True),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_profile_decides_what_is_said_about_a_copy(
    lms: PracticeLms,
    course: str,
    keyset: KeysetServer,
    version: str,
    profile: str,
    contexts: bool | None,
    links: bool | None,
) -> None:
    """Histories are said, said to be empty, or left as unknown variables, as the imitated LMS does it (C36, D3, M7)."""
    values: dict[str, Any] = {"custom": HISTORIES, "profile": profile}
    tool = Tool11(lms, **values) if version == "1.1" else Tool13(lms, keyset, **values)
    link = tool.place_link(course)
    made = copy(lms, course)
    said = launch(lms, tool, made["student"], link=made["links"][link["id"]])
    expected = {True: course, False: "", None: "$Context.id.history"}[contexts]
    assert said["contexts"] == expected
    assert said["links"] == {True: link["id"], False: "", None: "$ResourceLink.id.history"}[links]


def test_blackboard_and_brightspace_say_histories_unasked(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """LTI 1.1 has parameters of their own for it (B4, D3), Brightspace a claim in LTI 1.3."""
    blackboard, brightspace = Tool11(lms, profile="blackboard"), Tool11(lms, profile="brightspace")
    new = Tool13(lms, keyset, profile="brightspace")
    links = [tool.place_link(course)["id"] for tool in (blackboard, brightspace, new)]
    made = copy(lms, course)
    fields = launch_11(lms, made["student"], link=made["links"][links[0]])
    assert fields["resource_link_id_history"] == links[0]
    claim = launch_13(lms, made["student"], link=made["links"][links[2]])["http://www.brightspace.com"]
    assert (claim["Context.id.history"], claim["ResourceLink.id.history"]) == (course, links[2])


def test_brightspace_turns_old_links_into_new_ones(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """In a Brightspace a course copy makes LTI 1.3 links of LTI 1.1 links when the tool has both (D10)."""
    lms.post("courses", id=course, profile="brightspace")
    host = "https://d10.example"
    old = Tool11(lms, launch_url=f"{host}/launch")
    new = Tool13(lms, keyset, launch_url=f"{host}/launch", redirect_urls=["https://tool.example/launch"])
    link = old.place_link(course, url=f"{host}/a/1")
    made = copy(lms, course)
    (copied,) = lms.get("links", course=made["course"]["id"])
    assert (copied["tool_id"], copied["url"], copied["history"]) == (new.id, f"{host}/a/1", [link["id"]])


def test_a_turned_link_takes_no_tool_of_another_course(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """The LTI 1.3 tool of a turned link is one that the copy may open, of the same profile before all others (D10)."""
    host = "https://twins.example"
    for values in ({"course": lms.add_course(), "profile": "canvas"}, {"profile": "moodle"}):
        Tool13(lms, keyset, launch_url=f"{host}/launch", **values)
    wanted = Tool13(lms, keyset, launch_url=f"{host}/launch", profile="brightspace")
    lms.post("profiles", use="brightspace", course=course)
    link = Tool11(lms, launch_url=f"{host}/launch11", profile="brightspace").place_link(course)
    copy = lms.post("courses/copy", course=course)
    turned = next(
        one for one in lms.get("links", course=copy["course"]["id"]) if one["id"] == copy["links"][link["id"]]
    )
    assert turned["tool_id"] == wanted.id


@pytest.mark.parametrize(
    ("profile", "given", "expected"),
    [("canvas", None, ""), ("sakai", None, "sis:GEO"), ("sakai", "", ""), ("canvas", "sis:GEO", "sis:GEO")],
)
def test_sis_id_of_a_copy(lms: PracticeLms, course: str, profile: str, given: str | None, expected: str) -> None:
    """A copy's SIS id is what was given, blank too; without one it is blank, or the same where the LMS keeps it."""
    lms.post("courses", id=course, profile=profile)
    made = lms.post("courses/copy", course=course, sourcedid=given)
    assert made["course"]["sourcedid"] == expected
    assert made["course"]["profile"] == profile


def test_tool_of_a_course_is_cloned_with_its_secret(lms: PracticeLms, course: str, student: str) -> None:
    """The copy has its own LTI 1.1 tool with the same key, whose custom fields change alone."""
    target = {"course_target_id": "MASTER", "parent_course_id": "MASTER"}
    tool = Tool11(lms, course=course, custom=target)
    link = tool.place_link(course)
    made = copy(lms, course)
    clone = made["tools"][tool.id]
    record = next(one for one in lms.get("tools") if one["id"] == clone)
    assert (record["key"], record["secret"], record["course_id"]) == (tool.key, tool.secret, made["course"]["id"])
    lms.post("tools", id=clone, custom={**target, "course_target_id": "Fall 2026, A"})
    new, old = made["links"][link["id"]], link["id"]
    assert launch_11(lms, made["student"], link=new)["custom_course_target_id"] == "Fall 2026, A"
    assert launch_11(lms, made["student"], link=new)["custom_parent_course_id"] == "MASTER"
    assert launch_11(lms, student, link=old)["custom_course_target_id"] == "MASTER"


def test_grades_of_a_cloned_tool_arrive(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """The one registration grades in both courses: by key in LTI 1.1, by client in LTI 1.3."""
    from tests.practice_lms.running import make_outcome

    old, new = Tool11(lms, course=course), Tool13(lms, keyset, course=course)
    old_link, new_link = old.place_link(course), new.place_link(course)
    made = copy(lms, course)
    student = made["student"]
    sourcedid = old.read_sourcedid(made["links"][old_link["id"]], student)
    assert b"success" in old.post_outcome(make_outcome("replaceResult", sourcedid, "0.5")).content
    claims = launch_13(lms, student, link=made["links"][new_link["id"]])
    answer = new.post_score(claims[ENDPOINT]["lineitem"], new.get_token(), userId=student)
    assert answer.status_code == 200, answer.text
    scores = {one["link"]: one["score"] for one in lms.get("gradebook", course=made["course"]["id"])["grades"]}
    assert scores == {made["links"][old_link["id"]]: "12.5", made["links"][new_link["id"]]: "17.5"}


def test_canvas_gives_each_course_a_deployment(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """A course's own LTI 1.3 tool keeps its client and has another deployment in the copy (C14, C45)."""
    tool = Tool13(lms, keyset, course=course, profile="canvas")
    link = tool.place_link(course)
    student = lms.add_person(course)
    made = copy(lms, course)
    first = launch_13(lms, student, link=link["id"])
    second = launch_13(lms, made["student"], link=made["links"][link["id"]])
    assert first["aud"] == second["aud"] == tool.client_id
    assert first[f"{CLAIM}deployment_id"] != second[f"{CLAIM}deployment_id"]
