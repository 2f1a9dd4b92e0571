from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.returns import build_return_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://lms.example.edu/back", "https://lms.example.edu/back?lti_msg=Saved%20%26%20sent"),
        ("https://lms.example.edu/back?a=1", "https://lms.example.edu/back?a=1&lti_msg=Saved%20%26%20sent"),
        ("https://lms.example.edu/back?", "https://lms.example.edu/back?lti_msg=Saved%20%26%20sent"),
        ("https://lms.example.edu/back?a=1&", "https://lms.example.edu/back?a=1&lti_msg=Saved%20%26%20sent"),
        ("HTTP://lms.example.edu/back#top", "HTTP://lms.example.edu/back?lti_msg=Saved%20%26%20sent#top"),
    ],
)
def test_the_message_is_added_to_the_query(url: str, expected: str) -> None:
    """The own query and fragment of the address stay as they are."""
    assert expected == build_return_url(url, message="Saved & sent")


def test_every_text_has_its_parameter() -> None:
    """Four texts become the four parameters of LTI 1.1 §4.2, and empty ones are left out."""
    url = build_return_url("https://lms.example.edu/", message="a", log="b", error_message="c", error_log="d")
    assert parse_qsl(urlsplit(url).query) == [
        ("lti_msg", "a"),
        ("lti_log", "b"),
        ("lti_errormsg", "c"),
        ("lti_errorlog", "d"),
    ]
    assert build_return_url("https://lms.example.edu/") == "https://lms.example.edu/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://lms.example.edu/",
        "//lms.example.edu/back",
        "/back",
        "https://",
        "https:///back",
        "https://lms.example.edu:99999/",
        "https://[broken/",
        "https://lms.example.edu/a b",
        "https://lms.example.edu/\r\nSet-Cookie: a=b",
        " https://lms.example.edu/",
        "https://lms.example.edu\\@evil.example/",
    ],
)
def test_other_addresses_are_no_way_back(url: str) -> None:
    """Anything but a clean absolute http(s) address gives no way back."""
    assert build_return_url(url, error_message="no") == ""


@given(st.text(max_size=60), st.text(max_size=60))
def test_texts_arrive_unchanged(message: str, error: str) -> None:
    """Any text comes out of the query as it went in."""
    url = build_return_url("https://lms.example.edu/back?x=%20", message=message, error_message=error)
    expected = {"x": " ", "lti_msg": message, "lti_errormsg": error}
    assert {name: text for name, text in expected.items() if text} == dict(parse_qsl(urlsplit(url).query))
