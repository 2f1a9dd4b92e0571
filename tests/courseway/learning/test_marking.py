"""Marking answers: a table of what counts as right, and properties that hold for any numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courseway.courses.models import Question
from courseway.learning.marking import (
    clean_answer,
    is_correct,
    mark_answers,
    parse_number,
    percent_of,
    scale_points,
)


def choice(answer: str = "4") -> Question:
    return Question(key="c", kind="choice", body={"options": ["3", "4"], "answer": answer}, points=Decimal(4))


def number(answer: str = "2.5", tolerance: str = "0.01") -> Question:
    return Question(key="n", kind="number", body={"answer": answer, "tolerance": tolerance}, points=Decimal(3))


def text(*answers: str) -> Question:
    return Question(key="t", kind="text", body={"answers": list(answers)}, points=Decimal(3))


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        (choice(), "4", True),
        (choice(), " 4 ", True),
        (choice(), "3", False),
        (choice(), "", False),
        (choice("A"), "a", False),  # an option is chosen, not typed
        (number(), "2.5", True),
        (number(), "2,5", True),
        (number(), " 2.50 ", True),
        (number(), "+2.5", True),
        (number(), "25e-1", True),
        (number(), "2.51", True),  # exactly at the tolerance
        (number(), "2.49", True),
        (number(), "2.511", False),
        (number(), "2.4899999999999999999999999999999999999", False),
        (number("0.3", "0"), "0.3", True),  # 0.1 + 0.2 has no part in this
        (number("0.3", "0"), "0.30000000000000004", False),
        (number("1000", "0"), "1 000", True),
        (number("1234.5", "0"), "1,234.5", True),
        (number("1234.5", "0"), "1.234,5", True),
        (number("1000000", "0"), "1,000,000", True),
        (number("-4", "0"), "−4", True),  # the minus of a phone's keyboard
        (number(".5", "0"), "0,5", True),
        (number("5", ""), "5", True),  # no tolerance written down
        (number(), "", False),
        (number(), "two and a half", False),
        (number(), "nan", False),
        (number(), "inf", False),
        (number(), "1e999999999999", False),
        (number(), "9" * 5000, False),
        (number("0", "0"), "٠", False),  # digits of the keyboard at hand, not of every script
        (text("Guido van Rossum", "Guido"), "guido", True),
        (text("Guido van Rossum", "Guido"), "  GUIDO VAN ROSSUM ", True),
        (text("Guido"), "Guid", False),
        (text("Straße"), "STRASSE", True),
        (text("café"), "cafe\u0301", True),  # composed by the keyboard in two steps
        (text("x"), "   ", False),
        (text(), "anything", False),
    ],
)
def test_answer(question: Question, answer: str, right: bool) -> None:
    """Each answer of the table is right or wrong as the course's author would say."""
    assert is_correct(question, answer) is right


def test_marks_add_up() -> None:
    """Every question carries its own marks, and the score is their sum."""
    marks = mark_answers([choice(), number(), text("Guido")], {"c": "4", "n": "7", "t": "guido"}, Decimal(10))
    assert marks.score == Decimal(7)
    assert marks.as_json() == {
        "c": {"points": "4", "of": "4", "correct": True, "answered": True},
        "n": {"points": "0", "of": "3", "correct": False, "answered": True},
        "t": {"points": "3", "of": "3", "correct": True, "answered": True},
    }


def test_points_are_scaled_to_the_assignment() -> None:
    """Questions that add up to something else than the assignment's points count as their share of it."""
    assert mark_answers([choice(), number()], {"c": "4"}, Decimal(100)).score == Decimal("57.142857")
    assert mark_answers([choice(), number()], {"c": "4", "n": "2.5"}, Decimal(100)).score == Decimal(100)


def test_without_questions_there_is_no_score() -> None:
    """Where nothing can be earned a machine gives no grade: zero would be a judgement, none is the truth."""
    assert mark_answers([], {}, Decimal(10)).score is None
    assert scale_points(Decimal(0), Decimal(0), Decimal(10)) is None


def test_an_answer_without_a_question_earns_nothing() -> None:
    """An answer to a question that is not there changes nothing."""
    assert mark_answers([choice()], {"c": "3", "other": "4"}, Decimal(10)).score == Decimal(0)


def test_clean_answer_keeps_what_was_typed() -> None:
    """Answers are kept as typed, blanks and all, without the one character that PostgreSQL cannot hold."""
    assert clean_answer("  a\x00b \n") == "  ab \n"


