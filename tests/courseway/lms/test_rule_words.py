"""Every rule by which a launch finds its course is said in words."""

from __future__ import annotations

from courseway.lms import resolve
from courseway.lms.rule_words import CERTAIN_RULES, RULE_WORDS, say_rule


def test_every_rule_has_words() -> None:
    """A rule that is added to the table of rules is named for teachers and owners here."""
    rules = {value for name, value in vars(resolve).items() if name.isupper() and isinstance(value, str)}
    rules.remove(resolve.NAMES_ASSIGNMENT)  # no rule, a mark in stored targets
    assert len(rules) >= 12
    assert rules == set(RULE_WORDS)
    assert rules > CERTAIN_RULES
    assert len({str(words) for words in RULE_WORDS.values()}) == len(rules)


def test_a_rule_of_another_version() -> None:
    """What an older version logged is shown by its name."""
    assert say_rule("some_old_rule") == "some old rule"
