"""A tool registers itself at the practice LMS, which behaves as the LMS that it imitates."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.practice_lms.running import ALL_SCOPES, PracticeLms

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
OWN = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CANVAS = "https://canvas.instructure.com/lti/"
TOOL = "https://tool.example"


def offer(lms: PracticeLms, profile: str, **values: Any) -> tuple[str, dict[str, str]]:
    """A begun registration: its id, and what the tool's page gets."""
    made = lms.post("registrations", tool_url=f"{TOOL}/register?a=1", profile=profile, **values)
    query = dict(parse_qsl(urlsplit(made["url"]).query))
    assert query.pop("a") == "1"
    return made["id"], query


def bearer(query: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {query['registration_token']}"} if "registration_token" in query else {}


def configure(lms: PracticeLms, query: dict[str, str]) -> Any:
    parts = urlsplit(query["openid_configuration"])
    answer = lms.http.get(f"{parts.path}?{parts.query}", headers=bearer(query))
    assert answer.status_code == 200, answer.text
    return answer.json()


def document(**changes: Any) -> dict[str, Any]:
    own = {"domain": "tool.example", "target_link_uri": f"{TOOL}/launch", "claims": ["iss", "sub"], "messages": []}
    members = {
        "application_type": "web",
        "grant_types": ["client_credentials", "implicit"],
        "response_types": ["id_token"],
        "redirect_uris": [f"{TOOL}/launch"],
        "initiate_login_uri": f"{TOOL}/login",
        "jwks_uri": f"{TOOL}/keys",
        "client_name": "Registered",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": ALL_SCOPES[3],
        OWN: {**own, **changes.pop("own", {})},
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def register(lms: PracticeLms, query: dict[str, str], **changes: Any) -> httpx2.Response:
    parts = urlsplit(configure(lms, query)["registration_endpoint"])
    return lms.http.post(f"{parts.path}?{parts.query}", headers=bearer(query), json=document(**changes))


@pytest.mark.parametrize("profile", ["practice", "moodle", "canvas", "blackboard", "brightspace", "sakai", "schoology"])
def test_every_profile_registers(lms: PracticeLms, profile: str) -> None:
    """A tool that describes itself becomes one of the LMS's tools, with what it said and what it was granted."""
    number, query = offer(lms, profile)
    answer = register(lms, query)
    assert answer.status_code == (201 if profile == "canvas" else 200), answer.text
    members = answer.json()
    assert lms.get("registrations", id=number)["state"] == "registered"
    tool = next(one for one in lms.get("tools") if one["client_id"] == members["client_id"])
    assert (tool["title"], tool["launch_url"], tool["login_url"]) == ("Registered", f"{TOOL}/launch", f"{TOOL}/login")
    assert ALL_SCOPES[3] in members["scope"].split()
    has_deployment = profile not in ("blackboard", "brightspace")
    assert ("deployment_id" in members[OWN]) is has_deployment


def test_a_token_is_good_for_one_tool(lms: PracticeLms) -> None:
    """The second registration with the same token, and one without a token, are answered with 401 (M11)."""
    _, query = offer(lms, "moodle")
    assert register(lms, query).status_code == 200
    assert register(lms, query).status_code == 401
    _, fresh = offer(lms, "moodle")
    assert register(lms, {**fresh, "registration_token": "guessed"}).status_code == 401


def test_a_canvas_wants_the_token_for_its_configuration_too(lms: PracticeLms) -> None:
    """Without the token a Canvas says nothing about itself."""
    _, query = offer(lms, "canvas")
    parts = urlsplit(query["openid_configuration"])
    assert lms.http.get(f"{parts.path}?{parts.query}").status_code == 401
    placements = configure(lms, query)[PLATFORM]["messages_supported"][0]["placements"]
    assert placements == [CANVAS + "course_navigation"]


def test_a_canvas_refuses_the_scope_openid(lms: PracticeLms) -> None:
    """It is offered, and whoever asks for it gets 422 with a list of errors (C26)."""
    _, query = offer(lms, "canvas")
    assert "openid" in configure(lms, query)["scopes_supported"]
    answer = register(lms, query, scope=f"openid {ALL_SCOPES[3]}")
    assert (answer.status_code, answer.json()) == (422, {"errors": ["scopes cannot contain openid"]})


def test_a_canvas_shows_people_to_whom_asks_in_its_words(lms: PracticeLms) -> None:
    """Without the privacy level of Canvas's own a tool learns nobody's name (C28)."""
    shown = {}
    for own in ({}, {CANVAS + "privacy_level": "public"}):
        _, query = offer(lms, "canvas")
        client = register(lms, query, own=own).json()["client_id"]
        tool = next(one for one in lms.get("tools") if one["client_id"] == client)
        shown[bool(own)] = tool["options"]["privacy"]
    assert shown == {False: "anonymous", True: "public"}


def test_a_brightspace_sends_no_token(lms: PracticeLms) -> None:
    """Its address of the configuration is all there is (D8), and it names another audience for assertions (D1)."""
    _, query = offer(lms, "brightspace")
    assert "registration_token" not in query
    assert configure(lms, query)["authorization_server"] == "https://api.brightspace.com/auth/token"
    assert register(lms, query).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"initiate_login_uri": None},
        {"redirect_uris": None},
        {"jwks_uri": None},
        {"own": {"domain": ""}},
        {"own": {"domain": "other.example"}},
        {"grant_types": ["implict", "client_credentials"]},
    ],
)
def test_a_moodle_insists_on_what_it_needs(lms: PracticeLms, changes: dict[str, Any]) -> None:
    """Without addresses, with a missing or foreign domain, or with a misspelled grant type nothing is registered."""
    number, query = offer(lms, "moodle")
    assert register(lms, query, **changes).status_code == 400
    assert lms.get("registrations", id=number)["state"] == "waiting"


