"""The two marks that every page uses: a state and a time."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courseway.orgs.state_words import state_words

register = template.Library()


@register.simple_tag
def state_mark(state: str, word: str = "") -> SafeString:
    """Glyph and word of a state; `word` replaces the usual one."""
    words = state_words(state)
    return format_html(
        '<span class="state state-{}" data-state="{}"><span class="state-glyph" aria-hidden="true">{}</span>'
        '<span class="state-word">{}</span></span>',
        words.tone,
        state,
        words.glyph,
        word or words.word,
    )


@register.simple_tag
def time_mark(at: datetime | None, style: str = "relative") -> SafeString:
    """A time, relative ("5 minutes ago") or exact; app.js says it again in the reader's own time zone."""
    if at is None:
        return SafeString("–")
    local = timezone.localtime(at)
    exact = f"{formats.date_format(local, 'j M Y, H:i')} {local.tzname()}"
    return format_html(
        '<time datetime="{}" data-time="{}" title="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        style,
        exact,
        exact if style == "exact" else say_relative(at, now=timezone.now()),
    )


def say_relative(at: datetime, *, now: datetime) -> str:
    """How long ago, or how far ahead, in the largest unit that fits."""
    seconds = int((at - now).total_seconds())
    is_past, distance = seconds < 0, abs(seconds)
    if distance < 60:
        return _("just now")
    words: str
    if distance < 3600:
        words = ngettext("%(n)d minute", "%(n)d minutes", distance // 60) % {"n": distance // 60}
    elif distance < 86400:
        words = ngettext("%(n)d hour", "%(n)d hours", distance // 3600) % {"n": distance // 3600}
    elif distance < 604800:
        words = ngettext("%(n)d day", "%(n)d days", distance // 86400) % {"n": distance // 86400}
    elif distance < 2592000:
        words = ngettext("%(n)d week", "%(n)d weeks", distance // 604800) % {"n": distance // 604800}
    elif distance < 31536000:
        words = ngettext("%(n)d month", "%(n)d months", distance // 2592000) % {"n": distance // 2592000}
    else:
        words = ngettext("%(n)d year", "%(n)d years", distance // 31536000) % {"n": distance // 31536000}
    return (_("%(time)s ago") if is_past else _("in %(time)s")) % {"time": words}
