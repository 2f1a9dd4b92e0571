"""Basic Outcomes 1.1: write, read and delete one grade of one person and link (LTI 1.1 §6, "POX").

Requests are signed bytes to be sent as they are; answers are parsed as text of a stranger. An answer with
HTTP status 200 can be a failure, and one with 422 can be well-formed (Canvas): `imsx_codeMajor` decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from html import escape
from typing import NoReturn, cast

from lxml import etree

from ltikit.errors import (
    LtiError,
    PersonNotGradableError,
    ServiceError,
    ServiceRejectedError,
    ServiceUnauthorizedError,
    ServiceUnavailableError,
    UnsupportedOperationError,
)
from ltikit.http import Request, Response
from ltikit.launch import Outcomes
from ltikit.services import error_of_words, read_retry_after, refuse_status, shorten
from ltikit.v11.oauth1 import authorization_header
from ltikit.v11.xml_answers import parse_xml, unreadable

NAMESPACE = "http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"

_NSMAP = cast("dict[str, str]", {None: NAMESPACE})  # lxml's stubs forget the default namespace

_SCORE_STEP = Decimal("0.000001")  # six decimals: exact enough for a column of ten thousand points
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:[.,][0-9]{0,20})?|[+-]?[.,][0-9]{1,20}")

# Characters that XML 1.0 cannot carry, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Words of failures that have a kind of their own, beside those of `ltikit.services`.
_CREDENTIALS = re.compile(r"signature|nonce|oauth|unauthori[sz]ed", re.IGNORECASE)
_SOURCEDID = re.compile(r"(sourced_?id\s*[:=]\s*)\S+", re.IGNORECASE)
_PASSING = re.compile(r"lti outcome request failed", re.IGNORECASE)  # Blackboard, now and then


@dataclass(frozen=True, slots=True)
class OutcomeAnswer:
    """A platform's answer that means success.

    `score` is the grade held by the platform, 0 to 1, for readResult only; None for no grade or one that is
    no number (`score_text` has what was sent).
    `is_accepted_only` tells that the platform took the request and will work on it later ("processing").
    `is_reply` is False if the answer names another message than the one asked about; platforms that leave
    the name out (Open edX) count as True.
    """

    operation: str
    description: str
    score: Decimal | None = None
    score_text: str = ""
    is_accepted_only: bool = False
    is_reply: bool = True


def replace_result_request(
    outcomes: Outcomes,
    *,
    score: Decimal,
    consumer_key: str,
    secret: str,
    message_id: str,
    nonce: str,
    now: datetime,
    signature_method: str = "HMAC-SHA1",
    result_url: str = "",
    result_text: str = "",
    submitted_at: datetime | None = None,
) -> Request:
    """The request that sets a grade (LTI 1.1 §6.1.1).

    `result_url` or else `result_text` shows the work beside the score, `submitted_at` says when it was handed in:
    Canvas's extensions, each sent only if the launch's `Outcomes.accepts` has "url", "text" or "submitted_at".

    `score` is a fraction of the full points; it is clamped to 0..1 and sent in plain decimals, rounded to six.
    `message_id` and `nonce` must be new for each request: Canvas refuses repeated ones.

    Raises `PersonNotGradableError` if the launch gave no sourcedid, `ServiceRejectedError` if address or
    sourcedid cannot be sent at all, `ValueError` for a score that is not a finite number.
    """
    return _signed_request(
        outcomes,
        "replaceResult",
        score_text=format_score(score),
        extras=_choose_extras(outcomes, result_url, result_text, submitted_at),
        consumer_key=consumer_key,
        secret=secret,
        message_id=message_id,
        nonce=nonce,
        now=now,
        signature_method=signature_method,
    )


def read_result_request(
    outcomes: Outcomes,
    *,
    consumer_key: str,
    secret: str,
    message_id: str,
    nonce: str,
    now: datetime,
    signature_method: str = "HMAC-SHA1",
) -> Request:
    """The request that asks for the grade held by the platform (LTI 1.1 §6.1.2); errors as `replace_result_request`."""
    return _signed_request(
        outcomes,
        "readResult",
        consumer_key=consumer_key,
        secret=secret,
        message_id=message_id,
        nonce=nonce,
        now=now,
        signature_method=signature_method,
    )


def delete_result_request(
    outcomes: Outcomes,
    *,
    consumer_key: str,
    secret: str,
    message_id: str,
    nonce: str,
    now: datetime,
    signature_method: str = "HMAC-SHA1",
) -> Request:
    """The request that takes the grade away (LTI 1.1 §6.1.3); errors as `replace_result_request`."""
    return _signed_request(
        outcomes,
        "deleteResult",
        consumer_key=consumer_key,
        secret=secret,
        message_id=message_id,
        nonce=nonce,
        now=now,
        signature_method=signature_method,
    )


def format_score(score: Decimal) -> str:
    """A fraction as platforms read it: 0.0 to 1.0, a point, no exponent, at most six decimals.

    Raises `ValueError` for NaN and infinity.
    """
    if not score.is_finite():
        raise ValueError("a score must be a finite number")
    clamped = min(max(score, Decimal(0)), Decimal(1)).quantize(_SCORE_STEP, rounding=ROUND_HALF_EVEN)
    whole, _, decimals = f"{abs(clamped):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


def parse_outcome_response(response: Response, *, message_id: str = "", sourcedid: str = "") -> OutcomeAnswer:
    """What the platform answered to one of the requests above (LTI 1.1 §6.1).

    Names are matched without their namespace, since platforms spell it in several ways. `sourcedid` is the one that
    was asked for: platforms repeat it in their words, from which it is taken out.

    Raises `UnsupportedOperationError` if the platform does not offer the operation; `PersonNotGradableError`
    if its words say that this person is not in the course; `NotPublishedError`; `ServiceUnauthorizedError`
    for a refused signature; `ServiceRejectedError` for any other failure; by HTTP status what
    `ltikit.services.refuse_status` raises; `ServiceUnavailableError` for an answer that is too large, no XML,
    no outcome, or has a document type.
    """
    try:
        root = parse_xml(response)
        code_major = _text_of(root, "imsx_codeMajor").lower()
        if code_major not in ("success", "processing", "failure", "unsupported"):
            raise unreadable(response, f"imsx_codeMajor is {shorten(code_major)!r}")
    except ServiceUnavailableError:
        if response.is_success:
            raise
        refuse_status(response)
    description = _SOURCEDID.sub(r"\1…", shorten(_hide(sourcedid, _text_of(root, "imsx_description"))))
    if code_major == "unsupported":
        raise _refusal(UnsupportedOperationError, response, description)
    if code_major == "failure":
        _refuse_failure(response, description)
    if not response.is_success:
        refuse_status(response, detail=description)
    score_text = _text_of(root, "readResultResponse", "textString")
    answered = _text_of(root, "imsx_messageRefIdentifier")
    return OutcomeAnswer(
        operation=_text_of(root, "imsx_operationRefIdentifier").removesuffix("Request"),
        description=description,
        score=_parse_score(score_text),
        score_text=score_text,
        is_accepted_only=code_major == "processing",
        is_reply=not message_id or not answered or answered == message_id,
    )


def _hide(sourcedid: str, words: str) -> str:
    """The words without the sourcedid, which is a capability and has no place in logs.

    Open edX says "Score for … is now 0.75", and repeats the whole request in some failures.
    """
    for spelling in filter(None, (sourcedid, escape(sourcedid, quote=False))):
        words = words.replace(spelling, "…")
    return words


def _signed_request(
    outcomes: Outcomes,
    operation: str,
    *,
    score_text: str = "",
    extras: _Extras | None = None,
    consumer_key: str,
    secret: str,
    message_id: str,
    nonce: str,
    now: datetime,
    signature_method: str,
) -> Request:
    if not outcomes.sourcedid:
        raise PersonNotGradableError("the launch gave no lis_result_sourcedid: the LMS keeps no grade of this person")
    try:
        body = _build_body(
            operation, outcomes.sourcedid, message_id=message_id, score_text=score_text, extras=extras or _Extras()
        )
        authorization = authorization_header(
            "POST",
            outcomes.url,
            body,
            consumer_key=consumer_key,
            secret=secret,
            nonce=nonce,
            now=now,
            signature_method=signature_method,
        )
    except LtiError as error:
        raise ServiceRejectedError(f"the outcome service cannot be asked: {error.detail}") from error
    headers = {"Content-Type": "application/xml", "Accept": "application/xml, */*", "Authorization": authorization}
    return Request(method="POST", url=outcomes.url, headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class _Extras:
    """What goes to Canvas besides the score: one kind of data, and the time of handing in."""

    kind: str = ""
    data: str = ""
    submitted_at: str = ""


def _choose_extras(outcomes: Outcomes, url: str, text: str, submitted_at: datetime | None) -> _Extras:
    moment = ""
    if submitted_at is not None and "submitted_at" in outcomes.accepts:
        if submitted_at.tzinfo is None:
            raise ValueError("submitted_at needs a time zone")
        moment = submitted_at.astimezone(UTC).isoformat(timespec="milliseconds")
    if url and "url" in outcomes.accepts:
        return _Extras("url", url, moment)
    if text and "text" in outcomes.accepts:
        return _Extras("text", _NOT_XML.sub("", text), moment)
    return _Extras(submitted_at=moment)


def _build_body(operation: str, sourcedid: str, *, message_id: str, score_text: str, extras: _Extras) -> bytes:
    envelope = _element(None, "imsx_POXEnvelopeRequest")
    header = _element(_element(envelope, "imsx_POXHeader"), "imsx_POXRequestHeaderInfo")
    _element(header, "imsx_version", "V1.0")
    _element(header, "imsx_messageIdentifier", message_id)
    request = _element(_element(envelope, "imsx_POXBody"), f"{operation}Request")
    if extras.submitted_at:
        _element(_element(request, "submissionDetails"), "submittedAt", extras.submitted_at)
    record = _element(request, "resultRecord")
    try:
        _element(_element(record, "sourcedGUID"), "sourcedId", sourcedid)
    except ValueError as error:  # control characters, which XML 1.0 does not allow
        raise ServiceRejectedError("the lis_result_sourcedid holds characters that XML cannot carry") from error
    if score_text:
        result = _element(record, "result")
        result_score = _element(result, "resultScore")
        _element(result_score, "language", "en")
        _element(result_score, "textString", score_text)
        if extras.kind:
            _element(_element(result, "resultData"), extras.kind, extras.data)
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def _element(parent: etree._Element | None, name: str, text: str | None = None) -> etree._Element:
    tag = f"{{{NAMESPACE}}}{name}"
    element = etree.Element(tag, nsmap=_NSMAP) if parent is None else etree.SubElement(parent, tag)
    element.text = text
    return element


def _text_of(root: etree._Element, *names: str) -> str:
    """The text of the first element with the last name, inside those with the names before it; "" if there is none."""
    steps = "".join(f"//*[local-name()='{name}']" for name in names)
    found = root.xpath(steps)
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):
        return ""
    return (found[0].text or "").strip()


def _refuse_failure(response: Response, description: str) -> NoReturn:
    """Raise the error that a failure stands for: first by its words, then by the HTTP status."""
    meant = error_of_words(description)
    if meant is None and _CREDENTIALS.search(description):
        meant = ServiceUnauthorizedError
    if meant is None and _PASSING.search(description):
        meant = ServiceUnavailableError
    if meant is None and not response.is_success:
        refuse_status(response, detail=description)
    raise _refusal(meant or ServiceRejectedError, response, description)


def _refusal(kind: type[ServiceError], response: Response, description: str) -> ServiceError:
    return kind(
        description or "the LMS gave no reason",
        platform_status=response.status,
        retry_after=read_retry_after(response),
    )


def _parse_score(text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))
