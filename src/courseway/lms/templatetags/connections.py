"""Words of connections for templates."""

from __future__ import annotations

from django import template

from courseway.lms import rule_words

register = template.Library()


@register.simple_tag
def say_rule(rule: str) -> str:
    """How a launch found its course."""
    return rule_words.say_rule(rule)
