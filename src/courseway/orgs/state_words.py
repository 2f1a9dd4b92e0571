"""States are said by a word, a shape and a colour, and by the same ones in every table, mail and export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class StateWords:
    glyph: str
    word: str | Promise
    tone: str  # good, busy, idle, warning, danger: the colour, which never stands alone


STATE_WORDS: Final = {
    # work of a person
    "not_started": StateWords("◌", _("not started"), "idle"),
    "in_progress": StateWords("◐", _("in progress"), "busy"),
    "completed": StateWords("◍", _("completed"), "busy"),
    "graded": StateWords("✓", _("graded"), "good"),
    "released": StateWords("●", _("released"), "good"),
    # a grade on its way
    "sent": StateWords("●", _("sent"), "good"),
    "unchanged": StateWords("●", _("sent, unchanged"), "good"),
    "waiting": StateWords("◔", _("waiting"), "busy"),
    "needs_teacher": StateWords("▲", _("needs you"), "warning"),
    "failed": StateWords("✕", _("failed"), "danger"),
    # launches and connections
    "ok": StateWords("●", _("opened"), "good"),
    "refused": StateWords("✕", _("refused"), "danger"),
    "connected": StateWords("●", _("connected"), "good"),
    "approved": StateWords("●", _("approved"), "good"),
    "pending": StateWords("▲", _("waits for approval"), "warning"),
    "revoked": StateWords("✕", _("revoked"), "idle"),
    "published": StateWords("●", _("published"), "good"),
    "unpublished": StateWords("◌", _("not published"), "idle"),
}


def state_words(state: str) -> StateWords:
    """The words of a state; one that is not listed is shown by its own name rather than not at all."""
    return STATE_WORDS.get(state) or StateWords("○", state.replace("_", " "), "idle")
