"""What an administrator gives to Canvas by its address (D8), and an LMS that knocks at the wrong installation (A8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from lxml import etree

from courseway.courses.models import Assignment, Course
from tests.cast import Cast
from tests.courseway.lms.selections import HOST
from tests.ltikit.schemas import check_schema
from tests.visits import make_lms11, make_lms13

PLACEMENTS = ["link_selection", "assignment_selection", "editor_button", "course_navigation"]
HISTORY = {
    "course_offering_sourcedid": "$CourseOffering.sourcedId",
    "course_section_sourcedid": "$CourseSection.sourcedId",
    "context_id_history": "$Context.id.history",
    "resource_link_id_history": "$ResourceLink.id.history",
    # When the work is due, and in which sections somebody is.
    "resource_link_submission_end_date_time": "$ResourceLink.submission.endDateTime",
    "canvas_assignment_due_at": "$Canvas.assignment.dueAt.iso8601",
    "canvas_section_names": "$com.instructure.User.sectionNames",
}
LTICM = "{http://www.imsglobal.org/xsd/imslticm_v1p0}"


def test_canvas_json(db: None, client: Client) -> None:
    """The configuration is complete: our addresses, four placements, scopes, history variables, and no secret."""
    response = client.get("/lti/canvas.json", **HOST)
    assert response["Content-Type"] == "application/json"
    config = json.loads(response.content)
    tool = "https://tool.example/lti/"
    assert (config["oidc_initiation_url"], config["target_link_uri"]) == (tool + "login", tool + "launch")
    assert config["public_jwk_url"] == tool + "keys"
    assert "public_jwk" not in config
    assert config["custom_fields"] == HISTORY
    assert {scope.rpartition("/")[2] for scope in config["scopes"]} == {
        "lineitem",
        "result.readonly",
        "score",
        "contextmembership.readonly",
        "noticehandlers",
    }
    (extension,) = config["extensions"]
    assert (extension["platform"], extension["privacy_level"]) == ("canvas.instructure.com", "public")
    assert extension["domain"] == "tool.example"
    placements = extension["settings"]["placements"]
    assert [placement["placement"] for placement in placements] == PLACEMENTS
    messages = [placement["message_type"] for placement in placements]
    assert messages == ["LtiDeepLinkingRequest"] * 3 + ["LtiResourceLinkRequest"]
    urls = [placement["target_link_uri"].removeprefix(tool) for placement in placements]
    assert urls == ["resource_selection", "resource_selection", "editor_button", "course_navigation"]
    assert all((p["selection_width"], p["selection_height"]) == (1000, 800) for p in placements[:3])


def test_tool_xml(db: None, client: Client) -> None:
    """The XML has the same placements for LTI 1.1, which ask by Content-Item, and the history variables."""
    root = etree.fromstring(client.get("/lti/config.xml", {"key": "any"}, **HOST).content)
    options = {node.get("name"): node for node in root.iter(f"{LTICM}options")}
    assert list(options) == PLACEMENTS

    def read(node: Any) -> dict[str, str]:
        return {one.get("name"): one.text for one in node.findall(f"{LTICM}property")}

    assert read(options["link_selection"])["message_type"] == "ContentItemSelectionRequest"
    assert "message_type" not in read(options["course_navigation"])
    assert read(options["editor_button"])["url"] == "https://tool.example/lti/editor_button"
    custom = root.find("{http://www.imsglobal.org/xsd/imsbasiclti_v1p0}custom")
    assert read(custom) == HISTORY
    for option in options.values():
        parent = option.getparent()
        assert parent is not None
        parent.remove(option)
    check_schema(root, skips=False)  # valid but for the options, which are Canvas's own


@pytest.mark.parametrize("path", ["/lti/config.xml", "/lti/canvas.json"])
def test_configurations_follow_the_public_url(db: None, client: Client, settings: Any, path: str) -> None:
    """Behind a proxy with another host and a path prefix, every address is below the configured one."""
    settings.PUBLIC_URL = "https://eu.courses.example:8443/tools"
    settings.PUBLIC_PATH = "/tools"
    text = client.get(path, **HOST).content.decode()
    assert "https://eu.courses.example:8443/tools/lti/resource_selection" in text
    assert "tool.example" not in text


def test_owners_find_the_values(client: Client, cast: Cast) -> None:
    """The LTI integrations page shows the deep-linking URL and the Canvas JSON URL to copy (A3)."""
    client.force_login(cast.olive)
    page = client.get("/o/acme/lti", **HOST).content.decode()
    assert 'value="https://tool.example/lti/resource_selection"' in page
    assert 'value="https://tool.example/lti/canvas.json"' in page


def test_a_key_of_another_installation(client: Client, cast: Cast) -> None:
    """An unknown key gets a page that names this installation and says where keys count (A8)."""
    lms = make_lms11(cast.acme)
    response = lms.launch(client, f"/lti/a/{cast.loops.public_id}", signing={"key": "made-elsewhere"})
    page = response.content.decode()
    assert response.status_code == 403
    assert 'data-code="unknown_platform"' in page
    assert "This is the installation at <code>https://tool.example</code>" in page


def test_an_issuer_of_another_installation(client: Client, cast: Cast) -> None:
    """The same for LTI 1.3, where the sign-in begins with an unknown client id."""
    lms = make_lms13(cast.acme)
    parameters = {
        "iss": lms.issuer,
        "client_id": "made-elsewhere",
        "login_hint": "hint",
        "target_link_uri": "https://tool.example/lti/launch",
    }
    response = client.get("/lti/login", parameters, **HOST)
    assert response.status_code == 403
    assert "This is the installation at <code>https://tool.example</code>" in response.content.decode()


def test_other_refusals_name_no_installation(client: Client, cast: Cast) -> None:
    """Whoever has the right key does not need to hear about other installations."""
    lms = make_lms11(cast.acme)
    Course.objects.update(lti_enabled=False)
    Assignment.objects.update(published=True)
    page = lms.launch(client, f"/lti/a/{cast.loops.public_id}").content.decode()
    assert 'data-code="lti_disabled"' in page
    assert "This is the installation at" not in page