POINTS = st.decimals(min_value="0.01", max_value="10000", places=2)


@given(parts=st.lists(st.tuples(POINTS, st.booleans()), min_size=1, max_size=30), points=POINTS)
def test_a_score_is_a_share(parts: list[tuple[Decimal, bool]], points: Decimal) -> None:
    """Any score lies between nothing and the assignment's points, at the ends exactly, and never off by a step."""
    questions = [
        Question(key=str(n), kind="choice", body={"options": ["y", "n"], "answer": "y"}, points=worth)
        for n, (worth, _) in enumerate(parts)
    ]
    answers = {str(n): "y" if right else "n" for n, (_, right) in enumerate(parts)}
    marks = mark_answers(questions, answers, points)
    assert marks.score is not None
    assert 0 <= marks.score <= points
    assert (marks.score == points) == (marks.earned == marks.available) or points - marks.score < Decimal("0.000001")
    assert abs(marks.score * marks.available - marks.earned * points) <= marks.available * Decimal("0.0000005")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_numbers_survive_either_decimal_sign(value: Decimal) -> None:
    """A number means the same with a point and with a comma."""
    typed = format(value, "f")
    assert parse_number(typed) == value
    assert parse_number(typed.replace(".", ",")) == value


@given(st.text(max_size=60))
def test_anything_typed_is_a_finite_number_or_none(typed: str) -> None:
    """Whatever somebody types, reading it as a number never fails and never yields infinity."""
    value = parse_number(typed)
    assert value is None or value.is_finite()


@given(st.text(max_size=60), st.sampled_from(["choice", "number", "text"]))
def test_marking_never_fails(typed: str, kind: str) -> None:
    """Whatever somebody types, marking answers yes or no."""
    question = Question(key="q", kind=kind, body={"answer": "1", "answers": ["1"], "tolerance": "x"}, points=Decimal(1))
    assert is_correct(question, typed) in (True, False)


@pytest.mark.parametrize(
    ("score", "maximum", "percent"),
    [
        (None, Decimal(10), None),
        (Decimal(5), None, None),
        (Decimal(5), Decimal(10), Decimal(50)),
        (Decimal(12), Decimal(10), Decimal(100)),
    ],
)
def test_percent(score: Decimal | None, maximum: Decimal | None, percent: Decimal | None) -> None:
    """A percentage is exact, absent where there is no score, and never above 100."""
    assert percent_of(score, maximum) == percent


def several(*right: str) -> Question:
    return Question(key="s", kind="choices", body={"options": ["a", "b", "c"], "answers": [*right]}, points=Decimal(2))


def ordering(*items: str) -> Question:
    return Question(key="o", kind="ordering", body={"items": [*items]}, points=Decimal(2))


def file() -> Question:
    return Question(key="f", kind="file", body={}, points=Decimal(5))


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        (several("a", "c"), "a\nc", True),
        (several("a", "c"), "c\r\na", True),
        (several("a", "c"), "a", False),
        (several("a", "c"), "a\nb\nc", False),
        (several("a", "c"), "", False),
        (ordering("one", "two", "three"), "one\ntwo\nthree", True),
        (ordering("one", "two", "three"), "one\nthree\ntwo", False),
        (ordering("one", "two", "three"), "one\n\nthree", False),
        (file(), "anything", False),
    ],
)
def test_answer_of_several_lines(question: Question, answer: str, right: bool) -> None:
    """All that are right and no other; every item in its place; no program says that a file is right."""
    assert is_correct(question, answer) is right


def test_a_file_waits_for_a_teacher() -> None:
    """With a file handed in there is no score until a teacher gave points for it; without one it is worth nothing."""
    asked = [choice(), file()]
    waiting = mark_answers(asked, {"c": "4", "f": "an-id"}, Decimal(9))
    assert (waiting.score, waiting.waits) == (None, True)
    given = mark_answers(asked, {"c": "4", "f": "an-id"}, Decimal(9), {"f": Decimal("2.5")})
    assert (given.score, given.waits) == (Decimal("6.5"), False)
    assert given.as_json()["f"] == {
        "points": "2.5",
        "of": "5",
        "correct": False,
        "answered": True,
        "by_hand": True,
        "waits": False,
    }
    assert mark_answers(asked, {"c": "4"}, Decimal(9)).score == Decimal(4)
