"""Basic Outcomes 1.1: replaceResult, readResult and deleteResult, as strict as the specification allows.

A failure is an envelope with `codeMajor` failure; which HTTP status carries it is an option of the tool.
"""

import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lxml import etree

from practice_lms.columns import LineItem, check_date, find_line_item_of_link
from practice_lms.courses import get_course
from practice_lms.gradability import check_gradable, send_mail
from practice_lms.gradebook import (
    Grade,
    ScoreMessage,
    find_grade,
    record_message,
    scale_score,
    show_number,
    store_grade,
)
from practice_lms.installation import need_setting
from practice_lms.links import Link, find_link
from practice_lms.lti11 import read_sourcedid
from practice_lms.people import Person, find_membership
from practice_lms.profiles import Profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.tools import Tool, get_tool, list_clones

NAMESPACE = "http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"
MEDIA_TYPES = ("application/xml", "text/xml")
OPERATIONS = ("replaceResult", "readResult", "deleteResult")
BAD_DAY = "LTI outcome request failed"
SCORE = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")


@dataclass(frozen=True)
class OutcomeRequest:
    """What a well-formed envelope asks for."""

    message_id: str
    operation: str
    sourcedid: str
    score_text: str | None
    total_text: str | None = None
    """Points instead of a share, as a Canvas takes them too."""
    launch_url: str = ""
    """Where the tool shows this work, in a Canvas's words."""
    submission: Mapping[str, str] = field(default_factory=dict)
    """What else a Canvas takes: `url` or `text`, and `submittedAt`."""


@dataclass(frozen=True)
class OutcomeAnswer:
    """What the envelope of the answer says; `score_text` belongs to readResult alone."""

    code_major: str
    description: str
    request: OutcomeRequest | None = None
    score_text: str | None = None


@dataclass(frozen=True)
class _Cell:
    """The one place in the gradebook that a sourcedid opens."""

    link: Link
    item: LineItem
    person: Person
    profile: Profile


