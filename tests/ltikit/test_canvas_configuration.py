"""The configurations that Canvas fetches by address: XML for LTI 1.1, JSON for LTI 1.3, with the same four places."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ltikit.canvas_placements import list_placements
from ltikit.cartridge.link_xml import BLTI, CARTRIDGE, LTICM, LTICP
from ltikit.content_items import FrameSize
from ltikit.v11.tool_xml import build_tool_xml
from ltikit.v13.canvas_config import build_canvas_config
from ltikit.vocabulary import COURSE_VARIABLES
from tests.ltikit.schemas import check_schema

TOOL = "https://tool.example:8443/base"
PLACEMENTS = list_placements(
    selection_url=f"{TOOL}/lti/resource_selection",
    editor_url=f"{TOOL}/lti/editor_button",
    navigation_url=f"{TOOL}/lti/course_navigation",
    text="Courseway",
    icon_url=f"{TOOL}/icon.png",
)
FOUR = ["link_selection", "assignment_selection", "editor_button", "course_navigation"]


def build_json(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": "Courseway",
        "description": "Courses",
        "login_url": f"{TOOL}/lti/login",
        "launch_url": f"{TOOL}/lti/launch",
        "keyset_url": f"{TOOL}/lti/keys",
        "tool_id": "courseway",
        "placements": PLACEMENTS,
    }
    document: dict[str, Any] = json.loads(build_canvas_config(**{**values, **changes}))
    return document


def build_xml(**changes: Any) -> etree._Element:
    values: dict[str, Any] = {
        "title": "Courseway",
        "description": "Courses & more",
        "launch_url": f"{TOOL}/lti/launch",
        "tool_id": "courseway",
        "vendor_name": "Courseway",
        "vendor_code": "courseway",
        "placements": PLACEMENTS,
        "custom": COURSE_VARIABLES,
    }
    return etree.fromstring(build_tool_xml(**{**values, **changes}))


def properties(element: etree._Element) -> dict[str, str]:
    return {child.get("name", ""): child.text or "" for child in element.findall(f"{{{LTICM}}}property")}


def find_one(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path)
    assert found is not None, path
    return found


def test_json_names_our_addresses() -> None:
    """Sign-in, launch and keyset are ours, and the domain is the host of the launch address with its port."""
    document = build_json()
    assert document["oidc_initiation_url"] == f"{TOOL}/lti/login"
    assert document["target_link_uri"] == f"{TOOL}/lti/launch"
    assert document["public_jwk_url"] == f"{TOOL}/lti/keys"
    assert "public_jwk" not in document
    extension = document["extensions"][0]
    assert (extension["domain"], extension["tool_id"]) == ("tool.example:8443", "courseway")
    assert (extension["platform"], extension["privacy_level"]) == ("canvas.instructure.com", "public")


def test_json_asks_for_what_the_tool_uses() -> None:
    """Columns, results, scores, roster, notices are asked for; no sign-in scope, which Canvas refuses (quirk C26)."""
    scopes = build_json()["scopes"]
    assert [scope.rpartition("/")[2] for scope in scopes] == [
        "lineitem",
        "result.readonly",
        "score",
        "contextmembership.readonly",
        "noticehandlers",
    ]
    assert all(scope.startswith("https://purl.imsglobal.org/spec/lti") for scope in scopes)


def test_json_has_the_four_placements() -> None:
    """Three places ask for links to be chosen, each by its own message type; the menu opens the tool."""
    placements = build_json()["extensions"][0]["settings"]["placements"]
    assert [placement["placement"] for placement in placements] == FOUR
    for placement in placements[:3]:
        assert placement["message_type"] == "LtiDeepLinkingRequest"
        assert (placement["selection_width"], placement["selection_height"]) == (1000, 800)
    assert placements[3]["message_type"] == "LtiResourceLinkRequest"
    assert [placement["target_link_uri"].removeprefix(f"{TOOL}/lti/") for placement in placements] == [
        "resource_selection",
        "resource_selection",
        "editor_button",
        "course_navigation",
    ]
    assert all(placement["enabled"] and placement["text"] == "Courseway" for placement in placements)


@pytest.mark.quirk("C36")
def test_both_ask_for_histories_and_course_identities() -> None:
    """Each launch is to carry the variables by which a course and its copies are recognised (quirk C36)."""
    expected = {
        "course_offering_sourcedid": "$CourseOffering.sourcedId",
        "course_section_sourcedid": "$CourseSection.sourcedId",
        "context_id_history": "$Context.id.history",
        "resource_link_id_history": "$ResourceLink.id.history",
    }.items()
    assert build_json()["custom_fields"].items() >= expected
    assert properties(find_one(build_xml(), f"{{{BLTI}}}custom")).items() >= expected


def test_the_menu_of_a_course_is_left_to_teachers_unless_wanted() -> None:
    """The tool is not put into the menu of every course of the school by itself."""
    shown = list_placements(selection_url=TOOL, editor_url=TOOL, navigation_url=TOOL, text="x", is_in_navigation=True)
    for placements, expected in ((PLACEMENTS, "disabled"), (shown, None)):
        menu = build_json(placements=placements)["extensions"][0]["settings"]["placements"][3]
        options = build_xml(placements=placements).findall(f".//{{{LTICM}}}options")[3]
        assert menu.get("default") == properties(options).get("default") == expected
        assert menu["visibility"] == properties(options)["visibility"] == "members"


def test_xml_has_the_four_placements() -> None:
    """The XML names the same places with the same addresses; those for choosing ask for a signed Content-Item."""
    extensions = find_one(build_xml(), f"{{{BLTI}}}extensions")
    options = extensions.findall(f"{{{LTICM}}}options")
    assert [option.get("name") for option in options] == FOUR
    for option, placement in zip(options, PLACEMENTS, strict=True):
        read = properties(option)
        assert (read["url"], read["text"], read["enabled"]) == (placement.url, "Courseway", "true")
        assert read.get("message_type") == ("ContentItemSelectionRequest" if placement.is_selecting else None)
        assert read.get("selection_width") == ("1000" if placement.is_selecting else None)
    tool = properties(extensions)
    assert (tool["domain"], tool["tool_id"], tool["privacy_level"]) == ("tool.example:8443", "courseway", "public")
    assert tool["oauth_compliant"] == "true"


def test_sizes_are_the_ones_that_were_asked_for() -> None:
    """Dialogs have the size that was given, in both configurations."""
    size = FrameSize(1200, 900)
    placements = list_placements(selection_url=TOOL, editor_url=TOOL, navigation_url=TOOL, text="x", size=size)
    settings = build_json(placements=placements, size=size)["extensions"][0]["settings"]
    assert (settings["selection_width"], settings["placements"][0]["selection_height"]) == (1200, 900)
    extensions = find_one(build_xml(placements=placements, size=size), f"{{{BLTI}}}extensions")
    assert properties(extensions)["selection_width"] == "1200"
    assert properties(extensions[-1])["url"] == TOOL


def test_xml_has_the_order_of_the_schema() -> None:
    """Elements stand in the schema's order, the plain address is there beside the secure one, no secret anywhere."""
    root = build_xml(icon_url=f"{TOOL}/icon.png")
    assert [etree.QName(child).localname for child in root] == [
        "title", "description", "custom", "extensions",
        "launch_url", "secure_launch_url", "icon", "secure_icon", "vendor",
    ]  # fmt: skip
    assert root.tag == f"{{{CARTRIDGE}}}cartridge_basiclti_link"
    assert root.findtext(f"{{{BLTI}}}launch_url") == root.findtext(f"{{{BLTI}}}secure_launch_url")
    assert root.findtext(f"{{{BLTI}}}vendor/{{{LTICP}}}code") == "courseway"
    assert b"secret" not in etree.tostring(root)


