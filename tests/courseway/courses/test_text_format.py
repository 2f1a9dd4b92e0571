"""A course as text: what is read, what is refused, and how mistakes are named."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from courseway.courses.text_format import CourseFormatError, ParsedLate, parse_course
from courseway.courses.text_sources import FolderSource

EXAMPLE = """
title: Python basics
modules:
  - title: Week 1
    assignments:
      - title: Operators
        points: 10
        due_at: 2026-12-01T23:59:00+01:00
        pages:
          - title: Warm-up
            text: |
              Markdown, with `code`.
            questions:
              - {kind: choice, text: "What is 2+2?", options: ["3", "4"], answer: "4", points: 4}
              - {kind: number, text: "10/4?", answer: 2.5, tolerance: 0.01, points: 3}
              - {kind: text, text: "Who made Python?", answers: ["Guido van Rossum", "Guido"], points: 3}
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(CourseFormatError) as caught:
        parse_course(text)
    return [str(problem) for problem in caught.value.problems]


def parse_or_refuse(text: str) -> None:
    problems = ["none"]
    try:
        parse_course(text)
    except CourseFormatError as error:
        problems = [str(problem) for problem in error.problems]
    assert all(problems)
    assert problems


def one_assignment(fields: str) -> str:
    return f"title: T\nmodules: [{{title: M, assignments: [{{title: A, {fields}}}]}}]"


def one_question(fields: str) -> str:
    return one_assignment(f"pages: [{{title: P, questions: [{{{fields}}}]}}]")


def test_the_documented_example() -> None:
    """The example of the documentation gives the course that it describes."""
    course = parse_course(EXAMPLE)
    assert (course.title, course.published) == ("Python basics", True)
    (operators,) = course.modules[0].assignments
    assert (operators.key, operators.points, operators.attempts) == ("operators", Decimal(10), 1)
    assert operators.due_at == datetime(2026, 12, 1, 22, 59, tzinfo=UTC)
    (page,) = operators.pages
    assert (page.key, page.text) == ("warm-up", "Markdown, with `code`.\n")
    choice, number, text = page.questions
    assert choice.body == {"options": ["3", "4"], "answer": "4"}
    assert number.body == {"answer": "2.5", "tolerance": "0.01"}
    assert text.body == {"answers": ["Guido van Rossum", "Guido"]}
    assert [question.points for question in page.questions] == [Decimal(4), Decimal(3), Decimal(3)]


def test_scalars_stay_as_written() -> None:
    """An option is the text that stands there, also where YAML would see a number, a date or a yes."""
    course = parse_course(one_question("kind: choice, text: Q, options: [3.10, no, 2026-01-01, 0x10], answer: no"))
    question = course.modules[0].assignments[0].pages[0].questions[0]
    assert question.body == {"options": ["3.10", "no", "2026-01-01", "0x10"], "answer": "no"}


def test_every_mistake_is_named_with_its_place() -> None:
    """All mistakes come at once, each with its path and line."""
    text = """
title: Broken
modules:
  - title: Week 1
    assignments:
      - title: One
        points: ten
        atempts: 3
        due_at: 2026-12-01 23:59
      - pages:
          - title: P
          - title: Q
            questions:
              - {kind: choice, text: Q, options: [a, b], answer: c}
              - {kind: riddle, text: Q}
              - {kind: number, text: Q, answer: many, tolerance: -1}
              - {kind: text, text: Q, answers: []}
              - {kind: text, answers: [x], options: [y]}
"""
    found = problems_of(text)
    expected = [
        ("modules[0].assignments[0].atempts", "did you mean “attempts”?", "(line 8)"),
        ("modules[0].assignments[0].points", "must be a number from 0.01", "(line 7)"),
        ("modules[0].assignments[0].due_at", "date and time with its offset", "(line 9)"),
        ("modules[0].assignments[1].title", "is missing", "(line 10)"),
        ("modules[0].assignments[1].pages[1].questions[0].answer", "one of the options: “a”, “b”", "(line 14)"),
        ("modules[0].assignments[1].pages[1].questions[1].kind", "choice, choices, number", "(line 15)"),
        ("modules[0].assignments[1].pages[1].questions[2].answer", "must be a number", "(line 16)"),
        ("modules[0].assignments[1].pages[1].questions[2].tolerance", "must not be below 0", "(line 16)"),
        ("modules[0].assignments[1].pages[1].questions[3].answers", "must not be empty", "(line 17)"),
        ("modules[0].assignments[1].pages[1].questions[4].text", "is missing", "(line 18)"),
        ("modules[0].assignments[1].pages[1].questions[4].options", "does not belong", "(line 18)"),
    ]
    for place, words, line in expected:
        assert [one for one in found if one.startswith(f"{place}: ") and words in one and line in one], (place, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("- a", "must be a mapping"),
        ("title: [", "not YAML"),
        ("title: a\ntitle: b", "stands here twice"),
        ("title: a\n---\ntitle: b", "second document"),
        ("title: !!python/object/apply:os.system [ls]", "is not allowed"),
        ("title: !!binary aGk=", "is not allowed"),
        ('title: "a\\x00b"', "control character"),
        ("title: " + "x" * 256, "longer than 255"),
        ("[" * 2000, "nested too deeply"),
        ("title: a\nmodules: &m [*m]", "stands for nothing yet"),
        ("? {a: b}\n: c", "A key must be a word"),
        ("title: '" + "x" * 2_000_001 + "'", "larger than 2 MB"),
    ],
)
def test_what_is_no_course(text: str, words: str) -> None:
    """YAML that is broken, dangerous or something else is refused in plain words."""
    assert words in "; ".join(problems_of(text))


