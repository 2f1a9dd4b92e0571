"""What a guide to an LMS is made of: steps that each say who does them, and the values that go with them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


class Who(enum.Enum):
    """Who does a step. The owner is an owner of the organization here."""

    ADMINISTRATOR = "administrator"
    OWNER = "owner"
    TEACHER = "teacher"

    @property
    def words(self) -> Words:
        return _WHO[self]


_WHO: dict[Who, Words] = {
    Who.ADMINISTRATOR: _("LMS administrator"),
    Who.OWNER: _("Owner, here"),
    Who.TEACHER: _("Teacher"),
}


class Given(enum.Enum):
    """A value of this installation that has to be typed into an LMS."""

    KEY = "consumer_key"
    SECRET = "secret"  # noqa: S105 - the name of the field; it is shown on demand only
    XML_URL = "xml_url"
    LAUNCH_URL = "launch_url"
    LOGIN_URL = "login_url"
    REDIRECT_URL = "redirect_url"
    KEYSET_URL = "keyset_url"
    SELECTION_URL = "deep_linking_url"
    CANVAS_JSON_URL = "canvas_json_url"
    DOMAIN = "domain"
    COURSE_VARIABLES = "course_variables"  # several lines; a course and its copies are recognised by them


@dataclass(frozen=True, slots=True)
class Step:
    """`text` is Markdown; `**…**` marks the names on the LMS's own pages, which are not translated.

    `values` are given in the order of the LMS's form, each with the label that the field has there.
    """

    who: Who
    text: Words
    values: tuple[tuple[Given, str], ...] = ()
    adds: bool = False  # here the key is made, or the registration


@dataclass(frozen=True, slots=True)
class Guide:
    """`known` are values that are the same for every installation of the LMS; the form begins with them."""

    key: str
    name: Words
    version: str  # of LTI: "1.1" or "1.3"
    families: tuple[str, ...]  # what the LMS calls itself in launches, or parts of it; none: any
    steps: tuple[Step, ...]
    about: Words = ""
    notes: tuple[Words, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
