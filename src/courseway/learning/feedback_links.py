"""The address that goes to the LMS with a grade, and the link that shows one submission to whoever has it (H6).

The address is private by itself: it opens for the student and for those who oversee the work, after they signed in.
Where the course provides feedback links it carries a secret of that one submission instead.
"""

from __future__ import annotations

from courseway.courses.models import Course
from courseway.learning.models import Submission
from courseway.orgs.public_address import public_address


def feedback_url(submission: Submission, course: Course) -> str:
    if course.provide_feedback_link:
        return public_address("learning:shared", submission.feedback_token)
    return public_address("learning:submission", submission.public_id)


def find_shared(token: str) -> Submission | None:
    """The submission of a link that works: its course provides such links, and nobody withdrew this one."""
    shared = Submission.objects.filter(
        assignment__course__provide_feedback_link=True,
        assignment__course__archived_at=None,
        assignment__deleted_at=None,
    )
    related = ("person", "assignment__course", "assignment__module")
    return shared.select_related(*related).filter(feedback_token=token).first()
