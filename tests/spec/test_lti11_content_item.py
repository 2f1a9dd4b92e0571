"""Content-Item Message 1.0 and Canvas's older selection; oauthlib's client signs the same and must agree."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_BODY, Client

from ltikit.content_items import (
    NEW_TAB,
    DeepLinkingSettings,
    FrameSize,
    LineItemOffer,
    ResourceLinkItem,
)
from ltikit.errors import (
    ItemTypeNotAcceptedError,
    LtiError,
    MalformedMessageError,
    MissingParameterError,
    TooManyItemsError,
    UnsupportedMessageError,
)
from ltikit.launch import Launch
from ltikit.parameters import add_custom_parameters
from ltikit.v11.content_item import (
    CanvasSelection,
    build_selection,
    build_selection_url,
    read_canvas_selection,
    read_settings,
)
from ltikit.v11.launch import verify_launch
from tests.ltikit.v11 import signed_forms
from tests.ltikit.v11.signed_forms import KEY, NOW, SECRET, URL, Form

RETURN = "https://lms.example.edu/content_item?course=7&x=%20a"
REQUEST: Form = [
    ("lti_message_type", "ContentItemSelectionRequest"),
    ("lti_version", "LTI-1p0"),
    ("user_id", "teacher-1"),
    ("roles", "Instructor"),
    ("context_id", "course-7"),
    ("content_item_return_url", RETURN),
    ("accept_media_types", "application/vnd.ims.lti.v1.ltilink,image/*"),
    ("accept_presentation_document_targets", "iframe, window"),
    ("accept_multiple", "true"),
    ("data", "a b=c&d/ä\r\ne"),
]
LINK = ResourceLinkItem(url="https://tool.example.org/lti/a/x1", title="Loops")
# What a browser sends as it stands: it writes other line breaks than \r\n anew.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=60)


def request(**changes: str | None) -> Launch:
    """A verified selection request with some fields changed or, where None, left out."""
    return signed_forms.launch(signed_forms.change(REQUEST, **changes))


def answer(items: list[ResourceLinkItem], launched: Launch | None = None, **changes: Any) -> dict[str, str]:
    """The form's fields, after oauthlib's client has signed the same fields and come to the same signature."""
    texts = {name: changes.pop(name) for name in ("message", "error_message") if name in changes}
    launched = launched or request(**changes)
    url, fields = build_selection(
        items, settings=read_settings(launched), launch=launched, secret=SECRET, now=NOW, nonce="answer-1", **texts
    )
    assert url == RETURN
    client = Client(
        KEY,
        client_secret=SECRET,
        callback_uri="about:blank",
        signature_method=dict(fields)["oauth_signature_method"],
        signature_type=SIGNATURE_TYPE_BODY,
        timestamp=str(int(NOW.timestamp())),
        nonce="answer-1",
    )
    plain = [(name, value) for name, value in fields if not name.startswith("oauth_")]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, body = client.sign(url, "POST", body=urlencode(plain), headers=headers)
    assert sorted(parse_qsl(body, keep_blank_values=True)) == sorted(fields)
    return dict(fields)


def graph(fields: dict[str, str]) -> list[dict[str, Any]]:
    document = json.loads(fields["content_items"])
    assert document["@context"] == "http://purl.imsglobal.org/ctx/lti/v1/ContentItem"
    items: list[dict[str, Any]] = document["@graph"]
    return items


def test_settings_are_read() -> None:
    """What the platform accepts is read in the words of Deep Linking, media types kept as they were sent (§3.1)."""
    assert read_settings(request(auto_create="true", title="Proposed", text="Words")) == DeepLinkingSettings(
        return_url=RETURN,
        accept_types=frozenset({"ltiResourceLink", "application/vnd.ims.lti.v1.ltilink", "image/*"}),
        accept_multiple=True,
        accept_lineitem=None,
        targets=("iframe", "window"),
        data="a b=c&d/ä\r\ne",
        title="Proposed",
        text="Words",
        auto_create=True,
    )


@pytest.mark.parametrize(
    ("media_types", "accepts"),
    [
        ("*/*", True),
        ("application/*", True),
        (" Application/vnd.IMS.lti.v1.ltilink ; q=0.8", True),
        ("image/*,text/html", False),
        ("application/vnd.ims.imsccv1p3", False),
    ],
)
def test_ranges_of_media_types(media_types: str, accepts: bool) -> None:
    """Links are accepted by name or by a range that holds them, and only then."""
    assert read_settings(request(accept_media_types=media_types)).accepts_links is accepts


@pytest.mark.parametrize("name", ["content_item_return_url", "accept_media_types"])
def test_required_fields(name: str) -> None:
    """A request without return address or media types is refused by name."""
    with pytest.raises(MissingParameterError, match=name):
        read_settings(request(**{name: None}))


def test_other_messages_are_no_requests() -> None:
    """Settings are read from a selection request alone."""
    with pytest.raises(UnsupportedMessageError):
        read_settings(signed_forms.launch())


@given(st.dictionaries(st.sampled_from([name for name, _ in REQUEST if name not in ("lti_version",)]), TEXT))
def test_wild_requests_are_read_or_refused_by_name(changes: dict[str, str]) -> None:
    """Whatever the fields hold, a request is read or refused with a named error."""
    try:
        read = read_settings(request(**changes))
    except LtiError:
        return
    assert read.return_url.startswith(("http://", "https://"))


@pytest.mark.quirk("D6")
def test_every_member_of_a_link() -> None:
    """A link carries text, custom parameters, column and how to show it (§4)."""
    item = ResourceLinkItem(
        url="https://tool.example.org/lti/c/c9",
        title="Loops & <lists>",
        text="Zehn Punkte für dich",
        custom={"assignment_id": "c9"},
        line_item=LineItemOffer(Decimal("12.5"), resource_id="c9"),
        iframe=FrameSize(1000, 800),
    )
    assert graph(answer([item])) == [
        {
            "@type": "LtiLinkItem",
            "mediaType": "application/vnd.ims.lti.v1.ltilink",
            "url": "https://tool.example.org/lti/c/c9",
            "title": "Loops & <lists>",
            "text": "Zehn Punkte für dich",
            "custom": {"assignment_id": "c9"},
            "placementAdvice": {"presentationDocumentTarget": "iframe", "displayWidth": 1000, "displayHeight": 800},
            "lineItem": {
                "@type": "LineItem",
                "label": "Loops & <lists>",
                "reportingMethod": "http://purl.imsglobal.org/ctx/lis/v2p1/Result#normalScore",
                "scoreConstraints": {"@type": "NumericLimits", "normalMaximum": 12.5},
                "assignedActivity": {"activityId": "c9"},
            },
        }
    ]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("iframe,window", {"presentationDocumentTarget": "window", "windowTarget": "_blank"}),
        ("iframe", {"presentationDocumentTarget": "iframe"}),
        ("frame", {"presentationDocumentTarget": "frame"}),
        ("overlay", None),
        ("", {"presentationDocumentTarget": "window", "windowTarget": "_blank"}),
    ],
)
def test_links_are_shown_in_a_way_that_the_platform_offers(targets: str, expected: dict[str, Any] | None) -> None:
    """A new tab where there is one, else a frame, else nothing is said."""
    item = ResourceLinkItem(url=LINK.url, title="Loops", iframe=FrameSize(10, 20), window_target=NEW_TAB)
    advice = graph(answer([item], accept_presentation_document_targets=targets))[0].get("placementAdvice")
    size = {"displayWidth": 10, "displayHeight": 20}
    assert advice == (expected and {**expected, **size})


@pytest.mark.quirk("C19", "D5")
def test_canvas_gets_custom_parameters_in_the_address_too() -> None:
    """Canvas drops custom parameters of content items (quirk C19), Brightspace wants no query (quirk D5)."""
    item = ResourceLinkItem(url="https://tool.example.org/lti/a/x1?page=2", title="x", custom={"assignment_id": "c 9"})
    canvas = graph(answer([item], tool_consumer_info_product_family_code="canvas"))[0]
    assert canvas["url"] == "https://tool.example.org/lti/a/x1?page=2&custom_assignment_id=c%209"
    assert canvas["custom"] == {"assignment_id": "c 9"}
    assert graph(answer([item], tool_consumer_info_product_family_code="desire2learn"))[0]["url"] == item.url


def test_nothing_chosen() -> None:
    """An answer without links has no content items and may carry words, on one line."""
    fields = answer([], message="Nothing\nwas chosen.", error_message=" ")
    assert "content_items" not in fields
    assert fields["lti_msg"] == "Nothing was chosen."
    assert "lti_errormsg" not in fields
    assert (fields["lti_message_type"], fields["lti_version"]) == ("ContentItemSelection", "LTI-1p0")


@given(TEXT)
def test_data_comes_back_as_it_was(data: str) -> None:
    """The platform's data is sent back word for word, also when it is empty."""
    assert answer([], data=data)["data"] == data


