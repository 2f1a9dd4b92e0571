"""Line items, scores and results of Assignment and Grade Services 2.0."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.practice_lms.running import (
    AGS,
    ITEM_TYPE,
    SCORE_TYPE,
    KeysetServer,
    PracticeLms,
    Tool13,
    add_to_path,
    make_timestamp,
)


@pytest.fixture
def item_url(course: str, tool13: Tool13) -> str:
    """The line item of a link of 25 points."""
    return str(tool13.place_link(course)["line_item"]["url"])


@pytest.fixture
def items_url(lms: PracticeLms, course: str, tool13: Tool13) -> str:
    """The list of line items."""
    return f"{lms.url}/lti/ags/{course}/lineitems?type_id={tool13.id}"


def test_score_is_scaled(lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str) -> None:
    """7 of 10 become 17.5 of the LMS's 25 points, and 1 of 3 is kept exactly to five places."""
    token = tool13.get_token(AGS + "score")
    answer = tool13.post_score(item_url, token, userId=student)
    assert (answer.status_code, answer.content) == (200, b"")
    assert lms.read_grade(course, student) == "17.5"
    tool13.post_score(item_url, token, userId=student, scoreGiven=1, scoreMaximum=3)
    assert lms.read_grade(course, student) == "8.33333"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"userId": None}, 400),
        ({"userId": ""}, 400),
        ({"userId": 7}, 400),
        ({"timestamp": None}, 400),
        ({"timestamp": "2026-11-21T10:00:00Z"}, 400),
        ({"timestamp": "2026-11-21T10:00:00.123"}, 400),
        ({"timestamp": "yesterday"}, 400),
        ({"timestamp": "2026-13-41T10:00:00.123Z"}, 400),
        ({"activityProgress": None}, 400),
        ({"activityProgress": "Done"}, 400),
        ({"gradingProgress": None}, 400),
        ({"gradingProgress": "fullygraded"}, 400),
        ({"scoreGiven": -1}, 400),
        ({"scoreGiven": "7"}, 400),
        ({"scoreGiven": True}, 400),
        ({"scoreMaximum": None}, 400),
        ({"scoreMaximum": 0}, 400),
        ({"comment": 7}, 400),
        ({"scoringUserId": ""}, 400),
        ({"submission": {"startedAt": "2026-11-21T10:00:00Z", "submittedAt": "2026-11-21T09:00:00Z"}}, 400),
        ({"submission": {"submittedAt": "2026-11-21"}}, 400),
        ({"userId": "no-such-person"}, 404),
    ],
    ids=str,
)
def test_score_against_the_rules_is_refused(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str, change: dict[str, Any], status: int
) -> None:
    """Members that are missing, of the wrong kind or senseless refuse the score; the refusal is in the history."""
    answer = tool13.post_score(item_url, tool13.get_token(), **{"userId": student, **change})
    assert answer.status_code == status
    assert lms.read_grade(course, student) is None
    history = lms.get("scores", course=course)
    assert [(one["is_stored"], one["status"]) for one in history] == [(False, status)]
    assert history[0]["reason"]


def test_only_learners_of_the_course_get_scores(lms: PracticeLms, course: str, tool13: Tool13, item_url: str) -> None:
    """Teachers, people of other courses and people who left cannot be graded."""
    token = tool13.get_token()
    people = (
        lms.add_person(course, "teacher"),
        lms.add_person(course, "observer"),
        lms.add_person(lms.add_course()),
        lms.add_person(course, is_active=False),
    )
    for person in people:
        assert tool13.post_score(item_url, token, userId=person).status_code == 400


