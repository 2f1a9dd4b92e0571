"""Telling teachers by mail that grades did not reach the LMS and will not by themselves (H3): one mail for a course
and a day, however many grades and students it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from django.template.loader import render_to_string
from django.utils.translation import ngettext

from courseway.courses.models import Course, Enrollment, Role
from courseway.grades.enroll_only import without_enroll_only
from courseway.grades.models import Delivery
from courseway.grades.reasons import Reason, explain
from courseway.grades.retry import OWNERS_CODES
from courseway.orgs.models import Account, Member
from courseway.orgs.public_address import public_address

STUCK: Final = (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)
# So long a grade has to be stuck: what mends itself soon is no news.
SETTLE: Final = timedelta(minutes=30)
BETWEEN_MAILS: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Line:
    """One assignment and one reason, with the number of grades that it holds up."""

    assignment: str
    number: int
    reason: Reason


def tell_failures(*, now: datetime) -> int:
    """Write the mails that are due. Returns how many courses they are about."""
    told_lately = Delivery.objects.filter(assignment__course=OuterRef("pk"), told_at__gt=now - BETWEEN_MAILS)
    courses = Course.objects.filter(
        Exists(_untold(now).filter(assignment__course=OuterRef("pk"))), archived_at=None
    ).exclude(Exists(told_lately))
    return sum(_tell_course(course, now) for course in courses.select_related("organization").order_by("pk"))


def _untold(now: datetime) -> QuerySet[Delivery]:
    """Stuck, for a while, and nobody was told of this value."""
    return _stuck().filter(wanted_at__lte=now - SETTLE).exclude(told_version=F("wanted_version"))


def _stuck() -> QuerySet[Delivery]:
    return without_enroll_only(Delivery.objects.filter(state__in=STUCK, platform__revoked_at=None))


def _tell_course(course: Course, now: datetime) -> bool:
    """The mail and the note that it was written are one transaction: nobody is told twice, or never."""
    with transaction.atomic():
        Course.objects.select_for_update(no_key=True).get(pk=course.pk)
        if not _untold(now).filter(assignment__course=course).exists():
            return False  # another worker was faster
        of_course = Delivery.objects.filter(assignment__course=course, state__in=STUCK)
        pks = list(of_course.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        counted = (
            Delivery.objects.filter(pk__in=pks, platform__revoked_at=None)
            .order_by()
            .values("assignment__title", "last_error_code")
            .annotate(number=Count("pk"))
            .order_by("assignment__title", "-number")
        )
        rows = list(counted)
        lines = [Line(row["assignment__title"], row["number"], explain(row["last_error_code"])) for row in rows]
        is_owners_task = any(row["last_error_code"] in OWNERS_CODES for row in rows)
        teachers, owners = _list_teachers(course), _list_owners(course)
        _send(course, lines, teachers, "learning_course:gradebook", course.public_id)
        if is_owners_task or not teachers:
            _send(course, lines, sorted(set(owners) - set(teachers)), "grades_org:deliveries", course.organization.slug)
        Delivery.objects.filter(pk__in=pks).update(told_version=F("wanted_version"), told_at=now)
    return True


def _list_teachers(course: Course) -> list[str]:
    """The addresses of those who teach the whole course and have an account: no other address is proven (C1)."""
    teaches = Enrollment.objects.filter(
        course=course, role=Role.TEACHER, active=True, covers_whole_course=True, person__account=OuterRef("pk")
    )
    return list(Account.objects.filter(Exists(teaches), is_active=True).values_list("email", flat=True))


def _list_owners(course: Course) -> list[str]:
    owners = Member.objects.filter(organization=course.organization_id, role=Member.Role.OWNER)
    return list(owners.filter(account__is_active=True).values_list("account__email", flat=True))


def _send(course: Course, lines: Sequence[Line], addresses: Sequence[str], page: str, place: str) -> None:
    number = sum(line.number for line in lines)
    words = {"course": course, "lines": lines, "number": number, "url": public_address(page, place)}
    text = render_to_string("grades/mail/failures.txt", words)
    subject = ngettext(
        "%(n)d grade did not reach the LMS: %(course)s", "%(n)d grades did not reach the LMS: %(course)s", number
    ) % {"n": number, "course": course}
    for address in addresses:  # each alone: nobody learns who else is told
        send_mail(" ".join(subject.split()), text, settings.DEFAULT_FROM_EMAIL, [address])
