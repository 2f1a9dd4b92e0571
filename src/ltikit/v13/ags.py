"""Assignment and Grade Services 2.0: scores, line items and results.

Each `*_request` builds one request with the access token's value; each `parse_*` reads the answer to it, refusing
what means failure as `ltikit.services.raise_for_status` does. Addresses of line items may have a query
(Moodle: `?type_id=2`), which is kept.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit, urlunsplit

from ltikit import vocabulary
from ltikit.answers import MAX_ANSWER, read_json
from ltikit.errors import PersonNotGradableError, ServiceUnavailableError
from ltikit.http import Request, Response
from ltikit.links import next_url
from ltikit.services import is_web_page, raise_for_status, read_words, refuse_status
from ltikit.v13.submission_review import SUBMISSION_REVIEW

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
MAX_EXPONENT: Final = 30
"""Powers of ten of a number: no gradebook has more, and an exponent of a million, written out, fills the memory."""


class ActivityProgress(enum.StrEnum):
    """How far the person is (AGS 2.0 §3.4.7)."""

    INITIALIZED = "Initialized"
    STARTED = "Started"
    IN_PROGRESS = "InProgress"
    SUBMITTED = "Submitted"
    COMPLETED = "Completed"


class GradingProgress(enum.StrEnum):
    """How far the grading is (AGS 2.0 §3.4.8). Platforms may ignore everything but FULLY_GRADED."""

    FULLY_GRADED = "FullyGraded"
    PENDING = "Pending"
    PENDING_MANUAL = "PendingManual"
    FAILED = "Failed"
    NOT_READY = "NotReady"


@dataclass(frozen=True, slots=True)
class Score:
    """What the platform shall record for one person (AGS 2.0 §3.4).

    `user_id` is the `sub` of the launch. `timestamp` must rise strictly from score to score of one person and line
    item: the platform drops what is older, and Moodle compares whole seconds.
    `score_given` is 0 or more, out of `score_maximum`, which must be above 0; without `score_given` an earlier score
    is cleared. `started_at` and `submitted_at` are to be sent again with every later score.
    `extensions` are members named by full addresses, for platforms that know them (`vocabulary.CANVAS_SUBMISSION`).
    """

    user_id: str
    timestamp: datetime
    activity_progress: ActivityProgress
    grading_progress: GradingProgress
    score_given: Decimal | None = None
    score_maximum: Decimal | None = None
    comment: str = ""
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    extensions: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not self.user_id:
            raise ValueError("a score needs the person's LMS user id")
        if (self.score_given is None) != (self.score_maximum is None):
            raise ValueError("score_given and score_maximum go together")
        if self.score_given is not None and not (self.score_given.is_finite() and self.score_given >= 0):
            raise ValueError(f"score_given must be 0 or more, not {self.score_given}")
        if self.score_maximum is not None and not (self.score_maximum.is_finite() and self.score_maximum > 0):
            raise ValueError(f"score_maximum must be above 0, not {self.score_maximum}")
        for name in self.extensions:
            if not name.startswith(("https://", "http://")):
                raise ValueError(f"an extension is named by a full address, not {name!r}")


@dataclass(frozen=True, slots=True)
class LineItem:
    """One column of the platform's gradebook (AGS 2.0 §3.2).

    `id` is its address, "" for one that is still to be created. `resource_link_id` ties it to a link;
    `resource_id` and `tag` are ours, and survive a course copy. `raw` is the object as received: a PUT replaces
    everything, so what the platform sent beyond our fields is sent back. `is_reviewable` lets the platform's gradebook
    open the work here (Submission Review 1.0), by the address of the link.
    """

    id: str
    label: str
    score_maximum: Decimal
    resource_link_id: str = ""
    resource_id: str = ""
    tag: str = ""
    start_at: str = ""
    end_at: str = ""
    is_reviewable: bool = False
    raw: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What the platform holds for one person (AGS 2.0 §3.3). `score` is None when there is no grade."""

    user_id: str
    score: Decimal | None
    maximum: Decimal
    comment: str = ""
    id: str = ""


def score_request(lineitem_url: str, score: Score, *, token: str) -> Request:
    """Send a score. The answer goes to `parse_score_response`. Needs the scope `vocabulary.SCOPE_SCORE`."""
    members: dict[str, Any] = {
        **score.extensions,
        "userId": score.user_id,
        "timestamp": format_timestamp(score.timestamp),
        "activityProgress": score.activity_progress.value,
        "gradingProgress": score.grading_progress.value,
    }
    if score.score_given is not None:
        members["scoreGiven"] = score.score_given
        members["scoreMaximum"] = score.score_maximum
    if score.comment:
        members["comment"] = score.comment
    submission = _build_submission(score)
    if submission:
        members["submission"] = submission
    url = _extend_path(lineitem_url, "/scores")
    return _write("POST", url, members, media_type=vocabulary.MEDIA_SCORE, token=token)