@pytest.mark.parametrize(
    ("media_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        (SCORE_TYPE, b"{", 400),
        (SCORE_TYPE, b"[]", 400),
        (SCORE_TYPE, b"\xff", 400),
        (SCORE_TYPE, b'{"scoreGiven": NaN}', 400),
    ],
)
def test_score_that_is_no_score_document_is_refused(
    lms: PracticeLms, tool13: Tool13, item_url: str, media_type: str, body: bytes, status: int
) -> None:
    """The media type must be the one of scores and the body a JSON object without NaN."""
    headers = {"Content-Type": media_type, **tool13.get_token()}
    assert lms.http.post(add_to_path(item_url, "/scores"), content=body, headers=headers).status_code == status


def test_timestamps_must_rise(lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str) -> None:
    """A score with an earlier or the same timestamp is answered 409 and changes nothing, for each person alone."""
    token, other = tool13.get_token(), lms.add_person(course)
    newer, older = make_timestamp(), make_timestamp(-1)
    assert tool13.post_score(item_url, token, userId=student, timestamp=newer, scoreGiven=8).status_code == 200
    assert tool13.post_score(item_url, token, userId=student, timestamp=older, scoreGiven=2).status_code == 409
    assert tool13.post_score(item_url, token, userId=student, timestamp=newer, scoreGiven=3).status_code == 409
    assert tool13.post_score(item_url, token, userId=other, timestamp=older).status_code == 200
    assert lms.read_grade(course, student) == "20"


def test_same_moment_in_another_zone_is_no_newer(lms: PracticeLms, student: str, tool13: Tool13, item_url: str) -> None:
    """Timestamps are compared as moments, not as text."""
    token = tool13.get_token()
    first = tool13.post_score(item_url, token, userId=student, timestamp="2026-11-21T10:00:00.500000Z")
    second = tool13.post_score(item_url, token, userId=student, timestamp="2026-11-21T12:00:00.5+02:00")
    third = tool13.post_score(item_url, token, userId=student, timestamp="2026-11-21T12:00:00.501+02:00")
    assert [first.status_code, second.status_code, third.status_code] == [200, 409, 200]


def test_many_scores_at_once_leave_the_newest(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str
) -> None:
    """Of forty scores in any order at the same time the newest stays, and no older one was stored after a newer."""
    token = tool13.get_token()
    stamps = [make_timestamp(offset / 100) for offset in range(40)]

    def send(number: int) -> int:
        place = number * 7 % 40
        return tool13.post_score(
            item_url, token, userId=student, timestamp=stamps[place], scoreGiven=place, scoreMaximum=100
        ).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(send, range(40)))
    assert set(statuses) <= {200, 409}
    assert lms.read_grade(course, student) == "9.75"
    history = lms.get("scores", course=course, person=student)
    assert len(history) == 40
    stored = [one["timestamp"] for one in history if one["is_stored"]]
    assert stored == sorted(stored)
    assert stored[-1] == stamps[39]
    assert len(stored) == statuses.count(200)


@pytest.mark.parametrize(("option", "expected"), [("clear", None), ("keep", "17.5")])
def test_unfinished_score_is_no_grade(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer, option: str, expected: str | None
) -> None:
    """A score that is not FullyGraded is not the grade: it clears the older one, or leaves it if the tool is set so."""
    tool = Tool13(lms, keyset, options={"unfinished_score": option})
    url, token = tool.place_link(course)["line_item"]["url"], tool.get_token()
    tool.post_score(url, token, userId=student)
    tool.post_score(url, token, userId=student, gradingProgress="Pending", scoreGiven=2)
    assert lms.read_grade(course, student) == expected


def test_score_without_a_number_clears_the_grade(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str
) -> None:
    """Initialized, NotReady and no score take a grade away."""
    token = tool13.get_token()
    tool13.post_score(item_url, token, userId=student)
    reset = {"activityProgress": "Initialized", "gradingProgress": "NotReady", "scoreGiven": None, "scoreMaximum": None}
    assert tool13.post_score(item_url, token, userId=student, **reset).status_code == 200
    assert lms.read_grade(course, student) is None


