"""The judge of the fault run finds what it is there to find."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.faults.judge import Shown, Verdict, judge

ONE, TWO, THREE = Decimal(1), Decimal(2), Decimal(3)
SENT, TOLD, WAITING = Shown(is_sent=True), Shown(is_sent=False, reason="not enrolled"), Shown(is_sent=False)


@pytest.mark.parametrize(
    ("taken", "shown", "is_refused", "verdict"),
    [
        ([ONE, THREE], SENT, False, Verdict(1, 0, 0, 0, 0)),
        ([ONE, TWO], SENT, False, Verdict(0, 0, 1, 0, 0)),
        ([], SENT, False, Verdict(0, 0, 1, 0, 0)),
        ([], None, False, Verdict(0, 0, 1, 0, 0)),
        ([TWO, ONE, THREE], SENT, False, Verdict(1, 0, 0, 1, 0)),
        ([THREE, THREE], SENT, False, Verdict(1, 0, 0, 0, 0)),
        ([Decimal(7), THREE], SENT, False, Verdict(1, 0, 0, 1, 0)),
        ([], TOLD, True, Verdict(0, 1, 0, 0, 0)),
        ([], TOLD, False, Verdict(0, 0, 0, 0, 1)),
        ([], WAITING, True, Verdict(0, 0, 0, 0, 1)),
        ([THREE], WAITING, False, Verdict(0, 0, 0, 0, 1)),
    ],
)
def test_the_judge_counts(taken: list[Decimal], shown: Shown | None, is_refused: bool, verdict: Verdict) -> None:
    """Lost, overwritten and unexplained grades count; what was refused for good counts as told if there are words."""
    place = (0, 0)
    said = {} if shown is None else {place: shown}
    refused = frozenset([place]) if is_refused else frozenset()
    assert judge({place: [ONE, TWO, THREE]}, {place: taken}, said, refused=refused) == verdict
