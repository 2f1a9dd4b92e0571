"""A course as text: what `course.yaml` may hold, and what it means.

`parse_course` gives plain frozen dataclasses, or one `CourseFormatError` that names every mistake with its place.
Nothing is looked up and nothing is stored here; `importing.py` makes rows of the result.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext as _

from courseway.courses.models import LatePer
from courseway.courses.text_sources import NoFiles, SourceError, TextSource
from courseway.courses.yaml_fields import FORBIDDEN, CourseFormatError, FieldReader, Fields, Problem, clean_text
from courseway.courses.yaml_tree import Node, YamlError, read_tree

__all__ = ["CourseFormatError", "ParsedCourse", "Problem", "parse_course"]

COURSE_KEYS = ("title", "published", "modules")
MODULE_KEYS = ("title", "assignments")
ASSIGNMENT_KEYS = ("title", "key", "points", "due_at", "late", "attempts", "published", "pages")
LATE_KEYS = ("percent", "per", "floor")
PAGE_KEYS = ("title", "key", "text", "text_file", "questions")
KEYS_OF_KIND = {
    "choice": ("options", "answer"),
    "choices": ("options", "answers"),
    "number": ("answer", "tolerance"),
    "text": ("answers",),
    "ordering": ("items",),
    "file": ("file_types",),
}
_KEYS_OF_KINDS = tuple(dict.fromkeys(name for names in KEYS_OF_KIND.values() for name in names))
QUESTION_KEYS = ("kind", "key", "text", "points", *_KEYS_OF_KINDS)

MAX_TEXT = 200_000  # characters in one page or question
MAX_TEXT_OF_COURSE = 20_000_000
MAX_ANSWER = 500
FILE_TYPE = re.compile(r"[a-z0-9]{1,10}(?:\.[a-z0-9]{1,10})?")
# Aliases let a small text stand for a large course, so rows are counted as they are read.
MAX_COUNTS = {"modules": 1_000, "assignments": 10_000, "pages": 30_000, "questions": 60_000, "answers": 300_000}
DEFAULT_POINTS = Decimal(100)


@dataclass(frozen=True, slots=True)
class ParsedQuestion:
    key: str
    kind: str
    text: str
    body: dict[str, Any]  # as `courses.models.Question.body`
    points: Decimal


@dataclass(frozen=True, slots=True)
class ParsedPage:
    key: str
    title: str
    text: str
    questions: tuple[ParsedQuestion, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedLate:
    """What handing in late costs: percentage points for each day or hour begun, down to a floor."""

    percent: Decimal = Decimal(0)
    per: str = LatePer.DAY
    floor: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ParsedAssignment:
    key: str
    title: str
    points: Decimal
    due_at: datetime | None = None
    attempts: int = 1
    published: bool = True
    pages: tuple[ParsedPage, ...] = ()
    late: ParsedLate = ParsedLate()


@dataclass(frozen=True, slots=True)
class ParsedModule:
    title: str
    assignments: tuple[ParsedAssignment, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedCourse:
    title: str
    published: bool = True
    modules: tuple[ParsedModule, ...] = field(default=())

    @property
    def assignment_count(self) -> int:
        return sum(len(module.assignments) for module in self.modules)


def parse_course(text: str, source: TextSource | None = None) -> ParsedCourse:
    """The course that `text` describes; `source` gives the files that `text_file` names."""
    try:
        root = read_tree(text)
    except YamlError as error:
        raise CourseFormatError([Problem("", error.message, error.line)]) from error
    reader = _CourseReader(source or NoFiles())
    course = reader.read_course(root)
    if reader.problems:
        raise CourseFormatError(reader.problems)
    return course


class _Keys:
    """Keys of one scope: the authors' own first, then keys made from titles, which never collide with them."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.taken: set[str] = set()
        self.numbers: dict[str, int] = {}  # the last number given to a stem, so that equal titles cost nothing

    def claim(self, key: str) -> bool:
        is_new = key.casefold() not in self.taken
        self.taken.add(key.casefold())
        return is_new

    def make(self, title: str) -> str:
        # A title without any Latin letter still gets the same key each time.
        stem = slugify(title)[:60].strip("-_") or f"{self.noun}-{hashlib.sha256(title.encode()).hexdigest()[:8]}"
        number = self.numbers.get(stem, 1)
        key = stem if number == 1 else f"{stem}-{number}"
        while not self.claim(key):
            number += 1
            key = f"{stem}-{number}"
        self.numbers[stem] = number
        return key


