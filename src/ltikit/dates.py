"""When the launched work is due, as far as the LMS tells: by variables in custom parameters (LTI core 1.3 C).

`$ResourceLink.submission.endDateTime`, the same for the person (`.submission.user.`), and Canvas's
`$Canvas.assignment.dueAt`, which is the date of whoever launches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ltikit import vocabulary
from ltikit.launch import Launch, Role
from ltikit.parameters import clean_value, is_custom, is_unexpanded, normalise_name

_SEPARATORS = re.compile(r"[^a-z0-9]")
_CANVAS_DATE = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")
# Names without case and separators, the more personal ones first; the variable that each stands for.
_PERSONAL: Final = {
    "resourcelinksubmissionuserenddatetime": "ResourceLink.submission.user.endDateTime",
    "submissionuserenddatetime": "ResourceLink.submission.user.endDateTime",
}
_OF_THE_LINK: Final = {
    "resourcelinksubmissionenddatetime": "ResourceLink.submission.endDateTime",
    "submissionenddatetime": "ResourceLink.submission.endDateTime",
}
_CANVAS: Final = {
    "canvasassignmentdueatiso8601": "Canvas.assignment.dueAt",
    "canvasassignmentdueat": "Canvas.assignment.dueAt",
    "assignmentdueatiso8601": "Canvas.assignment.dueAt",
    "assignmentdueat": "Canvas.assignment.dueAt",
}


@dataclass(frozen=True, slots=True)
class DueDate:
    """What a launch says about the due date of its link.

    `at` None: there is none. `source` names the variable. `is_personal`: it is the launching person's own, and others
    may have another.
    """

    at: datetime | None
    source: str
    is_personal: bool = False


def read_due_dates(launch: Launch) -> tuple[DueDate, ...]:
    """The dates that a verified launch says, at most one for the link and one for the person; () if it says nothing.

    A parameter that is there and blank says that there is no date; one whose variable was not expanded says nothing,
    except in Canvas, which leaves a variable without a value as it is. A date that cannot be read says nothing.
    """
    values = dict(_list_custom(launch))
    is_student = launch.role is Role.STUDENT
    found = (
        _read(values, _PERSONAL, launch, is_personal=True),
        _read(values, _OF_THE_LINK, launch, is_personal=False),
        _read(values, _CANVAS, launch, is_personal=is_student),
    )
    dates: dict[bool, DueDate] = {}
    for date in found:
        # A date that is there wins over the word that there is none.
        if date is not None and (date.is_personal not in dates or dates[date.is_personal].at is None):
            dates[date.is_personal] = date
    return tuple(dates.values())


def parse_date(text: str) -> datetime | None:
    """A date and time of ISO 8601 with its zone, or as Canvas writes it; None for anything else."""
    value = text.strip()
    canvas = _CANVAS_DATE.fullmatch(value)
    try:
        moment = datetime.fromisoformat(f"{canvas[1]}T{canvas[2]}+00:00" if canvas else value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _read(values: Mapping[str, str], names: Mapping[str, str], launch: Launch, *, is_personal: bool) -> DueDate | None:
    for name, source in names.items():
        value = values.get(name)
        if value is None:
            continue
        if is_unexpanded(value):
            if names is _CANVAS and launch.platform.family.casefold() == "canvas":
                return DueDate(None, source, is_personal)
            continue
        at = parse_date(clean_value(value))
        if at is not None or not value.strip():
            return DueDate(at, source, is_personal)
    return None


def _list_custom(launch: Launch) -> Iterator[tuple[str, str]]:
    """All custom parameters as they were sent, blank ones too, by their squashed names."""
    if launch.version == "1.1":
        sent = {name: value for name, value in launch.raw.items() if is_custom(name)}
    else:
        claim = launch.raw.get(vocabulary.CUSTOM)
        sent = claim if isinstance(claim, dict) else {}
    for name, value in {**launch.custom, **sent}.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, str):
                yield _SEPARATORS.sub("", normalise_name(name)), one
