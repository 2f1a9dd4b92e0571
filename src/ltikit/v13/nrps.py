"""Names and Role Provisioning Services 2.0: who is in a context.

Each `*_request` builds one request with the access token's value (scope `vocabulary.SCOPE_MEMBERSHIP_READONLY`);
`parse_members` reads the answer to all of them.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ltikit import vocabulary
from ltikit.http import Request
from ltikit.members import Member, MembersPage, MemberStatus, merge_members, parse_members

__all__ = [
    "Member",
    "MemberStatus",
    "MembersPage",
    "members_page_request",
    "members_request",
    "merge_members",
    "parse_members",
    "without_link",
]


def members_request(
    memberships_url: str,
    *,
    token: str,
    resource_link_id: str = "",
    role: str = "",
    limit: int = 0,
    with_groups: bool = False,
) -> Request:
    """List the members of a context (NRPS 2.0 §2.1); what is "", 0 or False is left out.

    `memberships_url` is the `context_memberships_url` of a launch, whose query is kept. `resource_link_id` asks for
    the members who can open that link, each with what its launches say (§2.5); an `rlid` that the address has
    already gives way to it (Moodle). `limit` is a wish that platforms need not grant. `with_groups` asks for the
    groups of each member (Course Groups 1.0 §3.2).
    """
    url = without_link(memberships_url) if resource_link_id else memberships_url
    added = {
        "rlid": resource_link_id,
        "role": role,
        "limit": str(limit) if limit else "",
        "groups": "true" if with_groups else "",
    }
    query = urlencode({name: value for name, value in added.items() if value}, quote_via=quote)
    parts = urlsplit(url)
    return members_page_request(
        urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query))), fragment="")), token=token
    )


def members_page_request(url: str, *, token: str) -> Request:
    """Read a page at the address that the page before named, or differences: used as it is, nothing is added."""
    headers = {"Accept": vocabulary.MEDIA_MEMBERSHIPS, "Authorization": f"Bearer {token}"}
    return Request(method="GET", url=url, headers=headers)


def without_link(memberships_url: str) -> str:
    """The address of the whole context's list: Moodle puts the `rlid` of the launched link into it."""
    parts = urlsplit(memberships_url)
    if not any(name == "rlid" for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return memberships_url
    kept = [pair for pair in parts.query.split("&") if pair.partition("=")[0] != "rlid"]
    return urlunsplit(parts._replace(query="&".join(kept)))
