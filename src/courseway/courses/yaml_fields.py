"""Reads the fields of a YAML mapping into values, and notes every mistake with its place instead of stopping."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar

from django.utils.translation import gettext as _

from courseway.courses.yaml_tree import Mapping, Node, Scalar, Sequence

MAX_PROBLEMS = 100
MAX_TITLE = 255
HIGHEST_POINTS = Decimal("9999999.99")
KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
NUMBER = re.compile(r"[-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,2})?")
FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
YES = {"true", "yes", "on"}
NO = {"false", "no", "off"}

Value = TypeVar("Value")
Default = TypeVar("Default")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `place` is a path such as modules[0].title; `line` is 0 where no line can be named."""

    place: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        line = " " + _("(line %(line)s)") % {"line": self.line} if self.line else ""
        return f"{self.place}: {self.message}{line}" if self.place else f"{self.message}{line}"


PROBLEMS_SAID = 10  # in one line; a page lists them all


class CourseFormatError(Exception):
    """The text is no course. `problems` lists every mistake that was found, in the order of the text."""

    def __init__(self, problems: ListOf[Problem]) -> None:
        self.problems = tuple(problems)
        said = [str(problem) for problem in self.problems[:PROBLEMS_SAID]]
        if left := len(self.problems) - len(said):
            said.append(_("and %(n)d more") % {"n": left})
        super().__init__("; ".join(said))


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one mapping, and where it stands."""

    place: str
    line: int
    entries: dict[str, Node]

    def place_of(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def line_of(self, name: str) -> int:
        return self.entries[name].line if name in self.entries else self.line

    def has(self, name: str) -> bool:
        node = self.entries.get(name)
        return node is not None and not (isinstance(node, Scalar) and node.is_null)


class FieldReader:
    """Typed access to fields; each mistake becomes a `Problem` and a harmless value in its place."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def note(self, place: str, message: str, line: int = 0) -> None:
        self.problems.append(Problem(place, message, line))
        if len(self.problems) >= MAX_PROBLEMS:
            self.problems.append(Problem("", _("There are more mistakes; mend these first.")))
            raise CourseFormatError(self.problems)

    def note_field(self, fields: Fields, name: str, message: str) -> None:
        self.note(fields.place_of(name), message, fields.line_of(name))

    def open_mapping(self, node: Node, place: str, known: ListOf[str]) -> Fields | None:
        if not isinstance(node, Mapping):
            self.note(place, _("must be a mapping with the keys %(known)s") % {"known": ", ".join(known)}, node.line)
            return None
        for name, value in node.entries.items():
            if name not in known:
                guess = get_close_matches(name, known, 1)
                hint = _("did you mean “%(guess)s”?") % {"guess": guess[0]} if guess else ", ".join(known)
                key = name[:80].encode("unicode_escape").decode() if not name.isprintable() else name[:80]
                self.note(
                    f"{place}.{key}" if place else key,
                    _("is not a key that is known here; %(hint)s") % {"hint": hint},
                    value.line,
                )
        return Fields(place, node.line, node.entries)

    def read_list(self, fields: Fields, name: str, *, required: bool = False) -> Iterator[tuple[str, Node]]:
        """The items of a list, each with its place."""
        if not fields.has(name):
            if required:
                self.note_field(fields, name, _("is missing"))
            return
        node = fields.entries[name]
        if not isinstance(node, Sequence):
            self.note_field(fields, name, _("must be a list"))
            return
        for index, item in enumerate(node.items):
            yield f"{fields.place_of(name)}[{index}]", item

    def read_line(self, node: Node, place: str, limit: int = MAX_TITLE) -> str:
        """Text of one line; runs of blanks count as one."""
        text = self._read_scalar(node, place)
        if text is None:
            return ""
        line = " ".join(text.split())
        if not line:
            self.note(place, _("must not be empty"), node.line)
        elif len(line) > limit:
            self.note(place, _("is longer than %(limit)s characters") % {"limit": limit}, node.line)
        return line

    def read_title(self, fields: Fields, name: str = "title", limit: int = MAX_TITLE) -> str:
        if not fields.has(name):
            self.note_field(fields, name, _("is missing"))
            return ""
        return self.read_line(fields.entries[name], fields.place_of(name), limit)

    def read_text(self, fields: Fields, name: str, limit: int) -> str:
        """Text of several lines; empty when absent."""
        if not fields.has(name):
            return ""
        node = fields.entries[name]
        text = clean_text(self._read_scalar(node, fields.place_of(name)) or "")
        if len(text) > limit:
            self.note_field(fields, name, _("is longer than %(limit)s characters") % {"limit": limit})
            return ""
        return text

    def read_word(self, fields: Fields, name: str, words: ListOf[str]) -> str:
        """One of the given words; empty after a mistake."""
        value = self._read_scalar(fields.entries[name], fields.place_of(name)) if fields.has(name) else ""
        if value is not None and value in words:
            return value
        if value is not None:
            self.note_field(fields, name, _("must be one of %(words)s") % {"words": ", ".join(words)})
        return ""

    def read_key(self, fields: Fields) -> str:
        """The author's own key; empty when absent, so that one is made from the title."""
        if not fields.has("key"):
            return ""
        key = self._read_scalar(fields.entries["key"], fields.place_of("key"))
        if key is not None and not KEY.fullmatch(key):
            self.note_field(fields, "key", _("may hold letters a-z, digits, - and _ only, at most 100"))
        return key or ""

    def read_bool(self, fields: Fields, name: str, *, default: bool) -> bool:
        def parse(text: str) -> bool | None:
            return True if text.lower() in YES else False if text.lower() in NO else None

        return self._read(fields, name, parse, default, _("must be true or false"))

    def read_whole_number(self, fields: Fields, name: str, *, default: int, highest: int) -> int:
        def parse(text: str) -> int | None:
            number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
            return number if number is not None and number <= highest else None

        message = _("must be a whole number from 0 to %(highest)s") % {"highest": highest}
        return self._read(fields, name, parse, default, message)

    def read_number(self, fields: Fields, name: str, *, default: Decimal) -> Decimal:
        """Any decimal number, exactly as written."""
        return self._read(fields, name, parse_number, default, _("must be a number such as 2.5"))

    def read_points(
        self, fields: Fields, name: str, *, lowest: Decimal, default: Decimal, highest: Decimal = HIGHEST_POINTS
    ) -> Decimal:
        """Points have at most two places after the point and fit their column."""

        def parse(text: str) -> Decimal | None:
            number = parse_number(text)
            if number is None or not lowest <= number <= highest or number != round(number, 2):
                return None
            return number

        message = _("must be a number from %(lowest)s to %(highest)s with at most two decimal places") % {
            "lowest": lowest,
            "highest": highest,
        }
        return self._read(fields, name, parse, default, message)

    def read_time(self, fields: Fields, name: str) -> datetime | None:
        example = "2026-12-01T23:59:00+01:00"
        message = _("must be a date and time with its offset, such as %(example)s") % {"example": example}
        return self._read(fields, name, parse_time, None, message)

    def _read(
        self, fields: Fields, name: str, parse: Callable[[str], Value | None], default: Default, message: str
    ) -> Value | Default:
        if not fields.has(name):
            return default
        text = self._read_scalar(fields.entries[name], fields.place_of(name))
        value = parse(text.strip()) if text is not None else None
        if value is None and text is not None:
            self.note_field(fields, name, message)
        return default if value is None else value

    def _read_scalar(self, node: Node, place: str) -> str | None:
        if not isinstance(node, Scalar):
            self.note(place, _("must be text, not a list or a mapping"), node.line)
            return None
        if FORBIDDEN.search(node.text):
            self.note(place, _("holds a control character"), node.line)
            return None
        return node.text


def parse_number(text: str) -> Decimal | None:
    return Decimal(text) if NUMBER.fullmatch(text) else None


def parse_time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        # An instant that falls out of the calendar in UTC cannot be stored.
        return at if at.tzinfo is not None and at.astimezone(UTC).year >= 1900 else None
    except (ValueError, OverflowError):
        return None


def clean_text(text: str) -> str:
    """Line ends as \\n whatever the author's editor writes, and no byte-order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
