"""A message that cannot go on before a teacher has chosen: what it waits for, and where it waits.

Links for the LMS to make (Deep Linking 2.0, Content-Item 1.0, Canvas's older way), or what to open here (a link that no
rule could resolve). Until the choice nothing is stored but the message itself, encrypted, for an hour.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from courseway import secrets_box
from courseway.lms.launch_text import read_launch, write_launch
from courseway.lms.models import PendingSelection
from courseway.lms.refusals import SelectionOverError
from courseway.lms.resolve import Kind, Target
from ltikit.content_items import DeepLinkingSettings
from ltikit.launch import Launch, Message, Role
from ltikit.roles import RoleScope, parse_role, split_roles
from ltikit.v11 import content_item
from ltikit.v13 import deep_linking

LIFETIME: Final = timedelta(hours=1)
PURPOSE: Final = "picker"
"""What codes are for that prove, in a selection, who somebody is (`orgs.email_codes`); the subject is its reference."""


class Wanted(enum.StrEnum):
    LINKS = "links"  # for the LMS to make, by a signed answer
    CANVAS_LINK = "canvas_link"  # one, by Canvas's older way
    ASSIGNMENT = "assignment"  # to be opened here and remembered for this link
    COURSE = "course"  # the same for the link in an LMS course's menu


@dataclass(frozen=True, slots=True)
class Wish:
    """What a message waits for. `content_id` is what its address names already, "" if nothing."""

    wanted: Wanted
    takes_links: bool = True
    takes_many: bool = False
    takes_columns: bool = False
    content_id: str = ""
    settings: DeepLinkingSettings | None = None
    canvas: content_item.CanvasSelection | None = None

    @property
    def goes_to_lms(self) -> bool:
        return self.wanted in (Wanted.LINKS, Wanted.CANVAS_LINK)


def wants_links(launch: Launch, target: Target) -> bool:
    """True for a message that is to be answered by a choice, whatever is known about its link."""
    if launch.message is Message.DEEP_LINKING or target.kind is Kind.SELECTION:
        return True
    return content_item.read_canvas_selection(launch) is not None


def read_wish(launch: Launch, target: Target) -> Wish:
    """Raises the errors of `ltikit` for a request for links that cannot be answered."""
    if launch.message is Message.DEEP_LINKING:
        read = deep_linking.read_settings if launch.version == "1.3" else content_item.read_settings
        settings = read(launch)
        return Wish(
            Wanted.LINKS,
            takes_links=settings.accepts_links,
            takes_many=settings.accept_multiple,
            takes_columns=settings.accept_lineitem is not False,
            settings=settings,
        )
    canvas = content_item.read_canvas_selection(launch)
    if canvas is not None:
        return Wish(Wanted.CANVAS_LINK, takes_links=canvas.accepts_links, canvas=canvas)
    if target.kind is Kind.NAVIGATION:
        return Wish(Wanted.COURSE)
    return Wish(Wanted.ASSIGNMENT, content_id=target.id if target.kind is Kind.CONTENT else "")


def may_choose(launch: Launch) -> bool:
    """Teachers choose. Requests for links may come without a role in the course (Deep Linking 2.0: roles are
    optional, and an LMS administrator has none there); what can be chosen depends on the rights here in any case."""
    if launch.role is Role.TEACHER:
        return True
    roles = [parse_role(part) for entry in launch.roles for part in split_roles(entry)]
    has_role = any(role.scope is RoleScope.CONTEXT for role in roles)
    return launch.message is Message.DEEP_LINKING and launch.role is Role.STUDENT and not has_role


def begin_selection(
    launch: Launch, target: Target, *, platform_pk: int, reference: str, now: datetime
) -> PendingSelection:
    """Keeps the message for the choice. The reference is that of its row in the launch log."""
    return PendingSelection.objects.create(
        reference=reference,
        platform_id=platform_pk,
        target_kind=target.kind.value,
        target_id=target.id,
        launch_encrypted=secrets_box.lock(write_launch(launch), place=_place_of(reference)),
        expires_at=now + LIFETIME,
    )


def open_selection(row: PendingSelection, *, now: datetime) -> tuple[Launch, Target]:
    """The message that waits, as it was verified. Raises SelectionOverError."""
    if row.used_at is not None or row.expires_at <= now or not row.launch_encrypted:
        raise SelectionOverError
    launch = read_launch(secrets_box.unlock(row.launch_encrypted, place=_place_of(row.reference)))
    return launch, Target(Kind(row.target_kind), row.target_id)


def use_selection(row: PendingSelection, *, now: datetime) -> None:
    """Marks the selection answered and forgets the message; raises SelectionOverError if somebody was faster.

    To be called in the transaction of the answer.
    """
    waiting = PendingSelection.objects.filter(pk=row.pk, used_at=None, expires_at__gt=now)
    if not waiting.update(used_at=now, launch_encrypted="", chosen=[]):
        raise SelectionOverError


def _place_of(reference: str) -> str:
    return f"selection:{reference}"