def test_results_are_read_back(lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str) -> None:
    """Results hold grade, maximum and comment in points of the LMS, of everybody or of one person, page by page."""
    token, other = tool13.get_token(), lms.add_person(course)
    tool13.post_score(item_url, token, userId=student, comment="Good & <brief>")
    tool13.post_score(item_url, token, userId=other, scoreGiven=10)
    url = add_to_path(item_url, "/results")
    accept = {"Accept": "application/vnd.ims.lis.v2.resultcontainer+json", **token}
    one = lms.http.get(f"{url}&user_id={student}", headers=accept)
    assert one.headers["Content-Type"] == accept["Accept"]
    [result] = one.json()
    assert (result["userId"], result["resultScore"], result["resultMaximum"]) == (student, 17.5, 25.0)
    assert result["comment"] == "Good & <brief>"
    assert result["scoreOf"] == item_url
    first = lms.http.get(f"{url}&limit=1", headers=accept)
    following = first.headers["Link"].partition(">")[0].removeprefix("<")
    assert 'rel="next"' in first.headers["Link"]
    second = lms.http.get(following, headers=accept)
    assert {row["userId"] for row in first.json() + second.json()} == {student, other}
    assert "Link" not in second.headers
    assert lms.http.get(url, headers={**token, "Accept": "text/html"}).status_code == 406


def test_scopes_are_checked(lms: PracticeLms, student: str, tool13: Tool13, item_url: str, items_url: str) -> None:
    """Each service wants its scope: another one is answered 403, reading line items may be done with either."""
    score, read, write = (tool13.get_token(AGS + name) for name in ("score", "lineitem.readonly", "lineitem"))
    assert tool13.post_score(item_url, write, userId=student).status_code == 403
    assert lms.http.get(add_to_path(item_url, "/results"), headers=score).status_code == 403
    assert lms.http.get(items_url, headers=score).status_code == 403
    assert lms.http.get(items_url, headers=read).status_code == 200
    assert lms.http.get(item_url, headers=write).status_code == 200
    document = json.dumps({"label": "New", "scoreMaximum": 5})
    for request in (("POST", items_url), ("PUT", item_url), ("DELETE", item_url)):
        answer = lms.http.request(*request, content=document, headers={"Content-Type": ITEM_TYPE, **read})
        assert answer.status_code == 403


def test_address_without_its_query_is_unknown(
    lms: PracticeLms, student: str, tool13: Tool13, item_url: str, items_url: str
) -> None:
    """A line item's query is part of its address, so `/scores` put at the end of everything finds nothing."""
    token = tool13.get_token()
    assert lms.http.get(item_url.partition("?")[0], headers=token).status_code == 404
    assert lms.http.get(items_url.partition("?")[0], headers=token).status_code == 404
    assert tool13.post_score(item_url.partition("?")[0], token, userId=student).status_code == 404


def test_line_item_lives_and_dies(lms: PracticeLms, course: str, tool13: Tool13, items_url: str) -> None:
    """A tool makes a column, reads it, replaces all of it, and deletes it."""
    token = {"Content-Type": ITEM_TYPE, **tool13.get_token()}
    document = {
        "label": "Extra",
        "scoreMaximum": 12.5,
        "tag": "t",
        "resourceId": "r",
        "https://x.example/y": {"z": 1.5},
    }
    made = lms.http.post(items_url, json=document, headers=token)
    assert made.status_code == 201
    assert made.headers["Content-Type"] == ITEM_TYPE
    url = made.json()["id"]
    assert made.json() == {**document, "id": url}
    replaced = lms.http.put(url, json={"id": url, "label": "Other", "scoreMaximum": 30}, headers=token)
    assert replaced.json() == {"id": url, "label": "Other", "scoreMaximum": 30}
    assert lms.http.get(url, headers=token).json() == replaced.json()
    assert lms.http.delete(url, headers=token).status_code == 204
    assert lms.http.get(url, headers=token).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"label": None},
        {"label": "  "},
        {"scoreMaximum": None},
        {"scoreMaximum": 0},
        {"scoreMaximum": -1},
        {"scoreMaximum": "10"},
        {"tag": 7},
        {"endDateTime": "tomorrow"},
        {"endDateTime": "2026-11-21T10:00:00"},
    ],
    ids=str,
)
def test_senseless_line_item_is_refused(
    lms: PracticeLms, tool13: Tool13, items_url: str, change: dict[str, Any]
) -> None:
    """A line item needs a label and a maximum above zero; its other members are of their kinds."""
    document = {"label": "Extra", "scoreMaximum": 10, **change}
    answer = lms.http.post(items_url, json=document, headers={"Content-Type": ITEM_TYPE, **tool13.get_token()})
    assert answer.status_code == 400
    assert lms.http.get(items_url, headers=tool13.get_token()).json() == []


