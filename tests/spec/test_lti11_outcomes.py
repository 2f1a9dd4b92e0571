"""Basic Outcomes 1.1: the requests we send and the answers that platforms give (LTI 1.1 §6)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from lxml import etree
from oauthlib.oauth1.rfc5849.signature import verify_hmac_sha1, verify_hmac_sha256

from ltikit.errors import (
    NotPublishedError,
    PersonNotGradableError,
    ServiceConflictError,
    ServiceError,
    ServiceForbiddenError,
    ServiceNotFoundError,
    ServiceRateLimitedError,
    ServiceRejectedError,
    ServiceUnauthorizedError,
    ServiceUnavailableError,
    UnsupportedOperationError,
)
from ltikit.http import Request, Response
from ltikit.launch import Outcomes
from ltikit.v11.outcomes import (
    NAMESPACE,
    delete_result_request,
    parse_outcome_response,
    read_result_request,
    replace_result_request,
)
from tests.ltikit.v11.signed_forms import KEY, NOW, SECRET

SOURCEDID = '{"data":{"userid":"9"},"hash":"<ab&c>"}'
OUTCOMES = Outcomes("https://lms.example.edu/outcomes?course=7&x=", SOURCEDID)


def replace(score: str = "0.92", *, outcomes: Outcomes = OUTCOMES, method: str = "HMAC-SHA1") -> Request:
    """A request that sets a grade."""
    return replace_result_request(
        outcomes,
        score=Decimal(score),
        consumer_key=KEY,
        secret=SECRET,
        message_id="message-1",
        nonce="nonce-1",
        now=NOW,
        signature_method=method,
    )


def read_header(request: Request) -> dict[str, str]:
    """The OAuth parameters of the request's Authorization header."""
    scheme, _, parameters = request.headers["Authorization"].partition(" ")
    assert scheme == "OAuth"
    pairs = (part.strip().partition("=") for part in parameters.split(","))
    return {unquote(name): unquote(value.strip('"')) for name, _, value in pairs}


def outline(body: bytes) -> list[tuple[str, str]]:
    """Local names and texts of all elements of a request in their order."""
    elements = etree.fromstring(body).iter()
    assert all(isinstance(element.tag, str) and element.tag.startswith(f"{{{NAMESPACE}}}") for element in elements)
    return [(etree.QName(element).localname, element.text or "") for element in etree.fromstring(body).iter()]


HEADER = [
    ("imsx_POXEnvelopeRequest", ""),
    ("imsx_POXHeader", ""),
    ("imsx_POXRequestHeaderInfo", ""),
    ("imsx_version", "V1.0"),
    ("imsx_messageIdentifier", "message-1"),
    ("imsx_POXBody", ""),
]
RECORD = [("resultRecord", ""), ("sourcedGUID", ""), ("sourcedId", SOURCEDID)]
SCORE = [("result", ""), ("resultScore", ""), ("language", "en"), ("textString", "0.92")]


def test_replace_result_has_the_shape_of_the_specification() -> None:
    """A replaceResultRequest holds sourcedId and score, in this order and nothing else."""
    request = replace()
    assert ("POST", OUTCOMES.url) == (request.method, request.url)
    assert request.headers["Content-Type"] == "application/xml"
    assert request.body.startswith(b"<?xml version=")
    assert [*HEADER, ("replaceResultRequest", ""), *RECORD, *SCORE] == outline(request.body)


@pytest.mark.parametrize(
    ("build", "operation"), [(read_result_request, "readResultRequest"), (delete_result_request, "deleteResultRequest")]
)
def test_read_and_delete_have_no_result(build: Callable[..., Request], operation: str) -> None:
    """readResultRequest and deleteResultRequest are the same without a result."""
    request = build(OUTCOMES, consumer_key=KEY, secret=SECRET, message_id="message-1", nonce="nonce-1", now=NOW)
    assert [*HEADER, (operation, ""), *RECORD] == outline(request.body)


@pytest.mark.parametrize(
    ("score", "text"),
    [
        ("0", "0.0"),
        ("-0", "0.0"),
        ("1", "1.0"),
        ("1.000", "1.0"),
        ("0.925", "0.925"),
        ("1E-5", "0.00001"),
        ("1E-9", "0.0"),
        ("0.33333333333333", "0.333333"),
        ("0.99999999", "1.0"),
        ("1.5", "1.0"),
        ("-0.1", "0.0"),
        ("1E+30", "1.0"),
    ],
)
def test_scores_are_clamped_plain_decimals(score: str, text: str) -> None:
    """A score is text from 0.0 to 1.0 with a point and no exponent: Moodle and edX refuse anything else."""
    assert ("textString", text) == outline(replace(score).body)[-1]


