"""Deep Linking 2.0 §3, §4.4: requests are read and answers made as specified; joserfc reads the answers."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet

from ltikit.content_items import NEW_TAB
from ltikit.errors import (
    ItemTypeNotAcceptedError,
    LtiError,
    MalformedMessageError,
    MissingParameterError,
    TooManyItemsError,
    UnsupportedMessageError,
)
from ltikit.v13.deep_linking import (
    DeepLinkingSettings,
    FrameSize,
    LineItemOffer,
    ResourceLinkItem,
    build_response,
    read_settings,
)
from ltikit.v13.keys import PrivateKey, build_keyset, generate_private_key
from tests.ltikit.v13.platform import CLAIM, CLIENT_ID, DEPLOYMENT, ISSUER, NOW, launch, make_claims

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
RETURN = "https://lms.example/deep_links?modal=true&course=7"
SETTINGS: dict[str, Any] = {
    "deep_link_return_url": RETURN,
    "accept_types": ["link", "ltiResourceLink"],
    "accept_presentation_document_targets": ["iframe", "window"],
    "accept_multiple": True,
    "data": "csrf=1/ä&b",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINK = ResourceLinkItem(url="https://tool.example/lti/a/x1", title="Loops")


@functools.cache
def tool_key() -> PrivateKey:
    return generate_private_key()


def request(*without: str, **changes: Any) -> Any:
    """A verified deep linking request with these settings changed."""
    settings = {name: value for name, value in {**SETTINGS, **changes}.items() if name not in without}
    claims = make_claims(message_type="LtiDeepLinkingRequest", **{DL + "deep_linking_settings": settings})
    return launch(claims)


def answer(items: list[ResourceLinkItem], *without: str, message: str = "", error: str = "", **changes: Any) -> Any:
    """What the platform reads out of the answer: address, header, claims."""
    launched = request(*without, **changes)
    url, token = build_response(
        items,
        settings=read_settings(launched),
        launch=launched,
        key=tool_key(),
        now=NOW,
        nonce="answer-1",
        message=message,
        error_message=error,
    )
    published = KeySet.import_key_set(json.loads(build_keyset([tool_key().public_key()])))
    read = jwt.decode(token, published, algorithms=["RS256"])
    return url, read.header, read.claims


def test_settings_are_read() -> None:
    """Every setting that the platform sends is handed on (§4.4.1)."""
    changes = {"accept_lineitem": False, "title": "Proposed", "text": "Words", "auto_create": True}
    assert read_settings(request(**changes)) == DeepLinkingSettings(
        return_url=RETURN,
        accept_types=frozenset({"link", "ltiResourceLink"}),
        accept_multiple=True,
        accept_lineitem=False,
        targets=("iframe", "window"),
        data="csrf=1/ä&b",
        title="Proposed",
        text="Words",
        auto_create=True,
    )


def test_what_the_platform_leaves_out_is_not_assumed() -> None:
    """Without optional settings one link comes back, whether columns are made is unknown, and there is no data."""
    read = read_settings(request("accept_multiple", "accept_presentation_document_targets", "data"))
    assert (read.accept_multiple, read.accept_lineitem, read.targets, read.data) == (False, None, (), None)
    assert read.shows_in("iframe")


def test_other_messages_are_no_requests() -> None:
    """Settings are read from a deep linking request alone."""
    with pytest.raises(UnsupportedMessageError):
        read_settings(launch())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://lms.example/x",
        "//lms.example/x",
        "/x",
        "https://",
        "https://a b/",
        7,
        ["https://x"],
    ],
)
def test_the_way_back_is_a_web_address(url: object) -> None:
    """A return address that a browser must not be sent to is refused."""
    with pytest.raises(MalformedMessageError, match="deep_link_return_url"):
        read_settings(request(deep_link_return_url=url))


@pytest.mark.parametrize("name", ["deep_link_return_url", "accept_types"])
def test_required_settings(name: str) -> None:
    """A request without return address or types is refused, and the refusal names what is missing."""
    with pytest.raises(MissingParameterError, match=name):
        read_settings(request(name))


def test_a_request_without_settings_is_refused() -> None:
    """The settings claim is required (§4.4.1)."""
    with pytest.raises(MissingParameterError, match="deep_linking_settings"):
        read_settings(launch(make_claims(message_type="LtiDeepLinkingRequest")))


@given(
    st.dictionaries(
        st.sampled_from(
            ["deep_link_return_url", "accept_types", "accept_presentation_document_targets", "accept_multiple",
             "accept_lineitem", "data", "title", "text", "auto_create"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | TEXT,
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=4,
        ),
    )
)  # fmt: skip
def test_wild_settings_are_read_or_refused_by_name(changes: dict[str, Any]) -> None:
    """Whatever the settings hold, they are read or refused with a named error, and the way back is a web address."""
    try:
        read = read_settings(request(**changes))
    except LtiError:
        return
    assert read.return_url.startswith(("http://", "https://"))
    assert isinstance(read.accept_multiple, bool)
    assert all(isinstance(one, str) for one in (*read.accept_types, *read.targets, read.title, read.text))


def test_the_answer_is_signed_for_the_platform() -> None:
    """Issuer is our client id, audience the platform; deployment, version, nonce, times and kid are there (§4.4.2)."""
    url, header, claims = answer([LINK])
    assert url == RETURN
    assert header == {"alg": "RS256", "kid": tool_key().kid, "typ": "JWT"}
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (CLIENT_ID, ISSUER, "answer-1")
    assert claims["iat"] == NOW.timestamp()
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims[CLAIM + "message_type"] == "LtiDeepLinkingResponse"
    assert claims[CLAIM + "version"] == "1.3.0"
    assert claims[CLAIM + "deployment_id"] == DEPLOYMENT
    assert claims[DL + "content_items"] == [{"type": "ltiResourceLink", "url": LINK.url, "title": "Loops"}]
    assert not {DL + "msg", DL + "errormsg"} & claims.keys()


@pytest.mark.quirk("D4")
@given(TEXT)
def test_data_comes_back_as_it_was(data: str) -> None:
    """The platform's data is sent back word for word, also when it is empty."""
    assert answer([], data=data)[2][DL + "data"] == data