def test_line_item_of_a_foreign_link_is_refused(
    lms: PracticeLms, course: str, tool13: Tool13, keyset: KeysetServer, items_url: str
) -> None:
    """A column can be attached to a link of the same tool and course only."""
    own = tool13.place_link(course, points=None)["id"]
    foreign = (
        Tool13(lms, keyset).place_link(course)["id"],
        tool13.place_link(lms.add_course())["id"],
        "no-such-link",
    )
    token = {"Content-Type": ITEM_TYPE, **tool13.get_token()}
    for link in foreign:
        document = {"label": "Extra", "scoreMaximum": 10, "resourceLinkId": link}
        assert lms.http.post(items_url, json=document, headers=token).status_code == 404
    document = {"label": "Extra", "scoreMaximum": 10, "resourceLinkId": own}
    assert lms.http.post(items_url, json=document, headers=token).json()["resourceLinkId"] == own


def test_line_items_are_filtered_and_paged(lms: PracticeLms, course: str, tool13: Tool13, items_url: str) -> None:
    """The list is narrowed by link, resource and tag, and handed out page by page."""
    token = {"Content-Type": ITEM_TYPE, **tool13.get_token()}
    link = tool13.place_link(course)
    for number in range(4):
        document = {"label": f"N{number}", "scoreMaximum": 10, "tag": f"t{number % 2}", "resourceId": f"r{number}"}
        lms.http.post(items_url, json=document, headers=token)

    def labels(query: str) -> list[str]:
        return [row["label"] for row in lms.http.get(f"{items_url}&{query}", headers=tool13.get_token()).json()]

    assert labels("tag=t1") == ["N1", "N3"]
    assert labels("resource_id=r2") == ["N2"]
    assert labels("tag=t1&resource_id=r2") == []
    assert labels(f"resource_link_id={link['id']}") == ["Quiz"]
    found, url = [], f"{items_url}&limit=2"
    while url:
        answer = lms.http.get(url, headers=tool13.get_token())
        found.extend(row["label"] for row in answer.json())
        url = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert found == ["Quiz", "N0", "N1", "N2", "N3"]
    assert lms.http.get(f"{items_url}&limit=none", headers=tool13.get_token()).status_code == 400


def test_tools_do_not_see_each_other(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, keyset: KeysetServer, item_url: str, items_url: str
) -> None:
    """Another tool's columns are not there: not in the list, not to read, change or score."""
    other = Tool13(lms, keyset)
    token = other.get_token()
    theirs = items_url.partition("?")[0] + f"?type_id={other.id}"
    assert lms.http.get(theirs, headers=token).json() == []
    assert lms.http.get(items_url, headers=token).status_code == 404
    for method in ("GET", "DELETE"):
        assert lms.http.request(method, item_url, headers=token).status_code == 404
    assert other.post_score(item_url, token, userId=student).status_code == 404
    disguised = item_url.partition("?")[0] + f"?type_id={other.id}"
    assert other.post_score(disguised, token, userId=student).status_code == 404