def test_xml_is_valid_but_for_the_options_of_canvas() -> None:
    """1EdTech's schema accepts the document as soon as Canvas's `lticm:options`, which it does not know, are away."""
    check_schema(build_xml(placements=()))
    root = build_xml(icon_url=f"{TOOL}/icon.png")
    for option in root.findall(f".//{{{LTICM}}}options"):
        parent = option.getparent()
        assert parent is not None
        parent.remove(option)
    check_schema(root)


@given(st.text(), st.text())
def test_wild_titles_make_documents(title: str, description: str) -> None:
    """Whatever a tool is called, both documents can be read and hold one line of title."""
    root = build_xml(title=title, description=description)
    name = root.findtext(f"{{{BLTI}}}title")
    assert name
    assert name == name.strip() == build_json(title=title, description=description)["title"]


@pytest.mark.parametrize("name", ["with blank", "7up", "", "<b>", "a&b", "ä"])
def test_parameters_that_xml_cannot_name(name: str) -> None:
    """A custom parameter whose name is none in XML is refused instead of making a document that LMSs refuse."""
    with pytest.raises(ValueError, match="name"):
        build_xml(custom={name: "x"})


def test_vendor_codes_and_addresses_have_limits() -> None:
    """A vendor code is a plain word and an address has at most 4096 characters (imsbasiclti_v1p0)."""
    with pytest.raises(ValueError, match="name"):
        build_xml(vendor_code="127.0.0.1")
    with pytest.raises(ValueError, match="4096"):
        build_xml(launch_url=f"https://tool.example/{'x' * 4096}")
