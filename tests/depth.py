"""How far the tests go that try out a great deal: some way in every run, and all the way in `make test-deep`.

Such a test is marked `deep`. Its two measures stand beside each other, so that one sees what a run leaves out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

IS_DEEP = bool(os.environ.get("COURSEWAY_TEST_DEEP"))


def either(usual: T, *, deep: T) -> T:
    """How many examples, people or rounds: usually, and in a deep run."""
    return deep if IS_DEEP else usual


def one_of(values: Sequence[T], usual: int, *, deep: int, start: int) -> Sequence[T]:
    """One of so many values, usually and in a deep run, beginning with another one for each `start`: whoever calls
    this for many things gives each a number, so that together they meet all values."""
    step = either(usual, deep=deep)
    return values[start % step :: step]
