"""The roll-over of a term under every profile and version: a child course appears by itself, grades land where due."""

from __future__ import annotations

import os

import pytest

from tests.end_to_end.recipes import PROFILES, RECIPES, VERSIONS, Recipe
from tests.end_to_end.servers import Stand
from tests.end_to_end.term_rollover import roll_over

# The servers have a database of their own, so that once is enough.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]


@pytest.mark.quirk("C36", "D10", "B4", "D3")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_term_rolls_over(stand: Stand, recipe: Recipe) -> None:
    """Map, work, copy the LMS course, work in the copy, copy the copy: one child for each, with the right assignments,
    and all grades at home."""
    run = roll_over(stand, recipe)
    assert (run.rule, run.children) == ("course_copy", 2)


def test_there_is_a_recipe_for_each_lms() -> None:
    """No profile and no version is left out."""
    assert {(recipe.profile, recipe.version) for recipe in RECIPES} == {(p, v) for p in PROFILES for v in VERSIONS}
