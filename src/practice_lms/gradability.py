"""Who can be graded, when and how often, in the LMS that is imitated; and the mails that it sends about grades."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from practice_lms.columns import LineItem
from practice_lms.courses import get_course
from practice_lms.gradebook import Grade, show_number
from practice_lms.links import Link, find_link
from practice_lms.people import find_membership, find_person
from practice_lms.profiles import Profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool

SUBMISSION = "https://canvas.instructure.com/lti/submission"
SCORE_MEMBERS = (
    "userId",
    "timestamp",
    "activityProgress",
    "gradingProgress",
    "scoreGiven",
    "scoreMaximum",
    "comment",
    "scoringUserId",
    "submission",
)


def check_gradable(db: sqlite3.Connection, profile: Profile, tool: Tool, item: LineItem, person_id: str) -> None:
    """Refuse a score for somebody who cannot have one, in the words and with the status of the imitated LMS."""
    _check_person(db, profile, item, person_id)
    person = find_person(db, person_id)
    if profile.has("C16") and person is not None and (person.is_test or not tool.options.shows_accounts):
        raise RefusedError("User not found in course or is not a student", 422)
    course = get_course(db, item.course_id)
    link = find_link(db, item.link_id) if item.link_id else None
    if profile.has("C10") and course.state == "concluded":
        words = "Course not available for student" if tool.version == "1.1" else "This course has concluded"
        raise RefusedError(words, 422)
    if profile.has("C17") and (course.state == "unpublished" or (link is not None and link.state == "unpublished")):
        raise RefusedError("This assignment is still unpublished", 422)


def count_attempts(
    db: sqlite3.Connection, profile: Profile, item: LineItem, before: Grade | None, document: Mapping[str, Any]
) -> int:
    """The attempts after this score (C7), or a refusal after the last allowed one (C9)."""
    attempts = before.attempts if before else 0
    extension = document.get(SUBMISSION)
    is_new = not (isinstance(extension, dict) and extension.get("new_submission") is False)
    if not profile.has("C7") or not is_new:
        return attempts
    link = find_link(db, item.link_id) if item.link_id else None
    if profile.has("C9") and link is not None and _is_over(link, attempts):
        raise RefusedError("The maximum number of allowed attempts has been reached for this submission", 422)
    return attempts + 1


def read_submission_url(profile: Profile, before: Grade | None, document: Mapping[str, Any]) -> str:
    """Where the tool shows this work, in a Canvas's words; what was said before stays."""
    known = before.submission_url if before else ""
    extension = document.get(SUBMISSION)
    if profile.name != "canvas" or not isinstance(extension, dict):
        return known
    url = extension.get("submission_data")
    if extension.get("submission_type") != "basic_lti_launch" or not isinstance(url, str):
        return known
    return url if url.startswith(("http://", "https://")) else known


def refuse_unknown_members(profile: Profile, document: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """A Schoology takes no member that the specification does not name (O3, C8)."""
    strange = sorted(set(document) - set(known))
    if profile.has("O3") and strange:
        raise RefusedError(f"Unrecognized field {strange[0]!r}.")


def send_mail(db: sqlite3.Connection, profile: Profile, item: LineItem, grade: Grade, *, now: float) -> None:
    """The mail to a student about a score, also about the same one again (C32)."""
    if profile.has("C32"):
        score = show_number(grade.score) or "no score"
        db.execute(
            "INSERT INTO mail (sent_at, person_id, course_id, line_item_id, subject) VALUES (?, ?, ?, ?, ?)",
            (now, grade.person_id, item.course_id, item.id, f"{item.label}: {score} of {item.score_maximum}"),
        )


def list_mails(db: sqlite3.Connection, *, person_id: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """The newest mails, of everybody or to one person."""
    rows = db.execute("SELECT * FROM mail WHERE ? IN ('', person_id) ORDER BY id DESC LIMIT ?", (person_id, limit))
    return [dict(row) for row in rows]


def _is_over(link: Link, attempts: int) -> bool:
    return link.allowed_attempts is not None and attempts >= link.allowed_attempts


def _check_person(db: sqlite3.Connection, profile: Profile, item: LineItem, person_id: str) -> None:
    is_known = find_person(db, person_id) is not None
    membership = find_membership(db, item.course_id, person_id)
    if membership is not None and membership.is_learner:
        return
    if profile.has("B3"):
        raise RefusedError(f"User could not be found: {person_id}")
    if profile.has("C16"):
        raise RefusedError("User not found in course or is not a student", 422)
    if not is_known:
        words = "User in requested score does not exist" if profile.has("D2") else "userId names nobody here."
        raise RefusedError(words, 404)
    if profile.has("D2"):
        raise RefusedError("User is not enrolled in the org unit", 403)
    raise RefusedError("Incorrect score received: this person cannot be graded in this course.")
