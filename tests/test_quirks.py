"""No quirk of an LMS is forgotten: each is tested by its number, or it is said why it cannot touch us."""

from __future__ import annotations

from scripts.write_quirks import PAGE, find_tests, write_page

from ltikit.quirks import list_quirks


def test_each_quirk_is_tested_or_reasoned() -> None:
    """A quirk that is handled has a test that names it; one that is harmless says why, and not both are missing."""
    tests = find_tests()
    handled = {quirk.number for quirk in list_quirks() if quirk.handling}
    harmless = {quirk.number for quirk in list_quirks() if quirk.harmless}
    assert handled | harmless == {quirk.number for quirk in list_quirks()}
    assert not handled & harmless
    assert not sorted(handled - tests.keys())


def test_tests_name_quirks_that_there_are() -> None:
    """Each number that a test names is in the list."""
    assert not sorted(find_tests().keys() - {quirk.number for quirk in list_quirks()})


def test_the_page_is_up_to_date() -> None:
    """docs/quirks.md says what the list and the tests say; `make quirks` writes it."""
    assert PAGE.read_text() == write_page(find_tests())
