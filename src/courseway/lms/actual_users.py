"""A launch of a student behind which somebody else sits: an LMS opens the student's work for a teacher (B9).

`actual_user_*` can be set by whoever edits a link, so it is believed only of platforms whose owner said so, and it
signs in nobody: neither the student, whose launch it is, nor the person whom the parameters name. What opens is the one
submission, to be read. Nothing is stored but the line in the launch log.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from courseway.courses.models import Course, Enrollment, Role
from courseway.lms.arrivals import replay_key
from courseway.lms.known import Known
from courseway.lms.models import Launch as LaunchRow
from courseway.lms.platforms import KnownPlatform
from courseway.lms.refusals import ActualUserNotAcceptedError, NothingToReviewError
from courseway.lms.resolve import REVIEW, Resolution
from courseway.lms.sessions import ReviewTicket, keep_return_url
from ltikit.actual_user import ActualUser
from ltikit.errors import ActualUserRefusedError, ReplayError
from ltikit.launch import Launch
from ltikit.parameters import write_masked

LIFETIME = timedelta(hours=2)


def check_accepted(platform: KnownPlatform) -> None:
    """Refuses where no owner allowed it: else a teacher would sit in the student's session."""
    if not platform.accepts_actual_user:
        raise ActualUserNotAcceptedError


def log_review(
    launch: Launch,
    actual: ActualUser,
    platform: KnownPlatform,
    known: Known,
    resolution: Resolution | None,
    *,
    now: datetime,
) -> ReviewTicket:
    """Logs the launch and gives the ticket to the one submission. Raises what says why there is none to be opened."""
    candidate = resolution.candidate if resolution is not None else None
    if candidate is None or known.person_pk is None:
        raise NothingToReviewError
    course = Course.objects.get(pk=candidate.course_pk)
    if not Enrollment.objects.filter(course=course, person=known.person_pk, role=Role.STUDENT).exists():
        raise NothingToReviewError
    if actual.role == Role.MENTOR.value and course.filter_learners_for_mentors:
        # Nobody proved which mentor this is, so nobody is named for them.
        raise ActualUserRefusedError("a mentor, in a course that filters learners")
    row = LaunchRow(
        at=now,
        replay_key=replay_key(platform.pk, launch.nonce),
        organization_id=platform.organization_id,
        platform_id=platform.pk,
        version=launch.version,
        lms_context_id=(launch.context.id if launch.context else "")[:255],
        context_id=known.context_pk,
        person_id=known.person_pk,
        course=course,
        assignment_id=candidate.assignment_pk,
        role=actual.role.value,
        outcome=LaunchRow.Outcome.OK,
        rule=REVIEW,
        detail=f"{actual.full_name} {actual.user_id}".strip()[:500],
        landed_on=f"review/{candidate.public_id}",
        message=write_masked(launch.raw),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise ReplayError from None
    return ReviewTicket(
        reference=row.reference,
        organization=platform.organization_id,
        platform=platform.pk,
        course=course.pk,
        person=known.person_pk,
        role=actual.role.value,
        assignment=candidate.public_id,
        return_url=keep_return_url(launch.return_url),
        expires=int((now + LIFETIME).timestamp()),
    )
