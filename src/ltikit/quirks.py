"""What each LMS does differently: one profile for each family, each entry with its source.

    find_profile(launch.platform.family).has("C7")

Numbers are stable; `docs/quirks.md` lists them with the tests that name them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ltikit.lms_quirks import any_lms, blackboard, brightspace, canvas, moodle, others
from ltikit.lms_quirks.entry import Quirk

__all__ = ["ANY_LMS", "PROFILES", "Profile", "Quirk", "find_profile", "list_quirks"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A family of LMSs. `codes` are its product family codes, in lower case; `quirks` are its own."""

    name: str
    title: str
    codes: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    _numbers: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_numbers", frozenset(quirk.number for quirk in self.quirks))

    def has(self, number: str) -> bool:
        """True when the quirk with this number is one of this family. Raises `KeyError` for a number nobody has."""
        if number not in _BY_NUMBER:
            raise KeyError(number)
        return number in self._numbers


PROFILES = (
    Profile("canvas", "Canvas", ("canvas",), canvas.QUIRKS),
    Profile("blackboard", "Blackboard", ("blackboardlearn", "blackboard", "blackboard learn", "bb"), blackboard.QUIRKS),
    Profile("brightspace", "Brightspace", ("desire2learn", "brightspace", "d2l"), brightspace.QUIRKS),
    Profile("moodle", "Moodle", ("moodle",), moodle.QUIRKS),
    Profile("others", "Other LMSs", (), others.QUIRKS),
)
"""The families that have quirks of their own. `others` gathers entries of several and is nobody's profile."""

ANY_LMS = Profile("any", "Any LMS", (), any_lms.QUIRKS)
"""What every LMS may do; the profile of a family that is not known."""

_BY_CODE = {code: profile for profile in PROFILES for code in profile.codes}
_BY_NUMBER = {quirk.number: quirk for profile in (*PROFILES, ANY_LMS) for quirk in profile.quirks}


def find_profile(family: str) -> Profile:
    """The profile for a product family code as a launch or a registration says it, `ANY_LMS` for an unknown one."""
    return _BY_CODE.get(family.strip().casefold(), ANY_LMS)


def list_quirks() -> tuple[Quirk, ...]:
    """All quirks, in the order of their numbers."""
    return tuple(_BY_NUMBER.values())