@pytest.mark.parametrize(
    "points", ["0", "-1", "0.001", "1.005", "10000000", "nan", ".inf", "1_000", "'٣'", "1e400", "[1]", "true"]
)
def test_points_that_cannot_be(points: str) -> None:
    """Points are above zero, exact to two places, and fit their column."""
    assert "assignments[0].points" in problems_of(one_assignment(f"points: {points}"))[0]


@pytest.mark.parametrize(
    ("written", "stored"),
    [("2.5", "2.5"), ("0.10", "0.10"), ("1e3", "1000"), ("-0", "0"), ("'.5'", "0.5"), ("0.1e-2", "0.001")],
)
def test_decimals_are_exact(written: str, stored: str) -> None:
    """No number goes through a binary float on its way."""
    course = parse_course(one_question(f"kind: number, text: Q, answer: {written}"))
    assert course.modules[0].assignments[0].pages[0].questions[0].body["answer"] == stored


@pytest.mark.parametrize("due", ["2026-12-01", "2026-12-01T10:00:00", "tomorrow", "0001-01-01T00:00:00+01:00"])
def test_due_dates_name_their_offset(due: str) -> None:
    """A time without an offset would mean another moment in each zone, so it is refused."""
    assert "assignments[0].due_at" in problems_of(one_assignment(f"due_at: {due}"))[0]


def test_what_being_late_costs() -> None:
    """A penalty for each day or hour, down to a floor; left out, being late costs nothing."""

    def late(fields: str) -> object:
        return parse_course(one_assignment(fields)).modules[0].assignments[0].late

    assert late("late: {percent: 10, per: hour, floor: 50}") == ParsedLate(Decimal(10), "hour", Decimal(50))
    assert late("late: {percent: 2.5}") == ParsedLate(Decimal("2.5"), "day", Decimal(0))
    assert late("points: 1") == ParsedLate()


@pytest.mark.parametrize(
    "late", ["{percent: 101}", "{percent: -1}", "{per: week}", "{floor: x}", "{fee: 1}", "10", "[]"]
)
def test_penalties_that_cannot_be(late: str) -> None:
    """A penalty that makes no sense is named with its place."""
    assert any("late" in problem for problem in problems_of(one_assignment(f"late: {late}")))


def test_points_default_to_those_of_the_questions() -> None:
    """Without points of its own an assignment is worth what its questions are, and 100 if it asks none."""
    with_questions = parse_course(one_question("kind: text, text: Q, answers: [x], points: 2.5"))
    assert with_questions.modules[0].assignments[0].points == Decimal("2.5")
    assert parse_course(one_assignment("attempts: 0")).modules[0].assignments[0].points == 100


def test_keys_are_unique_and_made_from_titles() -> None:
    """A made key never takes one that an author wrote, wherever that stands; equal titles are numbered."""
    course = parse_course(
        "title: T\nmodules: [{title: M, assignments: [{title: Loops}, {title: Loops}, {title: X, key: loops},"
        " {title: 循环}, {title: 循环}]}]"
    )
    keys = [assignment.key for assignment in course.modules[0].assignments]
    assert keys[:3] == ["loops-2", "loops-3", "loops"]
    assert keys[3].startswith("assignment-")
    assert keys[4] == f"{keys[3]}-2"


def test_a_key_may_not_be_written_twice() -> None:
    """The second use of a key is the mistake that is named."""
    text = "title: T\nmodules: [{title: M, assignments: [{title: A, key: k}, {title: B, key: K}]}]"
    assert problems_of(text) == ["modules[0].assignments[1].key: “K” is taken by an earlier one (line 2)"]


def test_aliases_cannot_blow_up_a_course() -> None:
    """A text of a few lines cannot stand for millions of rows."""
    page = "&p {title: P, questions: [" + ", ".join(["&q {kind: text, text: Q, answers: [x]}"] + ["*q"] * 199) + "]}"
    pages = f"&ps [{page}" + ", *p" * 199 + "]"
    assignments = f"&as [&a {{title: A, pages: {pages}}}" + ", *a" * 199 + "]"
    text = f"title: T\nmodules: [&m {{title: M, assignments: {assignments}}}" + ", *m" * 99 + "]"
    assert len(text) < 10_000
    assert "at most" in problems_of(text)[-1]


