"""Scores, line items and results: what is sent to the digit, and what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit import vocabulary
from ltikit.errors import (
    LtiError,
    PersonNotGradableError,
    ServiceConflictError,
    ServiceForbiddenError,
    ServiceNotFoundError,
    ServiceRateLimitedError,
    ServiceRejectedError,
    ServiceUnauthorizedError,
    ServiceUnavailableError,
)
from ltikit.http import Request, Response
from ltikit.v13.ags import (
    ActivityProgress,
    GradingProgress,
    LineItem,
    Result,
    Score,
    choose_lineitem,
    create_lineitem_request,
    delete_lineitem_request,
    format_number,
    format_timestamp,
    lineitem_request,
    lineitems_request,
    parse_lineitem,
    parse_lineitems,
    parse_results,
    parse_score_response,
    results_page_request,
    results_request,
    score_request,
    update_lineitem_request,
)

AT = datetime(2026, 3, 2, 9, 30, 15, 250_000, tzinfo=UTC)
ITEM = "https://lms.example/items/3/lineitem?type_id=2"
ITEMS = "https://lms.example/items?type_id=2"
GRADED = Score(
    user_id="user-1",
    timestamp=AT,
    activity_progress=ActivityProgress.COMPLETED,
    grading_progress=GradingProgress.FULLY_GRADED,
    score_given=Decimal("7.5"),
    score_maximum=Decimal(10),
)


def send(score: Score) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(score_request(ITEM, score, token="t").body)
    return body


def respond(body: Any = b"", status: int = 200, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, headers, content)


def test_score_request() -> None:
    """A score is posted to the line item's `/scores`, before the query, with the token and its own media type."""
    request = score_request(ITEM, GRADED, token="t-1")
    assert (request.method, request.url) == ("POST", "https://lms.example/items/3/lineitem/scores?type_id=2")
    assert request.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
    assert request.headers["Authorization"] == "Bearer t-1"


@pytest.mark.quirk("M1")
@pytest.mark.parametrize(
    ("lineitem", "scores"),
    [
        ("https://lms.example/i/3", "https://lms.example/i/3/scores"),
        ("https://lms.example/i/3/", "https://lms.example/i/3/scores"),
        ("https://lms.example/i/3?a=b%2Fc&d=", "https://lms.example/i/3/scores?a=b%2Fc&d="),
        ("https://lms.example/i/A%20b?x=?y", "https://lms.example/i/A%20b/scores?x=?y"),
    ],
)
def test_address_of_scores(lineitem: str, scores: str) -> None:
    """The rest of a line item's address stays as it is (quirk M1)."""
    assert score_request(lineitem, GRADED, token="t").url == scores


def test_score_members() -> None:
    """A score says who, when, how far and how much; what is not known is left out."""
    assert send(GRADED) == {
        "userId": "user-1",
        "timestamp": "2026-03-02T09:30:15.250000Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 7.5,
        "scoreMaximum": 10,
    }


@pytest.mark.quirk("G26")
def test_score_with_everything() -> None:
    """Comment, times of the work and extensions are sent when they are there."""
    full = replace(
        GRADED,
        comment="Gut — é",
        started_at=AT - timedelta(hours=1),
        submitted_at=AT,
        extensions={vocabulary.CANVAS_SUBMISSION: {"new_submission": False, "weight": Decimal("0.1")}},
    )
    body = send(full)
    assert body["comment"] == "Gut — é"
    assert body["submission"] == {
        "startedAt": "2026-03-02T08:30:15.250000Z",
        "submittedAt": "2026-03-02T09:30:15.250000Z",
    }
    assert body["https://canvas.instructure.com/lti/submission"] == {"new_submission": False, "weight": 0.1}


def test_score_that_clears() -> None:
    """Without a score none is sent: that clears what the platform had (AGS 2.0 §3.4.5)."""
    cleared = replace(
        GRADED,
        score_given=None,
        score_maximum=None,
        activity_progress=ActivityProgress.INITIALIZED,
        grading_progress=GradingProgress.NOT_READY,
    )
    assert set(send(cleared)) == {"userId", "timestamp", "activityProgress", "gradingProgress"}


def test_work_that_ended_before_it_began() -> None:
    """Times that contradict each other are not sent both: the platform would refuse the score."""
    odd = replace(GRADED, started_at=AT, submitted_at=AT - timedelta(seconds=1))
    assert send(odd)["submission"] == {"submittedAt": "2026-03-02T09:30:14.250000Z"}


