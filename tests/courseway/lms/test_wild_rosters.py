"""A platform that answers a roster with anything at all: people come, or nobody does with a reason; nothing fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from courseway.lms import platforms
from courseway.lms.models import Context, ContextRoster, LmsIdentity, Registration
from courseway.lms.rosters import read_due_rosters, want_rosters
from tests.cast import Cast
from tests.courseway.http_servers import Handler, serve_http
from tests.courseway.lms.test_wild_launches import WILD
from tests.visits import CLAIM, MEMBERSHIP, make_lms13

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MEMBER: dict[str, Any] = {
    "user_id": "user-9",
    "roles": ["Learner"],
    "status": "Active",
    "name": "Nine",
    "given_name": "N",
    "family_name": "Ine",
    "email": "nine@lms.example",
    "lis_person_sourcedid": "sis-9",
    "lti11_legacy_user_id": "old-9",
    "group_enrollments": [{"group_id": "g"}],
    "message": [{CLAIM + "message_type": "LtiResourceLinkRequest"}],
}
CLAIM_OF_ROSTERS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"


@dataclass
class Answering:
    """What the platform's roster says."""

    url: str = ""
    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def answering() -> Iterator[Answering]:
    said = Answering()

    class Site(Handler):
        def do_POST(self) -> None:
            self.read_body()
            token = {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
            self.answer(200, json.dumps(token).encode(), Content_Type="application/json")

        def do_GET(self) -> None:
            self.answer(said.status, said.body, **said.headers)

    with serve_http(Site) as server:
        said.url = server.url
        yield said


@pytest.fixture
def rostered(client: Client, cast: Cast, answering: Answering) -> Context:
    """A teacher came from a course with a roster at this platform."""
    lms = make_lms13(cast.acme)
    Registration.objects.update(token_url=f"{answering.url}/token")
    platforms.forget_all()
    changes = {CLAIM + "roles": [MEMBERSHIP + "Instructor"], "sub": "teacher-1"}
    service = {"context_memberships_url": f"{answering.url}/members", "service_versions": ["2.0"]}
    assert lms.launch(client, cast.operators, **changes, **{CLAIM_OF_ROSTERS: service}).status_code == 303
    want_rosters(now=datetime.now(UTC))
    return Context.objects.get()


def read(rostered: Context, answering: Answering, body: bytes) -> ContextRoster:
    """The roster's row after it was read with this answer."""
    answering.body = body
    ContextRoster.objects.update(next_try_at=datetime.now(UTC), differences_url="", lease_token="")
    assert read_due_rosters() == 1
    return ContextRoster.objects.get(context=rostered)


def test_any_value_of_any_member(rostered: Context, answering: Answering) -> None:
    """People with an odd value come or are left out, and the good ones beside them always come."""
    for name in MEMBER:
        members: list[dict[str, Any]] = []
        good = [f"good-{name}-{number}" for number in range(len(WILD))]
        for user_id, value in zip(good, WILD, strict=True):
            members += [
                {**MEMBER, "user_id": f"odd-{user_id}", name: value},
                {"user_id": user_id, "roles": ["Learner"], "name": "Good"},
            ]
        body = json.dumps({"id": "x", "context": {"id": "course-1"}, "members": members}).encode()
        roster = read(rostered, answering, body)
        assert roster.error_code == "", (name, roster.error_code)
        come = set(LmsIdentity.objects.filter(lms_user_id__in=good).values_list("lms_user_id", flat=True))
        assert not [value for user_id, value in zip(good, WILD, strict=True) if user_id not in come], name


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"members": 7}', b'{"members": [[], 7, null]}', b"<html>", b"\xff", b"[" * 9000],
)
def test_any_body(rostered: Context, answering: Answering, body: bytes) -> None:
    """What is no list changes nobody, and says why."""
    before = LmsIdentity.objects.count()
    roster = read(rostered, answering, body)
    assert LmsIdentity.objects.count() == before
    assert roster.error_code or roster.members == 0
