"""Loading a program's modules quickly, once, when its process starts."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_modules() -> Iterator[None]:
    """What is loaded in the block stays until the process ends, so no garbage is looked for in it, now or later.

    Python would look through all modules again and again while it loads them, which is a quarter of a start, once more
    at the end, and in each full collection of a process that serves for months.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
