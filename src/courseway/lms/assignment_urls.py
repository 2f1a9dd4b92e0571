"""What of a course can be linked in an LMS: the same rows for the CSV of URLs and for cartridges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Assignment, Course
from courseway.lms.addresses import custom_parameters, integration_url
from courseway.spreadsheets import Cell

HEADS: Final = (_("module"), _("assignment"), _("id"), _("URL"), _("custom parameters"), _("points"))


@dataclass(frozen=True, slots=True)
class LinkableAssignment:
    """`custom` is what the LMS has to send along; nothing where the URL itself says all."""

    assignment: Assignment
    url: str
    custom: Mapping[str, str]


def list_linkable_assignments(course: Course) -> list[LinkableAssignment]:
    """The published assignments in the order of the course, in one statement."""
    custom = custom_parameters(course) if course.constant_urls else {}
    assignments = Assignment.objects.filter(course=course, deleted_at=None, published=True).select_related("module")
    return [
        LinkableAssignment(assignment, integration_url(assignment, course), custom)
        for assignment in assignments.order_by("module__position", "module", "position", "pk")
    ]


def list_url_rows(course: Course) -> list[tuple[Cell, ...]]:
    """The rows of the CSV, to stand under HEADS."""
    return [
        (
            one.assignment.module.title,
            one.assignment.title,
            one.assignment.public_id,
            one.url,
            write_parameters(one.custom),
            one.assignment.points,
        )
        for one in list_linkable_assignments(course)
    ]


def write_parameters(custom: Mapping[str, str]) -> str:
    """`name=value`, one a line: the form in which LMSs take custom parameters."""
    return "\n".join(f"{name}={value}" for name, value in custom.items())