@pytest.mark.parametrize("without", [("data",), ()])
def test_data_comes_back_only_if_there_was_some(without: tuple[str, ...]) -> None:
    """Without data in the request there is none in the answer; null counts as none."""
    changes = {} if without else {"data": None}
    assert DL + "data" not in answer([LINK], *without, **changes)[2]


def test_nothing_chosen() -> None:
    """An answer without links says so with an empty list and may carry words for the person."""
    claims = answer([], message="Nothing was chosen.", error="No course is enabled.")[2]
    assert claims[DL + "content_items"] == []
    assert claims[DL + "msg"] == "Nothing was chosen."
    assert claims[DL + "errormsg"] == "No course is enabled."


@pytest.mark.quirk("D5")
def test_every_member_of_a_link() -> None:
    """A link carries its text, custom parameters, column, frame, window and dates (§3.1.1)."""
    item = ResourceLinkItem(
        url="https://tool.example/lti/c/c9",
        title="Loops & lists",
        text="Ten points",
        custom={"assignment_id": "c9", "course_target_id": "k2"},
        line_item=LineItemOffer(Decimal("12.50"), label="Loops", resource_id="c9", tag="assignment"),
        iframe=FrameSize(1000, 800),
        window_target=NEW_TAB,
        available_from=datetime(2026, 9, 1, 8, 0, tzinfo=timezone(timedelta(hours=2))),
        submission_until=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert answer([item])[2][DL + "content_items"] == [
        {
            "type": "ltiResourceLink",
            "url": "https://tool.example/lti/c/c9",
            "title": "Loops & lists",
            "text": "Ten points",
            "custom": {"assignment_id": "c9", "course_target_id": "k2"},
            "lineItem": {"label": "Loops", "scoreMaximum": 12.5, "resourceId": "c9", "tag": "assignment"},
            "iframe": {"width": 1000, "height": 800},
            "window": {"targetName": "_blank"},
            "available": {"startDateTime": "2026-09-01T06:00:00Z"},
            "submission": {"endDateTime": "2026-12-01T00:00:00Z"},
        }
    ]


@pytest.mark.parametrize(("accepts", "is_sent"), [(True, True), (None, True), (False, False)])
def test_line_items_only_where_they_count(accepts: bool | None, is_sent: bool) -> None:
    """A column is asked for unless the platform says that it ignores line items; its label is the title by default."""
    graded = ResourceLinkItem(url=LINK.url, title="Loops", line_item=LineItemOffer(Decimal(10)))
    item = answer([graded], accept_lineitem=accepts)[2][DL + "content_items"][0]
    assert item.get("lineItem") == ({"label": "Loops", "scoreMaximum": 10} if is_sent else None)


def test_frame_and_window_only_where_the_platform_has_them() -> None:
    """How to show a link is said only in words that the platform offered."""
    item = ResourceLinkItem(url=LINK.url, title="Loops", iframe=FrameSize(1000, 800), window_target=NEW_TAB)
    only_window = answer([item], accept_presentation_document_targets=["window"])[2][DL + "content_items"][0]
    assert "iframe" not in only_window
    assert only_window["window"] == {"targetName": "_blank"}
    only_frame = answer([item], accept_presentation_document_targets=["frame"])[2][DL + "content_items"][0]
    assert "window" not in only_frame


def test_one_link_unless_several_are_accepted() -> None:
    """Two links for a platform that takes one are refused instead of dropped (§4.4.1, accept_multiple)."""
    for accepts in (False, None, "false"):
        with pytest.raises(TooManyItemsError, match="2 links"):
            answer([LINK, LINK], accept_multiple=accepts)
    assert len(answer([LINK, LINK], accept_multiple=True)[2][DL + "content_items"]) == 2


def test_only_accepted_types() -> None:
    """A platform that wants a file gets no link; that nothing was chosen can still be said."""
    with pytest.raises(ItemTypeNotAcceptedError, match="file"):
        answer([LINK], accept_types=["file", "html"])
    assert answer([], accept_types=["file"])[2][DL + "content_items"] == []


def test_titles_are_one_line_of_text() -> None:
    """Titles lose control characters and line breaks and are no longer than an LMS's column."""
    for title, expected in [("A\x00 \n\tB", "A B"), ("\x07 ", "Untitled"), ("x" * 300, "x" * 254 + "…")]:
        item = ResourceLinkItem(url=LINK.url, title=title)
        assert answer([item])[2][DL + "content_items"][0]["title"] == expected


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: ResourceLinkItem(url="javascript:alert(1)", title="x"),
        lambda: ResourceLinkItem(url=LINK.url, title="x", custom={"points": 3}),  # type: ignore[dict-item]
        lambda: ResourceLinkItem(url=LINK.url, title="x", available_from=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: LineItemOffer(Decimal(0)),
        lambda: LineItemOffer(Decimal("NaN")),
        lambda: FrameSize(0, 10),
    ],
)
def test_links_that_no_platform_can_use_are_not_made(mistake: Any) -> None:
    """Custom values that are no text, columns without points, dates without zone: each is refused when it is made."""
    with pytest.raises(ValueError):
        mistake()