@pytest.mark.parametrize(("method", "verify"), [("HMAC-SHA1", verify_hmac_sha1), ("HMAC-SHA256", verify_hmac_sha256)])
def test_requests_are_signed_over_body_hash_and_query(method: str, verify: Callable[..., bool]) -> None:
    """The header holds the SHA-1 of the exact bytes, and oauthlib verifies it with the query of the address."""
    request = replace(method=method)
    header = read_header(request)
    assert (
        base64.b64encode(hashlib.sha1(request.body, usedforsecurity=False).digest()).decode()
        == (header["oauth_body_hash"])
    )
    parameters = [pair for pair in header.items() if pair[0] != "oauth_signature"]
    signed = SimpleNamespace(
        uri=request.url,
        http_method="POST",
        params=[*parse_qsl(urlsplit(request.url).query, keep_blank_values=True), *parameters],
        signature=header["oauth_signature"],
    )
    assert verify(signed, client_secret=SECRET)
    assert (KEY, "nonce-1", str(int(NOW.timestamp()))) == (
        header["oauth_consumer_key"],
        header["oauth_nonce"],
        header["oauth_timestamp"],
    )


def test_a_request_shows_no_secret() -> None:
    """The consumer secret is nowhere in what is sent."""
    request = replace()
    assert SECRET not in f"{request.headers}{request.body!r}{request.url}"


def test_without_a_sourcedid_nothing_is_sent() -> None:
    """A teacher's launch has no sourcedid: there is no grade to write."""
    with pytest.raises(PersonNotGradableError):
        replace(outcomes=Outcomes(OUTCOMES.url, ""))


@pytest.mark.parametrize("outcomes", [Outcomes(OUTCOMES.url, "a\x01b"), Outcomes("https:///x", "a"), Outcomes("", "a")])
def test_what_cannot_be_sent_is_refused_by_name(outcomes: Outcomes) -> None:
    """A sourcedid that XML cannot carry, or an address without a host, is refused before sending."""
    with pytest.raises(ServiceRejectedError):
        replace(outcomes=outcomes)


def answer(
    code_major: str,
    description: str = "",
    *,
    body: str = "<replaceResultResponse/>",
    reference: str = "message-1",
    operation: str = "replaceResult",
    namespace: str = f' xmlns = "{NAMESPACE}"',
) -> bytes:
    """A platform's answer in the shape of the specification."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<imsx_POXEnvelopeResponse{namespace}><imsx_POXHeader><imsx_POXResponseHeaderInfo>
  <imsx_version>V1.0</imsx_version><imsx_messageIdentifier>914825322</imsx_messageIdentifier>
  <imsx_statusInfo><imsx_codeMajor> {code_major} </imsx_codeMajor><imsx_severity>status</imsx_severity>
    <imsx_description>{description}</imsx_description>
    <imsx_messageRefIdentifier>{reference}</imsx_messageRefIdentifier>
    <imsx_operationRefIdentifier>{operation}</imsx_operationRefIdentifier></imsx_statusInfo>
</imsx_POXResponseHeaderInfo></imsx_POXHeader><imsx_POXBody>{body}</imsx_POXBody>
</imsx_POXEnvelopeResponse>""".encode()


@pytest.mark.quirk("O4")
@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("code_major", ["success", "Success", "processing"])
@pytest.mark.parametrize("namespace", ["", f' xmlns="{NAMESPACE}"', ' xmlns="http://www.imsglobal.org/lis/oms1p0/pox"'])
def test_success_is_success_in_any_namespace(status: int, code_major: str, namespace: str) -> None:
    """Names are matched without their namespace; success and processing mean that the grade was taken."""
    body = b"\xef\xbb\xbf\r\n" + answer(code_major, "Grade &amp; done", namespace=namespace)
    found = parse_outcome_response(Response(status, {"content-type": "text/html"}, body), message_id="message-1")
    assert (found.operation, found.description, found.score) == ("replaceResult", "Grade & done", None)
    assert found.is_accepted_only is (code_major == "processing")


@pytest.mark.parametrize(
    ("reference", "is_reply"), [("message-1", True), (" message-1 ", True), ("", True), ("999999123", False)]
)
def test_an_answer_names_its_request(reference: str, is_reply: bool) -> None:
    """The message named in the answer is compared; leaving it out, as Open edX may, is no fault."""
    response = Response(200, {}, answer("success", reference=reference))
    assert is_reply is parse_outcome_response(response, message_id="message-1").is_reply


def test_moodle_adds_request_to_the_operation() -> None:
    """Moodle names the operation `replaceResultRequest`: the same operation."""
    response = Response(200, {}, answer("success", operation="replaceResultRequest"))
    assert parse_outcome_response(response).operation == "replaceResult"


