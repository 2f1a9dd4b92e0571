"""Grades: what each person has now, and every score message that ever arrived, in the order of arrival.

A message is written in the same transaction that changes the grade, so `arrival` says which of two came first. For
LTI 1.1 that order is all there is; for LTI 1.3 the tool's own timestamp is kept beside it.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from practice_lms.columns import LineItem


@dataclass(frozen=True)
class ScoreMessage:
    """One thing that a tool said about one grade, taken or refused."""

    received_at: float
    service: str
    operation: str
    tool_id: str
    course_id: str
    link_id: str | None
    line_item_id: str | None
    person_id: str | None
    status: int
    is_stored: bool
    reason: str = ""
    score_given: Decimal | None = None
    score_maximum: Decimal | None = None
    score: Decimal | None = None
    activity_progress: str = ""
    grading_progress: str = ""
    comment: str = ""
    timestamp: str = ""


@dataclass(frozen=True)
class Grade:
    """What a person has in a column now; `score` is in points of the LMS, None means no grade."""

    line_item_id: str
    person_id: str
    score: Decimal | None
    comment: str = ""
    activity_progress: str = ""
    grading_progress: str = ""
    timestamp: str = ""
    tool_time: int | None = None
    arrival: int = 0
    updated_at: float = 0.0
    score_given: Decimal | None = None
    score_maximum: Decimal | None = None
    scoring_user_id: str = ""
    submission: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    submission_url: str = ""
    """Where the tool shows this work to staff, if it said so in a Canvas's words."""


@dataclass(frozen=True)
class Cell:
    """One person's place in one column."""

    item: LineItem
    grade: Grade | None

    @property
    def percent(self) -> Decimal | None:
        """The share of the points, of 100."""
        if self.grade is None or self.grade.score is None:
            return None
        return (self.grade.score * 100 / self.item.score_maximum).quantize(Decimal("0.1"))


def scale_score(given: Decimal, maximum: Decimal, points: Decimal) -> Decimal:
    """The tool's score in points of the LMS, kept to five places like an LMS does."""
    return (given * points / maximum).quantize(Decimal("0.00001"), ROUND_HALF_UP)


def show_number(value: Decimal | None) -> str | None:
    """A number without trailing zeros or exponent: 22.50000 is 22.5."""
    if value is None:
        return None
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def record_message(db: sqlite3.Connection, message: ScoreMessage) -> int:
    """Write down what arrived; the answer is its place in the order of arrival."""
    cursor = db.execute(
        "INSERT INTO score_message (received_at, service, operation, tool_id, course_id, link_id, line_item_id,"
        " person_id, score_given, score_maximum, score, activity_progress, grading_progress, comment, timestamp,"
        " is_stored, status, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.received_at,
            message.service,
            message.operation,
            message.tool_id,
            message.course_id,
            message.link_id,
            message.line_item_id,
            message.person_id,
            show_number(message.score_given),
            show_number(message.score_maximum),
            show_number(message.score),
            message.activity_progress,
            message.grading_progress,
            message.comment,
            message.timestamp,
            int(message.is_stored),
            message.status,
            message.reason,
        ),
    )
    return int(cursor.lastrowid or 0)


def store_grade(db: sqlite3.Connection, grade: Grade) -> None:
    """Make this the grade of a person in a column."""
    db.execute(
        "INSERT INTO grade (line_item_id, person_id, score, score_given, score_maximum, comment, activity_progress,"
        " grading_progress, submission, scoring_user_id, tool_timestamp, tool_time, arrival, updated_at, attempts,"
        " submission_url) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (line_item_id, person_id) DO UPDATE SET"
        " score = excluded.score, score_given = excluded.score_given, score_maximum = excluded.score_maximum,"
        " comment = excluded.comment, activity_progress = excluded.activity_progress,"
        " grading_progress = excluded.grading_progress, submission = excluded.submission,"
        " scoring_user_id = excluded.scoring_user_id, tool_timestamp = excluded.tool_timestamp,"
        " tool_time = excluded.tool_time, arrival = excluded.arrival, updated_at = excluded.updated_at,"
        " attempts = excluded.attempts, submission_url = excluded.submission_url",
        (
            grade.line_item_id,
            grade.person_id,
            show_number(grade.score),
            show_number(grade.score_given),
            show_number(grade.score_maximum),
            grade.comment,
            grade.activity_progress,
            grade.grading_progress,
            json.dumps(dict(grade.submission)),
            grade.scoring_user_id,
            grade.timestamp,
            grade.tool_time,
            grade.arrival,
            grade.updated_at,
            grade.attempts,
            grade.submission_url,
        ),
    )


def find_grade(db: sqlite3.Connection, line_item_id: str, person_id: str) -> Grade | None:
    """What a person has in a column, if anything ever arrived."""
    row = db.execute(
        "SELECT * FROM grade WHERE line_item_id = ? AND person_id = ?", (line_item_id, person_id)
    ).fetchone()
    return None if row is None else _read_grade(row)


def list_grades(db: sqlite3.Connection, items: list[LineItem]) -> list[Grade]:
    """Every grade of these columns."""
    marks = ",".join("?" * len(items))
    rows = db.execute(
        f"SELECT * FROM grade WHERE line_item_id IN ({marks}) ORDER BY arrival",  # noqa: S608 - marks only
        tuple(item.id for item in items),
    )
    return [_read_grade(row) for row in rows]


def list_messages(
    db: sqlite3.Connection,
    *,
    course_id: str = "",
    line_item_id: str = "",
    link_id: str = "",
    person_id: str = "",
    after: int = 0,
    limit: int = 100_000,
) -> list[dict[str, Any]]:
    """The history of score messages in order of arrival, narrowed by whatever is given."""
    given = {"course_id": course_id, "line_item_id": line_item_id, "link_id": link_id, "person_id": person_id}
    wanted = {name: value for name, value in given.items() if value}
    condition = " AND ".join(["arrival > ?", *(f"{name} = ?" for name in wanted)])
    rows = db.execute(
        f"SELECT * FROM score_message WHERE {condition} ORDER BY arrival LIMIT ?",  # noqa: S608 - names of our own
        (after, *wanted.values(), limit),
    )
    return [{**dict(row), "is_stored": bool(row["is_stored"])} for row in rows]


def read_last_arrival(db: sqlite3.Connection) -> int:
    """The place of the newest message; a page that has seen this one has seen all."""
    return int(db.execute("SELECT COALESCE(MAX(arrival), 0) AS n FROM score_message").fetchone()["n"])


def _read_grade(row: sqlite3.Row) -> Grade:
    def number(name: str) -> Decimal | None:
        return None if row[name] is None else Decimal(row[name])

    return Grade(
        line_item_id=row["line_item_id"],
        person_id=row["person_id"],
        score=number("score"),
        comment=row["comment"],
        activity_progress=row["activity_progress"],
        grading_progress=row["grading_progress"],
        timestamp=row["tool_timestamp"],
        tool_time=row["tool_time"],
        arrival=row["arrival"],
        updated_at=row["updated_at"],
        score_given=number("score_given"),
        score_maximum=number("score_maximum"),
        scoring_user_id=row["scoring_user_id"],
        submission=json.loads(row["submission"]),
        attempts=row["attempts"],
        submission_url=row["submission_url"],
    )
