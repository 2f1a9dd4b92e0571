"""A teacher opens a student's work from the LMS's gradebook: LtiSubmissionReviewRequest (Submission Review 1.0).

Whoever launches comes as who they are: the launch is stored like every other one of theirs, and lands on the page of
the student's work, which asks once more whether they may see this student. Nobody gets the student's session.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from courseway.courses.models import Course, Enrollment, Role
from courseway.lms.arrivals import Landing, arrive
from courseway.lms.known import Known
from courseway.lms.models import ContextMembership, LmsIdentity, ResourceLink
from courseway.lms.models import Launch as LaunchRow
from courseway.lms.platforms import KnownPlatform
from courseway.lms.refusals import NothingToReviewError, ReviewRefusedError
from courseway.lms.resolve import Resolution
from courseway.orgs.models import Person
from ltikit.launch import Launch
from ltikit.launch import ResourceLink as SentLink
from ltikit.launch import Role as LaunchRole
from ltikit.v13.submission_review import ForUser, read_submission_review


def read_reviewed(launch: Launch) -> ForUser | None:
    """Whose work is to be reviewed; None for somebody's own work, which opens as always.

    Raises ReviewRefusedError for students and for people without a role: they see nobody's work but their own.
    """
    reviewed = read_submission_review(launch)
    if reviewed.user_id == launch.person.user_id:
        return None
    if launch.role is LaunchRole.STUDENT:
        raise ReviewRefusedError("the roles of the launch teach nobody")
    return reviewed


def name_link(launch: Launch, platform_pk: int) -> Launch:
    """The message with a link that is known: some platforms name the column alone and no link of ours."""
    links = ResourceLink.objects.filter(
        deployment__platform=platform_pk, deployment__deployment_id=launch.deployment_id, assignment__isnull=False
    )
    sent = launch.resource_link.id if launch.resource_link else ""
    column = launch.ags.lineitem_url if launch.ags else ""
    if links.filter(resource_link_id=sent).exists() or not column:
        return launch
    in_context = links.filter(lineitem_url=column, context__context_id=launch.context.id if launch.context else "")
    found = in_context.values_list("resource_link_id", "title").first()
    return launch if found is None else replace(launch, resource_link=SentLink(*found))


def open_review(
    launch: Launch,
    reviewed: ForUser,
    platform: KnownPlatform,
    known: Known,
    resolution: Resolution | None,
    *,
    asked: str,
    now: datetime,
) -> tuple[Landing, tuple[str, str]]:
    """Stores the launch of whoever looks: their landing, and the public ids of course and student.

    Raises NothingToReviewError.
    """
    candidate = resolution.candidate if resolution is not None else None
    if resolution is None or candidate is None:
        raise NothingToReviewError("no assignment is meant")
    identities = LmsIdentity.objects.filter(platform=platform.pk, lms_user_id=reviewed.user_id)
    student = Person.objects.filter(lms_identities__in=identities).first()
    # Only people of the LMS course from which somebody looks: the LMS vouches for nobody else's.
    is_member = ContextMembership.objects.filter(context=known.context_pk, person=student).exists()
    studies = Enrollment.objects.filter(course=candidate.course_pk, person=student, role=Role.STUDENT).exists()
    if student is None or not (is_member and studies):
        raise NothingToReviewError("the student has not come to this course from there")
    # The link keeps what it asks for: the address of a review may be a more general one.
    landing = arrive(launch, platform, known, resolution, asked=known.link_target or asked, now=now)
    place = f"review/{candidate.public_id}"
    LaunchRow.objects.filter(reference=landing.reference).update(landed_on=place, detail=reviewed.user_id[:255])
    course = Course.objects.values_list("public_id", flat=True).get(pk=candidate.course_pk)
    return landing, (course, student.public_id)
