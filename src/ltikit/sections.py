"""Which sections of the LMS course the launching person is in, as far as custom parameters and LIS ids tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from ltikit.launch import Launch
from ltikit.parameters import split_list

MAX_SECTIONS: Final = 50
MAX_NAME: Final = 255

_SEPARATORS = re.compile(r"[^a-z0-9]")
# Names come before ids: a teacher reads them. Without case and separators, so that every usual spelling is found.
_PARAMETERS: Final = (
    "cominstructureusersectionnames",  # Canvas, a JSON list
    "canvassectionnames",
    "usersectionnames",
    "sectionnames",
    "canvascoursesectionsissourceids",
    "coursesectionlabel",  # LTI core 1.3 C, CourseSection.label
    "coursesectiontitle",
    "canvascoursesectionids",
    "sections",
    "section",
    "coursesectionsourcedid",
)


def read_sections(launch: Launch) -> tuple[str, ...]:
    """Names of the person's sections, by the most telling parameter that the launch has; () if it tells none.

    `$com.instructure.User.sectionNames`, `$CourseSection.label`, `$Canvas.course.sectionIds`, a custom parameter
    `section`, else the id of the section (`lis_course_section_sourcedid`). Variables left unexpanded do not count.
    """
    squashed = {_SEPARATORS.sub("", name): values for name, values in launch.custom_lists.items()}
    for parameter in _PARAMETERS:
        names = tuple(dict.fromkeys(_split(squashed.get(parameter, ()))))
        if names:
            return names[:MAX_SECTIONS]
    section = launch.context.section_sourcedid.strip() if launch.context else ""
    return (section,) if 0 < len(section) <= MAX_NAME and section.isprintable() else ()


def _split(values: tuple[str, ...]) -> Iterator[str]:
    for value in values:
        for name in _read_json(value) or split_list([value]):
            text = " ".join(name.split())
            if text and text.isprintable():
                yield text[:MAX_NAME]


def _read_json(value: str) -> list[str]:
    if not value.startswith("["):
        return []
    try:
        names = json.loads(value)
    except (ValueError, RecursionError):
        return []
    return [str(name) for name in names if isinstance(name, str | int)] if isinstance(names, list) else []
