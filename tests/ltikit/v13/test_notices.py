"""Notices of a platform: which service a launch offers, what is asked of it, which notices are believed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit import vocabulary
from ltikit.errors import (
    BadSignatureError,
    ExpiredError,
    LtiError,
    MalformedMessageError,
    MissingParameterError,
    ServiceForbiddenError,
    UnsupportedVersionError,
    WrongAudienceError,
    WrongIssuerError,
)
from ltikit.http import Response
from ltikit.v13.notices import (
    CONTEXT_COPY,
    Notice,
    check_handler_response,
    handler_request,
    parse_notices,
    read_notice_service,
    verify_notice,
)
from tests.ltikit.v13.platform import CLIENT_ID, DEPLOYMENT, ISSUER, KID, NOW, keyset, launch, rsa_key, sign

URL = "https://lms.example/api/lti/notice-handlers/7"
SCOPE = vocabulary.SCOPE_NOTICE_HANDLERS


def claims(**changes: Any) -> dict[str, Any]:
    issued = int(NOW.timestamp())
    members = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "iat": issued,
        "exp": issued + 3600,
        "nonce": "n-1",
        vocabulary.VERSION: "1.3.0",
        vocabulary.DEPLOYMENT_ID: DEPLOYMENT,
        vocabulary.NOTICE: {"id": "notice-1", "timestamp": "2026-03-02T09:30:00Z", "type": CONTEXT_COPY},
        vocabulary.CONTEXT: {"id": "new-course", "title": "Autumn", "label": "A"},
        vocabulary.ORIGIN_CONTEXTS: ["old-course"],
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def read(members: dict[str, Any], **signing: Any) -> Notice:
    token = sign(members, **signing)
    return verify_notice(token, issuer=ISSUER, client_id=CLIENT_ID, keys=keyset(), now=NOW)


def test_a_notice_of_a_copied_course_is_read() -> None:
    """Its id, its kind, the deployment, the new course and the one it was copied from."""
    notice = read(claims())
    assert (notice.id, notice.kind, notice.deployment_id) == ("notice-1", CONTEXT_COPY, DEPLOYMENT)
    assert notice.context is not None
    assert (notice.context.id, notice.context.title) == ("new-course", "Autumn")
    assert notice.origin_context_ids == ("old-course",)


@pytest.mark.quirk("C43")
def test_a_notice_may_leave_out_its_origin_and_has_no_person() -> None:
    """Canvas leaves the origin out at times and never sends a `sub` (C43)."""
    assert read(claims(**{vocabulary.ORIGIN_CONTEXTS: None, vocabulary.CONTEXT: None})).origin_context_ids == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"iss": "https://other.example"}, WrongIssuerError),
        ({"aud": "another-tool"}, WrongAudienceError),
        ({"exp": 1}, ExpiredError),
        ({"iat": None}, ExpiredError),
        ({vocabulary.VERSION: "1.1"}, UnsupportedVersionError),
        ({vocabulary.DEPLOYMENT_ID: None}, MissingParameterError),
        ({vocabulary.NOTICE: None}, MissingParameterError),
        ({vocabulary.NOTICE: {"type": CONTEXT_COPY}}, MissingParameterError),
        ({vocabulary.NOTICE: {"id": 7, "type": CONTEXT_COPY}}, MalformedMessageError),
        ({vocabulary.NOTICE: {"id": "x" * 256, "type": CONTEXT_COPY}}, MalformedMessageError),
    ],
)
def test_what_does_not_hold_is_refused(changes: dict[str, Any], error: type[LtiError]) -> None:
    """Another issuer, another tool, an old notice, one without id or deployment."""
    with pytest.raises(error):
        read(claims(**changes))


def test_a_foreign_signature_is_refused() -> None:
    """A notice that somebody else signed, or nobody, is none."""
    with pytest.raises(BadSignatureError):
        read(claims(), key=rsa_key("stranger"))
    with pytest.raises(BadSignatureError):
        read(claims(), header={"alg": "none", "kid": KID})


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"notices": []}', b'{"notices": [{}]}', b'{"notices": "x"}', b'{"notices": [{"jwt": 1}]}'],
)
def test_a_message_without_notices_is_refused(body: bytes) -> None:
    """Whatever is not a list of signed notices."""
    with pytest.raises(MalformedMessageError):
        parse_notices(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No message makes the reader fail in another way than by refusing."""
    try:
        tokens = parse_notices(body)
    except MalformedMessageError:
        return
    assert tokens


def test_notices_of_one_message() -> None:
    """Up to a hundred, in their order."""
    body = json.dumps({"notices": [{"jwt": "a"}, {"jwt": "b", "more": 1}]}).encode()
    assert parse_notices(body) == ("a", "b")
    with pytest.raises(MalformedMessageError):
        parse_notices(json.dumps({"notices": [{"jwt": "a"}] * 101}).encode())


@pytest.mark.parametrize(
    ("claim", "is_offered"),
    [
        ({"platform_notification_service_url": URL, "scope": [SCOPE]}, True),
        ({"platform_notification_service_url": URL, "scope": SCOPE}, True),
        ({"platform_notification_service_url": URL}, True),
        ({"platform_notification_service_url": URL, "scope": []}, False),
        ({"platform_notification_service_url": "javascript:x", "scope": [SCOPE]}, False),
        ({"scope": [SCOPE]}, False),
        ("text", False),
    ],
)
def test_the_service_of_a_launch(claim: Any, is_offered: bool) -> None:
    """Offered is a service that has an address and that this tool may use (C44)."""
    offered = replace(launch(), raw={vocabulary.NOTICE_SERVICE: claim})
    assert (read_notice_service(offered) is not None) is is_offered
    assert read_notice_service(replace(offered, version="1.1")) is None


def test_a_handler_is_asked_for() -> None:
    """By PUT, with the kind and our address; a refusal is raised as one of a service."""
    request = handler_request(URL, kind=CONTEXT_COPY, handler_url="https://tool.example/n", access_token="t")
    assert (request.method, request.url, request.headers["Authorization"]) == ("PUT", URL, "Bearer t")
    assert json.loads(request.body) == {"notice_type": CONTEXT_COPY, "handler": "https://tool.example/n"}
    check_handler_response(Response(200))
    with pytest.raises(ServiceForbiddenError):
        check_handler_response(Response(403))


def test_the_age_of_a_notice_is_bounded() -> None:
    """However far its `exp` lies, a notice of two days ago is refused, so that its id need not be kept for ever."""
    issued = int((NOW - timedelta(days=2)).timestamp())
    with pytest.raises(ExpiredError):
        read(claims(iat=issued, exp=issued + 10 * 86400))
