"""What a choice leads to: an answer that the browser carries to the LMS, or the page of what was chosen."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course
from courseway.lms import platforms, tool_keys
from courseway.lms.arrivals import Landing, arrive, connect_context
from courseway.lms.chosen_links import build_link
from courseway.lms.detection import candidate_of, find_course
from courseway.lms.known import Known, read_known
from courseway.lms.models import Launch as LaunchRow
from courseway.lms.platforms import KnownPlatform
from courseway.lms.resolve import CHOSEN, Resolution, check_course_openable, check_openable, describe_target
from courseway.lms.selection import use_selection
from courseway.lms.selection_access import Selection
from ltikit.content_items import ResourceLinkItem
from ltikit.errors import TooManyItemsError, UnknownPlatformError
from ltikit.returns import build_return_url
from ltikit.v11 import content_item
from ltikit.v13 import deep_linking

MAX_CHOSEN: Final = 200
"""Links of one answer; an LMS that makes more than that at once runs out of time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the browser goes: by a POST of the fields, or by a plain redirect where there are none."""

    url: str
    fields: tuple[tuple[str, str], ...] = ()


def answer_with_links(selection: Selection, assignments: Sequence[Assignment], *, now: datetime) -> Answer:
    """The links of these assignments, signed. The LMS course is bound to their courses at once, so that a master's
    LMS course is known before anybody copies it.

    Raises SelectionOverError, and `ltikit`'s errors for more or other items than the platform takes.
    """
    if len(assignments) > (MAX_CHOSEN if selection.wish.takes_many else 1):
        raise TooManyItemsError(f"{len(assignments)} links were chosen")
    platform, known = _read_platform(selection)
    row = selection.row
    items = [
        build_link(
            assignment,
            makes_column=row.makes_columns,
            opens_in_frame=row.opens_in_frame,
            tells_size=not _embeds_by_size(selection),
        )
        for assignment in assignments
    ]
    courses = list(dict.fromkeys(assignment.course_id for assignment in assignments))
    with transaction.atomic():
        use_selection(row, now=now)
        context_pk = connect_context(selection.launch, platform, known, courses, rule=CHOSEN, now=now)
        LaunchRow.objects.filter(reference=row.reference, outcome=LaunchRow.Outcome.WAITING).update(
            outcome=LaunchRow.Outcome.OK,
            code="links_chosen",
            step="",
            rule=CHOSEN,
            context=context_pk,
            course=courses[0] if len(courses) == 1 else None,
            assignment=assignments[0] if len(assignments) == 1 else None,
            person=selection.person,
        )
        return _build_answer(selection, platform, items, now=now)


def answer_with_nothing(selection: Selection, *, now: datetime, error: str = "") -> Answer:
    """The way back without a choice: an empty answer where one is expected, else the launch's return address."""
    platform, _known = _read_platform(selection)
    with transaction.atomic():
        use_selection(selection.row, now=now)
        LaunchRow.objects.filter(reference=selection.row.reference).update(code="nothing_chosen")
    if selection.wish.goes_to_lms:
        return _build_answer(selection, platform, [], now=now, error=error)
    return Answer(build_return_url(selection.launch.return_url))


def open_chosen(selection: Selection, chosen: Assignment | Course, *, now: datetime) -> Landing:
    """Opens the choice for the link that waited, and remembers it for everybody who clicks that link."""
    platform, known = _read_platform(selection)
    launch = selection.launch
    if isinstance(chosen, Course):
        course = find_course(chosen.public_id, platform.organization_id)
        check_course_openable(course, launch.role)
        resolution = Resolution(CHOSEN, course=course)
    else:
        candidate = candidate_of(chosen, chosen.course)
        check_openable(candidate, launch.role)
        resolution = Resolution(CHOSEN, candidate=candidate)
    asked = describe_target(launch, selection.target)
    with transaction.atomic():
        use_selection(selection.row, now=now)
        return arrive(launch, platform, known, resolution, asked=asked, now=now, waited_as=selection.row.reference)


def _read_platform(selection: Selection) -> tuple[KnownPlatform, Known]:
    """As it is now: between message and choice an owner may have revoked it."""
    platform = platforms.find_by_pk(selection.platform.pk, is_fresh=True)
    known = read_known(selection.launch, selection.platform.pk, selection.target)
    if platform is None or known is None or platform.is_revoked or known.is_revoked:
        raise UnknownPlatformError("the platform was revoked")
    return platform, known


def _build_answer(
    selection: Selection, platform: KnownPlatform, items: list[ResourceLinkItem], *, now: datetime, error: str = ""
) -> Answer:
    launch, wish = selection.launch, selection.wish
    if wish.canvas is not None:
        if not items:
            return Answer(build_return_url(wish.canvas.return_url, error_message=error))
        return Answer(content_item.build_selection_url(items[0], selection=wish.canvas))
    settings = wish.settings
    assert settings is not None  # noqa: S101 - what goes to an LMS has one of the two
    nonce = secrets.token_urlsafe(24)
    if launch.version == "1.3":
        url, token = deep_linking.build_response(
            items,
            settings=settings,
            launch=launch,
            key=tool_keys.signing_key(),
            now=now,
            nonce=nonce,
            message=_say_done(len(items)),
            error_message=error,
        )
        return Answer(url, (("JWT", token),))
    url, fields = content_item.build_selection(
        items,
        settings=settings,
        launch=launch,
        secret=platform.secret,
        now=now,
        nonce=nonce,
        message=_say_done(len(items)),
        error_message=error,
    )
    return Answer(url, tuple(fields))


def _say_done(count: int) -> str:
    return _("Chosen: %(count)d") % {"count": count} if count else ""


def _embeds_by_size(selection: Selection) -> bool:
    """Canvas's editor puts a frame into the page for every link that names a frame's size, whatever its window."""
    path = urlsplit(selection.launch.target_link_uri).path
    return selection.launch.platform.family.lower() == "canvas" and path.rstrip("/").endswith("/editor_button")
