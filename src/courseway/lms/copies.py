"""A child course made by a launch: once, however many first launches come at the same moment."""

from __future__ import annotations

from datetime import datetime

from courseway.courses.copying import copy_course
from courseway.courses.models import Assignment, Course
from courseway.lms.detection import candidate_of
from courseway.lms.models import CourseContext, CourseIdentity, Platform
from courseway.lms.refusals import DeletedTargetError
from courseway.lms.resolve import CourseFacts, Resolution, check_openable
from ltikit.launch import Launch


def make_child(
    launch: Launch, platform_pk: int, resolution: Resolution, parent: CourseFacts, *, now: datetime
) -> tuple[Course, Assignment | None]:
    """The child of `parent` for the launch's identity, and the copy of the assignment that is asked for.

    To be called in a transaction: launches of one platform that may make copies take turns until it ends.
    """
    Platform.objects.select_for_update(no_key=True).get(pk=platform_pk)
    stored = CourseIdentity.objects.select_related("course").filter(platform=platform_pk, identity=resolution.identity)
    if (known := stored.first()) is not None:
        child = known.course
    elif (prepared := _find_prepared(launch, platform_pk, parent)) is not None:
        child = prepared
    else:
        child = copy_course(Course.objects.get(pk=parent.pk), title=_name_child(launch), now=now)
        CourseIdentity.objects.create(
            platform_id=platform_pk, identity=resolution.identity, course=child, rule=resolution.rule, created_at=now
        )
    if not resolution.content_id:
        return child, None
    assignment = Assignment.objects.filter(course=child, content_id=resolution.content_id).first()
    if assignment is None:  # deleted between reading and copying
        raise DeletedTargetError
    check_openable(candidate_of(assignment, child), launch.role)
    return child, assignment


def _find_prepared(launch: Launch, platform_pk: int, parent: CourseFacts) -> Course | None:
    """The child that a notice or another launch of this LMS course made while this one was on its way."""
    if launch.context is None:
        return None
    connected = CourseContext.objects.select_related("course").filter(
        context__deployment__platform=platform_pk,
        context__deployment__deployment_id=launch.deployment_id,
        context__context_id=launch.context.id,
        course__parent=parent.pk,
    )
    found = connected.order_by("pk").first()
    return found.course if found else None


def _name_child(launch: Launch) -> str:
    """The LMS's name of its course tells copies apart better than the parent's title; empty keeps the parent's."""
    return (launch.context.title or launch.context.label)[:255] if launch.context else ""