def test_a_moodle_grants_more_than_was_asked_for(lms: PracticeLms) -> None:
    """Who asks for scores may read columns too."""
    _, query = offer(lms, "moodle")
    assert set(register(lms, query).json()["scope"].split()) == set(ALL_SCOPES)


def test_an_old_moodle_writes_its_configuration_in_its_own_way(lms: PracticeLms) -> None:
    """A blank behind a name, a message as a text, placements as a text."""
    _, query = offer(lms, "moodle", is_old=True)
    own = configure(lms, query)[f"{PLATFORM} "]
    assert own["messages_supported"][0] == "LtiResourceLink"
    assert own["messages_supported"][1]["placements"] == "ContentArea"


def test_a_registered_tool_waits_for_the_administrator(lms: PracticeLms, course: str, student: str) -> None:
    """Before it is activated nobody opens it (M16); then everybody does."""
    number, query = offer(lms, "moodle")
    register(lms, query)
    tool = lms.get("registrations", id=number)["tool_id"]
    link = lms.post("links", course=course, tool=tool, title="Quiz", points=5)["id"]
    refused = lms.http.post("/api/launch", json={"person": student, "link": link})
    assert refused.status_code == 403
    lms.post("registrations", activate=tool)
    assert lms.post("launch", person=student, link=link)["url"].startswith(f"{TOOL}/login")


def test_the_page_of_the_administrator(lms: PracticeLms, browser: httpx2.Client) -> None:
    """The tool's page is shown in a frame; afterwards the page says what was registered and activates it."""
    made = browser.post(
        "/admin/registrations", data={"tool_url": f"{TOOL}/register", "profile": "moodle", **csrf(browser)}
    )
    assert made.status_code == 200
    assert f'src="{TOOL}/register?openid_configuration=' in made.text
    number = str(made.url).rpartition("/")[2]
    query = dict(parse_qsl(urlsplit(lms.get("registrations", id=number)["url"]).query))
    register(lms, query)
    page = browser.get(f"/admin/registrations/{number}")
    assert "It cannot be opened yet" in page.text
    active = browser.post(f"/admin/registrations/{number}", data={"act": "activate", **csrf(browser)})
    assert "It is active" in active.text


def csrf(browser: httpx2.Client) -> dict[str, str]:
    page = browser.get("/admin/tools").text
    return {"csrfmiddlewaretoken": page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]}
