"""The LTI/LMS settings of a course: what each may be, and how they change together or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from courseway.courses.models import Course

SWITCHES: Final = (
    "lti_enabled",
    "constant_urls",
    "course_copy",
    "hide_not_started",
    "filter_learners_for_mentors",
    "enroll_only",
    "provide_feedback_link",
    "release_grades_automatically",
    "ignore_lms_due_dates",
    "open_in_frame",
    "published",
)
SIZES: Final = ("iframe_width", "iframe_height")
# The order in which people read them.
SETTINGS: Final = (
    "lti_enabled",
    "lms_url",
    "constant_urls",
    "course_copy",
    "hide_not_started",
    "filter_learners_for_mentors",
    "enroll_only",
    "provide_feedback_link",
    "release_grades_automatically",
    "ignore_lms_due_dates",
    "iframe_width",
    "iframe_height",
    "open_in_frame",
    "published",
)
ON: Final = {"true", "on", "yes", "1"}
OFF: Final = {"false", "off", "no", "0"}
LOWEST_SIZE: Final = 200
HIGHEST_SIZE: Final = 10_000
MAX_URL: Final = 2000


@dataclass(frozen=True, slots=True)
class SettingProblem:
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class CourseSettingsError(Exception):
    """Nothing was changed; `problems` names every setting that cannot be as asked."""

    def __init__(self, problems: list[SettingProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in problems))


def read_settings(course: Course) -> dict[str, Any]:
    return {name: getattr(course, name) for name in SETTINGS}


def set_course_settings(course: Course, changes: Mapping[str, Any]) -> frozenset[str]:
    """Saves the changes, all in one, and gives the names of the settings that are different now.

    Values may be texts ("true", "1000") or already of their kind. Whoever switches `release_grades_automatically` on
    also releases what is completed: that is the work of the caller, who stands above this room.
    """
    with transaction.atomic():
        current = Course.objects.select_for_update().get(pk=course.pk)
        wished = check_course_settings(current, changes)
        changed = frozenset(name for name, value in wished.items() if getattr(current, name) != value)
        for name in changed:
            setattr(current, name, wished[name])
        if changed:
            current.save(update_fields=sorted(changed))
    for name in SETTINGS:
        setattr(course, name, getattr(current, name))
    return changed


def check_course_settings(course: Course, changes: Mapping[str, Any]) -> dict[str, Any]:
    """All settings as they would be with the changes. Saves nothing; raises CourseSettingsError as saving would."""
    problems: list[SettingProblem] = []
    values: dict[str, Any] = {}
    for name, given in changes.items():
        try:
            values[name] = _clean(name, given)
        except ValueError as error:
            problems.append(SettingProblem(name, str(error)))
    wished = {**read_settings(course), **values}
    if wished["course_copy"] and not wished["constant_urls"]:
        problems.append(SettingProblem("course_copy", explain_copy_needs_constant_urls()))
    if problems:
        raise CourseSettingsError(problems)
    return wished


def explain_copy_needs_constant_urls() -> str:
    return _(
        "needs constant_urls, since only an address without a course in it can open the copy; "
        "switch both on, together if you like"
    )


def clean_lms_url(text: str) -> str:
    """An http(s) address with a host, or nothing; ValueError says what is wrong."""
    url = text.strip()
    if not url:
        return ""
    if len(url) > MAX_URL:
        raise ValueError(_("is longer than %(limit)s characters") % {"limit": MAX_URL})
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError as error:
        raise ValueError(_("is not a web address")) from error
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError(_("must begin with https:// or http://"))
    if not parts.hostname or "@" in parts.netloc or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise ValueError(_("is not a web address"))
    return url


def _clean(name: str, given: object) -> object:
    if name in SWITCHES:
        return _clean_switch(given)
    if name in SIZES:
        return _clean_size(given)
    if name == "lms_url":
        return clean_lms_url(str(given))
    guess = get_close_matches(name, SETTINGS, 1)
    if guess:
        raise ValueError(_("is not a setting; did you mean %(guess)s?") % {"guess": guess[0]})
    raise ValueError(_("is not a setting; there are %(all)s") % {"all": ", ".join(SETTINGS)})


def _clean_switch(given: object) -> bool:
    text = str(given).strip().lower()
    if text in ON or text in OFF:
        return text in ON
    raise ValueError(_("must be true or false"))


def _clean_size(given: object) -> int:
    text = str(given).strip()
    if text.isascii() and text.isdigit() and len(text) <= 6 and LOWEST_SIZE <= int(text) <= HIGHEST_SIZE:
        return int(text)
    raise ValueError(
        _("must be a whole number of pixels from %(lowest)s to %(highest)s")
        % {"lowest": LOWEST_SIZE, "highest": HIGHEST_SIZE}
    )
