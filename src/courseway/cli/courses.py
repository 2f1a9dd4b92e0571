"""course import, set, show, export."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from courseway.cli.answers import Answer, RefusedError, draw_table, list_facts
from courseway.cli.organizations import get_organization
from courseway.courses.copying import copy_course_by_hand
from courseway.courses.exporting import export_course_to_folder, export_course_to_zip
from courseway.courses.importing import import_course_from_path
from courseway.courses.models import Course
from courseway.courses.settings_change import CourseSettingsError, set_course_settings
from courseway.courses.teachers import TeacherError, find_or_make_teacher
from courseway.courses.text_format import CourseFormatError
from courseway.learning.owing import owe_newest
from courseway.learning.scoring import release_completed
from courseway.lms.assignment_urls import HEADS, list_url_rows
from courseway.lms.cartridges import CartridgeChoiceError, export_cartridge
from courseway.lms.course_json import course_as_json, imported_course_as_json
from courseway.spreadsheets import write_csv


def import_one(wish: Namespace) -> Answer:
    organization = get_organization(wish.org)
    try:
        course = import_course_from_path(
            wish.path, organization=organization, teacher_email=wish.teacher or None, now=timezone.now()
        )
    except (CourseFormatError, TeacherError) as error:
        raise RefusedError(str(error)) from None
    document = imported_course_as_json(course)
    assignments = draw_table(
        ("assignment", "module", "points", "LTI integration URL"),
        [(one["title"], one["module"], one["points"], one["url"]) for one in document["assignments"]],
        empty="It has no assignments.",
    )
    note = "" if course.lti_enabled else f"\nLTI is off: courseway course set {course.public_id} lti_enabled=true"
    return Answer(document, f"{course.title} is course {course.public_id}.\n\n{assignments}\n{note}")


def change_settings(wish: Namespace) -> Answer:
    course, now, changes = get_course(wish.course), timezone.now(), dict(wish.settings)
    if len(changes) < len(wish.settings):
        raise RefusedError("One of the settings is given twice. Give each once.")
    try:
        # With what follows from them in one transaction: a switch without its grades would never catch up.
        with transaction.atomic():
            changed = set_course_settings(course, changes)
            if "enroll_only" in changed and not course.enroll_only:
                owe_newest(course, now=now)
            if "release_grades_automatically" in changed and course.release_grades_automatically:
                release_completed(course, now=now)
    except CourseSettingsError as error:
        raise RefusedError(str(error)) from None
    return _describe(course)


def copy(wish: Namespace) -> Answer:
    course, now = get_course(wish.course), timezone.now()
    try:
        with transaction.atomic():
            teacher = find_or_make_teacher(course.organization, wish.teacher) if wish.teacher else None
            return _describe(copy_course_by_hand(course, title=wish.title, teacher=teacher, now=now))
    except TeacherError as error:
        raise RefusedError(str(error)) from None


def show(wish: Namespace) -> Answer:
    return _describe(get_course(wish.course))


CARTRIDGES = {"cartridge": "1.3", "thin-cartridge": "thin", "cartridge-1.1": "1.1"}


# Where PATH would stand: the bytes go to standard output, and nothing else does.
STANDARD_OUTPUT = Path("-")


def export(wish: Namespace) -> Answer | int:
    course = get_course(wish.course)
    if wish.output == STANDARD_OUTPUT and wish.json:
        raise RefusedError("Standard output takes the file or the JSON document. Leave out --json, or name a file.")
    if wish.format == "folder":
        return _export_folder(course, wish.output)
    if wish.format == "urls-csv":
        rows = list_url_rows(course)
        return _write_file(wish.output, write_csv(HEADS, rows).encode(), len(rows), "assignments")
    try:
        cartridge = export_cartridge(course, profile=CARTRIDGES[wish.format], link_format=wish.links)
    except CartridgeChoiceError as error:
        raise RefusedError(str(error)) from None
    return _write_file(wish.output, cartridge.content, cartridge.link_count, "links")


def _export_folder(course: Course, output: Path) -> Answer | int:
    if output == STANDARD_OUTPUT:
        package = io.BytesIO()
        count = export_course_to_zip(course, package)
        return _write_file(output, package.getvalue(), count, "files")
    if output.exists() and not output.is_dir():
        raise RefusedError(f"{output} is a file. Give a folder, which is made when it is not there.")
    try:
        count = export_course_to_folder(course, output)
    except OSError as error:
        raise RefusedError(f"{error.filename or output} cannot be written: {error.strerror}.") from None
    return Answer({"path": str(output), "items": count}, f"{count} files in {output}")


def _write_file(output: Path, content: bytes, count: int, what: str) -> Answer | int:
    if output == STANDARD_OUTPUT:
        if sys.stdout.isatty() and b"\0" in content:
            raise RefusedError("This would fill the terminal with bytes. Name a file, or send the output to one.")
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return 0
    if output.is_dir():
        raise RefusedError(f"{output} is a folder. Give the name of a file, which is written anew.")
    try:
        output.write_bytes(content)
    except OSError as error:
        raise RefusedError(f"{output} cannot be written: {error.strerror}.") from None
    return Answer({"path": str(output), "items": count}, f"{count} {what} in {output}")


def get_course(public_id: str) -> Course:
    course = Course.objects.select_related("organization", "parent").filter(public_id=public_id).first()
    if course is None:
        raise RefusedError(f"There is no course with the id {public_id!r}.")
    return course


def _describe(course: Course) -> Answer:
    document = course_as_json(course)
    parts = [
        f"{course.title} ({course.public_id})",
        list_facts([(name, _say(value)) for name, value in document["settings"].items()]),
        draw_table(
            ("assignment", "id", "points"),
            [(one["title"], one["id"], one["points"]) for one in document["assignments"]],
            empty="No assignments.",
        ),
        draw_table(
            ("person", "e-mail", "LMS user ids", "role"),
            [
                (one["person"], one["email"], " ".join(one["lms_user_ids"]), _role(one))
                for one in document["enrollments"]
            ],
            empty="Nobody is in this course yet.",
        ),
        draw_table(
            ("LMS", "LMS course", "found by"),
            [(one["platform"], one["context_id"], one["rule"]) for one in document["contexts"]],
            empty="No LMS course is connected yet.",
        ),
    ]
    return Answer(document, "\n\n".join(parts))


def _say(value: Any) -> str:
    return {True: "on", False: "off", "": "–"}.get(value, str(value)) if isinstance(value, bool | str) else str(value)


def _role(enrollment: dict[str, Any]) -> str:
    return str(enrollment["role"]) if enrollment["active"] else f"{enrollment['role']}, inactive"
