"""How far an LMS is connected, as far as that can be known from here: the ticks of a guide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min
from django.utils.translation import gettext as _

from courseway.courses.models import Course
from courseway.grades.models import Delivery
from courseway.lms.guide_parts import Guide
from courseway.lms.models import Context, Launch, Platform
from courseway.orgs.models import Organization


@dataclass(frozen=True, slots=True)
class Tick:
    words: str
    at: datetime | None = None
    is_done: bool = False
    hint: str = ""
    reference: str = ""  # of the launch that the hint is about


@dataclass(frozen=True, slots=True)
class Progress:
    ticks: Sequence[Tick]

    @property
    def is_over(self) -> bool:
        return all(tick.is_done for tick in self.ticks)


def list_platforms(organization: Organization, version: str) -> list[Platform]:
    """The keys or registrations that a guide may be about, newest first."""
    platforms = Platform.objects.filter(organization=organization, version=version, revoked_at=None)
    return list(platforms.select_related("consumer_key").order_by("-created_at", "-pk"))


def guess_platform(platforms: Sequence[Platform], guide: Guide) -> Platform | None:
    """The newest that has the LMS's name, or whose launches said that they come from it; None if there is none."""
    if not guide.families:
        return platforms[0] if platforms else None
    contexts = Context.objects.filter(deployment__platform__in=platforms).exclude(family="")
    names = {platform.pk: [platform.name.lower()] for platform in platforms}
    for pk, family in contexts.values_list("deployment__platform", "family").distinct():
        names[pk].append(family.lower())
    return next(
        (one for one in platforms if any(word in name for name in names[one.pk] for word in guide.families)), None
    )


def read_progress(
    organization: Organization, version: str, platform: Platform | None, course: Course | None
) -> Progress:
    """The ticks for one key or registration, and for one course where the guide was opened from there."""
    words = _("A key was made") if version == Platform.Version.V11 else _("The LMS is registered here")
    made = Tick(words, platform.created_at if platform else None, platform is not None)
    return Progress([made, _tick_course(organization, course), _tick_launch(platform), _tick_grade(platform)])


def _tick_course(organization: Organization, course: Course | None) -> Tick:
    if course is not None:
        return Tick(_("LTI is enabled in this course"), is_done=course.lti_enabled)
    enabled = Course.objects.filter(organization=organization, lti_enabled=True, archived_at=None).exists()
    return Tick(_("LTI is enabled in a course"), is_done=enabled)


def _tick_launch(platform: Platform | None) -> Tick:
    if platform is None:
        return Tick(_("Waiting for the first launch…"))
    launches = Launch.objects.filter(platform=platform)
    first = launches.exclude(outcome=Launch.Outcome.REFUSED).aggregate(at=Min("at"))["at"]
    if first is not None:
        return Tick(_("Connected: the first launch arrived"), first, is_done=True)
    refused = launches.order_by("-pk").first()
    if refused is None:
        return Tick(_("Waiting for the first launch…"))
    hint = _("A launch came, but it was refused: %(code)s.") % {"code": refused.code}
    return Tick(_("Waiting for the first launch…"), hint=hint, reference=refused.reference)


def _tick_grade(platform: Platform | None) -> Tick:
    sent = None
    if platform is not None:
        sent = Delivery.objects.filter(platform=platform, sent_at__isnull=False).aggregate(at=Min("sent_at"))["at"]
    return Tick(_("The first grade reached the LMS"), sent, sent is not None)
