"""Basic Outcomes: what is stored, and everything that is refused."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest

from tests.practice_lms.running import POX, PracticeLms, Tool11, make_outcome


def read_answer(answer: httpx2.Response) -> dict[str, str]:
    """The texts of an envelope by their names."""
    assert answer.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(answer.content)
    return {one.tag.removeprefix(f"{{{POX}}}"): one.text or "" for one in root.iter()}


@pytest.fixture
def place(course: str, student: str, tool11: Tool11) -> tuple[str, str, str]:
    """A link's id, its student and the student's sourcedid."""
    link = tool11.place_link(course)
    return link["id"], student, tool11.read_sourcedid(link["id"], student)


def test_replace_read_and_delete(lms: PracticeLms, course: str, tool11: Tool11, place: tuple[str, str, str]) -> None:
    """A score is stored in points of the LMS, can be read as a share again, and can be taken away."""
    _, student, sourcedid = place
    read = make_outcome("readResult", sourcedid)
    assert read_answer(tool11.post_outcome(read))["textString"] == ""
    answer = read_answer(tool11.post_outcome(make_outcome("replaceResult", sourcedid, "0.92")))
    assert answer["imsx_codeMajor"] == "success"
    assert answer["imsx_operationRefIdentifier"] == "replaceResultRequest"
    assert lms.read_grade(course, student) == "23"
    assert read_answer(tool11.post_outcome(read))["textString"] == "0.92"
    assert read_answer(tool11.post_outcome(make_outcome("deleteResult", sourcedid)))["imsx_codeMajor"] == "success"
    assert lms.read_grade(course, student) is None
    assert read_answer(tool11.post_outcome(read))["textString"] == ""


def test_hmac_sha256_is_taken(lms: PracticeLms, course: str, tool11: Tool11, place: tuple[str, str, str]) -> None:
    """A request signed with HMAC-SHA256 is as good."""
    body = make_outcome("replaceResult", place[2], "1")
    assert read_answer(tool11.post_outcome(body, method="HMAC-SHA256"))["imsx_codeMajor"] == "success"
    assert lms.read_grade(course, place[1]) == "25"


@pytest.mark.parametrize(
    "wish",
    [
        {"secret": "wrong"},
        {"key": "unknown"},
        {"method": "PLAINTEXT"},
        {"method": "HMAC-SHA512"},
        {"without_hash": True},
        {"hashed": b"<something-else/>"},
        {"late_by": 330},
        {"late_by": -330},
        {"timestamp": "soon"},
        {"content_type": "text/plain"},
    ],
    ids=str,
)
def test_badly_signed_request_changes_nothing(
    lms: PracticeLms, course: str, tool11: Tool11, place: tuple[str, str, str], wish: dict[str, Any]
) -> None:
    """A wrong key, secret, method, body hash, clock or media type is a failure with HTTP 200, and no grade."""
    if "late_by" in wish:
        wish = {"timestamp": int(time.time()) - wish["late_by"]}
    answer = tool11.post_outcome(make_outcome("replaceResult", place[2], "0.5"), **wish)
    assert answer.status_code == 200
    assert read_answer(answer)["imsx_codeMajor"] == "failure"
    assert lms.read_grade(course, place[1]) is None


def test_unsigned_request_changes_nothing(lms: PracticeLms, course: str, place: tuple[str, str, str]) -> None:
    """A request without an Authorization header is a failure."""
    body = make_outcome("replaceResult", place[2], "0.5")
    answer = lms.http.post("/lti/outcomes", content=body, headers={"Content-Type": "application/xml"})
    assert read_answer(answer)["imsx_codeMajor"] == "failure"
    assert lms.read_grade(course, place[1]) is None


def test_nonce_counts_once(lms: PracticeLms, tool11: Tool11, place: tuple[str, str, str]) -> None:
    """Of twenty equal requests at the same time one succeeds."""
    body = make_outcome("replaceResult", place[2], "0.5")
    headers = tool11.sign_outcome(body)

    def send(_: int) -> str:
        return read_answer(lms.http.post("/lti/outcomes", content=body, headers=headers))["imsx_codeMajor"]

    with ThreadPoolExecutor(20) as pool:
        results = sorted(pool.map(send, range(20)))
    assert results == ["failure"] * 19 + ["success"]


def test_changed_body_is_refused(lms: PracticeLms, course: str, tool11: Tool11, place: tuple[str, str, str]) -> None:
    """The signature covers the body: a better score on the way is noticed."""
    body = make_outcome("replaceResult", place[2], "0.1")
    headers = tool11.sign_outcome(body)
    answer = lms.http.post("/lti/outcomes", content=body.replace(b"0.1", b"0.9"), headers=headers)
    assert read_answer(answer)["imsx_codeMajor"] == "failure"
    assert lms.read_grade(course, place[1]) is None


@pytest.mark.parametrize("score", ["1.1", "-0.1", "1e-1", "abc", "", " 0.5", "NaN", "0,5", "92 %", "1.0000001"])
def test_score_outside_the_rules_is_refused(
    lms: PracticeLms, course: str, tool11: Tool11, place: tuple[str, str, str], score: str
) -> None:
    """A score is a plain decimal number of 0 to 1; others are refused, and the refusal is in the history."""
    answer = read_answer(tool11.post_outcome(make_outcome("replaceResult", place[2], score)))
    assert answer["imsx_codeMajor"] == "failure"
    assert lms.read_grade(course, place[1]) is None
    history = lms.get("scores", link=place[0], person=place[1])
    assert [one["is_stored"] for one in history] == [False]


def test_foreign_sourcedid_is_refused(
    lms: PracticeLms, course: str, student: str, tool11: Tool11, place: tuple[str, str, str]
) -> None:
    """A sourcedid that was changed, that is none, or that belongs to another tool's link opens nothing."""
    other = lms.add_person(course)
    changed = place[2].replace(f'"userid": "{student}"', f'"userid": "{other}"')
    assert changed != place[2]
    foreign = Tool11(lms)
    theirs = foreign.read_sourcedid(foreign.place_link(course)["id"], student)
    for sourcedid in (changed, "17", "{}", theirs):
        answer = read_answer(tool11.post_outcome(make_outcome("replaceResult", sourcedid, "0.5")))
        assert answer["imsx_codeMajor"] == "failure", sourcedid
        assert "sourcedId" in answer["imsx_description"]
    assert lms.read_grade(course, student) is None
    assert lms.read_grade(course, other) is None


