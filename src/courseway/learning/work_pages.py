"""What a student sees of an assignment: its pages with the questions, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Prefetch
from django.http import QueryDict

from courseway.courses.models import Assignment, Page, Question
from courseway.learning.models import Attempt

FIELD = "q-"  # the name of a question's field is q-<key>, for ever


@dataclass(frozen=True, slots=True)
class QuestionView:
    question: Question
    number: int
    value: str
    is_correct: bool = False
    points: str = ""
    maximum: str = ""

    @property
    def name(self) -> str:
        return FIELD + self.question.key

    @property
    def options(self) -> list[str]:
        return [str(option) for option in self.question.body.get("options", ())]

    @property
    def is_answered(self) -> bool:
        return bool(self.value.strip())


@dataclass(frozen=True, slots=True)
class PageView:
    page: Page
    number: int
    questions: list[QuestionView]


def build_pages(assignment: Assignment, attempt: Attempt | None) -> list[PageView]:
    """The pages with the answers and results of an attempt, in two statements."""
    answers: Mapping[str, str] = attempt.answers if attempt else {}
    results: Mapping[str, Mapping[str, object]] = attempt.results if attempt else {}
    questions = Prefetch("questions", Question.objects.order_by("position", "pk"))
    pages: list[PageView] = []
    number = 0
    for page in assignment.pages.order_by("position", "pk").prefetch_related(questions):
        views = []
        for question in page.questions.all():
            number += 1
            result = results.get(question.key, {})
            views.append(
                QuestionView(
                    question,
                    number,
                    answers.get(question.key, ""),
                    is_correct=bool(result.get("correct")),
                    points=str(result.get("points", "")),
                    maximum=str(result.get("of", question.points)),
                )
            )
        pages.append(PageView(page, len(pages) + 1, views))
    return pages


def list_unanswered(pages: list[PageView]) -> list[tuple[PageView, QuestionView]]:
    return [(page, question) for page in pages for question in page.questions if not question.is_answered]


def find_page(pages: list[PageView], wanted: str) -> PageView | None:
    """The page with this key or title (B8); an unknown one opens the start."""
    wanted = wanted.strip().casefold()
    for page in pages:
        if wanted and wanted in (page.page.key.casefold(), page.page.title.strip().casefold()):
            return page
    return pages[0] if pages else None


def read_answers(form: QueryDict, pages: list[PageView]) -> dict[str, str]:
    """The answers in a form; fields that belong to no question of the assignment are not kept."""
    keys = (question.question.key for page in pages for question in page.questions)
    return {key: str(form[FIELD + key]) for key in keys if FIELD + key in form}


def read_number(form: QueryDict) -> int | None:
    """The attempt that the page showed when the answers were typed."""
    text = form.get("attempt", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
