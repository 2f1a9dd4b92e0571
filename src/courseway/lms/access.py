"""Whose work a visitor may see in a course that was already fetched with permission."""

from __future__ import annotations

from django.db.models import QuerySet

from courseway.courses.access import CourseAccess
from courseway.courses.models import Enrollment, Role
from courseway.lms.mentors import name_learners
from courseway.lms.models import ContextMembership
from courseway.orgs.visitor import Visitor


def list_learners(access: CourseAccess, visitor: Visitor) -> QuerySet[Enrollment]:
    """The student enrollments whose work this visitor may see; nobody's for a student.

    A teacher of the whole course sees all. A teacher who came from an LMS sees the people of the contexts in which
    the LMS says 'teacher' (C5). A mentor sees all, or - when learners are filtered - those named; nobody by default.
    """
    enrollments = access.course.enrollments.filter(role=Role.STUDENT).select_related("person")
    if access.role == Role.TEACHER:
        if access.covers_whole_course:
            return enrollments
        if access.person is None:
            return enrollments.none()
        taught = ContextMembership.objects.filter(
            person=access.person,
            role=Role.TEACHER,
            active=True,
            context__course_contexts__course=access.course,
        ).values("context")
        return enrollments.filter(person__context_memberships__context__in=taught).distinct()
    if access.role == Role.MENTOR:
        if not access.course.filter_learners_for_mentors:
            return enrollments
        if access.person is not None:
            return enrollments.filter(name_learners(access.course, access.person))
    return enrollments.none()
