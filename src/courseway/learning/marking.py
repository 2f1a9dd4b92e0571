"""What the answers to questions are worth. Pure, and exact: no binary fraction decides about a point."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Protocol

SCORE_STEP = Decimal("0.000001")  # what the score columns can hold
ANSWER_LENGTH = 20_000  # characters of one answer that are kept

# The bounds keep somebody's 10^999999999 from costing a minute of arithmetic.
_NUMBER = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})(e[+-]?\d{1,3})?", re.IGNORECASE | re.ASCII)
_DIGITS_OF_ANY_TWO_NUMBERS = 2200


class MarkedQuestion(Protocol):
    """The part of a question that marking looks at."""

    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> Any: ...
    @property
    def points(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class QuestionMark:
    points: Decimal
    maximum: Decimal
    is_correct: bool
    is_answered: bool
    is_by_hand: bool = False
    waits: bool = False  # for a teacher's points

    def as_json(self) -> dict[str, Any]:
        by_hand = {"by_hand": True, "waits": self.waits} if self.is_by_hand else {}
        return {
            "points": str(self.points),
            "of": str(self.maximum),
            "correct": self.is_correct,
            "answered": self.is_answered,
            **by_hand,
        }


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one attempt.

    `score` is in the assignment's points; None where nothing can earn any, and while a question waits for a teacher.
    """

    questions: dict[str, QuestionMark]
    earned: Decimal
    available: Decimal
    score: Decimal | None

    @property
    def waits(self) -> bool:
        return any(mark.waits for mark in self.questions.values())

    def as_json(self) -> dict[str, dict[str, Any]]:
        return {key: mark.as_json() for key, mark in self.questions.items()}


def clean_answer(text: str) -> str:
    """An answer as it is kept: as typed, without what no database column can hold."""
    return text.replace("\x00", "")[:ANSWER_LENGTH]


def list_lines(answer: str) -> list[str]:
    """The options that were chosen, or the items in the order they were put: one a line."""
    return [line.strip() for line in answer.replace("\r\n", "\n").split("\n")]


def parse_number(text: str) -> Decimal | None:
    """A number as people type it: point or comma, groups of thousands, a typographic minus; None if it is none.

    One comma or one point is the decimal sign. Where both stand, the last kind is the decimal sign and the other
    groups; a sign that stands twice can only group.
    """
    text = re.sub(r"[\s_'’\u00a0\u2009\u202f]", "", text).replace("−", "-")
    last_comma, last_point = text.rfind(","), text.rfind(".")
    if last_comma >= 0 and last_point >= 0:
        decimal_sign, group_sign = (",", ".") if last_comma > last_point else (".", ",")
        text = text.replace(group_sign, "")
    else:
        decimal_sign = "," if last_comma >= 0 else "."
        if text.count(decimal_sign) > 1:
            text = text.replace(decimal_sign, "")
    text = text.replace(decimal_sign, ".")
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def is_correct(question: MarkedQuestion, answer: str) -> bool:
    """Whether the answer is right. An empty answer never is."""
    answer = answer.strip()
    if not answer:
        return False
    body: Mapping[str, Any] = question.body
    if question.kind == "choice":
        return answer == str(body.get("answer", "")).strip()
    if question.kind == "number":
        return _is_close(answer, str(body.get("answer", "")), str(body.get("tolerance", "") or "0"))
    if question.kind == "text":
        return _fold(answer) in {_fold(str(accepted)) for accepted in body.get("answers", ())}
    if question.kind == "choices":
        return set(filter(None, list_lines(answer))) == {str(right).strip() for right in body.get("answers", ())}
    if question.kind == "ordering":
        return list_lines(answer) == [str(item).strip() for item in body.get("items", ())]
    return False


def mark_answers(
    questions: Iterable[MarkedQuestion],
    answers: Mapping[str, str],
    points: Decimal,
    by_hand: Mapping[str, Decimal] | None = None,
) -> Marks:
    """Mark every question, and scale the sum to the assignment's points where the questions add up otherwise.

    `by_hand` are the points that a teacher gave for questions which no program can mark.
    """
    marks = {
        question.key: _mark(question, answers.get(question.key, ""), (by_hand or {}).get(question.key))
        for question in questions
    }
    earned = sum((mark.points for mark in marks.values()), Decimal(0))
    available = sum((mark.maximum for mark in marks.values()), Decimal(0))
    waits = any(mark.waits for mark in marks.values())
    return Marks(marks, earned, available, None if waits else scale_points(earned, available, points))


def _mark(question: MarkedQuestion, answer: str, given: Decimal | None) -> QuestionMark:
    is_answered = bool(answer.strip())
    if question.kind == "file":
        # Nothing handed in is worth nothing: nobody has to look at it.
        waits = is_answered and given is None and question.points > 0
        got = min(max(given or Decimal(0), Decimal(0)), question.points)
        return QuestionMark(got, question.points, got == question.points, is_answered, is_by_hand=True, waits=waits)
    is_right = is_correct(question, answer)
    return QuestionMark(question.points if is_right else Decimal(0), question.points, is_right, is_answered)


def scale_points(earned: Decimal, available: Decimal, points: Decimal) -> Decimal | None:
    """`earned` of `available` as a share of `points`; full marks give exactly `points`."""
    if not available:
        return None
    if earned >= available:
        return points
    return (earned * points / available).quantize(SCORE_STEP)


def percent_of(score: Decimal | None, maximum: Decimal | None) -> Decimal | None:
    """The score as a percentage, never above 100: an LMS takes no more (H1)."""
    if score is None or not maximum:
        return None
    return min(score / maximum * 100, Decimal(100))


def _is_close(answer: str, expected: str, tolerance: str) -> bool:
    given, wanted, allowed = parse_number(answer), parse_number(expected), parse_number(tolerance)
    if given is None or wanted is None or allowed is None:
        return False
    with localcontext(prec=_DIGITS_OF_ANY_TWO_NUMBERS):
        return abs(given - wanted) <= abs(allowed)


def _fold(text: str) -> str:
    """The text as it is compared: trimmed, without case, and the same however the keyboard composes an accent."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).casefold())