def parse_score_response(response: Response) -> str:
    """The address of the result if the platform names one (Canvas), else "". No more is asked of the body:
    Brightspace and Moodle answer a good score with an empty one.

    A bare 400 without words means `PersonNotGradableError`: so answers Moodle for teachers and people who left.
    A web page is no answer of a grade service, whatever its status: `ServiceUnavailableError`. A platform that kept the
    score and answered with a page would get it again and again; none is known that does.
    """
    if response.status == 400 and read_words(response) in ("", "[]", "{}"):
        raise PersonNotGradableError("HTTP 400, without words", platform_status=400)
    raise_for_status(response)
    if is_web_page(response):
        refuse_status(response, detail=f"a web page, not an answer of the grade service: {read_words(response)}")
    try:
        answer = json.loads(response.body[:MAX_ANSWER])
    except (ValueError, RecursionError):
        return ""
    url = answer.get("resultUrl") if isinstance(answer, dict) else None
    return url if isinstance(url, str) else ""


def lineitems_request(
    lineitems_url: str, *, token: str, resource_link_id: str = "", resource_id: str = "", tag: str = "", limit: int = 0
) -> Request:
    """List line items; filters that are "" and a limit of 0 are left out. The answer goes to `parse_lineitems`.

    Platforms may ignore filters: choose with `choose_lineitem`. For a further page give its address and no filter.
    """
    filters = {"resource_link_id": resource_link_id, "resource_id": resource_id, "tag": tag}
    url = _add_query(lineitems_url, {**filters, "limit": str(limit) if limit else ""})
    return _read("GET", url, media_type=vocabulary.MEDIA_LINEITEMS, token=token)


def parse_lineitems(response: Response, *, url: str) -> tuple[list[LineItem], str | None]:
    """One page of line items and the address of the next, None after the last. `url` is the address that was asked.

    Raises `ServiceRejectedError` when the next page is on another host (see `ltikit.links.next_url`).
    """
    items = [_read_lineitem(member, url) for member in _read_list(response)]
    return [item for item in items if item is not None], next_url(response.headers, base_url=url)


def lineitem_request(lineitem_url: str, *, token: str) -> Request:
    """Read one line item. The answer goes to `parse_lineitem`."""
    return _read("GET", lineitem_url, media_type=vocabulary.MEDIA_LINEITEM, token=token)


def create_lineitem_request(lineitems_url: str, item: LineItem, *, token: str) -> Request:
    """Create a line item; the answer, 201, goes to `parse_lineitem` and has its address.

    Look for an existing one first: a copied course has it already (AGS 2.0 §3.1.2). Without `resource_link_id` the
    column is not the link's own. Needs the scope `vocabulary.SCOPE_LINEITEM`.
    """
    members = {name: value for name, value in _lineitem_members(item).items() if value != "" and name != "id"}
    if item.is_reviewable:
        members["submissionReview"] = dict(SUBMISSION_REVIEW)
    return _write("POST", lineitems_url, members, media_type=vocabulary.MEDIA_LINEITEM, token=token)


def update_lineitem_request(item: LineItem, *, token: str) -> Request:
    """Replace a line item that was read before, with what else the platform sent. `parse_lineitem` reads the answer."""
    members = {**item.raw, **_lineitem_members(item)}
    kept = {name: value for name, value in members.items() if value != "" or name in item.raw}
    return _write("PUT", item.id, kept, media_type=vocabulary.MEDIA_LINEITEM, token=token)


def delete_lineitem_request(lineitem_url: str, *, token: str) -> Request:
    """Delete a line item with its grades. The answer goes to `ltikit.services.raise_for_status`."""
    return Request(method="DELETE", url=lineitem_url, headers={"Authorization": f"Bearer {token}"})


def parse_lineitem(response: Response, *, url: str) -> LineItem:
    """The line item of an answer to a GET, POST or PUT. `url` is the address that was asked.

    Raises `ServiceUnavailableError` when a good answer holds none, and what `raise_for_status` says for another one.
    """
    raise_for_status(response)
    item = _read_lineitem(read_json(response), url)
    if item is None:
        raise ServiceUnavailableError("the answer is not a line item", platform_status=response.status)
    return item


def choose_lineitem(
    items: Iterable[LineItem], *, resource_link_id: str, resource_id: str = "", tag: str = ""
) -> LineItem | None:
    """The line item of a link among those listed, None if there is none. Filters again, since platforms may not have.

    Items of the link itself come first; among several the one whose `resource_id` and `tag` fit, then the first.
    An item that is tied to no link is taken when its `resource_id` is ours (and its `tag`, if one is asked for).
    An item of another link is never taken: its column belongs to other work.
    """

    def fit(item: LineItem) -> tuple[bool, bool]:
        return (bool(resource_id) and item.resource_id == resource_id, bool(tag) and item.tag == tag)

    listed = list(items)
    own = [item for item in listed if resource_link_id and item.resource_link_id == resource_link_id]
    if own:
        return max(own, key=fit)  # of equal ones, max takes the first
    if not resource_id:
        return None
    loose = (item for item in listed if not item.resource_link_id and item.resource_id == resource_id)
    return next((item for item in loose if not tag or item.tag == tag), None)


