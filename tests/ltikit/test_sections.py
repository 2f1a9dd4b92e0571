"""Sections in launches of both versions, by the most telling parameter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.sections import MAX_NAME, MAX_SECTIONS, read_sections
from tests.ltikit.v11 import signed_forms
from tests.ltikit.v13.platform import launch, make_claims


def read_13(custom: dict[str, Any]) -> tuple[str, ...]:
    return read_sections(launch(make_claims(custom=custom)))


@pytest.mark.parametrize(
    ("name", "value", "sections"),
    [
        ("com.instructure.User.sectionNames", '["Lab A, first", "Lab B"]', ("Lab A, first", "Lab B")),
        ("canvas_section_names", '["Lab A"]', ("Lab A",)),
        ("section", "A, B", ("A", "B")),
        ("sections", "  A  ", ("A",)),
        ("canvas_course_sectionids", "12,13", ("12", "13")),
        ("CourseSection.label", "Three", ("Three",)),
        ("com.instructure.User.sectionNames", "$com.instructure.User.sectionNames", ()),
        ("section", "[not json", ("[not json",)),
    ],
)
def test_parameters(name: str, value: str, sections: tuple[str, ...]) -> None:
    """Every usual spelling is read, a JSON list as a list; what was not expanded says nothing."""
    assert read_13({name: value}) == sections


def test_names_come_before_ids() -> None:
    """Where both are sent the names are taken, which people can read."""
    assert read_13({"canvas_course_section_ids": "12", "section_names": '["Lab A"]'}) == ("Lab A",)


def test_the_sis_id_of_the_section() -> None:
    """Without a parameter the section's own id is its name."""
    assert read_sections(signed_forms.launch()) == ("CS1-2026-A",)
    assert read_sections(signed_forms.launch(lis_course_section_sourcedid=None)) == ()


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)


@given(text | st.lists(text, max_size=80).map(json.dumps))
def test_any_value_gives_names_that_can_be_stored(value: str) -> None:
    """Whatever is sent, there are few names, short ones, each once."""
    found = read_13({"section": value})
    assert len(found) <= MAX_SECTIONS
    assert len(set(found)) == len(found)
    assert all(0 < len(name) <= MAX_NAME and name.isprintable() for name in found)
