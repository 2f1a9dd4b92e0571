"""Instructors whom an owner has to approve first, on platforms where an owner asked for it (C5).

An LMS says who is an instructor. Where many people may make courses for themselves that is no reason to believe it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from courseway.courses.models import Enrollment, Role
from courseway.lms.models import ContextMembership, InstructorApproval, LmsIdentity, Platform
from courseway.lms.refusals import InstructorNotApprovedError
from ltikit.launch import Launch


def check_instructor(launch: Launch, platform_pk: int, *, now: datetime) -> None:
    """Raises InstructorNotApprovedError for an instructor without a yes, who is then listed for the owners."""
    user_id = launch.person.user_id or ""
    told = {"name": launch.person.name[:255], "email": launch.person.email[:254]}
    known = InstructorApproval.objects.filter(platform=platform_pk, lms_user_id=user_id).first()
    if known is not None and known.approved_at is not None:
        return
    # What is remembered of a platform may be a moment old.
    if not Platform.objects.filter(pk=platform_pk, asks_about_instructors=True).exists():
        return
    if known is None:
        values = {**told, "asked_at": now}
        InstructorApproval.objects.get_or_create(platform_id=platform_pk, lms_user_id=user_id, defaults=values)
    raise InstructorNotApprovedError("nobody approved this instructor yet")


def list_approved(platform: Platform) -> set[str]:
    """The LMS user ids of those who may teach."""
    approved = InstructorApproval.objects.filter(platform=platform).exclude(approved_at=None)
    return set(approved.values_list("lms_user_id", flat=True))


def approve_those_who_teach(platform: Platform, now: datetime) -> None:
    """Whoever taught before owners were asked keeps teaching."""
    teaching = ContextMembership.objects.filter(role=Role.TEACHER, active=True, context__deployment__platform=platform)
    identities = LmsIdentity.objects.filter(platform=platform, person__in=teaching.values("person"))
    InstructorApproval.objects.bulk_create(
        (
            InstructorApproval(
                platform=platform,
                lms_user_id=identity.lms_user_id,
                name=identity.name,
                email=identity.email,
                asked_at=now,
                approved_at=now,
            )
            for identity in identities
        ),
        ignore_conflicts=True,
    )


def withdraw_approval(approval: InstructorApproval) -> None:
    """The instructor is refused from now on, and what the LMS made of the person here ends at once."""
    with transaction.atomic():
        persons = LmsIdentity.objects.filter(platform=approval.platform, lms_user_id=approval.lms_user_id)
        taught = ContextMembership.objects.filter(
            person__in=persons.values("person"), role=Role.TEACHER, context__deployment__platform=approval.platform
        )
        courses = list(taught.values_list("context__course_contexts__course", "person"))
        taught.update(active=False)
        for course, person in courses:
            Enrollment.objects.filter(course=course, person=person, role=Role.TEACHER).update(
                active=False, covers_whole_course=False
            )
        approval.delete()
