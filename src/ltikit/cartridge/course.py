"""What a cartridge holds: a course with modules, and in them links that launch the tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from ltikit.parameters import is_web_url


@dataclass(frozen=True, slots=True)
class CartridgeLink:
    """One link. `id` is stable between exports, so that a second import updates the first instead of doubling it.

    `url` opens exactly this assignment: several importers drop parameters, so what the launch needs must be in it.
    `custom` goes along for those that keep them. `points` make it a graded assignment in Canvas; None leaves it a
    plain link.
    """

    id: str
    title: str
    url: str
    description: str = ""
    points: Decimal | None = None
    custom: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a link needs an id")
        if not is_web_url(self.url):
            raise ValueError(f"the address of a link must be an absolute http(s) address, not {self.url!r}")
        if self.points is not None and not (self.points.is_finite() and self.points >= 0):
            raise ValueError(f"points must be 0 or more, not {self.points}")


@dataclass(frozen=True, slots=True)
class CartridgeModule:
    """A heading with links. `id` is stable between exports and unique in the course; a module may be empty."""

    id: str
    title: str
    links: tuple[CartridgeLink, ...] = ()

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a module needs an id")


@dataclass(frozen=True, slots=True)
class CartridgeCourse:
    """A course. `language` is that of its texts, as in HTML (`en`, `pt-BR`)."""

    id: str
    title: str
    modules: tuple[CartridgeModule, ...] = ()
    description: str = ""
    language: str = "en"

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a course needs an id")
        names = [module.id for module in self.modules]
        if len(set(names)) != len(names):
            raise ValueError("two modules have the same id")
