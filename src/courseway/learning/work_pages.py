"""What a student sees of an assignment: its pages with the questions, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import Prefetch
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from courseway.courses.models import Assignment, Page, Question
from courseway.learning.marking import list_lines
from courseway.learning.models import Attempt, Upload
from courseway.learning.uploads import check_file

FIELD = "q-"  # the name of a question's field is q-<key>, for ever


@dataclass(frozen=True, slots=True)
class QuestionView:
    question: Question
    number: int
    value: str
    is_correct: bool = False
    points: str = ""
    maximum: str = ""
    is_by_hand: bool = False
    waits: bool = False  # for a teacher's points
    upload: Upload | None = None

    @property
    def name(self) -> str:
        return FIELD + self.question.key

    @property
    def options(self) -> list[str]:
        return [str(option) for option in self.question.body.get("options", ())]

    @property
    def chosen(self) -> list[str]:
        """Of several choice: the options that were chosen. Of ordering: an item, or nothing, for each place."""
        lines = list_lines(self.value)
        if self.question.kind != Question.Kind.ORDERING:
            return [line for line in lines if line]
        return (lines + [""] * len(self.items))[: len(self.items)]

    @property
    def items(self) -> list[str]:
        """What is to be put in order, as it is shown: always in the same order, and never in the right one."""
        items = [str(item) for item in self.question.body.get("items", ())]
        mixed = sorted(items, key=lambda item: hashlib.sha256(f"{self.question.key}:{item}".encode()).digest())
        return mixed if mixed != items else mixed[1:] + mixed[:1]

    @property
    def accepted(self) -> str:
        """The types of files that are taken, as a file field names them."""
        return ",".join(f".{one}" for one in self.question.body.get("file_types", ()))

    @property
    def is_answered(self) -> bool:
        if self.question.kind == Question.Kind.ORDERING:
            return all(self.chosen)
        return bool(self.value.strip())


@dataclass(frozen=True, slots=True)
class PageView:
    page: Page
    number: int
    questions: list[QuestionView]


@dataclass(frozen=True, slots=True)
class PageContent:
    """A page as it is for everybody."""

    page: Page
    questions: tuple[Question, ...]


Content = tuple[PageContent, ...]


def read_content(assignment_pk: int) -> Content:
    """The pages of an assignment with their questions, in two statements."""
    questions = Prefetch("questions", Question.objects.order_by("position", "pk"))
    pages = Page.objects.filter(assignment=assignment_pk).order_by("position", "pk").prefetch_related(questions)
    return tuple(PageContent(page, tuple(page.questions.all())) for page in pages)


@lru_cache(maxsize=256)
def recall_content(assignment_pk: int, mark: str) -> Content:
    """The same from memory, where the assignment still says what it said (`Assignment.content_mark`)."""
    return read_content(assignment_pk)


def build_pages(assignment: Assignment, attempt: Attempt | None) -> list[PageView]:
    """The pages with the answers and results of an attempt, in two statements, or three where files belong to them."""
    return fill_pages(read_content(assignment.pk), attempt)


def fill_pages(content: Content, attempt: Attempt | None) -> list[PageView]:
    """The same with content that was read already."""
    uploads = _find_uploads(content, attempt)
    return lay_out(content, attempt.answers if attempt else {}, attempt.results if attempt else {}, uploads)


def lay_out(
    content: Content,
    answers: Mapping[str, str],
    results: Mapping[str, Mapping[str, object]] | None = None,
    uploads: Mapping[str, Upload] | None = None,
) -> list[PageView]:
    pages: list[PageView] = []
    number = 0
    for one in content:
        views = []
        for question in one.questions:
            number += 1
            result = (results or {}).get(question.key, {})
            views.append(
                QuestionView(
                    question,
                    number,
                    answers.get(question.key, ""),
                    is_correct=bool(result.get("correct")),
                    points=str(result.get("points", "")),
                    maximum=str(result.get("of", question.points)),
                    is_by_hand=bool(result.get("by_hand")),
                    waits=bool(result.get("waits")),
                    upload=(uploads or {}).get(answers.get(question.key, "")),
                )
            )
        pages.append(PageView(one.page, len(pages) + 1, views))
    return pages


def has_files(content: Content) -> bool:
    return any(question.kind == Question.Kind.FILE for page in content for question in page.questions)


def _find_uploads(content: Content, attempt: Attempt | None) -> dict[str, Upload]:
    if attempt is None or not has_files(content):
        return {}
    found = Upload.objects.filter(submission=attempt.submission_id, public_id__in=list(attempt.answers.values()))
    return {upload.public_id: upload for upload in found}


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
    """The answers in a form; fields that belong to no question of the assignment are not kept.

    Several values of one field are lines of one answer. A file's answer comes from the file alone (`read_files`).
    """
    answers = {}
    for question in (question for page in pages for question in page.questions):
        values = [str(value) for value in form.getlist(question.name)]
        if not values or question.question.kind == Question.Kind.FILE:
            continue
        if question.question.kind in (Question.Kind.CHOICES, Question.Kind.ORDERING):
            lines = [line for value in values for line in list_lines(value)]
            is_ordering = question.question.kind == Question.Kind.ORDERING
            answers[question.question.key] = "\n".join(lines if is_ordering and any(lines) else filter(None, lines))
        else:
            answers[question.question.key] = values[-1]
    return answers


def read_files(files: MultiValueDict[str, UploadedFile[Any]], pages: list[PageView]) -> dict[str, UploadedFile[Any]]:
    """The files in a form, by the key of their question. Raises UploadError for one that is not taken."""
    found = {}
    for question in (question for page in pages for question in page.questions):
        file = files.get(question.name)
        if file is not None and question.question.kind == Question.Kind.FILE:
            check_file(file, question.question.body)
            found[question.question.key] = file
    return found


def read_number(form: QueryDict) -> int | None:
    """The attempt that the page showed when the answers were typed."""
    text = form.get("attempt", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
