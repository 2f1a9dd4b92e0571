"""A practice LMS in a process of its own, connected to the organization of a test: real launches and real services."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from courseway.courses.models import Assignment
from courseway.lms.keys import create_consumer_key
from courseway.lms.models import Context, LmsIdentity, Platform, Registration
from courseway.lms.tool_keys import published_keyset
from courseway.orgs.models import Organization, Person
from tests.courseway.http_servers import Handler, serve_http
from tests.practice_lms.running import PracticeLms
from tests.visits import TOOL, post_form


@dataclass
class School:
    """One course of the practice LMS and one tool in it, which is Courseway under test."""

    lms: PracticeLms
    platform: Platform
    course: str
    tool: dict[str, Any]
    profile: str = ""
    links: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add_person(self, name: str, role: str = "learner", **values: Any) -> str:
        """Somebody in the course; returns the LMS user id."""
        given, _, family = name.partition(" ")
        known = {"email": f"{given.lower()}-{secrets.token_hex(3)}@school.example"}
        return self.lms.add_person(self.course, role, **{"given_name": given, "family_name": family, **known, **values})

    def change(self, person: str, **values: Any) -> None:
        """What somebody is in the course; `leaves=True` takes them out of it."""
        self.lms.post("people", id=person, course=self.course, **values)

    def place(self, assignment: Assignment, **values: Any) -> dict[str, Any]:
        """A link to the assignment, of 10 points."""
        url = f"{TOOL}/lti/a/{assignment.public_id}"
        wanted = {"title": assignment.title, "url": url, "points": 10, **values}
        link = dict(self.lms.post("links", course=self.course, tool=self.tool["id"], **wanted))
        self.links[assignment.pk] = link
        return link

    def launch(self, client: Client, person: str, link: dict[str, Any], **wish: Any) -> Any:
        """Opens the link as this person, all steps; returns the tool's answer to the launch."""
        begun = self.lms.post("launch", person=person, link=link["id"], **wish)
        if begun["version"] == "1.1":
            return post_form(client, _path(begun["url"]), [(name, value) for name, value in begun["fields"]])
        response = client.post("/lti/login", dict(begun["fields"]), secure=True, HTTP_HOST="tool.example")
        assert response.status_code == 302, response.content.decode()
        answer = self.lms.http.get(
            response["Location"].removeprefix(self.lms.url).removeprefix(self.lms.public_url),
            headers={"X-Practice-Person": person, "Accept": "application/json"},
        ).json()
        return post_form(client, _path(answer["url"]), list(answer["fields"].items()))

    @property
    def context(self) -> Context:
        return Context.objects.get(deployment__platform=self.platform, context_id=self.course)

    def find_person(self, user_id: str) -> Person:
        return LmsIdentity.objects.get(platform=self.platform, lms_user_id=user_id).person


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@contextmanager
def run_practice_lms(folder: Path) -> Iterator[PracticeLms]:
    lms = PracticeLms(folder)
    try:
        yield lms
    finally:
        lms.stop()


def make_school11(lms: PracticeLms, organization: Organization, *, profile: str = "", **options: Any) -> School:
    """A school that launches by LTI 1.1 and lists its members, unless the options say no."""
    consumer_key, secret = create_consumer_key(organization, name="Practice 1.1")
    tool = lms.post(
        "tools",
        title="Courseway",
        version="1.1",
        launch_url=f"{TOOL}/lti/launch",
        key=consumer_key.key,
        secret=secret,
        profile=profile,
        options={"shares_roster": True, **options},
    )
    return School(lms, consumer_key.platform, lms.add_course(), tool, profile)


@contextmanager
def make_school13(
    lms: PracticeLms,
    organization: Organization | None,
    *,
    profile: str = "",
    custom: dict[str, str] | None = None,
    **options: Any,
) -> Iterator[School]:
    """The same by LTI 1.3; the keyset of the tool is served as long as the block lasts."""
    info, client_id, keyset = lms.get("info"), f"client-{secrets.token_hex(4)}", published_keyset()

    class Keyset(Handler):
        def do_GET(self) -> None:
            self.answer(200, keyset, Content_Type="application/json")

    with serve_http(Keyset) as server:
        platform = Platform.objects.create(organization=organization, version="1.3", name="Practice 1.3")
        tool = lms.post(
            "tools",
            title="Courseway",
            version="1.3",
            launch_url=f"{TOOL}/lti/launch",
            login_url=f"{TOOL}/lti/login",
            redirect_urls=[f"{TOOL}/lti/launch"],
            keyset_url=f"{server.url}/keys",
            client_id=client_id,
            profile=profile,
            custom=custom or {},
            options={"shares_roster": True, "shares_groups": True, **options},
        )
        course = lms.add_course()
        own = lms.get("info", tool=tool["id"], course=course)
        Registration.objects.create(
            platform=platform,
            issuer=own["issuer"],
            client_id=client_id,
            authentication_url=info["auth_url"],
            token_url=info["token_url"],
            keyset_url=info["keyset_url"],
            audience=own["token_audience"],
        )
        yield School(lms, platform, course, tool, profile)
