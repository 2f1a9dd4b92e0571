"""What LMSs say when they refuse a grade, word for word as it was seen, and what is done about it."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

import pytest

from ltikit.errors import LtiError, NotPublishedError, PersonNotGradableError, ServiceRateLimitedError
from ltikit.http import Response
from ltikit.v11.outcomes import parse_outcome_response
from ltikit.v13.ags import parse_score_response

PERSON, LATER = PersonNotGradableError, ServiceRateLimitedError


@pytest.mark.quirk("C9", "C10", "C16", "C17", "C30", "C47", "B3", "D2", "M6")
@pytest.mark.parametrize(
    ("status", "words", "meaning"),
    [
        (422, "The maximum number of allowed attempts has been reached for this submission", PERSON),
        (400, "This course has concluded. AGS requests will no longer be accepted for this course.", PERSON),
        (422, "This course has concluded. AGS requests will no longer be accepted for this course.", PERSON),
        (422, "User not found in course or is not a student", PERSON),
        (422, "This assignment is still unpublished", NotPublishedError),
        (403, "403 Forbidden (Rate Limit Exceeded)", LATER),
        (400, "User could not be found: 1_1", PERSON),
        (403, "User 12 is not enrolled in the org unit 6606", PERSON),
        (404, "User in requested score does not exist", PERSON),
        (400, "Incorrect score received", PERSON),
    ],
)
def test_refused_scores(status: int, words: str, meaning: type[LtiError]) -> None:
    """The words decide, whether they come as JSON or as a page, and they are kept for the teacher."""
    for body in (json.dumps({"errors": {"type": "unprocessable_entity", "message": words}}), f"<p>{words}</p>"):
        with pytest.raises(meaning) as caught:
            parse_score_response(Response(status, {}, body.encode()))
        assert type(caught.value) is meaning
        assert words in caught.value.detail
        assert caught.value.platform_status == status


@pytest.mark.quirk("C10", "B12", "B13")
@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize(
    "words",
    ["Course not available for student", "Incorrect sourcedId: 42", "User is no longer in course", "User not found"],
)
def test_refused_outcomes(words: str, status: int) -> None:
    """A failure is one whatever the status, and its words say that this person cannot be graded there."""
    body = (
        '<imsx_POXEnvelopeResponse xmlns="http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"><imsx_POXHeader>'
        "<imsx_POXResponseHeaderInfo><imsx_statusInfo><imsx_codeMajor>failure</imsx_codeMajor>"
        f"<imsx_description>{escape(words)}</imsx_description></imsx_statusInfo></imsx_POXResponseHeaderInfo>"
        "</imsx_POXHeader><imsx_POXBody/></imsx_POXEnvelopeResponse>"
    )
    with pytest.raises(PersonNotGradableError) as caught:
        parse_outcome_response(Response(status, {}, body.encode()))
    assert caught.value.detail.startswith(words.partition(":")[0])
