"""LTI 1.1 tool certification: the launch cases of the 1EdTech suite, and what every launch must answer."""

from __future__ import annotations

import pytest

from ltikit.errors import (
    BadSignatureError,
    LtiError,
    MissingParameterError,
    MissingResourceLinkError,
    UnsupportedMessageError,
    UnsupportedVersionError,
)
from ltikit.launch import Role
from ltikit.returns import build_return_url
from ltikit.v11.launch import verify_launch
from tests.ltikit.v11.signed_forms import NOW, RETURN_URL, SECRET, STUDENT_LAUNCH, URL, launch, sign


def refuse(**changes: str | None) -> LtiError:
    """The error that a correctly signed launch with these changes is refused with."""
    with pytest.raises(LtiError) as caught:
        launch(**changes)
    return caught.value


@pytest.mark.parametrize("value", [None, "", "  ", "$ResourceLink.id"])
def test_1_1_no_resource_link_with_return_url(value: str | None) -> None:
    """1.1: without a resource link id the launch is refused, and the way back carries an error message."""
    error = refuse(resource_link_id=value)
    assert type(error) is MissingResourceLinkError
    assert error.status == 400
    assert error.return_url == RETURN_URL
    back = build_return_url(error.return_url, error_message=error.hint)
    assert back.startswith(f"{RETURN_URL}&lti_errormsg=The%20LMS")


def test_1_2_no_resource_link_without_return_url() -> None:
    """1.2: without a way back the error has none, and still a hint for the person."""
    error = refuse(resource_link_id=None, launch_presentation_return_url=None)
    assert error.return_url == ""
    assert error.hint


@pytest.mark.parametrize("secret", ["wrong", SECRET.upper(), f"{SECRET} "])
def test_1_4_wrong_signature(secret: str) -> None:
    """1.4: a launch signed with another secret is refused with 401, and no way back is offered."""
    with pytest.raises(BadSignatureError) as caught:
        verify_launch(sign(STUDENT_LAUNCH, secret=secret), url=URL, secret=SECRET, now=NOW)
    assert caught.value.status == 401
    assert caught.value.return_url == ""


@pytest.mark.parametrize("version", ["LTI-1p1", "LTI-9p0", "1.3.0", "lti-1p0", "LTI-1p0 x"])
def test_1_5_and_1_6_invalid_version(version: str) -> None:
    """1.5, 1.6: an lti_version that is not LTI-1p0 is refused, with the way back."""
    error = refuse(lti_version=version)
    assert type(error) is UnsupportedVersionError
    assert error.return_url == RETURN_URL


def test_lti_2_is_refused_clearly() -> None:
    """LTI 2.0 was withdrawn: it is refused in words that say so."""
    error = refuse(lti_version="LTI-2p0")
    assert type(error) is UnsupportedVersionError
    assert "LTI 2.0" in error.detail


@pytest.mark.parametrize("value", [None, ""])
def test_1_7_missing_version(value: str | None) -> None:
    """1.7: a missing lti_version is refused, with the way back."""
    error = refuse(lti_version=value)
    assert type(error) is MissingParameterError
    assert "lti_version" in error.detail
    assert error.return_url == RETURN_URL


@pytest.mark.parametrize("value", ["basic-lti-launch", "LtiResourceLinkRequest", "ToolProxyRegistrationRequest"])
def test_1_8_invalid_message_type(value: str) -> None:
    """1.8: a message type that is not known is refused, with the way back."""
    error = refuse(lti_message_type=value)
    assert type(error) is UnsupportedMessageError
    assert error.return_url == RETURN_URL


@pytest.mark.parametrize("value", [None, ""])
def test_1_9_missing_message_type(value: str | None) -> None:
    """1.9: a missing message type is refused, with the way back."""
    error = refuse(lti_message_type=value)
    assert type(error) is MissingParameterError
    assert "lti_message_type" in error.detail
    assert error.return_url == RETURN_URL


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "/relative", "https://a b/"])
def test_the_way_back_is_a_web_address_or_none(url: str) -> None:
    """Only an http(s) address of a correctly signed launch becomes a way back."""
    assert refuse(lti_version=None, launch_presentation_return_url=url).return_url == ""
    assert launch(launch_presentation_return_url=url).return_url == ""


@pytest.mark.parametrize(
    "missing",
    [
        ["context_title"],
        ["context_label", "context_type"],
        ["lis_person_name_given", "lis_person_name_family", "lis_person_name_full"],
        ["lis_person_contact_email_primary"],
        ["user_id"],
        ["roles"],
        ["context_id", "context_title", "context_label", "context_type"],
        ["resource_link_title", "resource_link_description"],
        ["tool_consumer_instance_guid", "tool_consumer_instance_name"],
        ["launch_presentation_return_url", "launch_presentation_locale", "launch_presentation_document_target"],
        ["lis_outcome_service_url", "lis_result_sourcedid"],
    ],
)
def test_4_launches_without_recommended_fields_work(missing: list[str]) -> None:
    """4.x: whatever is only recommended may be left out, alone or in groups."""
    found = launch(**dict.fromkeys(missing))
    assert found.resource_link is not None
    assert found.resource_link.id == "link-1"


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ("Learner", Role.STUDENT),
        ("Instructor", Role.TEACHER),
        ("urn:lti:role:ims/lis/Instructor", Role.TEACHER),
        ("urn:lti:role:ims/lis/TeachingAssistant", Role.TEACHER),
        ("urn:lti:instrole:ims/lis/Administrator", Role.STUDENT),
        ("urn:lti:sysrole:ims/lis/SysAdmin,urn:lti:role:ims/lis/Learner", Role.STUDENT),
        ("Mentor", Role.MENTOR),
        ("urn:lti:role:ims/lis/Mentor,urn:lti:role:ims/lis/Learner/NonCreditLearner", Role.MENTOR),
        ("Unknown,urn:example:role", Role.STUDENT),
        ("", Role.STUDENT),
    ],
)
def test_4_launches_with_odd_roles_work(roles: str, role: Role) -> None:
    """4.x: every spelling of roles launches, and unknown ones give the least right."""
    assert role is launch(roles=roles).role


def test_unknown_fields_are_signed_and_kept() -> None:
    """Fields that LTI does not know, the submit button among them, belong to the signature and to the raw form."""
    found = launch([*STUDENT_LAUNCH, ("basiclti_submit", "Launch"), ("anything", "")])
    assert (found.raw["basiclti_submit"], found.raw["anything"]) == ("Launch", "")


@pytest.mark.parametrize("name", ["oauth_consumer_key", "oauth_nonce", "oauth_signature"])
def test_unsigned_launches_are_refused(name: str) -> None:
    """A launch without key, nonce or signature is refused before anything is believed."""
    form = [pair for pair in sign(STUDENT_LAUNCH) if pair[0] != name]
    with pytest.raises(MissingParameterError, match=name) as caught:
        verify_launch(form, url=URL, secret=SECRET, now=NOW)
    assert caught.value.return_url == ""
