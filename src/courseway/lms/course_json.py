"""A course as the JSON that scripts count on: the answers of `course import`, `course set` and `course show`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from courseway.courses.models import Assignment, Course
from courseway.courses.settings_change import read_settings
from courseway.lms.addresses import assignment_url, constant_url, custom_parameters, enroll_url


def imported_course_as_json(course: Course) -> dict[str, Any]:
    """The answer of `course import`."""
    return {
        "id": course.public_id,
        "title": course.title,
        "enroll_url": enroll_url(course),
        "assignments": assignments_as_json(course),
    }


def course_as_json(course: Course) -> dict[str, Any]:
    """The answer of `course show` and `course set`. A fixed number of statements, however large the course is."""
    return {
        "id": course.public_id,
        "title": course.title,
        "parent": course.parent.public_id if course.parent else None,
        "enroll_url": enroll_url(course),
        "settings": read_settings(course),
        "assignments": assignments_as_json(course),
        "enrollments": _enrollments_as_json(course),
        "contexts": _contexts_as_json(course),
        "children": list(course.children.order_by("pk").values_list("public_id", flat=True)),
    }


def assignments_as_json(course: Course) -> list[dict[str, Any]]:
    """All assignments that were not deleted, in the order of the course; `published` says which ones students see."""
    assignments = Assignment.objects.filter(course=course, deleted_at=None).select_related("module")
    return [
        {
            "id": assignment.public_id,
            "key": assignment.key,
            "title": assignment.title,
            "module": assignment.module.title,
            "points": number_as_json(assignment.points),
            "due_at": assignment.due_at.isoformat() if assignment.due_at else None,
            "attempts": assignment.attempts,
            "published": assignment.published,
            "url": assignment_url(assignment),
            "constant_url": constant_url(assignment),
            "custom": custom_parameters(course),
        }
        for assignment in assignments
    ]


def number_as_json(number: Decimal) -> int | float:
    """10 for 10.00 and 2.5 for 2.50; two decimal places survive a float unharmed."""
    return int(number) if number == number.to_integral_value() else float(number)


def _enrollments_as_json(course: Course) -> list[dict[str, Any]]:
    enrollments = (
        course.enrollments.select_related("person").prefetch_related("person__lms_identities").order_by("role", "pk")
    )
    return [
        {
            "person": enrollment.person.shown_name,
            "person_id": enrollment.person.public_id,
            "email": enrollment.person.email,
            "lms_user_ids": sorted(identity.lms_user_id for identity in enrollment.person.lms_identities.all()),
            "role": enrollment.role,
            "active": enrollment.active,
        }
        for enrollment in enrollments
    ]


def _contexts_as_json(course: Course) -> list[dict[str, Any]]:
    connections = course.course_contexts.select_related("context__deployment__platform").order_by("pk")
    return [
        {
            "platform": str(connection.context.deployment.platform),
            "platform_id": connection.context.deployment.platform.public_id,
            "context_id": connection.context.context_id,
            "title": connection.context.title,
            "identity": connection.identity,
            "rule": connection.rule,
        }
        for connection in connections
    ]
