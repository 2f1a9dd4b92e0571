"""JSON of strangers: whatever characters it holds, what is read can be stored and shown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.answers import load_json, read_json
from ltikit.errors import ServiceUnavailableError
from ltikit.http import Response
from ltikit.members import parse_members


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whole_texts_are_left_as_they_are(value: Any) -> None:
    """What is text everywhere comes through unchanged, in either way of writing it, unless it holds what XML cannot."""
    for ascii_only in (True, False):
        body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        if not any(code in body for code in (b"\\u00", b"\\ud", b"\\ufff")) and b"\xed" not in body:
            assert load_json(body) == value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"lone \\ud800 half"', "lone \ufffd half"),
        ('"nul \\u0000"', "nul \ufffd"),
        ('"\\u001B[31m"', "\ufffd[31m"),
        ('"no \\uFFFE character"', "no \ufffd character"),
        ('"a pair \\ud83d\\ude00"', "a pair 😀"),
        ('"tab \\u0009 and line \\u000a"', "tab \t and line \n"),
        ('{"\\udc00": ["\\udfff", {"a": "\\u0000"}]}', {"\ufffd": ["\ufffd", {"a": "\ufffd"}]}),
        ("1.10", Decimal("1.10")),
    ],
)
def test_odd_characters_are_replaced(written: str, read: Any) -> None:
    """Halves of pairs, control characters and non-characters become U+FFFD; everything can then be encoded."""
    found = read_json(Response(200, {}, written.encode()))
    assert found == read
    json.dumps(found, ensure_ascii=False, default=str).encode()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"a' + b"\\ud8", b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    """It is refused as an answer that cannot be read."""
    with pytest.raises(ServiceUnavailableError):
        read_json(Response(200, {}, body))


def test_an_id_that_lost_a_character_names_nobody() -> None:
    """A member's name is mended, an id is not: a mended one might be somebody else's."""
    body = json.dumps({"members": [{"user_id": "a\ud800"}, {"user_id": "b", "name": "B\ud800"}]}).encode()
    page = parse_members(Response(200, {}, body), url="https://lms.example/m")
    assert [(member.user_id, member.name) for member in page.members] == [("b", "B\ufffd")]
    assert page.unreadable == 1
