"""The three services that list members to LTI 1.1 tools, signed so that oauthlib's own verifier agrees."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1.rfc5849.signature import (
    base_string_uri,
    collect_parameters,
    normalize_parameters,
    sign_hmac_sha1_with_client,
    signature_base_string,
)

from ltikit.errors import LtiError, ServiceRejectedError, ServiceUnavailableError, UnsupportedOperationError
from ltikit.http import Request, Response
from ltikit.launch import Role, Roster, RosterKind
from ltikit.members import MembersPage, MemberStatus
from ltikit.v11.memberships import memberships_request, parse_memberships
from tests.ltikit.v11.signed_forms import KEY, NOW, SECRET, launch

URL = "https://lms.example.edu/members?context=7"
NRPS = Roster(URL, ("2.0",))
LIS = Roster(URL, ("1.0",), kind=RosterKind.LIS)
POX = Roster(URL, kind=RosterKind.POX, id="capability-7")


def ask(roster: Roster, **more: Any) -> Request:
    return memberships_request(roster, consumer_key=KEY, secret=SECRET, nonce="n-1", now=NOW, **more)


class Client:
    client_secret = SECRET
    resource_owner_secret = ""


def signature_of(method: str, url: str, parameters: Any) -> str:
    base = signature_base_string(method, base_string_uri(url), normalize_parameters(parameters))
    return str(sign_hmac_sha1_with_client(base, Client()))


@pytest.mark.parametrize(
    ("roster", "accept"),
    [
        (NRPS, "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"),
        (LIS, "application/vnd.ims.lis.v2.membershipcontainer+json"),
    ],
)
def test_signed_gets(roster: Roster, accept: str) -> None:
    """NRPS and LIS memberships are asked by a GET whose header is signed with the query and without a body hash."""
    request = ask(roster, limit=20)
    assert (request.method, request.url, request.body) == ("GET", f"{URL}&limit=20", b"")
    assert request.headers["Accept"] == accept
    header = {"Authorization": request.headers["Authorization"]}
    sent = dict(collect_parameters(headers=header, exclude_oauth_signature=False))
    assert "oauth_body_hash" not in sent
    query = request.url.partition("?")[2]
    assert sent["oauth_signature"] == signature_of(
        "GET", request.url, collect_parameters(uri_query=query, headers=header)
    )


def test_a_further_page_is_asked_as_it_is_named() -> None:
    """Its address is used as it stands and signed."""
    assert ask(LIS, page_url=f"{URL}&p=2", limit=20).url == f"{URL}&p=2"


def test_the_older_service_is_a_signed_form() -> None:
    """The XML service takes a posted form with the id that the launch gave."""
    request = ask(POX)
    assert (request.method, request.url) == ("POST", URL)
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    assert (form["lti_message_type"], form["id"]) == ("basic-lis-readmembershipsforcontext", "capability-7")
    covered = [("context", "7"), *((name, value) for name, value in form.items() if name != "oauth_signature")]
    assert form["oauth_signature"] == signature_of("POST", URL, covered)
    assert "capability-7" not in repr(POX)


def test_an_address_that_cannot_be_signed() -> None:
    """An address without a host is refused by name, not by a crash."""
    with pytest.raises(ServiceRejectedError):
        ask(Roster("nowhere", kind=RosterKind.LIS))


def read_lis(*memberships: Any, **document: Any) -> MembersPage:
    subject = {"@type": "Context", "contextId": "7", "membership": list(memberships)}
    body = {"@type": "Page", "pageOf": {"membershipSubject": subject}, **document}
    return parse_memberships(Response(200, {}, json.dumps(body).encode()), LIS, url=URL)


def test_a_lis_membership() -> None:
    """JSON-LD members have their roles and status beside them, and the page names the next one."""
    page = read_lis(
        {
            "status": "liss:Inactive",
            "role": ["lism:Instructor", "urn:lti:role:ims/lis/Learner"],
            "member": {
                "userId": "u1",
                "name": "Ada One",
                "givenName": "Ada",
                "familyName": "One",
                "email": "ada@example.edu",
                "sourcedId": "sis-1",
                "resultSourcedId": "result-1",
            },
        },
        {"role": "lism:Learner", "member": {"userId": 5}},
        {"member": {}},
        nextPage="/members?context=7&page=2",
    )
    first, second = page.members
    assert (first.user_id, first.full_name, first.email, first.sourcedid) == (
        "u1",
        "Ada One",
        "ada@example.edu",
        "sis-1",
    )
    assert (first.role, first.status) == (Role.TEACHER, MemberStatus.INACTIVE)
    assert first.outcomes is not None
    assert first.outcomes.sourcedid == "result-1"
    assert (second.user_id, second.role, second.status) == ("5", Role.STUDENT, MemberStatus.ACTIVE)
    assert (page.unreadable, page.context_id) == (1, "7")
    assert page.next_url == "https://lms.example.edu/members?context=7&page=2"


def test_several_subjects() -> None:
    """The subject may be a list; the members of all are listed, and a null next page is none."""
    subjects = [{"membership": [{"member": {"userId": name}}]} for name in "ab"]
    body = {"pageOf": {"membershipSubject": subjects}, "nextPage": None}
    page = parse_memberships(Response(200, {}, json.dumps(body).encode()), LIS, url=URL)
    assert ([member.user_id for member in page.members], page.next_url) == (["a", "b"], None)


@pytest.mark.parametrize("following", ["https://evil.example/members", URL])
def test_a_next_page_elsewhere_or_the_same_is_refused(following: str) -> None:
    """A page on another host would carry our signature there; the same page again would never end."""
    with pytest.raises(ServiceRejectedError):
        read_lis({"member": {"userId": "u"}}, nextPage=following)


POX_ANSWER = """<message_response>
  <lti_message_type>basic-lis-readmembershipsforcontext</lti_message_type>
  <statusinfo><codemajor>Success</codemajor><severity>Status</severity></statusinfo>
  <memberships>
    <member><user_id>u1</user_id><roles>Learner,urn:lti:instrole:ims/lis/Faculty</roles>
      <person_name_full>Ada &amp; One</person_name_full>
      <person_contact_email_primary>a@example.edu</person_contact_email_primary>
      <lis_result_sourcedid>result:::1</lis_result_sourcedid>
      <groups><group><id>g1</id><title>Section A</title></group></groups></member>
    <member><user_id>u2</user_id><role>Instructor</role></member>
    <member><roles>Learner</roles></member>
  </memberships>
