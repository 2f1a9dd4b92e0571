"""Course groups: requests, and lists in the shapes that arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import LtiError, ServiceForbiddenError, ServiceUnavailableError
from ltikit.http import Response
from ltikit.v13.groups import Group, GroupSet, group_sets_request, groups_request, parse_group_sets, parse_groups

URL = "https://lms.example/courses/7/groups"


def respond(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode())


def test_requests() -> None:
    """Groups and sets have media types of their own; filters are added to the query that is there."""
    request = groups_request(f"{URL}?a=1", token="t", user_id="u 1", limit=20)
    assert request.url == f"{URL}?a=1&user_id=u%201&limit=20"
    assert request.headers["Accept"] == "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
    sets = group_sets_request(f"{URL}/sets", token="t")
    assert sets.headers["Accept"] == "application/vnd.ims.lti-gs.v1.contextgroupsetcontainer+json"


def test_groups() -> None:
    """A group has an id and a name; the set, the tag and whether it is hidden may be there."""
    body = {
        "id": URL,
        "groups": [{"id": 1, "name": "Section A", "set_id": "s", "tag": "x", "hidden": True}, {"id": "2"}, {}, "x"],
    }
    found, following = parse_groups(respond(body, link=f'<{URL}?p=2>; rel="next"'), url=URL)
    assert found == [Group("1", "Section A", "s", "x", is_hidden=True), Group("2", "2")]
    assert following == f"{URL}?p=2"


def test_sets() -> None:
    """A set has an id and a name."""
    assert parse_group_sets(respond({"sets": [{"id": "s", "name": "Sections"}]}), url=URL) == (
        [GroupSet("s", "Sections")],
        None,
    )


def test_refusals() -> None:
    """What is no list, and a status that means failure, are told apart."""
    with pytest.raises(ServiceUnavailableError):
        parse_groups(respond({"groups": "none"}), url=URL)
    with pytest.raises(ServiceForbiddenError):
        parse_groups(respond({}, status=403), url=URL)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["groups", "id", "name", "set_id"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_any_answer_is_read_or_refused(body: Any) -> None:
    """Whatever arrives is a list of groups that have ids and names, or one of our errors."""
    try:
        found, _ = parse_groups(respond(body), url=URL)
    except LtiError:
        return
    assert all(group.id and group.name for group in found)