class _CourseReader(FieldReader):
    def __init__(self, source: TextSource) -> None:
        super().__init__()
        self.source = source
        self.counts = dict.fromkeys(MAX_COUNTS, 0)
        self.text_size = 0

    # Keys that authors wrote are collected before any key is made, so that the order of the text does not matter.

    def read_course(self, root: Node) -> ParsedCourse:
        fields = self.open_mapping(root, "", COURSE_KEYS)
        if fields is None:
            return ParsedCourse("")
        title = self.read_title(fields)
        published = self.read_bool(fields, "published", default=True)
        keys = _Keys("assignment")
        drafts = [self._read_module(node, place, keys) for place, node in self.read_list(fields, "modules")]
        modules = tuple(
            ParsedModule(module_title, tuple(finish() for finish in unfinished)) for module_title, unfinished in drafts
        )
        return ParsedCourse(title, published, modules)

    def _read_module(self, node: Node, place: str, keys: _Keys) -> tuple[str, list[Callable[[], ParsedAssignment]]]:
        self._count("modules", place, node)
        fields = self.open_mapping(node, place, MODULE_KEYS)
        if fields is None:
            return "", []
        items = self.read_list(fields, "assignments")
        return self.read_title(fields), [self._read_assignment(item, at, keys) for at, item in items]

    def _read_assignment(self, node: Node, place: str, keys: _Keys) -> Callable[[], ParsedAssignment]:
        self._count("assignments", place, node)
        fields = self.open_mapping(node, place, ASSIGNMENT_KEYS)
        if fields is None:
            return lambda: ParsedAssignment("", "", DEFAULT_POINTS)
        title = self.read_title(fields)
        key = self._claim_key(fields, keys)
        points = self.read_points(fields, "points", lowest=Decimal("0.01"), default=Decimal(0))
        due_at = self.read_time(fields, "due_at")
        late = self._read_late(fields)
        attempts = self.read_whole_number(fields, "attempts", default=1, highest=1_000_000)
        published = self.read_bool(fields, "published", default=True)
        pages = self._read_pages(fields)

        def finish() -> ParsedAssignment:
            earned = sum((question.points for page in pages for question in page.questions), Decimal(0))
            return ParsedAssignment(
                key or keys.make(title),
                title,
                points or earned or DEFAULT_POINTS,
                due_at,
                attempts,
                published,
                pages,
                late,
            )

        return finish

    def _read_late(self, fields: Fields) -> ParsedLate:
        if not fields.has("late"):
            return ParsedLate()
        late = self.open_mapping(fields.entries["late"], fields.place_of("late"), LATE_KEYS)
        if late is None:
            return ParsedLate()
        percent, floor = (
            self.read_points(late, name, lowest=Decimal(0), highest=Decimal(100), default=Decimal(0))
            for name in ("percent", "floor")
        )
        per = self.read_word(late, "per", LatePer.values) if late.has("per") else ""
        return ParsedLate(percent, per or LatePer.DAY, floor)

    def _read_pages(self, fields: Fields) -> tuple[ParsedPage, ...]:
        page_keys, question_keys = _Keys("page"), _Keys("question")
        drafts = [self._read_page(node, at, page_keys, question_keys) for at, node in self.read_list(fields, "pages")]
        return tuple(
            ParsedPage(
                key or page_keys.make(title),
                title,
                text,
                tuple(
                    ParsedQuestion(
                        question.key or question_keys.make(question.text),
                        question.kind,
                        question.text,
                        question.body,
                        question.points,
                    )
                    for question in questions
                ),
            )
            for key, title, text, questions in drafts
        )

    def _read_page(
        self, node: Node, place: str, keys: _Keys, question_keys: _Keys
    ) -> tuple[str, str, str, list[ParsedQuestion]]:
        self._count("pages", place, node)
        fields = self.open_mapping(node, place, PAGE_KEYS)
        if fields is None:
            return "", "", "", []
        title, key, text = self.read_title(fields), self._claim_key(fields, keys), self._read_page_text(fields)
        questions = self.read_list(fields, "questions")
        return key, title, text, [self._read_question(item, at, question_keys) for at, item in questions]

    def _read_page_text(self, fields: Fields) -> str:
        if not fields.has("text_file"):
            text = self.read_text(fields, "text", MAX_TEXT)
        elif fields.has("text"):
            self.note_field(fields, "text_file", _("stands beside “text”; keep one of the two"))
            return ""
        else:
            text = self._read_text_file(fields)
        self._count_text(len(text), fields)
        return text

    def _read_text_file(self, fields: Fields) -> str:
        name = self.read_title(fields, "text_file", 500)
        if not name:
            return ""
        try:
            text = clean_text(self.source.read(name, MAX_TEXT * 4).decode("utf-8"))
        except SourceError as error:
            self.note_field(fields, "text_file", str(error))
        except UnicodeDecodeError:
            self.note_field(fields, "text_file", _("%(name)s is not UTF-8 text") % {"name": name})
        else:
            if FORBIDDEN.search(text):
                self.note_field(fields, "text_file", _("%(name)s is not a text file") % {"name": name})
            elif len(text) > MAX_TEXT:
                limit = {"name": name, "limit": MAX_TEXT}
                self.note_field(fields, "text_file", _("%(name)s has more than %(limit)s characters") % limit)
            else:
                return text
        return ""

    def _read_question(self, node: Node, place: str, keys: _Keys) -> ParsedQuestion:
        self._count("questions", place, node)
        empty = ParsedQuestion("", "text", "", {}, Decimal(0))
        fields = self.open_mapping(node, place, QUESTION_KEYS)
        if fields is None:
            return empty
        key = self._claim_key(fields, keys)
        noted = len(self.problems)
        text = self.read_text(fields, "text", MAX_TEXT).strip()
        if not text and noted == len(self.problems):
            self.note_field(fields, "text", _("is missing"))
        self._count_text(len(text), fields)
        points = self.read_points(fields, "points", lowest=Decimal(0), default=Decimal(1))
        kind = self.read_word(fields, "kind", tuple(KEYS_OF_KIND))
        if not kind:
            return empty
        for name in _KEYS_OF_KINDS:
            if fields.has(name) and name not in KEYS_OF_KIND[kind]:
                self.note_field(fields, name, _("does not belong to a question of the kind %(kind)s") % {"kind": kind})
        read_body = {
            "choice": self._read_choice,
            "choices": self._read_choices,
            "number": self._read_number_body,
            "text": self._read_answers,
            "ordering": self._read_items,
            "file": self._read_file_types,
        }[kind]
        return ParsedQuestion(key, kind, text, read_body(fields), points)

    def _read_choice(self, fields: Fields) -> dict[str, Any]:
        options = self._read_different_lines(fields, "options")
        answer = self.read_title(fields, "answer", MAX_ANSWER)
        self._check_offered(fields, "answer", [answer] if answer else [], options)
        return {"options": options, "answer": answer}

    def _read_choices(self, fields: Fields) -> dict[str, Any]:
        options = self._read_different_lines(fields, "options")
        answers = self._read_different_lines(fields, "answers", fewest=1)
        self._check_offered(fields, "answers", answers, options)
        return {"options": options, "answers": answers}

    def _read_items(self, fields: Fields) -> dict[str, Any]:
        return {"items": self._read_different_lines(fields, "items")}

    def _read_file_types(self, fields: Fields) -> dict[str, Any]:
        """Endings of file names without the point, in small letters; none means any."""
        types = self._read_lines(fields, "file_types") if fields.has("file_types") else []
        endings = list(dict.fromkeys(one.lower().lstrip(".*") for one in types))
        for ending in endings:
            if not FILE_TYPE.fullmatch(ending):
                self.note_field(fields, "file_types", _("“%(type)s” is no ending such as pdf") % {"type": ending[:40]})
        return {"file_types": endings} if endings else {}

    def _read_different_lines(self, fields: Fields, name: str, *, fewest: int = 2) -> list[str]:
        lines = self._read_lines(fields, name)
        if lines and len(lines) < fewest:
            self.note_field(fields, name, _("must offer at least two"))
        for line in sorted({line for line in lines if lines.count(line) > 1}):
            self.note_field(fields, name, _("“%(option)s” stands here twice") % {"option": line})
        return lines

    def _check_offered(self, fields: Fields, name: str, answers: list[str], options: list[str]) -> None:
        if options and not set(answers) <= set(options):
            offered = ", ".join(f"“{option[:40]}”" for option in options[:6]) + (" …" if len(options) > 6 else "")
            self.note_field(fields, name, _("must be one of the options: %(offered)s") % {"offered": offered})

    def _read_number_body(self, fields: Fields) -> dict[str, Any]:
        if not fields.has("answer"):
            self.note_field(fields, "answer", _("is missing"))
        answer = self.read_number(fields, "answer", default=Decimal(0))
        tolerance = self.read_number(fields, "tolerance", default=Decimal(0))
        if tolerance < 0:
            self.note_field(fields, "tolerance", _("must not be below 0"))
        return {"answer": write_decimal(answer), "tolerance": write_decimal(tolerance)}

    def _read_answers(self, fields: Fields) -> dict[str, Any]:
        return {"answers": self._read_lines(fields, "answers")}

    def _read_lines(self, fields: Fields, name: str) -> list[str]:
        lines, noted = [], len(self.problems)
        for place, node in self.read_list(fields, name, required=True):
            self._count("answers", place, node)
            lines.append(self.read_line(node, place, MAX_ANSWER))
        if not lines and noted == len(self.problems):
            self.note_field(fields, name, _("must not be empty"))
        return [line for line in lines if line]

    def _claim_key(self, fields: Fields, keys: _Keys) -> str:
        key = self.read_key(fields)
        if key and not keys.claim(key):
            self.note_field(fields, "key", _("“%(key)s” is taken by an earlier one") % {"key": key})
        return key

    def _count(self, what: str, place: str, node: Node) -> None:
        self.counts[what] += 1
        if self.counts[what] > MAX_COUNTS[what]:
            limit = {"limit": MAX_COUNTS[what], "what": what}
            self.problems.append(Problem(place, _("is one too many: a course has at most %(limit)s %(what)s") % limit))
            raise CourseFormatError(self.problems)

    def _count_text(self, size: int, fields: Fields) -> None:
        self.text_size += size
        if self.text_size > MAX_TEXT_OF_COURSE:
            limit = {"limit": MAX_TEXT_OF_COURSE // 1_000_000}
            message = _("a course has at most %(limit)s million characters in its pages and questions") % limit
            self.problems.append(Problem(fields.place, message, fields.line))
            raise CourseFormatError(self.problems)


def write_decimal(number: Decimal) -> str:
    """A decimal as people write it: digits as given, never an exponent, never a negative zero."""
    return format(number if number else abs(number), "f")