</message_response>"""


def read_pox(text: str, status: int = 200) -> MembersPage:
    return parse_memberships(Response(status, {}, text.encode()), POX, url=URL)


def test_an_xml_list() -> None:
    """The older answer is read by its local names; either spelling of a name will do."""
    page = read_pox(POX_ANSWER)
    first, second = page.members
    assert (first.user_id, first.full_name, first.email) == ("u1", "Ada & One", "a@example.edu")
    assert (first.role, second.role) == (Role.STUDENT, Role.TEACHER)
    assert first.group_ids == ("Section A",)
    assert first.outcomes is not None
    assert first.outcomes.sourcedid == "result:::1"
    assert (page.unreadable, page.next_url) == (1, None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (POX_ANSWER.replace("Success", "Failure"), ServiceRejectedError),
        (POX_ANSWER.replace("Success", "Unsupported"), UnsupportedOperationError),
        ("<message_response/>", ServiceRejectedError),
        ("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", ServiceUnavailableError),
        ("no xml", ServiceUnavailableError),
    ],
)
def test_refused_xml(text: str, error: type[LtiError]) -> None:
    """A failure inside an answer with status 200 is a failure; entities are never resolved."""
    with pytest.raises(error):
        read_pox(text)


def test_services_are_found_in_a_launch() -> None:
    """NRPS comes before LIS, LIS before XML; each under the names that platforms give it."""
    own = "https://lms.example.edu"
    xml = {"ext_ims_lis_memberships_url": f"{own}/pox", "ext_ims_lis_memberships_id": "m-1"}
    assert launch(**xml).roster == Roster(f"{own}/pox", kind=RosterKind.POX, id="m-1")
    lis = {**xml, "custom_context_memberships_url": f"{own}/lis"}
    assert launch(**lis).roster == Roster(f"{own}/lis", ("1.0",), kind=RosterKind.LIS)
    variable = launch(custom_tool_proxy_binding_memberships_url=f"{own}/lis").roster
    assert variable == Roster(f"{own}/lis", ("1.0",), kind=RosterKind.LIS)
    nrps = {**lis, "custom_context_memberships_v2_url": f"{own}/nrps"}
    assert launch(**nrps).roster == Roster(f"{own}/nrps", ("2.0",))
    assert launch(custom_memberships_url="$ToolProxyBinding.memberships.url").roster is None


def test_nobody_else_says_who_is_in_a_course() -> None:
    """An address on a host that the platform did not name itself is not asked: a link's editor may have written it."""
    assert launch(custom_context_memberships_v2_url="https://evil.example/nrps").roster is None
    assert launch(custom_context_memberships_url="https://lms.example.edu:8443/lis").roster is None


@given(st.binary(max_size=120) | st.text(max_size=120).map(str.encode))
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    """Whatever arrives is a page of members or one of our errors, for all three services."""
    for roster in (NRPS, LIS, POX):
        try:
            page = parse_memberships(Response(200, {}, body), roster, url=URL)
        except LtiError:
            continue
        assert all(member.user_id for member in page.members)
