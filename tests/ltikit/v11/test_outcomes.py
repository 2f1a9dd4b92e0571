from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ltikit.errors import ServiceError, ServiceUnavailableError
from ltikit.http import Response
from ltikit.launch import Outcomes
from ltikit.v11.outcomes import format_score, parse_outcome_response, replace_result_request
from ltikit.v11.xml_answers import MAX_ANSWER
from tests.ltikit.v11.signed_forms import KEY, NOW, SECRET

# What XML 1.0 can carry and gives back unchanged: no control characters, surrogates or carriage returns.
xml_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=60
)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_any_score_is_plain_decimal_text_from_0_to_1(score: Decimal) -> None:
    """Any finite number becomes text without exponent, between 0.0 and 1.0, at most a millionth away."""
    text = format_score(score)
    assert text.replace(".", "", 1).isdigit()
    assert Decimal(0) <= Decimal(text) <= Decimal(1)
    assert abs(Decimal(text) - min(max(score, Decimal(0)), Decimal(1))) <= Decimal("0.0000005")


@given(st.integers(0, 10**6))
def test_six_decimals_are_exact(millionths: int) -> None:
    """A score of up to six decimals is sent exactly."""
    score = Decimal(millionths) / 10**6
    assert score == Decimal(format_score(score))


@pytest.mark.parametrize("score", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_score_must_be_a_number(score: str) -> None:
    """NaN and infinity are a mistake of the caller."""
    with pytest.raises(ValueError, match="finite"):
        format_score(Decimal(score))


@pytest.mark.quirk("G23")
@given(xml_texts)
def test_any_sourcedid_goes_back_exactly(sourcedid: str) -> None:
    """Quotes, angle brackets, ampersands and any other text arrive at the LMS as they came from it."""
    request = replace_result_request(
        Outcomes("https://lms.example.edu/outcomes", sourcedid),
        score=Decimal("0.5"),
        consumer_key=KEY,
        secret=SECRET,
        message_id="m-1",
        nonce="n-1",
        now=NOW,
    )
    found = etree.fromstring(request.body).xpath("string(//*[local-name()='sourcedId'])")
    assert sourcedid == found


@pytest.mark.quirk("O4")
@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_answer_is_read_or_refused_by_name(status: int, body: bytes) -> None:
    """Random bytes with any status give a `ServiceError`, never another exception."""
    with pytest.raises(ServiceError):
        parse_outcome_response(Response(status, {}, body))


def answer(code_major: str = "success", *, body: str = "", description: str = "", extra: str = "") -> bytes:
    """A Basic Outcomes answer, written by hand."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
        <imsx_POXEnvelopeResponse xmlns="http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"><imsx_POXHeader>
        <imsx_POXResponseHeaderInfo><imsx_statusInfo><imsx_codeMajor>{code_major}</imsx_codeMajor>
        <imsx_description>{description}</imsx_description>{extra}</imsx_statusInfo></imsx_POXResponseHeaderInfo>
        </imsx_POXHeader><imsx_POXBody>{body}</imsx_POXBody></imsx_POXEnvelopeResponse>""".encode()


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40), st.text(max_size=10))
def test_any_score_text_is_a_number_or_none(text: str, message_id: str) -> None:
    """Whatever stands where the score should be, it is a finite number or None."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    result = f"<result><resultScore><textString>{escaped}</textString></resultScore></result>"
    body = f"<readResultResponse>{result}</readResultResponse>"
    found = parse_outcome_response(Response(200, {}, answer(body=body)), message_id=message_id)
    assert found.score is None or found.score.is_finite()


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://169.254.169.254/x.dtd"><a/>',
        b"<!DOCTYPE html><html><body>Maintenance</body></html>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"),
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'bbbbbbbb'><!ENTITY c '&b;&b;&b;'>]>" + answer()[38:],
        b"<a>" * 5000 + b"</a>" * 5000,
        b" " * (MAX_ANSWER + 1),
        answer() + b" " * MAX_ANSWER,
        b"",
        b"OK",
        b'{"success": true}',
        b"<imsx_POXEnvelopeResponse/>",
        answer("done"),
        answer(""),
    ],
)
def test_dangerous_and_unreadable_answers_are_refused(body: bytes) -> None:
    """Document types, entities, depth, size and anything that is no outcome are no success, and may be tried again."""
    with pytest.raises(ServiceUnavailableError):
        parse_outcome_response(Response(200, {}, body))


def test_no_entity_is_read_from_disk(tmp_path: Path) -> None:
    """A file named by an answer is not read, not even into the error's words."""
    secret = tmp_path / "secret.txt"
    secret.write_text("do-not-read")
    body = f'<!DOCTYPE a [<!ENTITY b SYSTEM "{secret.as_uri()}">]><a><imsx_codeMajor>&b;</imsx_codeMajor></a>'
    with pytest.raises(ServiceUnavailableError) as caught:
        parse_outcome_response(Response(200, {}, body.encode()))
    assert "do-not-read" not in str(caught.value)


def send_more(accepts: set[str], **more: object) -> etree._Element:
    request = replace_result_request(
        Outcomes("https://lms.example.edu/outcomes", "s", frozenset(accepts)),
        score=Decimal("0.5"),
        consumer_key=KEY,
        secret=SECRET,
        message_id="m-1",
        nonce="n-1",
        now=NOW,
        **more,  # type: ignore[arg-type]
    )
    return etree.fromstring(request.body)


def names_of(root: etree._Element) -> list[str]:
    return [etree.QName(one).localname for one in root.iter()]


def test_canvas_gets_what_its_launch_offered_to_take() -> None:
    """The address of the work, else its text, and when it was handed in: before the record and beside the score."""
    more = {"result_url": "https://tool.example/w/1?a=1&b=2", "result_text": "Well <done>", "submitted_at": NOW}
    root = send_more({"url", "text", "submitted_at"}, **more)
    assert names_of(root)[-12:] == [
        "replaceResultRequest",
        "submissionDetails",
        "submittedAt",
        "resultRecord",
        "sourcedGUID",
        "sourcedId",
        "result",
        "resultScore",
        "language",
        "textString",
        "resultData",
        "url",
    ]
    assert root.xpath("string(//*[local-name()='url'])") == "https://tool.example/w/1?a=1&b=2"
    assert root.xpath("string(//*[local-name()='submittedAt'])") == "2026-03-04T05:06:07.000+00:00"
    text = send_more({"text"}, **more)
    assert text.xpath("string(//*[local-name()='text'])") == "Well <done>"
    assert not {"url", "submittedAt"} & set(names_of(text))


def test_nobody_else_gets_more_than_the_score() -> None:
    """What a launch did not offer to take is never sent: other platforms refuse unknown elements."""
    more = {"result_url": "https://tool.example/w/1", "result_text": "Well done", "submitted_at": NOW}
    assert not {"resultData", "submissionDetails"} & set(names_of(send_more(set(), **more)))
    assert not {"resultData", "submissionDetails"} & set(names_of(send_more({"url", "text", "submitted_at"})))


@given(st.text(max_size=80))
def test_any_words_can_be_sent(words: str) -> None:
    """Whatever a teacher wrote, the request is XML; characters that XML cannot carry are left out."""
    root = send_more({"text"}, result_text=words.encode("utf-8", "replace").decode())
    assert root.xpath("count(//*[local-name()='resultScore'])") == 1.0
