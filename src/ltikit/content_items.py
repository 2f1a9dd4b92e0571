"""What a teacher chose in the tool and the platform turns into links, whichever version of LTI asked for it.

`ltikit.v13.deep_linking` and `ltikit.v11.content_item` both read `DeepLinkingSettings` from a verified launch and
send `ResourceLinkItem`s back; code that lets people choose never has to ask which version it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from ltikit.errors import ItemTypeNotAcceptedError, TooManyItemsError
from ltikit.parameters import is_web_url

RESOURCE_LINK_TYPE: Final = "ltiResourceLink"
"""The type of a link that launches this tool (Deep Linking 2.0 §3.1); the names of other types are the platform's."""
NEW_TAB: Final = "_blank"
MAX_POINTS: Final = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class DeepLinkingSettings:
    """What the platform accepts as an answer (Deep Linking 2.0 §4.4.1, Content-Item Message 1.0 §3.1).

    `return_url` is http or https, to be posted to exactly as it is. `accept_types` names what may come back:
    "ltiResourceLink" and others. `accept_lineitem` is None when the platform does not say.
    `targets` are the ways in which it shows links (`iframe`, `window`, …), () if it does not say.
    `data` must be sent back as it is; None if there was none. `title` and `text` are proposals for the link.
    """

    return_url: str
    accept_types: frozenset[str]
    accept_multiple: bool = False
    accept_lineitem: bool | None = None
    targets: tuple[str, ...] = ()
    data: str | None = field(default=None, repr=False)
    title: str = ""
    text: str = ""
    auto_create: bool = False

    @property
    def accepts_links(self) -> bool:
        """False when the platform wants something else than a link to an assignment, such as a file."""
        return RESOURCE_LINK_TYPE in self.accept_types

    def shows_in(self, *targets: str) -> bool:
        """True if the platform shows links in one of these ways, or does not say."""
        return not self.targets or any(target in self.targets for target in targets)


@dataclass(frozen=True, slots=True)
class FrameSize:
    """Pixels of the frame that the platform opens for the link."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError("a frame has a width and a height of at least 1 pixel")


@dataclass(frozen=True, slots=True)
class LineItemOffer:
    """The gradebook column that the platform shall make for the link (Deep Linking 2.0 §3.1.1).

    `score_maximum` is above 0. `resource_id` and `tag` are ours: they come back in the line item and survive a course
    copy, so that the column is found again. `is_reviewable` lets the LMS's gradebook open the work here
    (Submission Review 1.0); LTI 1.1 knows no such thing.
    """

    score_maximum: Decimal
    label: str = ""
    resource_id: str = ""
    tag: str = ""
    is_reviewable: bool = False

    def __post_init__(self) -> None:
        if not (self.score_maximum.is_finite() and 0 < self.score_maximum <= MAX_POINTS):
            raise ValueError(f"score_maximum must be above 0, not {self.score_maximum}")


@dataclass(frozen=True, slots=True)
class ResourceLinkItem:
    """One link to be made. `url` is what the platform launches later, word for word.

    `custom` comes back in each launch of the link, and in those of its copies: text only, since platforms differ in
    what they make of anything else. `line_item` is None for a link without a grade: then no column must appear.
    `iframe` asks for a frame of that size, `window_target` for a window of that name (`NEW_TAB` for a new one).
    The dates are aware; None says nothing.
    """

    url: str
    title: str
    text: str = ""
    custom: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    line_item: LineItemOffer | None = None
    iframe: FrameSize | None = None
    window_target: str = ""
    available_from: datetime | None = None
    available_until: datetime | None = None
    submission_from: datetime | None = None
    submission_until: datetime | None = None

    def __post_init__(self) -> None:
        if not is_web_url(self.url):
            raise ValueError(f"the address of a link must be an absolute http(s) address, not {self.url!r}")
        if any(not isinstance(text, str) for pair in self.custom.items() for text in pair) or "" in self.custom:
            raise ValueError("custom parameters have a name and a text")
        dates = (self.available_from, self.available_until, self.submission_from, self.submission_until)
        if any(date is not None and date.tzinfo is None for date in dates):
            raise ValueError("dates of a link need a time zone")


def check_items(items: Iterable[ResourceLinkItem], settings: DeepLinkingSettings) -> tuple[ResourceLinkItem, ...]:
    """The items, if the platform accepts them. Raises `ItemTypeNotAcceptedError` and `TooManyItemsError`."""
    chosen = tuple(items)
    if chosen and not settings.accepts_links:
        accepted = ", ".join(sorted(settings.accept_types)) or "nothing"
        raise ItemTypeNotAcceptedError(f"a link was chosen, the platform accepts {accepted[:200]}")
    if len(chosen) > 1 and not settings.accept_multiple:
        raise TooManyItemsError(f"{len(chosen)} links were chosen, the platform accepts one")
    return chosen


def to_json_number(number: Decimal) -> int | float:
    """A number of points as JSON holds it: without a fraction where there is none."""
    return int(number) if number == number.to_integral_value() else float(number)


def format_date(moment: datetime) -> str:
    """ISO 8601 in UTC with seconds, as platforms read it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
