from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import MalformedMessageError
from ltikit.parameters import (
    _NOT_IN_URL,
    _PLAIN_URL,
    add_custom_parameters,
    is_unexpanded,
    is_web_url,
    normalise_name,
    normalise_parameters,
    parse_form,
    read_url_parameters,
    single,
    split_list,
)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("page", "page"),
        ("custom_codio_page", "page"),
        ("codio_page", "page"),
        ("codio_custom_mentor_for", "mentor_for"),
        ("CUSTOM_CODIO_SEND_GRADE", "send_grade"),
        ("Custom_custom_codio_custom_page", "page"),
        ("  custom_page ", "page"),
        ("custom_codio_class_target_id", "course_target_id"),
        ("parent_class_id", "parent_course_id"),
        ("codio_codio_page", "codio_page"),
        ("page_custom_size", "page_custom_size"),
        ("custom_actual_user_id", "actual_user_id"),
        ("custom_", ""),
        ("codio_custom_", ""),
    ],
)
def test_names_lose_their_prefixes(sent: str, canonical: str) -> None:
    """Lower case, any number of leading custom_ and one codio_ in any order, aliases last."""
    assert canonical == normalise_name(sent)


@given(st.lists(st.sampled_from(["custom_", "CUSTOM_", "Custom_"]), max_size=4), st.integers(0, 4), st.booleans())
def test_every_mixture_of_prefixes_means_the_same(prefixes: list[str], place: int, has_vendor: bool) -> None:
    """Wherever the one codio_ stands among the custom_ prefixes, the name is the same."""
    parts = list(prefixes)
    if has_vendor:
        parts.insert(place, "Codio_")
    assert normalise_name("".join(parts) + "Send_Grade") == "send_grade"


@pytest.mark.parametrize(
    ("sent", "values"),
    [
        ("A-1", ("A-1",)),
        ('  "A-1" ', ("A-1",)),
        ("' A-1 '", ("A-1",)),
        ("\"'A-1'\"", ("A-1",)),
        ("“A-1”", ("A-1",)),
        ('5" pipe', ('5" pipe',)),
        ('"a@x.org","b@x.org"', ('"a@x.org","b@x.org"',)),
        ("O'Brien", ("O'Brien",)),
        ("Fall 2026, A", ("Fall 2026, A",)),
        ("A\r\nB\n\n C \rA", ("A", "B", "C")),
        ("$CourseOffering.sourcedId", ()),
        (' "$Canvas.course.id" ', ()),
        ("$Canvas.membership.permissions<manage_grades,read>", ()),
        ("A\n$Person.sourcedId", ("A",)),
        ("$5.00", ("$5.00",)),
        ("costs $User.id", ("costs $User.id",)),
        ("", ()),
        ('""', ()),
        (None, ()),
        ({}, ()),
        (7, ("7",)),
        (2.5, ("2.5",)),
        (True, ("true",)),
        (False, ("false",)),
        (["A", 1, "A", None, "$User.id"], ("A", "1")),
    ],
)
def test_values_are_cleaned(sent: object, values: tuple[str, ...]) -> None:
    """Quotes and blanks go, variables count as absent, numbers become text, line breaks separate."""
    expected = {"course_target_id": values} if values else {}
    assert expected == normalise_parameters([("custom_codio_course_target_id", sent)])


def test_repeated_names_keep_every_value_once_in_order() -> None:
    """Repeated names and their aliases are one parameter with several values; equal values count once."""
    sent = [("custom_course_target_id", "A"), ("CODIO_class_target_id", "B"), ("course_target_id", "A")]
    assert normalise_parameters(sent) == {"course_target_id": ("A", "B")}


def test_the_first_value_stands_for_all() -> None:
    """`single` gives one text for each name."""
    lists = normalise_parameters([("a", "1"), ("a", "2"), ("b", 3)])
    assert single(lists) == {"a": "1", "b": "3"}


def test_quoted_lists_come_apart() -> None:
    """A comma list may be quoted as a whole or entry by entry."""
    assert split_list(['"a@x.org, b@x.org"']) == ("a@x.org", "b@x.org")
    assert split_list(['"a@x.org","b@x.org"', " 7,, $User.id"]) == ("a@x.org", "b@x.org", "7")


@pytest.mark.quirk("C4")
def test_unexpanded_variables_are_told_from_text() -> None:
    """Only a whole value that reads like a variable is one."""
    assert is_unexpanded(" $Person.sourcedId ")
    assert is_unexpanded("$com.instructure.User.observees")
    assert not any(map(is_unexpanded, ["", "$", "$ 5", "$5", "a$b", "$a b", "$2y$10$abc"]))


scalars = st.one_of(st.text(max_size=30), st.integers(), st.floats(), st.booleans(), st.none())


@given(st.lists(st.tuples(st.text(max_size=20), st.one_of(scalars, st.lists(scalars, max_size=3))), max_size=6))
def test_any_input_gives_clean_text(pairs: list[tuple[str, object]]) -> None:
    """Whatever is sent, names are lower case and not empty, and values are clean text that stays as it is."""
    found = normalise_parameters(pairs)
    for name, values in found.items():
        assert name
        assert values
        assert all(value and value == value.strip() and not is_unexpanded(value) for value in values)
        assert len(set(values)) == len(values)
    assert single(found).keys() == found.keys()


@pytest.mark.quirk("C20", "C22")
def test_parameters_in_an_address() -> None:
    """Parameters are added once each, empty ones never (Canvas breaks on them), and what was there stays."""
    url = add_custom_parameters(
        "https://tool.example/a?custom_page=Start&x=1", {"page": "End", "none": "", "unit": "a b"}
    )
    assert url == "https://tool.example/a?custom_page=Start&x=1&custom_unit=a%20b"
    assert read_url_parameters(url) == [("custom_page", "Start"), ("custom_unit", "a b")]
    assert add_custom_parameters("https://tool.example/a", {"none": ""}) == "https://tool.example/a"


@given(st.text("abz%+&=;2FfCc3é\N{SNOWMAN}-._~ \t/?#", max_size=40))
def test_a_form_is_read_as_by_the_standard_library(text: str) -> None:
    """Whatever is accepted has the same fields as `parse_qsl` reads, blank ones and repeated ones too."""
    try:
        form = parse_form(text.encode())
    except MalformedMessageError:
        return
    assert form == parse_qsl(text, keep_blank_values=True)


@given(st.one_of(st.text('htps:/@[]%.19a-Z?#\\<" é', max_size=30).map("http://".__add__), st.text(max_size=20)))
def test_an_address_needs_no_closer_look_only_where_that_would_find_nothing(url: str) -> None:
    """What is accepted at first sight has a host, a port if any, nothing that is not allowed - and is a web address."""
    if _PLAIN_URL.fullmatch(url):
        parts = urlsplit(url)
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert parts.port != 0
        assert not _NOT_IN_URL.search(url)
        assert is_web_url(url)


@pytest.mark.parametrize("url", ["http://lms.example:0/", "http://lms.example:65536/", "http://:80/", "http://a b/"])
def test_an_address_without_a_usable_host_is_none(url: str) -> None:
    """A port out of range or a missing host makes no address."""
    assert not is_web_url(url)