@pytest.mark.quirk("G37")
@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": ""},
        {"score_given": None},
        {"score_maximum": None},
        {"score_given": Decimal("-0.1")},
        {"score_given": Decimal("NaN")},
        {"score_maximum": Decimal(0)},
        {"score_maximum": Decimal("Infinity")},
        {"extensions": {"scoreGiven": 10}},
        {"extensions": {"userId": "somebody else"}},
    ],
)
def test_scores_that_make_no_sense(changes: dict[str, Any]) -> None:
    """A score that no platform could take cannot be made, and an extension cannot replace a member."""
    with pytest.raises(ValueError):
        replace(GRADED, **changes)


@pytest.mark.quirk("C33")
@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("0.10", "0.1"),
        ("1E+2", "100"),
        ("100", "100"),
        ("1.000", "1"),
        ("0.000001", "0.000001"),
        ("33.33333333333333333333333333", "33.33333333333333333333333333"),
        ("123456789012345678.123456789", "123456789012345678.123456789"),
    ],
)
def test_numbers_to_the_digit(number: str, text: str) -> None:
    """An exact number is written with all its digits, without exponent or noise of binary fractions."""
    assert format_number(Decimal(number)) == text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1E+999999", "1E-999999"])
def test_numbers_that_are_none(number: str) -> None:
    """What no gradebook can hold is refused before it fills the memory."""
    with pytest.raises(ValueError):
        format_number(Decimal(number))


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=6))
def test_numbers_come_back_exact(number: Decimal) -> None:
    """A score that is sent and read back is the same number."""
    body = score_request(ITEM, replace(GRADED, score_given=number), token="t").body
    assert json.loads(body, parse_float=Decimal)["scoreGiven"] == number
    assert b"E" not in body.split(b'"scoreGiven":')[1].split(b",")[0]


def test_timestamps() -> None:
    """A timestamp has microseconds and a zone, and a later moment a later text."""
    berlin = timezone(timedelta(hours=1))
    assert format_timestamp(datetime(2026, 3, 2, 10, 30, tzinfo=berlin)) == "2026-03-02T09:30:00.000000Z"
    assert format_timestamp(AT) < format_timestamp(AT + timedelta(microseconds=1))
    with pytest.raises(ValueError, match="zone"):
        format_timestamp(AT.replace(tzinfo=None))


@pytest.mark.quirk("D9")
def test_accepted_scores() -> None:
    """A 2xx is a good answer with nearly any body; Canvas names the result (quirk D9)."""
    for response in (
        respond(),
        respond(b"", 204),
        respond(b"<br /><b>Notice</b>: unset <html>"),
        respond([]),
        respond({"resultUrl": 7}),
    ):
        assert parse_score_response(response) == ""
    assert parse_score_response(respond({"resultUrl": "https://lms.example/r/1"})) == "https://lms.example/r/1"


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><title>Sign in</title><body>Sign in to go on</body></html>",
        b"\xef\xbb\xbf\r\n  <HTML lang='en'>\n<h1>Down for maintenance</h1>",
        b"<?xml version='1.0' encoding='utf-8'?>\n<!-- cache -->\n<html xmlns='http://www.w3.org/1999/xhtml'>Later</html>",
    ],
)
def test_a_web_page_takes_no_score(page: bytes) -> None:
    """What stands before the LMS, a sign-in or a page about maintenance, may answer 200: the score did not arrive."""
    with pytest.raises(ServiceUnavailableError, match="web page") as caught:
        parse_score_response(respond(page))
    assert caught.value.platform_status == 200


@pytest.mark.quirk("C16", "M6", "C30")
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (respond([], 400), PersonNotGradableError),
        (respond(b"", 400), PersonNotGradableError),
        (respond({"error": "Incorrect score"}, 400), PersonNotGradableError),
        (respond({"message": "User not found in course or is not a student"}, 422), PersonNotGradableError),
        (respond({"error": "bad timestamp"}, 400), ServiceRejectedError),
        (respond([], 409), ServiceConflictError),
        (respond([], 401), ServiceUnauthorizedError),
        (respond([], 403), ServiceForbiddenError),
        (respond(b"403 Forbidden (Rate Limit Exceeded)", 403), ServiceRateLimitedError),
        (respond([], 404), ServiceNotFoundError),
        (respond([], 429), ServiceRateLimitedError),
        (respond([], 500), ServiceUnavailableError),
    ],
)
def test_refused_scores(response: Response, error: type[LtiError]) -> None:
    """Each refusal of a score has its error, so that the right thing is done about it."""
    with pytest.raises(error) as caught:
        parse_score_response(response)
    assert type(caught.value) is error


def test_asked_to_wait() -> None:
    """How long the platform wants to be left alone is known."""
    with pytest.raises(ServiceRateLimitedError) as caught:
        parse_score_response(respond(b"", 429, **{"retry-after": "17"}))
    assert caught.value.retry_after == 17


