"""Assignment and Grade Services 2.0: scores coming in, results going out."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from practice_lms.claims import make_line_item_url
from practice_lms.columns import LineItem
from practice_lms.gradability import (
    SCORE_MEMBERS,
    check_gradable,
    count_attempts,
    read_submission_url,
    refuse_unknown_members,
    send_mail,
)
from practice_lms.gradebook import (
    Grade,
    ScoreMessage,
    find_grade,
    list_grades,
    record_message,
    scale_score,
    store_grade,
)
from practice_lms.installation import Addresses
from practice_lms.profiles import Profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool

SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
RESULT_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"
ACTIVITY_PROGRESS = ("Initialized", "Started", "InProgress", "Submitted", "Completed")
GRADING_PROGRESS = ("FullyGraded", "Pending", "PendingManual", "Failed", "NotReady")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d+(Z|[+-]\d\d(:?\d\d)?)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Score:
    """A score message that says all it must say. `tool_time` are microseconds since 1970."""

    person_id: str
    timestamp: str
    tool_time: int
    activity_progress: str
    grading_progress: str
    given: Decimal | None
    maximum: Decimal | None
    comment: str = ""
    scoring_user_id: str = ""
    submission: Mapping[str, str] = field(default_factory=dict)


def parse_score(document: Any) -> Score:
    """Read a score document; numbers must have been read as int or Decimal."""
    if not isinstance(document, dict):
        raise RefusedError("A score must be a JSON object.")
    for name in ("userId", "timestamp", "activityProgress", "gradingProgress"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise RefusedError(f"{name} is required and must be text.")
    if document["activityProgress"] not in ACTIVITY_PROGRESS:
        raise RefusedError(f"activityProgress must be one of {', '.join(ACTIVITY_PROGRESS)}.")
    if document["gradingProgress"] not in GRADING_PROGRESS:
        raise RefusedError(f"gradingProgress must be one of {', '.join(GRADING_PROGRESS)}.")
    if not TIMESTAMP.fullmatch(document["timestamp"]):
        raise RefusedError("timestamp must be ISO 8601 with sub-second precision and a time zone.")
    given, maximum = _read_number(document, "scoreGiven"), _read_number(document, "scoreMaximum")
    if given is not None and given < 0:
        raise RefusedError("scoreGiven must not be negative.")
    if given is not None and maximum is None:
        raise RefusedError("scoreMaximum is required with scoreGiven.")
    if maximum is not None and maximum <= 0:
        raise RefusedError("scoreMaximum must be greater than 0.")
    for name in ("comment", "scoringUserId"):
        if document.get(name) is not None and not isinstance(document[name], str):
            raise RefusedError(f"{name} must be text.")
    if document.get("scoringUserId") == "":
        raise RefusedError("scoringUserId must not be empty: leave it out.")
    return Score(
        person_id=document["userId"],
        timestamp=document["timestamp"],
        tool_time=_read_time("timestamp", document["timestamp"]),
        activity_progress=document["activityProgress"],
        grading_progress=document["gradingProgress"],
        given=given,
        maximum=maximum,
        comment=document.get("comment") or "",
        scoring_user_id=document.get("scoringUserId") or "",
        submission=_read_submission(document.get("submission")),
    )


def take_score(
    db: sqlite3.Connection, tool: Tool, item: LineItem, profile: Profile, document: Any, *, now: float
) -> RefusedError | None:
    """Store a score, or say why not. What arrived is recorded, refused or not."""
    score: Score | None = None
    try:
        score = parse_score(document)
        refuse_unknown_members(profile, document, SCORE_MEMBERS)
        check_gradable(db, profile, tool, item, score.person_id)
        before = find_grade(db, item.id, score.person_id)
        _check_newer(before, score, profile)
        attempts = count_attempts(db, profile, item, before, document)
    except RefusedError as refusal:
        _record(db, tool, item, score, document, now=now, refusal=refusal)
        return refusal
    points = _decide_grade(tool, score, before, item)
    arrival = _record(db, tool, item, score, document, now=now, points=points)
    grade = Grade(
        line_item_id=item.id,
        person_id=score.person_id,
        score=points,
        comment=score.comment.replace("\n", "") if profile.has("B2") else score.comment,
        activity_progress=score.activity_progress,
        grading_progress=score.grading_progress,
        timestamp=score.timestamp,
        tool_time=score.tool_time,
        arrival=arrival,
        updated_at=now,
        score_given=score.given,
        score_maximum=score.maximum,
        scoring_user_id=score.scoring_user_id,
        submission=score.submission,
        attempts=attempts,
        submission_url=read_submission_url(profile, before, document),
    )
    store_grade(db, grade)
    send_mail(db, profile, item, grade, now=now)
    return None


def list_results(
    db: sqlite3.Connection, addresses: Addresses, item: LineItem, profile: Profile, *, person_id: str = ""
) -> list[dict[str, Any]]:
    """The grades of a column as the specification writes them."""
    url = make_line_item_url(addresses, item, profile)
    path, mark, query = url.partition("?")
    results = []
    for grade in list_grades(db, [item]):
        if person_id and grade.person_id != person_id:
            continue
        result: dict[str, Any] = {
            "id": f"{path}/results/{grade.person_id}{mark}{query}",
            "scoreOf": url,
            "userId": grade.person_id,
            "resultMaximum": float(item.score_maximum),
        }
        if grade.score is not None:
            result["resultScore"] = float(grade.score)
        if grade.comment and not (person_id and profile.has("B1")):
            result["comment"] = grade.comment
        if grade.scoring_user_id:
            result["scoringUserId"] = grade.scoring_user_id
        results.append(result)
    return results


def _decide_grade(tool: Tool, score: Score, before: Grade | None, item: LineItem) -> Decimal | None:
    """The grade in points of the LMS. Only a FullyGraded score counts; what another does is an option of the tool."""
    if score.grading_progress == "FullyGraded" or score.given is None:
        if score.given is None or score.maximum is None:
            return None
        return scale_score(score.given, score.maximum, item.score_maximum)
    if tool.options.unfinished_score == "keep" and before is not None:
        return before.score
    return None


def _check_newer(before: Grade | None, score: Score, profile: Profile) -> None:
    # A Moodle keeps whole seconds only (M2).
    unit = 1_000_000 if profile.has("M2") else 1
    if before is not None and before.tool_time is not None and score.tool_time // unit <= before.tool_time // unit:
        raise RefusedError(f"Refusing score with an earlier timestamp: the newest is {before.timestamp}.", 409)


def _read_number(document: Mapping[str, Any], name: str) -> Decimal | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise RefusedError(f"{name} must be a number.")
    return Decimal(value)


def _read_submission(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RefusedError("submission must be a JSON object.")
    times = {name: value[name] for name in ("startedAt", "submittedAt") if value.get(name) is not None}
    moments = {name: _read_time(name, text) for name, text in times.items()}
    if len(moments) == 2 and moments["submittedAt"] < moments["startedAt"]:
        raise RefusedError("submittedAt must not be before startedAt.")
    return times


def _read_time(name: str, text: Any) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise RefusedError(f"{name} must be an ISO 8601 date and time.") from None
    if moment.tzinfo is None:
        raise RefusedError(f"{name} must say its time zone.")
    difference = moment - EPOCH
    return difference.days * 86_400_000_000 + difference.seconds * 1_000_000 + difference.microseconds


def _record(
    db: sqlite3.Connection,
    tool: Tool,
    item: LineItem,
    score: Score | None,
    document: Any,
    *,
    now: float,
    points: Decimal | None = None,
    refusal: RefusedError | None = None,
) -> int:
    loose = document if isinstance(document, dict) else {}
    return record_message(
        db,
        ScoreMessage(
            received_at=now,
            service="scores",
            operation="score",
            tool_id=tool.id,
            course_id=item.course_id,
            link_id=item.link_id,
            line_item_id=item.id,
            person_id=score.person_id if score else str(loose.get("userId") or "") or None,
            status=refusal.status if refusal else 200,
            is_stored=refusal is None,
            reason=refusal.message if refusal else "",
            score_given=score.given if score else None,
            score_maximum=score.maximum if score else None,
            score=points,
            activity_progress=str(loose.get("activityProgress") or ""),
            grading_progress=str(loose.get("gradingProgress") or ""),
            comment=score.comment if score else "",
            timestamp=str(loose.get("timestamp") or ""),
        ),
    )
