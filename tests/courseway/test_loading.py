from __future__ import annotations

import gc

import pytest

from courseway.loading import loading_modules


def _load_what_is_broken() -> None:
    with loading_modules():
        assert not gc.isenabled()
        raise ImportError


def test_what_is_loaded_is_left_alone_by_the_collector() -> None:
    """While modules are loaded no garbage is looked for; afterwards it is again, but not in them."""
    before = gc.get_freeze_count()
    with loading_modules():
        loaded = [[] for _ in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(loaded)


def test_a_failure_to_load_leaves_the_collector_on() -> None:
    """Whatever happens while modules are loaded, garbage is looked for afterwards."""
    with pytest.raises(ImportError):
        _load_what_is_broken()
    assert gc.isenabled()
