"""A course or a link for which no grade service may be called: such a call answers 500 and is written down."""

import httpx2
import pytest

from tests.practice_lms.running import ITEM_TYPE, PracticeLms, Tool11, Tool13, make_outcome
from tests.practice_lms.tool_side import ENDPOINT, launch_11, launch_13


def test_any_call_for_a_course_is_a_violation(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """Line items, scores and results of a forbidden course answer 500, without a token too, and are listed."""
    url = tool13.place_link(course)["line_item"]["url"]
    token = tool13.get_token()
    lms.post("violations", course=course)
    items = f"/lti/ags/{course}/lineitems?type_id={tool13.id}"
    assert tool13.post_score(url, token, userId=student).status_code == 500
    assert lms.http.get(items, headers=token).status_code == 500
    document = {"label": "New", "scoreMaximum": 1}
    assert lms.http.post(items, json=document, headers={**token, "Content-Type": ITEM_TYPE}).status_code == 500
    assert lms.http.get(url.replace("/lineitem?", "/lineitem/results?")).status_code == 500
    noted = lms.get("violations", course=course)
    assert [one["service"] for one in noted] == ["scores", "lineitems", "lineitems", "results"]
    assert noted[2]["detail"] == '{"label":"New","scoreMaximum":1}'
    assert lms.read_grade(course, student) is None


def test_outcome_for_a_link_is_a_violation(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """An outcome for a forbidden link answers 500 and is noted; other links of the course are free."""
    forbidden, free = tool11.place_link(course)["id"], tool11.place_link(course)["id"]
    lms.post("violations", link=forbidden)
    outcome = make_outcome("replaceResult", tool11.read_sourcedid(forbidden, student), "0.5")
    assert tool11.post_outcome(outcome).status_code == 500
    outcome = make_outcome("replaceResult", tool11.read_sourcedid(free, student), "0.5")
    assert tool11.post_outcome(outcome).status_code == 200
    assert [one["link_id"] for one in lms.get("violations", link=forbidden)] == [forbidden]
    assert lms.get("violations", link=free) == []


def test_column_for_a_forbidden_link_is_a_violation(lms: PracticeLms, course: str, tool13: Tool13) -> None:
    """Making or looking for a column of a forbidden link counts; taken back, both work."""
    link = tool13.place_link(course, points=None)["id"]
    token = tool13.get_token()
    items = f"/lti/ags/{course}/lineitems?type_id={tool13.id}"
    document = {"label": "New", "scoreMaximum": 1, "resourceLinkId": link}

    def call() -> list[httpx2.Response]:
        made = lms.http.post(items, json=document, headers={**token, "Content-Type": ITEM_TYPE})
        return [made, lms.http.get(f"{items}&resource_link_id={link}", headers=token)]

    lms.post("violations", link=link)
    assert [one.status_code for one in call()] == [500, 500]
    lms.post("violations", link=link, forbid=False)
    assert [one.status_code for one in call()] == [201, 200]
    assert len(lms.get("violations", link=link)) == 2


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_link_that_only_enrolls_offers_nothing(
    lms: PracticeLms, course: str, student: str, tool11: Tool11, tool13: Tool13, version: str
) -> None:
    """A plain link of a course's own has no column, and its launch names no place for grades."""
    tool = tool11 if version == "1.1" else tool13
    link = tool.place_link(course, points=None)["id"]
    if version == "1.1":
        assert not [name for name in launch_11(lms, student, link=link) if name.startswith("lis_outcome")]
    else:
        assert ENDPOINT not in launch_13(lms, student, link=link)
    assert lms.get("gradebook", course=course)["columns"] == []


def test_violation_needs_a_place(lms: PracticeLms) -> None:
    """Without a course or link, or with an unknown one, nothing is forbidden."""
    assert lms.http.post("/api/violations", json={}).status_code == 400
    assert lms.http.post("/api/violations", json={"course": "no-such"}).status_code == 404
