"""Who is in a context, for LTI 1.1: three services that platforms offer, all signed with OAuth 1.0a.

*NRPS*: the container of NRPS 2.0 over LTI 1.1 (`custom_context_memberships_v2_url`), read by
`ltikit.members.parse_members`. *LIS*: Membership Service 1.0, JSON-LD (`$ToolProxyBinding.memberships.url`).
*POX*: the oldest, an XML answer to a posted form (`ext_ims_lis_memberships_url`, Sakai).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from lxml import etree

from ltikit import vocabulary
from ltikit.answers import MAX_ANSWER, read_json
from ltikit.errors import LtiError, ServiceRejectedError, ServiceUnavailableError, UnsupportedOperationError
from ltikit.http import Request, Response
from ltikit.launch import Outcomes, Roster, RosterKind
from ltikit.links import check_same_host, next_url
from ltikit.members import (
    Member,
    MembersPage,
    list_entries,
    list_texts,
    parse_members,
    read_status,
    read_text,
    read_user_id,
)
from ltikit.roles import split_roles
from ltikit.services import raise_for_status, shorten
from ltikit.v11.oauth1 import authorization_header, sign_form
from ltikit.v11.xml_answers import parse_xml

MESSAGE_TYPE = "basic-lis-readmembershipsforcontext"
_ACCEPT = {RosterKind.NRPS: vocabulary.MEDIA_MEMBERSHIPS, RosterKind.LIS: vocabulary.MEDIA_MEMBERSHIPS_11}


def memberships_request(
    roster: Roster,
    *,
    consumer_key: str,
    secret: str,
    nonce: str,
    now: datetime,
    page_url: str = "",
    limit: int = 0,
    signature_method: str = "HMAC-SHA1",
) -> Request:
    """List the members of a context by whichever service `roster` names. `parse_memberships` reads the answer.

    `page_url` is the address of a further page, used as it is. `nonce` must be new for each request.
    Raises `ServiceRejectedError` if the address cannot be signed.
    """
    try:
        if roster.kind is RosterKind.POX:
            form = [
                ("lti_message_type", MESSAGE_TYPE),
                ("lti_version", "LTI-1p0"),
                ("id", roster.id),
            ]
            signed = sign_form(
                form,
                url=roster.url,
                consumer_key=consumer_key,
                secret=secret,
                nonce=nonce,
                now=now,
                signature_method=signature_method,
            )
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/xml, */*"}
            return Request(method="POST", url=roster.url, headers=headers, body=urlencode(signed).encode())
        url = page_url or _limit(roster.url, limit)
        authorization = authorization_header(
            "GET",
            url,
            b"",
            consumer_key=consumer_key,
            secret=secret,
            nonce=nonce,
            now=now,
            signature_method=signature_method,
        )
    except LtiError as error:
        raise ServiceRejectedError(f"the roster cannot be asked for: {error.detail}") from error
    return Request(method="GET", url=url, headers={"Accept": _ACCEPT[roster.kind], "Authorization": authorization})


def parse_memberships(response: Response, roster: Roster, *, url: str) -> MembersPage:
    """One page of members. `url` is the address that was asked. Errors as `ltikit.members.parse_members`;
    `UnsupportedOperationError` and `ServiceRejectedError` by the status that a POX answer names."""
    if roster.kind is RosterKind.POX:
        return _parse_pox(response)
    if roster.kind is RosterKind.LIS:
        return _parse_lis(response, url)
    return parse_members(response, url=url)


def _limit(url: str, limit: int) -> str:
    parts = urlsplit(url)
    query = urlencode({"limit": limit}, quote_via=quote) if limit else ""
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query))), fragment=""))


def _parse_lis(response: Response, url: str) -> MembersPage:
    """Membership Service 1.0: a JSON-LD page; the next one is named by `nextPage`, by some in the `Link` header."""
    raise_for_status(response)
    document = read_json(response)
    container = document.get("pageOf") if isinstance(document, dict) else None
    subjects = list_entries(container.get("membershipSubject")) if isinstance(container, dict) else []
    subjects = [one for one in subjects if isinstance(one, dict)]
    if not subjects:
        raise ServiceUnavailableError("the answer is not a list of members", platform_status=response.status)
    entries = [entry for subject in subjects for entry in list_entries(subject.get("membership"))]
    members = [member for member in map(_read_lis_member, entries) if member is not None]
    following = document.get("nextPage")
    if isinstance(following, str) and following.strip():
        following = check_same_host(following.strip(), url)
        if following == url:
            raise ServiceRejectedError("the next page is the same page again")
    else:
        following = next_url(response.headers, base_url=url)
    return MembersPage(
        members=tuple(members),
        next_url=following,
        unreadable=len(entries) - len(members),
        context_id=read_text(subjects[0], "contextId"),
    )


def _read_lis_member(entry: object) -> Member | None:
    person = entry.get("member") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(person, dict):
        return None
    user_id = read_user_id(person, "userId")
    if not user_id:
        return None
    return Member(
        user_id=user_id,
        roles=list_texts(entry.get("role")),
        status=read_status(entry.get("status")),
        name=read_text(person, "name"),
        given_name=read_text(person, "givenName"),
        family_name=read_text(person, "familyName"),
        email=read_text(person, "email"),
        sourcedid=read_text(person, "sourcedId", "sourcedid"),
        outcomes=_read_lis_outcomes(entry, person),
    )


def _read_lis_outcomes(entry: Mapping[str, Any], person: Mapping[str, Any]) -> Outcomes | None:
    """The sourcedid of a link's list; its address is the launch's own, so it is not named here."""
    messages = (message for message in list_entries(entry.get("message")) if isinstance(message, dict))
    found = (message.get("lis_result_sourcedid") for message in messages)
    sourcedid = next((one for one in (*found, person.get("resultSourcedId")) if isinstance(one, str) and one), "")
    return Outcomes(url="", sourcedid=sourcedid) if sourcedid else None


def _parse_pox(response: Response) -> MembersPage:
    raise_for_status(response)
    root = parse_xml(response, max_bytes=MAX_ANSWER)
    status = _child_text(root, "codemajor").lower()
    words = shorten(_child_text(root, "description"))
    if status == "unsupported":
        raise UnsupportedOperationError(words or "the LMS does not list members", platform_status=response.status)
    if status != "success":
        raise ServiceRejectedError(words or f"codemajor is {shorten(status)!r}", platform_status=response.status)
    entries = [one for one in root.iter() if isinstance(one.tag, str) and etree.QName(one).localname == "member"]
    members = [member for member in map(_read_pox_member, entries) if member is not None]
    return MembersPage(members=tuple(members), unreadable=len(entries) - len(members))


def _read_pox_member(entry: etree._Element) -> Member | None:
    """Names are those of a launch's form; some platforms leave `lis_` away."""
    values = {etree.QName(one).localname: (one.text or "") for one in entry if isinstance(one.tag, str)}
    user_id = read_user_id(values, "user_id")
    if not user_id:
        return None
    sourcedid = values.get("lis_result_sourcedid", "")
    return Member(
        user_id=user_id,
        roles=split_roles(values.get("roles") or values.get("role", "")),
        name=read_text(values, "lis_person_name_full", "person_name_full"),
        given_name=read_text(values, "lis_person_name_given", "person_name_given"),
        family_name=read_text(values, "lis_person_name_family", "person_name_family"),
        email=read_text(values, "lis_person_contact_email_primary", "person_contact_email_primary"),
        sourcedid=read_text(values, "lis_person_sourcedid", "person_sourcedid"),
        group_ids=tuple(_list_pox_groups(entry)),
        outcomes=Outcomes(url="", sourcedid=sourcedid) if sourcedid else None,
    )


def _list_pox_groups(entry: etree._Element) -> list[str]:
    groups = entry.xpath("./*[local-name()='groups']/*[local-name()='group']/*[local-name()='title']/text()")
    return [str(title).strip() for title in groups if str(title).strip()] if isinstance(groups, list) else []


def _child_text(root: etree._Element, name: str) -> str:
    found = root.xpath(f"//*[local-name()='statusinfo']/*[local-name()='{name}']/text()")
    return str(found[0]).strip() if isinstance(found, list) and found else ""