def test_lineitems_request() -> None:
    """Line items are listed with the filters that are given, behind a query that is there already."""
    request = lineitems_request(ITEMS, token="t", resource_link_id="a&b c", resource_id="r", tag="t", limit=50)
    assert request.url == ITEMS + "&resource_link_id=a%26b%20c&resource_id=r&tag=t&limit=50"
    assert request.method == "GET"
    assert request.headers["Accept"] == "application/vnd.ims.lis.v2.lineitemcontainer+json"
    assert lineitems_request("https://lms.example/i", token="t", limit=5).url == "https://lms.example/i?limit=5"
    assert lineitems_request(ITEMS, token="t").url == ITEMS


def test_lineitems_are_read() -> None:
    """A page of line items gives items and the next page; what is no line item is left out."""
    page = [
        {"id": ITEM, "label": "Quiz", "scoreMaximum": 100, "resourceLinkId": 2, "tag": None, "ltiLinkId": "2"},
        {"id": "/items/4", "label": "Test", "scoreMaximum": "12.50", "endDateTime": "2026-04-01T00:00:00Z"},
        {"label": "no id"},
        "nonsense",
    ]
    response = respond(page, link="<https://lms.example/items?from=2>; rel=next")
    items, following = parse_lineitems(response, url=ITEMS)
    assert items == [
        LineItem(ITEM, "Quiz", Decimal(100), resource_link_id="2"),
        LineItem("https://lms.example/items/4", "Test", Decimal("12.50"), end_at="2026-04-01T00:00:00Z"),
    ]
    assert following == "https://lms.example/items?from=2"
    assert parse_lineitems(respond([]), url=ITEMS) == ([], None)
    assert parse_lineitems(respond(b"", 204), url=ITEMS) == ([], None)


@pytest.mark.quirk("G30", "G44")
def test_new_lineitem() -> None:
    """A new column has label, maximum, link, resource and tag; fields that are not known are left out."""
    item = LineItem("", "Week 1", Decimal("12.5"), resource_link_id="link-1", resource_id="a-1")
    request = create_lineitem_request(ITEMS, item, token="t")
    assert (request.method, request.url) == ("POST", ITEMS)
    assert request.headers["Content-Type"] == "application/vnd.ims.lis.v2.lineitem+json"
    assert json.loads(request.body) == {
        "label": "Week 1",
        "scoreMaximum": 12.5,
        "resourceLinkId": "link-1",
        "resourceId": "a-1",
    }
    made = parse_lineitem(respond({**json.loads(request.body), "id": ITEM}, 201), url=ITEMS)
    assert made == replace(item, id=ITEM)


def test_replaced_lineitem_keeps_what_it_had() -> None:
    """A PUT replaces everything, so what the platform sent beyond our fields goes back to it."""
    sent = {
        "id": ITEM,
        "label": "Old",
        "scoreMaximum": 10.25,
        "gradesReleased": True,
        "https://lms.example/x": {"a": 1},
    }
    item = parse_lineitem(respond(sent), url=ITEM)
    request = update_lineitem_request(replace(item, label="New"), token="t")
    assert (request.method, request.url) == ("PUT", ITEM)
    assert json.loads(request.body) == {**sent, "label": "New"}
    tagged = update_lineitem_request(replace(item, tag="t-1"), token="t")
    assert json.loads(tagged.body) == {**sent, "tag": "t-1"}
    cleared = parse_lineitem(respond({**sent, "tag": "t-1"}), url=ITEM)
    assert json.loads(update_lineitem_request(replace(cleared, tag=""), token="t").body) == {**sent, "tag": ""}


@pytest.mark.parametrize(("label", "maximum"), [("", 10), ("  ", 10), ("x", 0), ("x", -1)])
def test_lineitem_that_no_platform_takes(label: str, maximum: int) -> None:
    """A column without a label or with nothing to reach cannot be sent."""
    with pytest.raises(ValueError):
        create_lineitem_request(ITEMS, LineItem("", label, Decimal(maximum)), token="t")


def test_reading_and_deleting_one() -> None:
    """One line item is read and deleted at its own address."""
    assert lineitem_request(ITEM, token="t") == Request(
        "GET", ITEM, {"Accept": "application/vnd.ims.lis.v2.lineitem+json", "Authorization": "Bearer t"}
    )
    assert delete_lineitem_request(ITEM, token="t") == Request("DELETE", ITEM, {"Authorization": "Bearer t"})


def item(name: str, **fields: str) -> LineItem:
    return LineItem(name, name, Decimal(10), **fields)