def results_request(lineitem_url: str, *, token: str, user_id: str = "", limit: int = 0) -> Request:
    """Read what the platform holds, of everybody or of one person. The answer goes to `parse_results`.

    Needs the scope `vocabulary.SCOPE_RESULT_READONLY`. For a further page use `results_page_request`.
    """
    query = {"user_id": user_id, "limit": str(limit) if limit else ""}
    url = _add_query(_extend_path(lineitem_url, "/results"), query)
    return results_page_request(url, token=token)


def results_page_request(url: str, *, token: str) -> Request:
    """Read a page of results at the address that the page before named."""
    return _read("GET", url, media_type=vocabulary.MEDIA_RESULTS, token=token)


def parse_results(response: Response, *, url: str) -> tuple[list[Result], str | None]:
    """One page of results and the address of the next, None after the last. `url` is the address that was asked.

    Platforms that hold nothing for a person leave them out or give no `resultScore`.
    """
    results = [_read_result(member) for member in _read_list(response)]
    return [result for result in results if result is not None], next_url(response.headers, base_url=url)


def format_timestamp(moment: datetime) -> str:
    """ISO 8601 with microseconds, in UTC (AGS 2.0 §3.4.6 asks for sub-second precision and a zone)."""
    if moment.tzinfo is None:
        raise ValueError("a timestamp needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def format_number(number: Decimal) -> str:
    """All digits of an exact number as JSON writes them, without exponent and without trailing zeros."""
    if not number.is_finite() or (number and abs(number.adjusted()) > MAX_EXPONENT):
        raise ValueError(f"{number} is not a number for a gradebook")
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _build_submission(score: Score) -> dict[str, str]:
    started, submitted = score.started_at, score.submitted_at
    if started and submitted and submitted < started:
        started = None  # platforms refuse a submission that ends before it begins
    moments = {"startedAt": started, "submittedAt": submitted}
    return {name: format_timestamp(moment) for name, moment in moments.items() if moment}


def _lineitem_members(item: LineItem) -> dict[str, Any]:
    if not item.label.strip() or not (item.score_maximum.is_finite() and item.score_maximum > 0):
        raise ValueError("a line item needs a label and a maximum above 0")
    return {
        "id": item.id,
        "label": item.label,
        "scoreMaximum": item.score_maximum,
        "resourceLinkId": item.resource_link_id,
        "resourceId": item.resource_id,
        "tag": item.tag,
        "startDateTime": item.start_at,
        "endDateTime": item.end_at,
    }


def _read_lineitem(member: object, url: str) -> LineItem | None:
    """A line item, None for what is none. Its address may be relative to the one that was asked."""
    if not isinstance(member, dict) or not isinstance(member.get("id"), str) or not member["id"]:
        return None
    try:
        address = urljoin(url, member["id"])
    except ValueError:
        return None
    return LineItem(
        id=address,
        label=_text(member, "label"),
        score_maximum=_number(member.get("scoreMaximum")) or Decimal(0),
        resource_link_id=_text(member, "resourceLinkId"),
        resource_id=_text(member, "resourceId"),
        tag=_text(member, "tag"),
        start_at=_text(member, "startDateTime"),
        end_at=_text(member, "endDateTime"),
        raw=MappingProxyType(member),
    )


def _read_result(member: object) -> Result | None:
    if not isinstance(member, dict) or not _text(member, "userId"):
        return None
    maximum = _number(member.get("resultMaximum"))
    return Result(
        user_id=_text(member, "userId"),
        score=_number(member.get("resultScore")),
        maximum=maximum if maximum is not None and maximum > 0 else Decimal(1),
        comment=_text(member, "comment"),
        id=_text(member, "id"),
    )


def _text(member: Mapping[str, Any], name: str) -> str:
    """Text, or the digits of a whole number: some platforms send numeric ids."""
    value = member.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _number(value: object) -> Decimal | None:
    """An exact number from a JSON number or from text that holds one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT else None


def _read_list(response: Response) -> list[Any]:
    raise_for_status(response)
    if response.status == 204:
        return []
    members = read_json(response)
    if not isinstance(members, list):
        raise ServiceUnavailableError("the answer is not a list", platform_status=response.status)
    return members


def _read(method: str, url: str, *, media_type: str, token: str) -> Request:
    return Request(method=method, url=url, headers={"Accept": media_type, "Authorization": f"Bearer {token}"})


def _write(method: str, url: str, members: Mapping[str, Any], *, media_type: str, token: str) -> Request:
    headers = {"Content-Type": media_type, "Accept": media_type, "Authorization": f"Bearer {token}"}
    return Request(method=method, url=url, headers=headers, body=_dump(members).encode())


def _dump(value: Any) -> str:
    """JSON that keeps the digits of a Decimal, which the standard encoder refuses."""
    if isinstance(value, Decimal):
        return format_number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_dump(name)}:{_dump(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_dump(one) for one in value) + "]"
    return _ENCODER.encode(value)


@lru_cache(maxsize=1024)  # a class's grades go to one line item, one after the other
def _extend_path(url: str, suffix: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix, fragment=""))


def _add_query(url: str, values: Mapping[str, str]) -> str:
    added = urlencode({name: value for name, value in values.items() if value}, quote_via=quote)
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))