def test_who_left_gets_no_grade(lms: PracticeLms, course: str, tool11: Tool11, place: tuple[str, str, str]) -> None:
    """A sourcedid dies with the membership, and with the role of a learner."""
    for change in ({"is_active": False}, {"role": "teacher"}):
        lms.post("people", id=place[1], course=course, **change)
        answer = read_answer(tool11.post_outcome(make_outcome("replaceResult", place[2], "0.5")))
        assert answer["imsx_codeMajor"] == "failure"


@pytest.mark.parametrize(
    "body",
    [
        b"no xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + make_outcome("replaceResult", "x", "0.5").partition(b"?>")[2],
        make_outcome("replaceResult", "x", "0.5", namespace="http://www.imsglobal.org/lis/oms1p0/pox"),
        make_outcome("replaceResult", "", "0.5"),
        make_outcome("replaceResult", "x", "0.5").replace(b"V1.0", b"V2.0"),
    ],
    ids=["no xml", "document type", "old namespace", "no sourcedid", "version"],
)
def test_malformed_envelope_is_refused(tool11: Tool11, body: bytes) -> None:
    """An envelope that is not one is a failure."""
    assert read_answer(tool11.post_outcome(body))["imsx_codeMajor"] == "failure"


def test_unknown_operation_is_unsupported(tool11: Tool11, place: tuple[str, str, str]) -> None:
    """An operation that does not exist is answered so."""
    answer = read_answer(tool11.post_outcome(make_outcome("inventResult", place[2], "0.5")))
    assert answer["imsx_codeMajor"] == "unsupported"


def test_failures_can_be_422(lms: PracticeLms, course: str, student: str) -> None:
    """A tool may get its failures as HTTP 422, like in Canvas."""
    tool = Tool11(lms, options={"outcome_failure_status": 422})
    sourcedid = tool.read_sourcedid(tool.place_link(course)["id"], student)
    answer = tool.post_outcome(make_outcome("replaceResult", sourcedid, "2"))
    assert answer.status_code == 422
    assert read_answer(answer)["imsx_codeMajor"] == "failure"


def test_history_keeps_the_order_of_arrival(lms: PracticeLms, tool11: Tool11, place: tuple[str, str, str]) -> None:
    """Every score that arrived is kept with its place in the order of arrival; the last one counts."""
    for score in ("0.2", "0.4", "0.3"):
        tool11.post_outcome(make_outcome("replaceResult", place[2], score))
    history = lms.get("scores", link=place[0], person=place[1])
    assert [one["score_given"] for one in history] == ["0.2", "0.4", "0.3"]
    assert [one["arrival"] for one in history] == sorted(one["arrival"] for one in history)
    assert [one["received_at"] for one in history] == sorted(one["received_at"] for one in history)
    assert all(one["service"] == "outcomes" for one in history)
