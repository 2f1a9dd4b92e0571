"""The next page of a list, from the Link headers that LMSs write."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import ServiceRejectedError
from ltikit.links import next_url

BASE = "https://lms.example/api/members?limit=2"


def follow(header: str, base_url: str = BASE) -> str | None:
    return next_url({"link": header}, base_url=base_url)


@pytest.mark.quirk("B15", "G22")
@pytest.mark.parametrize(
    "header",
    [
        '<https://lms.example/api/members?page=2>; rel="next"',
        "<https://lms.example/api/members?page=2>;rel=next",
        "<https://lms.example/api/members?page=2> ; rel = next",
        "<https://lms.example/api/members?page=2>; REL=Next",
        '<https://lms.example/api/members?page=2>; rel="last next"; title="a, b; c"',
        '<https://lms.example/api/members?page=2>; title="a \\" rel=last"; rel="next"',
        '<https://lms.example/api/members?page=1>; rel="first",<https://lms.example/api/members?page=2>;rel="next"',
        '<https://lms.example/a,b;rel=next>; rel="first", <https://lms.example/api/members?page=2>; rel="next"',
        '<https://lms.example/api/members?page=2>; rel="next", <https://lms.example/x>; rel="differences"',
        '</api/members?page=2>; rel="next"',
        '<?page=2>; rel="next"',
        "<https://lms.example/api/members?page=2>; rel=\u201cnext\u201d",
        "<https://lms.example/api/members?page=2>; rel=\u00e2\u0080\u009cnext\u00e2\u0080\u009d",
        "<https://lms.example/api/members?page=2>; rel=next; rel=last",
        "<https://lms.example/api/members?page=2>; crossorigin; rel=next",
        '< https://lms.example/api/members?page=2 >; rel="next"',
        '<https://LMS.example:443/api/members?page=2>; rel="next"',
        '<http://lms.example/api/members?page=2>; rel="next"',
    ],
)
def test_next_page(header: str) -> None:
    """The next page is found in every spelling in use, always by https when the list was."""
    found = follow(header)
    assert found is not None
    assert found.lower().replace(":443", "") == "https://lms.example/api/members?page=2"


@pytest.mark.parametrize(
    "header",
    [
        "",
        '<https://lms.example/x>; rel="prev"',
        "<https://lms.example/x>",
        "<https://lms.example/x>; title=next",
        '<https://lms.example/x>; rel="last", <https://lms.example/y>; rel="prev next-archive"',
        "<https://lms.example/x; rel=next",
        "rel=next",
    ],
)
def test_no_next_page(header: str) -> None:
    """Without a link to the next page there is none, also when the header is broken."""
    assert follow(header) is None
    assert next_url({}, base_url=BASE) is None


@pytest.mark.quirk("G22")
def test_address_is_used_as_it_stands() -> None:
    """Letters keep their case, cursors with commas stay whole, and no filter is added again."""
    assert follow('<https://lms.example/M?cursor=AbC,dEf%2C==&x=>; rel="next"') == (
        "https://lms.example/M?cursor=AbC,dEf%2C==&x="
    )


def test_address_escaped_for_html() -> None:
    """Moodle writes `&amp;` for `&` in the addresses of its line item pages."""
    moodle = (
        "<https://lms.example/l?type_id=2&amp;limit=1&amp;from=0>; rel=\u201cfirst\u201d, "
        "<https://lms.example/l?type_id=2&amp;limit=1&amp;from=1>; rel=\u201cnext\u201d, "
        "<https://lms.example/l?type_id=2&amp;limit=1&amp;from=2>; rel=\u201clast\u201d"
    )
    assert follow(moodle) == "https://lms.example/l?type_id=2&limit=1&from=1"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/api/members?page=2",
        "//evil.example/x",
        "https://lms.example.evil.example/x",
        "https://lms.example@evil.example/x",
        "https://user:pw@lms.example/x",
        "https://lms.example:8443/x",
        "http://169.254.169.254/latest/meta-data",
        "http://lms.example:8080/x",
        "ftp://lms.example/x",
        "file:///etc/passwd",
        "https://[::1/x",
        "https://lms.example:99999/x",
        "https://lms.example/a b",
        "https://lms.example/a\tb\x00",
    ],
)
def test_next_page_elsewhere(target: str) -> None:
    """The access token never goes to another host, port or scheme: such a page is refused, not skipped."""
    with pytest.raises(ServiceRejectedError):
        follow(f"<{target}>; rel=next")


def test_same_page_again() -> None:
    """A list that leads back to the page just read would never end."""
    with pytest.raises(ServiceRejectedError, match="same page"):
        follow(f"<{BASE}>; rel=next")


def test_list_on_plain_http() -> None:
    """A list of a private network on http goes on by http, and by https only where it says so."""
    base = "http://127.0.0.1:8081/l"
    assert follow("<http://127.0.0.1:8081/l?from=1>; rel=next", base) == "http://127.0.0.1:8081/l?from=1"
    with pytest.raises(ServiceRejectedError):
        follow("<http://127.0.0.1:8082/l?from=1>; rel=next", base)


@given(st.text(alphabet=st.sampled_from('<>;,="\\ relnxt:/.&?'), max_size=120) | st.text(max_size=60))
def test_garbage_for_a_header(header: str) -> None:
    """Any header gives an address on the same host, nothing, or a refusal."""
    with contextlib.suppress(ServiceRejectedError):
        found = follow(header)
        assert found is None or found.startswith("https://lms.example/")


def test_long_header_is_read_in_time() -> None:
    """A header made to be slow is not."""
    assert follow("<x>" + ';a="' * 5000) is None
    assert follow("<" * 20_000) is None
    assert follow("<a>;" + " " * 16_000) is None
