"""Lists of members as platforms write them, and what is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import LtiError, ServiceNotFoundError, ServiceRejectedError, ServiceUnavailableError
from ltikit.http import Response
from ltikit.launch import Outcomes, Role
from ltikit.members import Member, MembersPage, MemberStatus, merge_members, parse_members

URL = "https://lms.example/courses/7/members?limit=2"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


def respond(body: Any = None, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def read(*members: Any, **headers: str) -> MembersPage:
    return parse_members(respond({"id": URL, "context": {"id": "7"}, "members": list(members)}, **headers), url=URL)


def read_one(**member: Any) -> Member:
    return read({"user_id": "u1", "roles": ["Learner"], **member}).members[0]


@pytest.mark.quirk("G11")
def test_a_whole_member() -> None:
    """Everything that a platform says about a member is read, and the page says which context it lists."""
    page = read(
        {
            "user_id": "0ae836b9-7fc9-4060-006f-27b2066ac545",
            "roles": [LEARNER],
            "status": "Inactive",
            "name": "Jane Q. Public",
            "given_name": "Jane",
            "family_name": "Public",
            "email": "Jane@example.edu",
            "lis_person_sourcedid": "59254-6782",
            "lti11_legacy_user_id": "668321221",
            "group_enrollments": [{"group_id": "g1"}, {"group_id": "g2"}],
            "message": [
                {
                    "https://purl.imsglobal.org/spec/lti/claim/message_type": "LtiResourceLinkRequest",
                    "https://purl.imsglobal.org/spec/lti/claim/custom": {"due": "2026-12-01T10:00:00Z"},
                    "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome": {
                        "lis_result_sourcedid": "secret-1",
                        "lis_outcome_service_url": "https://lms.example/outcomes",
                    },
                }
            ],
        }
    )
    member = page.members[0]
    assert (member.user_id, member.role) == ("0ae836b9-7fc9-4060-006f-27b2066ac545", Role.STUDENT)
    assert member.status is MemberStatus.INACTIVE
    assert (member.full_name, member.email, member.sourcedid) == ("Jane Q. Public", "Jane@example.edu", "59254-6782")
    assert (member.legacy_user_id, member.group_ids) == ("668321221", ("g1", "g2"))
    assert member.outcomes == Outcomes("https://lms.example/outcomes", "secret-1")
    assert "secret-1" not in repr(member)
    assert member.custom == {"due": "2026-12-01T10:00:00Z"}
    assert (page.context_id, page.unreadable, page.next_url) == ("7", 0, None)


@pytest.mark.parametrize(
    "container",
    [
        {"members": {"1": {"user_id": "a"}, "2": {"user_id": "b"}}},
        {"members": [{"user_id": "a"}, {"user_id": "b"}]},
        [{"user_id": "a"}, {"user_id": "b"}],
    ],
)
def test_lists_in_other_shapes(container: Any) -> None:
    """An object that PHP made of a list, and a list without its container, are lists of members too."""
    page = parse_members(respond(container), url=URL)
    assert [member.user_id for member in page.members] == ["a", "b"]


@pytest.mark.quirk("B5")
def test_one_member_as_an_object() -> None:
    """A single member in the place of the list is a list of one, and so is a message in the place of messages."""
    page = parse_members(respond({"members": {"user_id": "a", "message": {"x": 1}, "roles": "Instructor"}}), url=URL)
    assert [(member.user_id, member.role) for member in page.members] == [("a", Role.TEACHER)]


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["Instructor"], Role.TEACHER),
        (["Learner"], Role.STUDENT),
        ({"0": "Learner", "1": "Instructor"}, Role.TEACHER),
        ([LEARNER, "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Faculty"], Role.STUDENT),
        ([], Role.STUDENT),
        (None, Role.STUDENT),
        (["Mentor"], Role.MENTOR),
    ],
)
def test_roles(roles: Any, role: Role) -> None:
    """Short names and full ones mean the same as in a launch; institution roles give no right in a course."""
    assert read_one(roles=roles).role is role


@pytest.mark.parametrize(
    ("status", "read_as"),
    [
        (None, MemberStatus.ACTIVE),
        ("Active", MemberStatus.ACTIVE),
        ("inactive", MemberStatus.INACTIVE),
        ("liss:Inactive", MemberStatus.INACTIVE),
        ("http://purl.imsglobal.org/vocab/lis/v2/status#Deleted", MemberStatus.DELETED),
        ("Pending", MemberStatus.ACTIVE),
        (7, MemberStatus.ACTIVE),
    ],
)
def test_status(status: Any, read_as: MemberStatus) -> None:
    """Absent means active; any spelling of the other two is understood."""
    assert read_one(status=status).status is read_as


def test_numbers_nulls_and_variables() -> None:
    """A number as id is its digits; null names and unexpanded variables are empty."""
    member = read_one(user_id=42, name=None, email="$Person.email.primary", given_name="Ada", family_name="One")
    assert (member.user_id, member.full_name, member.email) == ("42", "Ada One", "")


def test_entries_without_an_id_are_counted() -> None:
    """What cannot be told apart is left out and counted: such a list does not say who is missing."""
    page = read({"user_id": "a"}, {"name": "nobody"}, "x", {"user_id": ""}, {"user_id": "x" * 256})
    assert ([member.user_id for member in page.members], page.unreadable) == (["a"], 4)


@pytest.mark.quirk("B15")
def test_pages_and_differences() -> None:
    """The next page and the differences are named by the Link header and used as they stand."""
    link = f'<{URL}&p=2>; rel="next", <https://lms.example/courses/7/members?since=9>; rel=differences'
    page = read({"user_id": "a"}, link=link)
    assert page.next_url == f"{URL}&p=2"
    assert page.differences_url == "https://lms.example/courses/7/members?since=9"


def test_a_page_elsewhere_is_refused() -> None:
    """The token goes along with the request for the next page, so one on another host is refused."""
    with pytest.raises(ServiceRejectedError):
        read({"user_id": "a"}, link='<http://169.254.169.254/latest>; rel="next"')
    with pytest.raises(ServiceRejectedError):
        read({"user_id": "a"}, link='<https://evil.example/d>; rel="differences"')


@pytest.mark.parametrize("body", [b"", b"<html>", {"members": "none"}, {}, "text", 7, {"error": "x"}])
def test_what_is_no_list(body: Any) -> None:
    """An answer that is no list of members is no empty list: it may be asked for again."""
    with pytest.raises(ServiceUnavailableError):
        parse_members(respond(body), url=URL)


def test_a_failure_keeps_its_kind() -> None:
    """A status that means failure raises what it means for every service."""
    with pytest.raises(ServiceNotFoundError):
        parse_members(respond({}, status=404), url=URL)


def test_a_person_listed_twice() -> None:
    """A person who is listed once for each section is one member with all roles, active if active anywhere."""
    inactive = Member("a", ("Learner",), MemberStatus.INACTIVE, group_ids=("s1",))
    teaching = Member("a", ("TeachingAssistant",), MemberStatus.ACTIVE, name="Ada", group_ids=("s2",))
    (merged,) = merge_members([inactive, teaching])
    assert merged == Member("a", ("Learner", "TeachingAssistant"), name="Ada", group_ids=("s1", "s2"))
    assert merged.role is Role.TEACHER


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["user_id", "roles", "status", "members", "message", "name", "context", "id", "0", "1"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.text(max_size=60))
def test_any_answer_is_read_or_refused(body: Any, link: str) -> None:
    """Whatever a platform answers is a page of members, each with an id, or one of our errors."""
    try:
        page = parse_members(respond(body, link=link), url=URL)
    except LtiError:
        return
    assert all(member.user_id and len(member.user_id) <= 255 for member in page.members)
    assert merge_members(page.members) == merge_members(merge_members(page.members))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Bytes are a list of members only if they are the JSON of one."""
    try:
        page = parse_members(respond(body), url=URL)
    except LtiError:
        return
    assert isinstance(json.loads(body), list | dict)
    assert page.unreadable >= 0