def test_at_most_a_hundred_mistakes_are_listed() -> None:
    """A text full of mistakes gives a list that can still be read."""
    found = problems_of("title: T\nmodules: [" + "x, " * 500 + "]")
    assert len(found) == 101
    assert "more mistakes" in found[-1]


class TestTextFiles:
    """`text_file` reads text from inside the folder, and from nowhere else."""

    def parse(self, folder: Path, name: str) -> str:
        text = one_assignment(f"pages: [{{title: P, text_file: '{name}'}}]")
        return parse_course(text, FolderSource(folder)).modules[0].assignments[0].pages[0].text

    def test_a_file_of_the_folder(self, tmp_path: Path) -> None:
        """The text of the file becomes the text of the page, with line ends of one kind."""
        (tmp_path / "pages").mkdir()
        (tmp_path / "pages" / "a.md").write_bytes("\ufeff# Größe\r\nx\r\n".encode())
        assert self.parse(tmp_path, "pages/a.md") == "# Größe\nx\n"

    @pytest.mark.parametrize("name", ["../secret.md", "/etc/passwd", "a/../../secret.md", "..\\secret.md", "link.md"])
    def test_nothing_outside_of_it(self, tmp_path: Path, name: str) -> None:
        """Neither a path nor a link leads out of the folder."""
        (tmp_path / "secret.md").write_text("secret")
        folder = tmp_path / "course"
        (folder / "a").mkdir(parents=True)
        (folder / "link.md").symlink_to(tmp_path / "secret.md")
        with pytest.raises(CourseFormatError, match="outside the folder"):
            self.parse(folder, name)

    @pytest.mark.parametrize(
        ("name", "words"), [("gone.md", "is not there"), ("folder", "is not a file"), ("latin.md", "not UTF-8")]
    )
    def test_what_cannot_be_read(self, tmp_path: Path, name: str, words: str) -> None:
        """A missing file, a folder and a file that is no text are named."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "latin.md").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(CourseFormatError, match=words):
            self.parse(tmp_path, name)

    def test_not_beside_text_and_not_without_a_folder(self) -> None:
        """A page has one text, and a course that came as one file has no files beside it."""
        assert "keep one" in problems_of(one_assignment("pages: [{title: P, text: x, text_file: a.md}]"))[0]
        assert "works only in a folder" in problems_of(one_assignment("pages: [{title: P, text_file: a.md}]"))[0]


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_gives_a_course_or_the_one_error(text: str) -> None:
    """Whatever is typed, nothing but CourseFormatError comes out."""
    parse_or_refuse(text)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.datetimes())
KEYS = (
    *("title", "published", "modules", "assignments", "pages", "questions", "key", "due_at", "attempts", "late"),
    *(
        "kind",
        "text",
        "text_file",
        "options",
        "answer",
        "answers",
        "items",
        "file_types",
        "tolerance",
        "points",
        "percent",
        "per",
        "floor",
    ),
)
keys = st.sampled_from(KEYS)
documents = st.recursive(
    st.one_of(scalars, st.sampled_from(["choice", "number", "text"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_any_document_gives_a_course_or_the_one_error(document: object) -> None:
    """Documents that use our keys in every wrong way are refused by our error alone."""
    parse_or_refuse(yaml.safe_dump(document))


def test_several_choice_ordering_and_files() -> None:
    """The further kinds of questions are read with what belongs to each; a file question may name no type."""
    fields = (
        "kind: choices, text: Q, options: [a, b, c], answers: [a, c]",
        "kind: ordering, text: Q, items: [first, second]",
        "kind: file, text: Q, file_types: [PDF, .py, '*.tar.gz', pdf]",
        "kind: file, text: Q",
    )
    asked = [parse_course(one_question(one)).modules[0].assignments[0].pages[0].questions[0] for one in fields]
    assert [question.body for question in asked] == [
        {"options": ["a", "b", "c"], "answers": ["a", "c"]},
        {"items": ["first", "second"]},
        {"file_types": ["pdf", "py", "tar.gz"]},
        {},
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("kind: choices, text: Q, options: [a, b], answers: [a, x]", "one of the options: “a”, “b”"),
        ("kind: choices, text: Q, options: [a, b], answers: [a, a]", "“a” stands here twice"),
        ("kind: choices, text: Q, options: [a, b], answers: []", "must not be empty"),
        ("kind: choices, text: Q, options: [a, b], answer: a", "does not belong"),
        ("kind: ordering, text: Q, items: [a]", "at least two"),
        ("kind: ordering, text: Q, items: [a, b, a]", "“a” stands here twice"),
        ("kind: ordering, text: Q", "is missing"),
        ("kind: file, text: Q, file_types: [a/b]", "“a/b” is no ending such as pdf"),
        ("kind: file, text: Q, answer: a", "does not belong"),
    ],
)
def test_what_does_not_fit_the_further_kinds(fields: str, problem: str) -> None:
    """A mistake in one of them is named, and nothing is guessed."""
    assert any(problem in one for one in problems_of(one_question(fields)))
