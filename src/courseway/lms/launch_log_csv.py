"""The launch log as rows of a table for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from courseway.lms.exported_ids import read_lti_ids
from courseway.lms.models import Launch
from courseway.lms.rule_words import say_rule
from courseway.spreadsheets import Cell

BATCH: Final = 1000
LAUNCH_HEADS: Final = (
    _("reference"),
    _("time (UTC)"),
    _("outcome"),
    _("code"),
    _("person"),
    _("e-mail"),
    _("LTI ID"),
    _("role"),
    _("course"),
    _("assignment"),
    _("LMS"),
    _("LTI version"),
    _("LMS course"),
    _("LMS course id"),
    _("rule"),
)


def list_launch_rows(launches: QuerySet[Launch]) -> Iterator[tuple[Cell, ...]]:
    """Read in batches, so that a log of any length takes little memory."""
    every = launches.iterator(chunk_size=BATCH)
    while batch := list(islice(every, BATCH)):
        lti_ids = read_lti_ids({launch.person_id for launch in batch if launch.person_id})
        for launch in batch:
            yield (
                launch.reference,
                launch.at,
                launch.outcome,
                launch.code,
                launch.person.shown_name if launch.person else "",
                launch.person.email if launch.person else "",
                lti_ids.get(launch.person_id or 0, ""),
                launch.role,
                launch.course.title if launch.course else "",
                launch.assignment.title if launch.assignment else "",
                str(launch.platform or ""),
                launch.version,
                launch.context.title if launch.context else "",
                launch.lms_context_id,
                say_rule(launch.rule) if launch.rule else "",
            )