def test_without_data_there_is_none() -> None:
    """Data comes back only if there was some."""
    assert "data" not in answer([LINK], data=None)


@pytest.mark.parametrize("method", [SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256])
def test_the_answer_is_signed_like_the_request(method: str) -> None:
    """A platform that signs with SHA-256 gets SHA-256 back."""
    form = signed_forms.sign(REQUEST, method=method)
    launched = verify_launch(form, url=URL, secret=SECRET, now=NOW)
    assert answer([LINK], launched)["oauth_signature_method"] == method


def test_several_links_only_where_accepted() -> None:
    """Two links for a platform that takes one, and links where none are wanted, are refused by name."""
    assert len(graph(answer([LINK, LINK]))) == 2
    with pytest.raises(TooManyItemsError):
        answer([LINK, LINK], accept_multiple=None)
    with pytest.raises(ItemTypeNotAcceptedError):
        answer([LINK], accept_media_types="image/*")


@given(st.lists(TEXT, min_size=1, max_size=3), st.dictionaries(st.text("abc_", min_size=1), TEXT, max_size=3))
def test_wild_titles_are_signed_right(titles: list[str], custom: dict[str, str]) -> None:
    """Whatever titles and custom parameters hold, the signature fits and they are read back."""
    items = [ResourceLinkItem(url=LINK.url, title=title, text=title, custom=custom) for title in titles]
    assert len(graph(answer(items))) == len(titles)


