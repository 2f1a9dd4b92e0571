"""Changes of a course's LTI/LMS settings that would surprise somebody: what is asked before they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courseway.courses.models import Course
from courseway.lms.models import ResourceLink


class GradeCounts(NamedTuple):
    """Grades of a course on their way: not in the LMS yet, and there already."""

    waiting: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """`code` is what the form sends back as a yes."""

    code: str
    text: str


def list_questions(course: Course, wished: Mapping[str, Any], grades: GradeCounts) -> list[Question]:
    """What the change from the course as it is to `wished` has to be asked about, most weighty first."""

    def turns_on(name: str) -> bool:
        return bool(wished[name]) and not getattr(course, name)

    links = ResourceLink.objects.filter(assignment__course=course).count()
    questions = []
    if course.lti_enabled and not wished["lti_enabled"]:
        if links:
            questions.append(Question("lti_disabled", _say_disabled(links)))
        return questions
    if not wished["lti_enabled"]:
        return []
    if turns_on("constant_urls") and links:
        questions.append(Question("constant_urls", _say_constant(links)))
    if turns_on("enroll_only"):
        questions.append(Question("enroll_only", _say_enroll_only(links, grades)))
    if (turns_on("hide_not_started") or turns_on("enroll_only")) and _hides_all(wished):
        questions.append(Question("nothing_to_start", _say_nothing_to_start()))
    return questions


def _hides_all(wished: Mapping[str, Any]) -> bool:
    return bool(wished["hide_not_started"] and wished["enroll_only"])


def _say_disabled(links: int) -> str:
    return ngettext(
        "%(n)d link in an LMS opens this course. Whoever clicks it will be told that LTI is off.",
        "%(n)d links in an LMS open this course. Whoever clicks one will be told that LTI is off.",
        links,
    ) % {"n": links}


def _say_constant(links: int) -> str:
    kept = ngettext(
        "%(n)d link was made before. It keeps working, for ever, and keeps opening this course.",
        "%(n)d links were made before. They keep working, for ever, and keep opening this course.",
        links,
    ) % {"n": links}
    return (
        kept
        + " "
        + _(
            "Only new links get a constant URL. To copy the LMS course without touching its links, put the new URLs "
            "into it first."
        )
    )


def _say_enroll_only(links: int, grades: GradeCounts) -> str:
    parts = [_("While the course only enrolls, no grade of it goes to the LMS.")]
    if grades.waiting:
        parts.append(
            ngettext(
                "%(n)d grade that is on its way now will wait.", "%(n)d grades that are on their way now will wait.",
                grades.waiting,
            ) % {"n": grades.waiting}
        )  # fmt: skip
    if grades.sent:
        parts.append(
            ngettext(
                "%(n)d grade that is in the LMS will stay as it is.",
                "%(n)d grades that are in the LMS will stay as they are.",
                grades.sent,
            ) % {"n": grades.sent}
        )  # fmt: skip
    if links:
        parts.append(
            ngettext(
                "%(n)d link to an assignment is mapped; it opens its assignment as before, without a grade.",
                "%(n)d links to assignments are mapped; they open their assignments as before, without a grade.",
                links,
            ) % {"n": links}
        )  # fmt: skip
    parts.append(_("Switched off again, the newest grades are sent."))
    return " ".join(parts)


def _say_nothing_to_start() -> str:
    return _(
        "Enroll to course only and Hide not started assignments together leave a new student with an empty course: "
        "work starts on the dashboard, and the dashboard does not show it."
    )
