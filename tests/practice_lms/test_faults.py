"""Faults on purpose: the tool meets them, and what was stored is what was said."""

import time
from typing import Any

import httpx2
import pytest

from tests.practice_lms.running import PracticeLms, Tool11, Tool13, make_outcome


@pytest.fixture
def item_url(course: str, tool13: Tool13) -> str:
    """The line item of a link of 25 points."""
    return str(tool13.place_link(course)["line_item"]["url"])


def test_status_for_a_count(lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str) -> None:
    """A fault ordered twice happens twice, stores nothing, and says when to come again."""
    token = tool13.get_token()
    lms.post("faults", service="scores", kind="status", status=429, retry_after=2, count=2)
    for _ in range(2):
        answer = tool13.post_score(item_url, token, userId=student)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert lms.read_grade(course, student) is None
    assert lms.get("scores", course=course) == []
    assert tool13.post_score(item_url, token, userId=student).status_code == 200
    assert [fault["hits"] for fault in lms.get("faults")] == [2]


def test_status_for_a_time(lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str) -> None:
    """A fault ordered for a time lasts as long, and is over after it."""
    token = tool13.get_token()
    ordered_at = time.monotonic()
    lms.post("faults", service="scores", status=500, for_seconds=1)
    assert tool13.post_score(item_url, token, userId=student).status_code == 500
    while tool13.post_score(item_url, token, userId=student).status_code == 500:
        assert time.monotonic() < ordered_at + 20
        time.sleep(0.1)
    assert time.monotonic() >= ordered_at + 1
    assert lms.read_grade(course, student) == "17.5"


def test_lost_answer_leaves_the_grade(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str
) -> None:
    """A fault after the work: the grade is stored, the tool only sees a closed connection."""
    token = tool13.get_token()
    lms.post("faults", service="scores", kind="close", stage="after", count=1)
    with pytest.raises(httpx2.TransportError):
        tool13.post_score(item_url, token, userId=student)
    assert lms.read_grade(course, student) == "17.5"
    assert lms.get("messages", service="scores", limit=1)[0]["status"] == 0


def test_closed_connection_before_the_work(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """A connection closed instead of the work leaves no grade, for LTI 1.1 too."""
    sourcedid = tool11.read_sourcedid(tool11.place_link(course)["id"], student)
    lms.post("faults", service="outcomes", kind="close", count=1)
    with pytest.raises(httpx2.TransportError):
        tool11.post_outcome(make_outcome("replaceResult", sourcedid, "0.5"))
    assert lms.read_grade(course, student) is None
    assert tool11.post_outcome(make_outcome("replaceResult", sourcedid, "0.5")).status_code == 200
    assert lms.read_grade(course, student) == "12.5"


def test_hanging_request_is_stored_late(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str
) -> None:
    """A client that gave up on a hanging request finds the grade stored later: the dangerous late arrival."""
    headers = tool13.get_token()
    lms.post("faults", service="scores", kind="hang", seconds=1.5, count=1)
    with httpx2.Client(timeout=0.3, trust_env=False) as impatient:
        lms.http, patient = impatient, lms.http
        try:
            with pytest.raises(httpx2.TimeoutException):
                tool13.post_score(item_url, headers, userId=student)
        finally:
            lms.http = patient
    assert lms.read_grade(course, student) is None
    give_up_at = time.monotonic() + 20
    while lms.read_grade(course, student) is None and time.monotonic() < give_up_at:
        time.sleep(0.1)
    assert lms.read_grade(course, student) == "17.5"


def test_dropped_request_is_never_stored(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, item_url: str
) -> None:
    """A hanging request that is then dropped does no work at all."""
    token = tool13.get_token()
    lms.post("faults", service="scores", kind="hang", seconds=0.2, then_drop=True, count=1)
    with pytest.raises(httpx2.TransportError):
        tool13.post_score(item_url, token, userId=student)
    assert lms.read_grade(course, student) is None


def test_garbage_is_no_answer(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """Garbage comes with status 200 and says nothing; nothing is stored."""
    sourcedid = tool11.read_sourcedid(tool11.place_link(course)["id"], student)
    lms.post("faults", service="outcomes", kind="garbage", count=1)
    answer = tool11.post_outcome(make_outcome("replaceResult", sourcedid, "0.5"))
    assert answer.status_code == 200
    assert b"imsx" not in answer.content
    assert lms.read_grade(course, student) is None


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [("keyset", "GET", "/lti/keys"), ("token", "POST", "/lti/token"), ("lineitems", "GET", "/lti/ags/1/lineitems")],
)
def test_other_services_fail_too(lms: PracticeLms, service: str, method: str, path: str) -> None:
    """Keyset, token and line items can be told to fail, each alone."""
    lms.post("faults", service=service, status=503, count=1)
    assert lms.http.request(method, path).status_code == 503
    assert lms.http.request(method, path).status_code != 503


def test_probabilities_add_up(lms: PracticeLms) -> None:
    """30 % of one fault and 20 % of another leave about half of the answers good."""
    lms.post("faults", faults=[{"service": "keyset", "status": 500, "probability": 0.3},
                               {"service": "keyset", "status": 404, "probability": 0.2}])  # fmt: skip
    statuses = [lms.http.get("/lti/keys").status_code for _ in range(600)]
    # Six standard deviations on each side: a wrong rule is seen, chance is not.
    assert 113 < statuses.count(500) < 247
    assert 61 < statuses.count(404) < 179
    assert 226 < statuses.count(200) < 374
    assert [fault["hits"] for fault in lms.get("faults")] == [statuses.count(500), statuses.count(404)]


def test_faults_are_replaced_and_cleared(lms: PracticeLms) -> None:
    """New faults may replace the old ones, and all can be called off."""
    lms.post("faults", service="token", status=500)
    assert [one["status"] for one in lms.post("faults", replace=True, faults=[{"status": 404}])] == [404]
    assert lms.post("faults", clear=True) == []


@pytest.mark.parametrize(
    "fault",
    [{"service": "mail"}, {"kind": "explode"}, {"stage": "during"}, {"status": 200}, {"probability": 0}, {"colour": 1},
     {"status": "many"}],
    ids=str,
)  # fmt: skip
def test_senseless_fault_is_refused(lms: PracticeLms, fault: dict[str, Any]) -> None:
    """A fault that could not happen is refused with a reason."""
    answer = lms.http.post("/api/faults", json=fault)
    assert answer.status_code == 400
    assert answer.json()["error_description"]
    assert lms.get("faults") == []
