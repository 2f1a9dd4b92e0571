"""Writes a course as a folder of text that imports again as the same course."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import yaml
from django.db.models import Prefetch

from courseway.courses.models import Assignment, Course, Module, Page, Question

COURSE_FILE = "course.yaml"
OTHER_LINE_ENDS = re.compile("[\x85\u2028\u2029\ufeff]")


def export_course(course: Course) -> dict[str, str]:
    """The files of the course: course.yaml, and a Markdown file for each page of more than one line."""
    files: dict[str, str] = {}
    document: dict[str, Any] = {"title": course.title}
    if not course.published:
        document["published"] = False
    document["modules"] = [_describe_module(module, files) for module in _list_modules(course)]
    text = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
    return {COURSE_FILE: text, **files}


def export_course_to_folder(course: Course, folder: Path) -> int:
    """Writes the files, replacing those of the same name; the number of files written."""
    files = export_course(course)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return len(files)


def export_course_to_zip(course: Course, file: IO[bytes]) -> int:
    files = export_course(course)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # A fixed date: the same course gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return len(files)


def _list_modules(course: Course) -> list[Module]:
    pages = Page.objects.order_by("position", "pk").prefetch_related(
        Prefetch("questions", Question.objects.order_by("position", "pk"))
    )
    assignments = (
        Assignment.objects.filter(deleted_at=None).order_by("position", "pk").prefetch_related(Prefetch("pages", pages))
    )
    return list(course.modules.prefetch_related(Prefetch("assignments", assignments)))


def _describe_module(module: Module, files: dict[str, str]) -> dict[str, Any]:
    description: dict[str, Any] = {"title": module.title}
    assignments = [_describe_assignment(assignment, files) for assignment in module.assignments.all()]
    if assignments:
        description["assignments"] = assignments
    return description


def _describe_assignment(assignment: Assignment, files: dict[str, str]) -> dict[str, Any]:
    description: dict[str, Any] = {"title": assignment.title, "key": assignment.key, "points": _trim(assignment.points)}
    if assignment.due_at is not None:
        description["due_at"] = assignment.due_at.astimezone(UTC)
    if assignment.late_percent:
        late = {"percent": _trim(assignment.late_percent), "per": assignment.late_per}
        description["late"] = {**late, "floor": _trim(assignment.late_floor)} if assignment.late_floor else late
    if assignment.attempts != 1:
        description["attempts"] = assignment.attempts
    if not assignment.published:
        description["published"] = False
    pages = [_describe_page(page, assignment, files) for page in assignment.pages.all()]
    if pages:
        description["pages"] = pages
    return description


def _describe_page(page: Page, assignment: Assignment, files: dict[str, str]) -> dict[str, Any]:
    description: dict[str, Any] = {"title": page.title, "key": page.key}
    if "\n" in page.text:
        name = f"{assignment.key}/{page.key}.md"
        files[name] = page.text
        description["text_file"] = name
    elif page.text:
        description["text"] = page.text
    questions = [_describe_question(question) for question in page.questions.all()]
    if questions:
        description["questions"] = questions
    return description


def _describe_question(question: Question) -> dict[str, Any]:
    body = dict(question.body)
    for name in ("answer", "tolerance"):
        if question.kind == Question.Kind.NUMBER and name in body:
            body[name] = Decimal(body[name])
    return {"kind": question.kind, "key": question.key, "text": question.text, **body, "points": _trim(question.points)}


def _trim(points: Decimal) -> Decimal:
    """10 for 10.00: the column's places say nothing."""
    return points.to_integral_value() if points == points.to_integral_value() else points.normalize()


class _Dumper(yaml.SafeDumper):
    """Decimals as they are, long texts as blocks, and no aliases, which people find hard to read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _write_decimal(dumper: yaml.SafeDumper, number: Decimal) -> yaml.Node:
    text = format(number, "f")
    kind = "float" if "." in text else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Only an escape keeps a line end that is not \n: YAML reads the others as \n.
    style = '"' if OTHER_LINE_ENDS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(Decimal, _write_decimal)
_Dumper.add_representer(str, _write_text)
