"""Makes a course of its text: one transaction, a handful of statements however long the course is."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course, Enrollment, Module, Page, Question, Role
from courseway.courses.teachers import find_or_make_teacher
from courseway.courses.text_format import CourseFormatError, ParsedAssignment, ParsedCourse, Problem, parse_course
from courseway.courses.text_sources import COURSE_FILES, FolderSource, SourceError, TextSource, ZipSource
from courseway.courses.yaml_tree import MAX_BYTES
from courseway.orgs.models import Organization, Person


def import_course_from_path(
    path: str | Path, *, organization: Organization, teacher_email: str | None = None, now: datetime
) -> Course:
    """Imports a folder, a zip of one, or a YAML file; CourseFormatError or TeacherError when it cannot be done."""
    parsed = read_course_path(Path(path))
    with transaction.atomic():
        teacher = find_or_make_teacher(organization, teacher_email) if teacher_email else None
        return import_course(parsed, organization=organization, teacher=teacher, now=now)


def read_course_path(path: Path) -> ParsedCourse:
    if path.is_dir():
        present = [name for name in COURSE_FILES if (path / name).is_file()]
        if not present:
            raise CourseFormatError([Problem("", _("The folder %(path)s has no course.yaml.") % {"path": path})])
        path = path / present[0]
    try:
        with path.open("rb") as file:
            if path.suffix.lower() == ".zip":
                return read_course_zip(ZipSource(file))
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise CourseFormatError([Problem("", _("%(path)s is not there.") % {"path": path})]) from error
    except OSError as error:
        raise CourseFormatError([Problem("", _("%(path)s cannot be read.") % {"path": path})]) from error
    except SourceError as error:
        raise CourseFormatError([Problem("", str(error))]) from error
    return read_course_bytes(content, FolderSource(path.parent) if path.name in COURSE_FILES else None)


def read_course_zip(source: ZipSource) -> ParsedCourse:
    try:
        content = source.read_course_file(MAX_BYTES)
    except SourceError as error:
        raise CourseFormatError([Problem("", str(error))]) from error
    return read_course_bytes(content, source)


def read_course_bytes(content: bytes, source: TextSource | None = None) -> ParsedCourse:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CourseFormatError([Problem("", _("The file is not UTF-8 text."))]) from error
    return parse_course(text, source)


@transaction.atomic
def import_course(parsed: ParsedCourse, *, organization: Organization, teacher: Person | None, now: datetime) -> Course:
    """A new course, always: importing the same text again makes a second one."""
    course = Course.objects.create(
        organization=organization,
        title=parsed.title,
        published=parsed.published,
        release_grades_automatically=organization.releases_grades_automatically,
        created_at=now,
    )
    if teacher is not None:
        Enrollment.objects.create(
            course=course, person=teacher, role=Role.TEACHER, covers_whole_course=True, created_at=now
        )
    modules = Module.objects.bulk_create(
        Module(course=course, title=module.title, position=position) for position, module in enumerate(parsed.modules)
    )
    drafts: list[tuple[Assignment, ParsedAssignment]] = [
        (_new_assignment(course, module, position, assignment), assignment)
        for module, parsed_module in zip(modules, parsed.modules, strict=True)
        for position, assignment in enumerate(parsed_module.assignments)
    ]
    Assignment.objects.bulk_create(row for row, _parsed in drafts)
    _create_pages(drafts)
    return course


def _new_assignment(course: Course, module: Module, position: int, parsed: ParsedAssignment) -> Assignment:
    return Assignment(
        course=course,
        module=module,
        key=parsed.key,
        title=parsed.title,
        points=parsed.points,
        due_at=parsed.due_at,
        late_percent=parsed.late.percent,
        late_per=parsed.late.per,
        late_floor=parsed.late.floor,
        attempts=parsed.attempts,
        published=parsed.published,
        position=position,
    )


def _create_pages(drafts: list[tuple[Assignment, ParsedAssignment]]) -> None:
    drafted_pages = [
        (Page(assignment=row, key=page.key, title=page.title, text=page.text, position=position), page)
        for row, assignment in drafts
        for position, page in enumerate(assignment.pages)
    ]
    Page.objects.bulk_create(row for row, _parsed in drafted_pages)
    Question.objects.bulk_create(
        Question(
            page=row,
            key=question.key,
            kind=question.kind,
            text=question.text,
            body=question.body,
            points=question.points,
            position=position,
        )
        for row, page in drafted_pages
        for position, question in enumerate(page.questions)
    )