def parse_envelope(body: bytes) -> OutcomeRequest:
    """Read the request's XML: no document type, the right namespace, one known operation."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise RefusedError("The body is not well-formed XML.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise RefusedError("The body must not declare a document type.")
    if root.tag != f"{{{NAMESPACE}}}imsx_POXEnvelopeRequest":
        raise RefusedError(f"The body must be an imsx_POXEnvelopeRequest in the namespace {NAMESPACE}.")
    message_id = _find_text(root, "imsx_POXHeader/imsx_POXRequestHeaderInfo/imsx_messageIdentifier")
    version = _find_text(root, "imsx_POXHeader/imsx_POXRequestHeaderInfo/imsx_version")
    if not message_id:
        raise RefusedError("The envelope lacks imsx_messageIdentifier.")
    if version != "V1.0":
        raise RefusedError("imsx_version must be V1.0.")
    children = root.findall(f"{{{NAMESPACE}}}imsx_POXBody/*")
    if len(children) != 1:
        raise RefusedError("imsx_POXBody must hold exactly one request.")
    operation = etree.QName(children[0]).localname.removesuffix("Request")
    if operation not in OPERATIONS:
        raise RefusedError(f"The operation {operation!r} is not supported.", code="unsupported")
    sourcedid = _find_text(children[0], "resultRecord/sourcedGUID/sourcedId")
    if not sourcedid:
        raise RefusedError("The request lacks sourcedId.")
    score = _find_text(children[0], "resultRecord/result/resultScore/textString")
    total = _find_text(children[0], "resultRecord/result/resultTotalScore/textString")
    url = _find_text(children[0], "resultRecord/result/resultData/ltiLaunchUrl")
    extras = {
        "url": _find_text(children[0], "resultRecord/result/resultData/url"),
        "text": _find_text(children[0], "resultRecord/result/resultData/text"),
        "submittedAt": _find_text(children[0], "submissionDetails/submittedAt"),
    }
    submission = {name: value for name, value in extras.items() if value is not None}
    if "submittedAt" in submission:
        check_date("submittedAt", submission["submittedAt"])
    return OutcomeRequest(message_id, operation, sourcedid, score, total, url or "", submission)


def run_operation(db: sqlite3.Connection, tool: Tool, request: OutcomeRequest, *, now: float) -> OutcomeAnswer:
    """Do what a verified envelope asks. What arrived is recorded, refused or not."""
    cell: _Cell | None = None
    share: Decimal | None = None
    try:
        cell = _find_cell(db, tool, request.sourcedid)
        check_gradable(db, cell.profile, tool, cell.item, cell.person.id)
        _fail_first_try(db, cell)
        if request.submission and cell.profile.name != "canvas":
            raise RefusedError("This LMS takes a score alone, and its launches offer no more.")
        if request.operation == "replaceResult":
            share = read_share(request, cell)
    except RefusedError as refusal:
        _record(db, tool, request, cell, now=now, refusal=refusal)
        return refuse(refusal, request)
    if request.operation == "readResult":
        return OutcomeAnswer("success", "Result read", request, _read_result(db, cell))
    before = find_grade(db, cell.item.id, cell.person.id)
    score = None if share is None else scale_score(share, Decimal(1), cell.item.score_maximum)
    arrival = _record(db, tool, request, cell, now=now, share=share, score=score)
    grade = Grade(
        line_item_id=cell.item.id,
        person_id=cell.person.id,
        score=score,
        score_given=share,
        score_maximum=None if share is None else Decimal(1),
        arrival=arrival,
        updated_at=now,
        submission=request.submission or (before.submission if before else {}),
        submission_url=request.launch_url or (before.submission_url if before else ""),
    )
    store_grade(db, grade)
    send_mail(db, cell.profile, cell.item, grade, now=now)
    what = "Result deleted" if share is None else f"Score for {request.sourcedid} is now {request.score_text}"
    return OutcomeAnswer("success", what, request)


def find_outcome_place(db: sqlite3.Connection, request: OutcomeRequest) -> tuple[str, Profile]:
    """The link that a sourcedid names, and how this LMS behaves there; no link when it names none."""
    try:
        link_id, _ = read_sourcedid(need_setting(db, "secret"), request.sourcedid)
    except RefusedError:
        return "", choose_profile(db)
    link = find_link(db, link_id)
    if link is None:
        return "", choose_profile(db)
    return link.id, choose_profile(db, get_tool(db, link.tool_id).profile, get_course(db, link.course_id).profile)


def refuse(refusal: RefusedError, request: OutcomeRequest | None = None) -> OutcomeAnswer:
    """The answer to a request that is refused."""
    return OutcomeAnswer("unsupported" if refusal.code == "unsupported" else "failure", refusal.message, request)


def read_score(text: str | None) -> Decimal:
    """A score of 0 to 1 in plain decimal notation."""
    if text is None or not SCORE.fullmatch(text):
        raise RefusedError(f"The score {text!r} is no plain decimal number: use digits and a point, no exponent.")
    score = Decimal(text)
    if score > 1:
        raise RefusedError(f"The score {text} is outside 0.0 to 1.0.")
    return score


def read_share(request: OutcomeRequest, cell: _Cell) -> Decimal:
    """The share of the points that a replaceResult gives; a Canvas also takes points, even more than there are."""
    if request.total_text is None or cell.profile.name != "canvas":
        return read_score(request.score_text)
    if not SCORE.fullmatch(request.total_text):
        raise RefusedError(f"The total score {request.total_text!r} is no plain decimal number.")
    return Decimal(request.total_text) / cell.item.score_maximum


def build_answer(answer: OutcomeAnswer) -> bytes:
    """The XML of an answer."""
    namespaces: dict[Any, str] = {None: NAMESPACE}
    root = etree.Element(f"{{{NAMESPACE}}}imsx_POXEnvelopeResponse", nsmap=namespaces)
    info = _add(_add(root, "imsx_POXHeader"), "imsx_POXResponseHeaderInfo")
    _add(info, "imsx_version", "V1.0")
    _add(info, "imsx_messageIdentifier", secrets.token_hex(8))
    status = _add(info, "imsx_statusInfo")
    _add(status, "imsx_codeMajor", answer.code_major)
    _add(status, "imsx_severity", "status" if answer.code_major == "success" else "error")
    _add(status, "imsx_description", answer.description)
    body = _add(root, "imsx_POXBody")
    if answer.request is not None:
        _add(status, "imsx_messageRefIdentifier", answer.request.message_id)
        # Moodle names the element of the request here, not the bare operation.
        _add(status, "imsx_operationRefIdentifier", f"{answer.request.operation}Request")
        if answer.code_major == "success":
            response = _add(body, f"{answer.request.operation}Response")
            if answer.request.operation == "readResult":
                score = _add(_add(response, "result"), "resultScore")
                _add(score, "language", "en")
                _add(score, "textString", answer.score_text or "")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _find_cell(db: sqlite3.Connection, tool: Tool, sourcedid: str) -> _Cell:
    link_id, person_id = read_sourcedid(need_setting(db, "secret"), sourcedid)
    link = find_link(db, link_id)
    if link is None or link.tool_id not in list_clones(db, tool):
        raise RefusedError("Incorrect sourcedId: the link is gone, or belongs to another tool.", 404)
    item = find_line_item_of_link(db, link.id)
    membership = find_membership(db, link.course_id, person_id)
    if item is None or membership is None or not membership.is_learner:
        raise RefusedError("Incorrect sourcedId: this person gets no grade here.", 404)
    course = get_course(db, link.course_id)
    own = get_tool(db, link.tool_id)
    return _Cell(link, item, membership.person, choose_profile(db, own.profile, course.profile))


def _fail_first_try(db: sqlite3.Connection, cell: _Cell) -> None:
    """The first try of each message fails in a Blackboard that has a bad day (B12)."""
    if not cell.profile.has("B12"):
        return
    row = db.execute(
        "SELECT reason FROM score_message WHERE line_item_id = ? AND person_id = ? ORDER BY arrival DESC LIMIT 1",
        (cell.item.id, cell.person.id),
    ).fetchone()
    if row is None or row["reason"] != BAD_DAY:
        raise RefusedError(BAD_DAY)


def _read_result(db: sqlite3.Connection, cell: _Cell) -> str:
    grade = find_grade(db, cell.item.id, cell.person.id)
    if grade is None or grade.score is None:
        return ""
    return show_number((grade.score / cell.item.score_maximum).quantize(Decimal("0.0000001"))) or ""


def _record(
    db: sqlite3.Connection,
    tool: Tool,
    request: OutcomeRequest,
    cell: _Cell | None,
    *,
    now: float,
    share: Decimal | None = None,
    score: Decimal | None = None,
    refusal: RefusedError | None = None,
) -> int:
    message = ScoreMessage(
        received_at=now,
        service="outcomes",
        operation=request.operation,
        tool_id=tool.id,
        course_id=cell.link.course_id if cell else "",
        link_id=cell.link.id if cell else None,
        line_item_id=cell.item.id if cell else None,
        person_id=cell.person.id if cell else None,
        status=tool.options.outcome_failure_status if refusal else 200,
        is_stored=refusal is None,
        reason=refusal.message if refusal else "",
        score_given=share,
        score_maximum=None if share is None else Decimal(1),
        score=score,
    )
    return record_message(db, message)


def _find_text(element: etree._Element, path: str) -> str | None:
    found = element.find("/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/")))
    return None if found is None else (found.text or "")


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = text
    return child
