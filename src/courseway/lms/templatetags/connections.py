"""Words of connections for templates."""

from __future__ import annotations

from django import template

from courseway.lms import rule_words
from courseway.lms.models import CourseContext

register = template.Library()


@register.simple_tag
def say_rule(rule: str) -> str:
    """How a launch found its course."""
    return rule_words.say_rule(rule)


@register.simple_tag
def say_identity(connection: CourseContext) -> str:
    """The identity by which the launches of an LMS course are known."""
    return rule_words.say_identity(connection)
