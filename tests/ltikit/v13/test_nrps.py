"""Requests of NRPS 2.0, and a recorded roster of a Moodle."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ltikit.http import Response
from ltikit.v13.nrps import members_page_request, members_request, parse_members, without_link

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors"
URL = "https://lms.example/courses/7/members"


def test_the_request() -> None:
    """The certification looks at the Accept header and the token of a plain GET."""
    request = members_request(URL, token="t-1")
    assert (request.method, request.url, request.body) == ("GET", URL, b"")
    assert request.headers == {
        "Accept": "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
        "Authorization": "Bearer t-1",
    }


def test_filters_are_added_to_the_query() -> None:
    """The query of the address is kept, what is asked for comes after it."""
    request = members_request(
        f"{URL}?org=a%20b", token="t", resource_link_id="l&1", role="Learner", limit=50, with_groups=True
    )
    assert request.url == f"{URL}?org=a%20b&rlid=l%261&role=Learner&limit=50&groups=true"


@pytest.mark.quirk("M9")
def test_rlid_is_not_there_twice() -> None:
    """Moodle's address names the launched link already: the one that is asked for takes its place."""
    request = members_request(f"{URL}?rlid=2&x=1", token="t", resource_link_id="5")
    assert parse_qs(urlsplit(request.url).query) == {"x": ["1"], "rlid": ["5"]}
    assert members_request(f"{URL}?rlid=2", token="t").url == f"{URL}?rlid=2"


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        (f"{URL}?rlid=2", URL),
        (f"{URL}?a=%2F&rlid=2&b=", f"{URL}?a=%2F&b="),
        (f"{URL}?a=%2F", f"{URL}?a=%2F"),
        (URL, URL),
    ],
)
def test_without_link(url: str, whole: str) -> None:
    """The whole context's list has the same address without the link; nothing else of it changes."""
    assert without_link(url) == whole


def test_a_page_is_asked_as_it_is_named() -> None:
    """The next page's address has all filters in it already."""
    assert members_page_request(f"{URL}?p=2&x=%2f", token="t").url == f"{URL}?p=2&x=%2f"


def test_a_recorded_roster_of_moodle() -> None:
    """Moodle's pages, short roles and members of a link are read as they came."""
    path = VECTORS / "moodle-4.5" / "services13.json"
    if not path.exists():
        pytest.skip("the recorded messages are not here")
    recorded = {one["what"]: one for one in json.loads(path.read_text()) if one["what"].startswith("members")}
    pages = {}
    for what, one in recorded.items():
        headers = {"link": one["link"]} if one["link"] else {}
        answer = Response(one["status"], headers, json.dumps(one["body"]).encode())
        pages[what] = parse_members(answer, url=one["url"])
    whole = pages["members"]
    assert sorted(member.role.value for member in whole.members) == ["student"] * 3 + ["teacher"]
    assert (whole.next_url, whole.unreadable) == (None, 0)
    paged = pages["members, page of 2"]
    assert (len(paged.members), paged.next_url) == (2, f"{URL_OF_MOODLE}?limit=2&from=2")
    of_link = pages["members of the resource link"]
    assert all(member.outcomes and member.outcomes.sourcedid for member in of_link.members if member.role == "student")


URL_OF_MOODLE = "http://127.0.0.1:8081/mod/lti/services.php/CourseSection/2/bindings/2/memberships"