def read_result(text: str) -> bytes:
    """An answer to readResult."""
    result = f"<result><resultScore><language>en</language>{text}</resultScore></result>"
    return answer("success", body=f"<readResultResponse>{result}</readResultResponse>", operation="readResult")


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("<textString>0.91</textString>", "0.91"),
        ("<textString> 1 </textString>", "1"),
        ("<textString>0,5</textString>", "0.5"),
        ("<textString>.5</textString>", "0.5"),
        ("<textString/>", None),
        ("<textString></textString>", None),
        ("", None),
        ("<textString>B+</textString>", None),
        ("<textString>NaN</textString>", None),
        ("<textString>1e5</textString>", None),
    ],
)
def test_a_read_result_is_a_decimal_or_no_grade(text: str, score: str | None) -> None:
    """The grade held by the platform is exact; empty or no number means that there is none."""
    found = parse_outcome_response(Response(200, {}, read_result(text)))
    assert found.score == (None if score is None else Decimal(score))


def refuse(response: Response) -> ServiceError:
    """The error that an answer means."""
    with pytest.raises(ServiceError) as caught:
        parse_outcome_response(response, message_id="message-1")
    return caught.value


@pytest.mark.quirk("C10", "B12")
@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Incorrect sourcedId: 12-34", PersonNotGradableError),
        ("User not found", PersonNotGradableError),
        ("User is no longer in course", PersonNotGradableError),
        ("Course not available for student", PersonNotGradableError),
        ("This assignment is still unpublished", NotPublishedError),
        ("Message signature not valid", ServiceUnauthorizedError),
        ("Duplicate nonce detected", ServiceUnauthorizedError),
        ("Score not between 0.0 and 1.0", ServiceRejectedError),
        ("", ServiceRejectedError),
    ],
)
def test_failures_are_told_apart_by_their_words(status: int, words: str, error: type[ServiceError]) -> None:
    """A failure is one with HTTP 200 (Moodle) and with 422 (Canvas); its words say of what kind."""
    found = refuse(Response(status, {}, answer("failure", words)))
    assert error is type(found)
    assert status == found.platform_status


def test_a_failure_of_the_moment_is_tried_again() -> None:
    """Blackboard's 'LTI outcome request failed' comes and goes."""
    found = refuse(Response(200, {}, answer("failure", "LTI outcome request failed")))
    assert type(found) is ServiceUnavailableError


def test_unsupported_operations_are_told_apart() -> None:
    """codeMajor unsupported: the platform does not offer the operation, whatever the HTTP status."""
    for status in (200, 400, 501):
        assert type(refuse(Response(status, {}, answer("unsupported", "no")))) is UnsupportedOperationError


def test_words_of_a_failure_do_not_show_the_sourcedid() -> None:
    """Platforms repeat the sourcedid in their words; the error does not."""
    found = refuse(Response(200, {}, answer("failure", "Incorrect sourcedId: 106278-1400844-secret")))
    assert "secret" not in found.detail
    assert "Incorrect sourcedId" in found.detail


def test_words_never_show_the_sourcedid_that_was_asked_for() -> None:
    """Open edX names it in a success, and repeats the whole request in some failures: neither is kept."""
    sourcedid = "course-v1%3AX:<Y>&Z:7b3c"
    said = answer("success", "Score for course-v1%3AX:&lt;Y&gt;&amp;Z:7b3c is now 0.75")
    taken = parse_outcome_response(Response(200, {}, said), sourcedid=sourcedid)
    assert taken.description == "Score for … is now 0.75"
    repeated = "no score in &lt;sourcedId&gt;course-v1%3AX:&amp;lt;Y&amp;gt;&amp;amp;Z:7b3c&lt;/sourcedId&gt;"
    with pytest.raises(ServiceError) as caught:
        parse_outcome_response(Response(200, {}, answer("failure", repeated)), sourcedid=sourcedid)
    assert caught.value.detail == "no score in …"


@pytest.mark.parametrize("body", [b"", b"<html><body>Sorry</body></html>", answer("failure", "no words known")])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ServiceUnauthorizedError),
        (403, ServiceForbiddenError),
        (404, ServiceNotFoundError),
        (409, ServiceConflictError),
        (429, ServiceRateLimitedError),
        (500, ServiceUnavailableError),
        (503, ServiceUnavailableError),
        (302, ServiceUnavailableError),
        (400, ServiceRejectedError),
        (422, ServiceRejectedError),
    ],
)
def test_http_failures_are_told_apart_by_status(status: int, error: type[ServiceError], body: bytes) -> None:
    """Without words that say more, the HTTP status decides, with the platform's wish to wait."""
    found = refuse(Response(status, {"retry-after": "30"}, body))
    assert error is type(found)
    assert (status, 30.0) == (found.platform_status, found.retry_after)


def test_an_error_page_of_any_size_keeps_its_status() -> None:
    """A 404 with an endless page is still a 404."""
    assert type(refuse(Response(404, {}, b"x" * 300_000))) is ServiceNotFoundError


def test_success_in_an_http_failure_is_no_success() -> None:
    """An answer that says success with an HTTP status of failure is not believed."""
    assert type(refuse(Response(500, {}, answer("success")))) is ServiceUnavailableError
