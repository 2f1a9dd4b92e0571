"""LTI 1.1 launches, verified by oauthlib on the tool's side."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from tests.practice_lms.running import FormReader, PracticeLms, Tool11


class _Secrets(RequestValidator):
    """A tool that knows one key."""

    enforce_ssl = False
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256")
    timestamp_lifetime = 300
    dummy_client = "dummy"

    def __init__(self, tool: Tool11) -> None:
        super().__init__()
        self.tool = tool

    def check_client_key(self, client_key: str) -> bool:
        return True

    def check_nonce(self, nonce: str) -> bool:
        return True

    def validate_timestamp_and_nonce(self, *_: Any, **__: Any) -> bool:
        return True

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == self.tool.key

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self.tool.secret


def is_signed_right(tool: Tool11, launch: dict[str, Any]) -> bool:
    """Whether the tool's side accepts a launch."""
    endpoint = SignatureOnlyEndpoint(_Secrets(tool))
    fields = [(name, value) for name, value in launch["fields"]]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return bool(endpoint.validate_request(launch["url"], "POST", urlencode(fields), headers)[0])


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
@pytest.mark.parametrize("url", ["https://tool.example/a", "https://tool.example:8443/a/b?q=1&q=2&%C3%A4=%20x&empty="])
def test_launch_is_signed(lms: PracticeLms, course: str, student: str, method: str, url: str) -> None:
    """A launch verifies with the tool's secret, with both methods, also when its URL has a query."""
    tool = Tool11(lms, signature_method=method)
    link = tool.place_link(course, url=url)
    launch = lms.post("launch", link=link["id"], person=student)
    assert launch["method"] == "POST"
    assert launch["url"] == url
    assert is_signed_right(tool, launch)
    names = [name for name, _ in launch["fields"]]
    assert "q" not in names, "query parameters are signed, but not repeated in the form"
    assert dict(launch["fields"])["oauth_signature_method"] == method


def test_launch_says_all_that_is_recommended(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """A learner's launch names the person, the course, the link, the way back and where the grade goes."""
    link = tool11.place_link(
        course, custom={"Page-Nr": "2", "who": "$User.id", "due": "$ResourceLink.lineitem.releaseDateTime"}
    )
    fields = dict(lms.post("launch", link=link["id"], person=student)["fields"])
    assert fields["lti_message_type"] == "basic-lti-launch-request"
    assert fields["lti_version"] == "LTI-1p0"
    assert fields["user_id"] == student
    assert fields["roles"] == "Learner"
    assert fields["context_id"] == course
    assert fields["context_title"] == "Rocks & <Minerals>"
    assert fields["resource_link_id"] == link["id"]
    assert fields["lis_course_offering_sourcedid"] == "sis:GEO"
    assert fields["lis_course_section_sourcedid"] == ""
    assert fields["lis_person_name_given"] == "Zoë"
    assert fields["lis_outcome_service_url"] == f"{lms.url}/lti/outcomes"
    assert fields["launch_presentation_return_url"].startswith(f"{lms.url}/courses/{course}/")
    assert fields["oauth_callback"] == "about:blank"
    assert fields["custom_page_nr"] == "2"
    assert fields["custom_who"] == student
    assert fields["custom_due"] == "$ResourceLink.lineitem.releaseDateTime"
    assert {'"', "<", "&", "'"} <= set(fields["lis_result_sourcedid"])


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("teacher", "Instructor"),
        ("assistant", "urn:lti:role:ims/lis/TeachingAssistant"),
        ("observer", "urn:lti:role:ims/lis/Mentor"),
    ],
)
def test_staff_gets_no_place_for_a_grade(
    lms: PracticeLms, course: str, tool11: Tool11, role: str, expected: str
) -> None:
    """Who cannot be graded gets a role of their own, and no sourcedid."""
    person = lms.add_person(course, role, mentor_for=["17", "18"] if role == "observer" else [])
    link = tool11.place_link(course)
    fields = dict(lms.post("launch", link=link["id"], person=person)["fields"])
    assert fields["roles"] == expected
    assert "lis_result_sourcedid" not in fields
    assert "lis_outcome_service_url" not in fields
    assert fields.get("role_scope_mentor") == ("17,18" if role == "observer" else None)


def test_ungraded_link_has_no_place_for_a_grade(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """A link without points offers no outcome service."""
    link = tool11.place_link(course, points=None)
    fields = dict(lms.post("launch", link=link["id"], person=student)["fields"])
    assert "lis_result_sourcedid" not in fields


def test_person_may_be_kept_anonymous(lms: PracticeLms, course: str, student: str) -> None:
    """With names and e-mail switched off, a launch carries neither."""
    tool = Tool11(lms, options={"sends_names": False, "sends_email": False})
    fields = dict(lms.post("launch", link=tool.place_link(course)["id"], person=student)["fields"])
    assert not [name for name in fields if name.startswith(("lis_person_name", "lis_person_contact"))]
    assert fields["user_id"] == student


@pytest.mark.parametrize(
    "overrides",
    [
        {"secret": "wrong"},
        {"key": "unknown"},
        {"late_by": 330},
        {"late_by": -330},
        {"signature_method": "PLAINTEXT"},
        {"set_after_signing": {"roles": "Instructor"}},
        {"remove_after_signing": ["oauth_nonce"]},
        {"remove_after_signing": ["context_id"]},
    ],
    ids=str,
)
def test_bad_launches_are_bad(
    lms: PracticeLms, course: str, student: str, tool11: Tool11, overrides: dict[str, Any]
) -> None:
    """A launch that a test asked to be wrong does not verify."""
    link = tool11.place_link(course)
    if "late_by" in overrides:
        overrides = {"timestamp": int(time.time()) - overrides["late_by"]}
    launch = lms.post("launch", link=link["id"], person=student, overrides=overrides)
    assert not is_signed_right(tool11, launch)


def test_changed_launch_can_still_be_signed(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """What a test sets or removes before signing is part of the signature, repeated fields and a given nonce too."""
    link = tool11.place_link(course)
    wish = {
        "set": {"roles": "Instructor,Mentor", "custom_target": ["a", "b"]},
        "remove": ["resource_link_id"],
        "nonce": "n1",
    }
    launch = lms.post("launch", link=link["id"], person=student, overrides=wish)
    assert is_signed_right(tool11, launch)
    assert [value for name, value in launch["fields"] if name == "custom_target"] == ["a", "b"]
    assert "resource_link_id" not in dict(launch["fields"])
    assert dict(launch["fields"])["oauth_nonce"] == "n1"


def test_browser_gets_a_form_that_needs_no_script(lms: PracticeLms, course: str, student: str, tool11: Tool11) -> None:
    """The page that carries a launch holds the signed fields and a button."""
    link = tool11.place_link(course, url="https://tool.example/a?b=1")
    page = lms.http.get(f"/courses/{course}/links/{link['id']}/open", headers={"X-Practice-Person": student})
    form = FormReader(page.text)
    assert form.action == "https://tool.example/a?b=1"
    assert form.buttons == 1
    assert is_signed_right(tool11, {"url": form.action, "fields": form.fields})


def test_outsider_cannot_open_a_link(lms: PracticeLms, course: str, tool11: Tool11) -> None:
    """Only people of a course open its links, and not after they left."""
    link = tool11.place_link(course)
    outsider = lms.add_person(lms.add_course())
    former = lms.add_person(course, is_active=False)
    for person in (outsider, former):
        answer = lms.http.post("/api/launch", json={"link": link["id"], "person": person})
        assert answer.status_code == 403
