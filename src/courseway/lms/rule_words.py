"""How a launch found what it opened, in words for teachers and owners."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from courseway.lms import resolve
from courseway.lms.models import CourseContext
from courseway.lms.resolve import name_context

RULE_WORDS: Final[dict[str, Promise]] = {
    resolve.ADDRESS: _("The link's URL names the assignment"),
    resolve.PARAMETER: _("The custom parameter assignment_id names the assignment"),
    resolve.ENROLL_ADDRESS: _("The link to enroll names the course"),
    resolve.KNOWN_LINK: _("This link opened it before"),
    resolve.LINK_HISTORY: _("The LMS says that the link is a copy of one that opened it"),
    resolve.IDENTITY: _("The LMS sends the identity that this course is known by"),
    resolve.TARGET: _("The custom parameter course_target_id names the course"),
    resolve.KNOWN_CONTEXT: _("This LMS course was connected before"),
    resolve.CONTEXT_HISTORY: _("The LMS says that its course is a copy of one that was connected"),
    resolve.COPY: _("The first launch of a new LMS course made this copy"),
    resolve.CHOSEN: _("A teacher chose it"),
    resolve.MOVED_LINK: _("The link opened it before the LMS changed between LTI 1.1 and 1.3"),
    resolve.REVIEW: _("The LMS opened a student's work for somebody else"),
}
# Rules by which a link itself, or a teacher, says what is meant; whatever else fired is worth a look.
CERTAIN_RULES: Final = frozenset({resolve.ADDRESS, resolve.PARAMETER, resolve.ENROLL_ADDRESS, resolve.CHOSEN})


def say_identity(connection: CourseContext) -> str:
    """The identity that a connection is known by, as people know it."""
    context = connection.context
    own = name_context(context.deployment.deployment_id, context.context_id)
    return _now("this LMS course itself") if connection.identity == own else connection.identity


def say_rule(rule: str) -> str:
    """The words of a rule; one that is not known any more by its own name."""
    return str(RULE_WORDS.get(rule) or rule.replace("_", " "))