@pytest.mark.quirk("G31", "G41", "O7")
@pytest.mark.parametrize(
    ("items", "chosen"),
    [
        ([], None),
        ([item("foreign", resource_link_id="l-2")], None),
        ([item("foreign", resource_link_id="l-2", resource_id="r-1", tag="t-1")], None),
        ([item("foreign", resource_link_id="l-2"), item("own", resource_link_id="l-1")], "own"),
        ([item("first", resource_link_id="l-1"), item("second", resource_link_id="l-1")], "first"),
        ([item("a", resource_link_id="l-1"), item("b", resource_link_id="l-1", resource_id="r-1")], "b"),
        ([item("a", resource_link_id="l-1", tag="t-1"), item("b", resource_link_id="l-1", resource_id="r-1")], "b"),
        ([item("a", resource_link_id="l-1"), item("b", resource_link_id="l-1", tag="t-1")], "b"),
        ([item("loose")], None),
        ([item("loose", resource_id="r-2", tag="t-1")], None),
        ([item("loose", resource_id="r-1", tag="t-2")], None),
        ([item("loose", resource_id="r-1", tag="t-1")], "loose"),
        ([item("loose", resource_id="r-1", tag="t-1"), item("own", resource_link_id="l-1")], "own"),
    ],
)
def test_choosing_a_lineitem(items: list[LineItem], chosen: str | None) -> None:
    """The link's own item is chosen, else a loose one of our resource; never one of another link (quirk G41)."""
    found = choose_lineitem(items, resource_link_id="l-1", resource_id="r-1", tag="t-1")
    assert (found.id if found else None) == chosen


def test_choosing_without_ids() -> None:
    """Nothing is chosen when nothing of ours is named: an empty id fits no empty id."""
    assert choose_lineitem([item("loose")], resource_link_id="", resource_id="", tag="") is None
    assert choose_lineitem([item("r", resource_id="r-1")], resource_link_id="", resource_id="r-1") is not None


def test_results_request() -> None:
    """Results are read below the line item, before its query, of all or of one person."""
    assert results_request(ITEM, token="t").url == "https://lms.example/items/3/lineitem/results?type_id=2"
    one = results_request(ITEM, token="t", user_id="u/1", limit=1)
    assert one.url == "https://lms.example/items/3/lineitem/results?type_id=2&user_id=u%2F1&limit=1"
    assert one.headers["Accept"] == "application/vnd.ims.lis.v2.resultcontainer+json"
    page = results_page_request("https://lms.example/r?from=2", token="t")
    assert (page.url, page.headers) == ("https://lms.example/r?from=2", one.headers)


def test_results_are_read() -> None:
    """A result has an exact score out of a maximum, which is 1 when the platform names none."""
    page = [
        {"userId": "4", "resultScore": 0.1, "resultMaximum": 100, "comment": "ok", "id": "r-4"},
        {"userId": "5"},
        {"userId": 6, "resultScore": None, "resultMaximum": 0},
        {"userId": "7", "resultScore": "1e99"},
        {"resultScore": 3},
        None,
    ]
    results, following = parse_results(respond(page), url=ITEM)
    assert results == [
        Result("4", Decimal("0.1"), Decimal(100), "ok", "r-4"),
        Result("5", None, Decimal(1)),
        Result("6", None, Decimal(1)),
        Result("7", None, Decimal(1)),
    ]
    assert following is None


READERS: list[Callable[[Response], object]] = [
    lambda response: parse_lineitems(response, url=ITEMS),
    lambda response: parse_lineitem(response, url=ITEM),
    lambda response: parse_results(response, url=ITEM),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"7", b'"x"', b"\xff", b"[" * 20_000, b"[" + b" " * 2**23 + b"]"], ids=len
)
def test_answers_that_cannot_be_read(read: Callable[[Response], object], body: bytes) -> None:
    """A 200 with something else in it is a fault of the service, worth another try."""
    with pytest.raises(ServiceUnavailableError):
        read(respond(body))


@pytest.mark.parametrize("read", READERS)
def test_answers_that_refuse(read: Callable[[Response], object]) -> None:
    """A refused request is not read as an empty list."""
    with pytest.raises(ServiceUnauthorizedError):
        read(respond([], 401))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "label", "scoreMaximum", "userId", "resultScore", "resultMaximum", "tag"]), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("read", [parse_score_response, *READERS])
@given(body=json_values, status=st.sampled_from([200, 201, 204, 400, 404, 422, 500]), link=st.text(max_size=30))
def test_garbage_for_an_answer(read: Callable[[Response], object], body: Any, status: int, link: str) -> None:
    """Any answer is read or refused with one of our errors."""
    try:
        read(respond(body, status, link=link))
    except LtiError as error:
        failed = error.code
    else:
        failed = ""
    assert failed.startswith(("service_", "person_")) if status >= 400 else isinstance(failed, str)