CANVAS = {
    "ext_content_return_types": "oembed,lti_launch_url,url,iframe",
    "ext_content_return_url": "https://canvas.example/courses/1/return?x=1",
    "ext_content_intended_use": "embed",
}


def test_canvas_selection_is_read() -> None:
    """Canvas's older launch says where to return to, what it takes and what for."""
    assert read_canvas_selection(signed_forms.launch(**CANVAS)) == CanvasSelection(
        CANVAS["ext_content_return_url"], frozenset({"oembed", "lti_launch_url", "url", "iframe"}), "embed"
    )


def test_still_older_canvas_selection() -> None:
    """Before that it said it in one word and used the ordinary return address."""
    for field in ("selection_directive", "ext_content_return_types"):
        selection = read_canvas_selection(signed_forms.launch(**{field: "select_link"}))
        assert selection == CanvasSelection(signed_forms.RETURN_URL, frozenset({"lti_launch_url"}))
    homework = read_canvas_selection(signed_forms.launch(selection_directive="submit_homework"))
    assert homework is not None
    assert not homework.accepts_links


def test_ordinary_launches_ask_for_no_selection() -> None:
    """A launch without these fields just opens the tool, and so does a word that nobody knows."""
    assert read_canvas_selection(signed_forms.launch()) is None
    assert read_canvas_selection(signed_forms.launch(selection_directive="dance")) is None
    assert read_canvas_selection(request()) is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/x", "ftp://x/y"])
def test_canvas_selection_returns_to_web_addresses_only(url: str) -> None:
    """Nobody is sent to an address that is no web address."""
    with pytest.raises(MalformedMessageError):
        read_canvas_selection(signed_forms.launch(**{**CANVAS, "ext_content_return_url": url}))


def selected(item: ResourceLinkItem, **choice: str) -> dict[str, str]:
    selection = read_canvas_selection(signed_forms.launch(**CANVAS))
    assert selection is not None
    parts = urlsplit(build_selection_url(item, selection=selection, **choice))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://canvas.example/courses/1/return"
    return dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))


def test_canvas_selection_goes_back_in_the_address() -> None:
    """The chosen link is in the query of the return address, custom parameters in the query of the link."""
    item = ResourceLinkItem(
        url="https://tool.example.org/lti/c/c9", title="A & B", custom={"assignment_id": "c9"}, window_target=NEW_TAB
    )
    assert selected(item) == {
        "x": "1",
        "return_type": "lti_launch_url",
        "url": "https://tool.example.org/lti/c/c9?custom_assignment_id=c9",
        "title": "A & B",
        "text": "A & B",
        "target": "_blank",
    }


def test_canvas_selection_in_a_frame() -> None:
    """A frame needs its size; what Canvas did not offer is refused."""
    item = ResourceLinkItem(url=LINK.url, title="x", iframe=FrameSize(1000, 800))
    assert selected(item, return_type="iframe") == {
        "x": "1", "return_type": "iframe", "url": LINK.url, "title": "x", "width": "1000", "height": "800",
    }  # fmt: skip
    with pytest.raises(ValueError, match="size"):
        selected(LINK, return_type="iframe")
    with pytest.raises(ItemTypeNotAcceptedError):
        selected(LINK, return_type="image_url")


@given(TEXT.filter(str.strip))
def test_wild_titles_survive_the_redirect(title: str) -> None:
    """Titles cannot break out of the query of the return address."""
    returned = selected(ResourceLinkItem(url=LINK.url, title=title, text=title))
    assert returned.keys() == {"x", "return_type", "url", "title", "text"}
    assert returned["url"] == LINK.url


@pytest.mark.quirk("C20", "C22")
@given(st.dictionaries(st.text("abcxyz_.", min_size=1).filter(lambda name: name.strip("_.")), TEXT, max_size=4))
def test_parameters_in_the_address_come_back_in_the_launch(custom: dict[str, str]) -> None:
    """What the address carries is read like a custom parameter of the form, once, however often it is added."""
    once = add_custom_parameters(LINK.url, custom)
    assert add_custom_parameters(once, custom) == once
    in_url = signed_forms.launch_at(once)
    in_form = signed_forms.launch_at(
        LINK.url, [*signed_forms.STUDENT_LAUNCH, *((f"custom_{name}", value) for name, value in custom.items())]
    )
    assert in_url.custom_lists == in_form.custom_lists
