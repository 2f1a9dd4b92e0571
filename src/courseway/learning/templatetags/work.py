"""How points, percentages and authors' texts are written on the pages of this room."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from html import unescape

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courseway.courses.markdown import render_markdown
from courseway.orgs.state_words import state_words

register = template.Library()


@register.filter
def as_percent(value: Decimal | None) -> str:
    """A percentage with at most one decimal. 99.96 is not shown as 100: that is something else to a student."""
    if value is None:
        return "–"
    rounded = value.quantize(Decimal("0.1"))
    if rounded == 100 and value < 100:
        rounded = value.quantize(Decimal("0.1"), rounding=ROUND_DOWN)
    return f"{_plain(rounded)}\u00a0%"


@register.filter
def as_points(value: Decimal | str | None) -> str:
    """Points with at most two decimals and no idle zeros."""
    if value is None or value == "":
        return "–"
    return _plain(Decimal(value).quantize(Decimal("0.01")))


@register.filter
def say_points(value: Decimal) -> str:
    """ "10 points", in words."""
    return ngettext("%(points)s point", "%(points)s points", 1 if value == 1 else 2) % {"points": as_points(value)}


@register.filter
def as_markdown(text: str) -> SafeString:
    return render_markdown(text)


@register.filter
def as_label(text: str) -> SafeString | str:
    """The text as the inside of a label; empty where it is more than one paragraph and cannot stand in one."""
    html = render_markdown(text).strip()
    if html.startswith("<p>") and html.endswith("</p>") and html.count("<p>") == 1:
        return mark_safe(html.removeprefix("<p>").removesuffix("</p>"))
    return ""


def _plain(value: Decimal) -> str:
    places = max(0, -int(value.normalize().as_tuple().exponent))
    return number_format(value, decimal_pos=places)


@register.filter
def as_plain(text: str) -> str:
    """The words of a text without its formatting, on one line."""
    return " ".join(unescape(strip_tags(render_markdown(text))).split())


@register.simple_tag
def work_glyph(state: str) -> SafeString:
    """The state of work as its shape alone, for narrow cells; the word is there for screen readers and on hover."""
    return _glyph(state, str(state_words(state).word))


@register.simple_tag
def delivery_glyph(state: str) -> SafeString | str:
    """Where the grade is on its way to the LMS, as a shape; nothing where none is owed."""
    return _glyph(state, _("LMS: %(state)s") % {"state": state_words(state).word}) if state else ""


def _glyph(state: str, word: str) -> SafeString:
    words = state_words(state)
    return format_html(
        '<span class="state state-{}" title="{}"><span class="state-glyph" aria-hidden="true">{}</span>'
        '<span class="visually-hidden">{}</span></span>',
        words.tone,
        word,
        words.glyph,
        word,
    )
