"""Due dates in launches of both versions, in every spelling, and what is no date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit import vocabulary
from ltikit.dates import DueDate, parse_date, read_due_dates
from ltikit.vocabulary import CANVAS_VARIABLES
from tests.ltikit.v11 import signed_forms
from tests.ltikit.v13.platform import launch, make_claims

AT = datetime(2026, 12, 1, 22, 59, tzinfo=UTC)
OF_THE_LINK = DueDate(AT, "ResourceLink.submission.endDateTime")
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
STUDENT = {vocabulary.ROLES: [f"{MEMBERSHIP}Learner"]}
TEACHER = {vocabulary.ROLES: [f"{MEMBERSHIP}Instructor"]}


def read_13(custom: dict[str, Any], **changes: Any) -> tuple[DueDate, ...]:
    return read_due_dates(launch({**make_claims(custom=custom), **changes}))


def read_11(**fields: str) -> tuple[DueDate, ...]:
    return read_due_dates(signed_forms.launch(**fields))


@pytest.mark.parametrize(
    "name",
    [
        "ResourceLink.submission.endDateTime",
        "resource_link_submission_end_date_time",
        "custom_codio_resourcelink_submission_enddatetime",
        "submission_end_date_time",
    ],
)
def test_spellings(name: str) -> None:
    """However a custom parameter spells the variable, the date is read, with its zone taken into account."""
    assert read_13({name: "2026-12-01T23:59:00+01:00"}) == (OF_THE_LINK,)
    assert read_11(**{f"custom_{name}": "2026-12-01T23:59:00+01:00"}) == (OF_THE_LINK,)


def test_the_parameters_we_ask_for_are_the_ones_we_read() -> None:
    """The custom parameters of our configurations, expanded, arrive as dates."""
    asked = [name for name, variable in CANVAS_VARIABLES.items() if "DateTime" in variable or "dueAt" in variable]
    assert len(asked) >= 2
    for name in asked:
        assert read_13({name: "2026-12-01T22:59:00Z"})[0].at == AT


def test_a_blank_says_that_there_is_no_date() -> None:
    """LTI's dates may be blank: then there is none, which is not the same as nothing said."""
    assert read_13({"submission_end_date_time": ""}) == (DueDate(None, "ResourceLink.submission.endDateTime"),)
    assert read_11(custom_submission_end_date_time=" ") == (DueDate(None, "ResourceLink.submission.endDateTime"),)
    assert read_13({}) == ()


def test_an_unexpanded_variable_says_nothing() -> None:
    """Moodle leaves the variable as it is: nobody knows a date. Canvas does so where there is none."""
    assert read_13({"submission_end_date_time": "$ResourceLink.submission.endDateTime"}) == ()
    canvas = {vocabulary.TOOL_PLATFORM: {"product_family_code": "canvas"}}
    custom = {"canvas_assignment_due_at": "$Canvas.assignment.dueAt.iso8601"}
    assert read_13(custom) == ()
    assert read_13(custom, **canvas, **STUDENT) == (DueDate(None, "Canvas.assignment.dueAt", is_personal=True),)


def test_canvas_tells_everybody_their_own_date() -> None:
    """Canvas's date is that of whoever launches: a student's own, a teacher's that of all."""
    custom = {"canvas_assignment_due_at": "2026-12-01 22:59:00 UTC"}
    assert read_13(custom, **STUDENT) == (DueDate(AT, "Canvas.assignment.dueAt", is_personal=True),)
    assert read_13(custom, **TEACHER) == (DueDate(AT, "Canvas.assignment.dueAt"),)


def test_a_date_of_the_link_and_one_of_the_person() -> None:
    """Both may be there; each is told apart."""
    found = read_13(
        {
            "ResourceLink.submission.endDateTime": "2026-12-01T22:59:00Z",
            "ResourceLink.submission.user.endDateTime": "2026-12-08T22:59:00Z",
        }
    )
    assert set(found) == {
        OF_THE_LINK,
        DueDate(datetime(2026, 12, 8, 22, 59, tzinfo=UTC), "ResourceLink.submission.user.endDateTime", True),
    }


@pytest.mark.parametrize(
    "text", ["2026-12-01", "2026-12-01T22:59:00", "tomorrow", "0", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_date(text: str) -> None:
    """A date without time or zone, and nonsense, are no dates: nobody's work is late because of them."""
    assert parse_date(text) is None
    assert read_13({"submission_end_date_time": text}) == ()


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    """Whatever stands there is a moment with a zone, or nothing."""
    at = parse_date(text)
    assert at is None or at.tzinfo is not None


@given(st.datetimes(timezones=st.timezones()))
def test_every_moment_is_read_as_it_was_written(moment: datetime) -> None:
    """ISO 8601 with a zone gives the same moment back."""
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        expected = None
    assert parse_date(moment.isoformat()) == expected
