"""What a fault run is judged by: what the LMS saw, in its order, against what was wanted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

# A grade: (number of the platform, number of the person).
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """What our pages say of a grade: it arrived, or words for why it does not; neither while it still waits."""

    is_sent: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`told`: grades that the LMS refused for good, and a person was told why."""

    delivered: int
    told: int
    lost: int
    older_over_newer: int
    unexplained: int

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.older_over_newer or self.unexplained)


def judge(
    wanted: Mapping[Place, Sequence[Decimal]],
    taken: Mapping[Place, Sequence[Decimal]],
    shown: Mapping[Place, Shown],
    *,
    refused: frozenset[Place],
) -> Verdict:
    """`wanted`: all values of each grade, oldest first, each once. `taken`: those that the LMS kept, in its order.

    Lost: the newest value is not in the LMS although it is said to be there, or nobody owes it. Unexplained: it waits,
    or has failed without words, or has failed though the LMS would have taken it in the end.
    """
    delivered = told = lost = unexplained = 0
    for place, values in wanted.items():
        has_arrived = bool(taken.get(place)) and taken[place][-1] == values[-1]
        said = shown.get(place)
        if said is None or (said.is_sent and not has_arrived):
            lost += 1
        elif said.is_sent:
            delivered += 1
        elif said.reason and place in refused:
            told += 1
        else:
            unexplained += 1
    older = sum(_count_backward(wanted[place], values) for place, values in taken.items())
    return Verdict(delivered, told, lost, older, unexplained)


def _count_backward(wanted: Sequence[Decimal], taken: Sequence[Decimal]) -> int:
    """How often an older value replaced a newer one. A value that nobody ever wanted is as bad."""
    order = {value: number for number, value in enumerate(wanted)}
    ranks = [order.get(value, -1) for value in taken]
    return sum(later < earlier for earlier, later in pairwise([0, *ranks]))