@pytest.mark.quirk("D4")
def test_an_answer_needs_a_nonce_and_a_clock_with_a_zone() -> None:
    """Brightspace refuses answers without a nonce (quirk D4)."""
    launched = request()
    settings = read_settings(launched)
    for now, nonce in [(NOW, ""), (NOW.replace(tzinfo=None), "n")]:
        with pytest.raises(ValueError):
            build_response([], settings=settings, launch=launched, key=tool_key(), now=now, nonce=nonce)


def test_a_recorded_request_of_moodle() -> None:
    """Moodle's request, as recorded, asks for any number of links and gives no data to send back."""
    path = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "moodle-4.5" / "lti13-deeplinking-request.json"
    if not path.exists():
        pytest.skip(f"no recorded messages here: {path.name} is kept outside the repository")
    recorded = json.loads(path.read_text())["claims"][DL + "deep_linking_settings"]
    claims = make_claims(message_type="LtiDeepLinkingRequest", **{DL + "deep_linking_settings": recorded})
    read = read_settings(launch(claims))
    assert read.return_url == recorded["deep_link_return_url"]
    assert (read.accepts_links, read.accept_multiple, read.accept_lineitem, read.data) == (True, True, None, None)
    assert read.shows_in("iframe")
    assert read.title == "Stub 1.3"
