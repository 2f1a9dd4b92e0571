"""What can happen: the types of events that are recorded and that webhooks may be told of (J1).

The values are a promise to other people's programs: new ones may come, none changes.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    ENROLLED = "person.enrolled", _("Somebody came into a course")
    STARTED = "submission.started", _("A student began an assignment")
    COMPLETED = "submission.completed", _("Work was completed")
    GRADED = "submission.graded", _("Work was graded, or its grade changed")
    RELEASED = "submission.released", _("A grade was released to the student")
    GRADE_SENT = "grade.sent", _("The LMS took a grade")
    GRADE_FAILED = "grade.failed", _("A grade did not reach the LMS")
    COURSE_COPIED = "course.copied", _("A course was copied")


# Sent to try an endpoint. Not to be chosen: every endpoint gets it.
TEST = "endpoint.test"
