"""What is to be said about a link's column in the LMS: a table of findings, from what was seen there.

Nothing here asks the LMS or the database.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Assignment
from courseway.grades.lineitems import TAG
from courseway.grades.models import SeenColumn
from courseway.lms.models import Platform, ResourceLink
from ltikit import vocabulary


class Finding(enum.Enum):
    """Where a link stands. The order is that of urgency."""

    FOREIGN = "foreign"  # grades go into another link's column
    DUPLICATE = "duplicate"  # the LMS has several columns of this link
    GONE = "gone"  # the column that was used is not there any more
    MISSING = "missing"  # there is none
    UNUSED = "unused"  # there is one, and nothing was sent to it yet
    UNKNOWN = "unknown"  # nobody has looked yet, or the LMS does not let tools look
    BY_PERSON = "by_person"  # LTI 1.1: each launch says where its grade goes
    NOT_GRADED = "not_graded"  # the LMS takes no grade for this link
    FOUND = "found"

    @property
    def is_problem(self) -> bool:
        return self in (Finding.FOREIGN, Finding.DUPLICATE, Finding.GONE, Finding.MISSING)


_WORDS: dict[Finding, tuple[str, Promise]] = {
    Finding.FOREIGN: ("needs_teacher", _("another link's column")),
    Finding.DUPLICATE: ("needs_teacher", _("several columns")),
    Finding.GONE: ("needs_teacher", _("the column is gone")),
    Finding.MISSING: ("needs_teacher", _("no column")),
    Finding.UNUSED: ("waiting", _("found, not used yet")),
    Finding.UNKNOWN: ("not_started", _("not looked at yet")),
    Finding.BY_PERSON: ("sent", _("person by person")),
    Finding.NOT_GRADED: ("not_started", _("the LMS takes no grade here")),
    Finding.FOUND: ("sent", _("found")),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A link, what was found, the column in use if it was seen, and those that it could use."""

    link: ResourceLink
    finding: Finding
    used: SeenColumn | None = None
    candidates: tuple[SeenColumn, ...] = ()

    @property
    def state(self) -> str:
        """The state whose shape and colour fit (`orgs.state_words`)."""
        return _WORDS[self.finding][0]

    @property
    def word(self) -> Promise:
        return _WORDS[self.finding][1]

    @property
    def kind(self) -> str:
        """For templates."""
        return self.finding.value

    @property
    def can_make(self) -> bool:
        """The LMS lets us make a column."""
        return bool(self.link.lineitems_url) and vocabulary.SCOPE_LINEITEM in self.link.ags_scopes.split()


def can_look(link: ResourceLink) -> bool:
    """Whether the LMS lets this link's columns be listed."""
    scopes = link.ags_scopes.split()
    return bool(link.lineitems_url) and bool(
        {vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_LINEITEM_READONLY} & set(scopes)
    )


def judge(link: ResourceLink, assignment: Assignment, seen: Sequence[SeenColumn] | None) -> Column:
    """What to say about a link; `seen` are the columns of its LMS course, None if nobody has looked yet."""
    if link.deployment.platform.version == Platform.Version.V11:
        return Column(link, Finding.BY_PERSON)
    if vocabulary.SCOPE_SCORE not in link.ags_scopes.split() or not (link.lineitem_url or link.lineitems_url):
        return Column(link, Finding.NOT_GRADED)
    if seen is None or not can_look(link):
        return Column(link, Finding.UNKNOWN)
    used = next((one for one in seen if is_same_address(one.url, link.lineitem_url)), None)
    own = tuple(one for one in seen if one.resource_link_id == link.resource_link_id)
    loose = tuple(
        one
        for one in seen
        if not one.resource_link_id and one.resource_id == assignment.content_id and one.tag in ("", TAG)
    )
    candidates = own or loose
    if used is not None and _is_foreign(used, link, assignment):
        return Column(link, Finding.FOREIGN, used, candidates)
    if len(own) > 1:
        return Column(link, Finding.DUPLICATE, used, own)
    if used is not None:
        return Column(link, Finding.FOUND, used, candidates)
    if candidates:
        return Column(link, Finding.UNUSED, None, candidates)
    return Column(link, Finding.GONE if link.lineitem_url else Finding.MISSING)


def _is_foreign(column: SeenColumn, link: ResourceLink, assignment: Assignment) -> bool:
    if column.resource_link_id:
        return column.resource_link_id != link.resource_link_id
    return bool(column.resource_id) and column.tag == TAG and column.resource_id != assignment.content_id


def is_same_address(first: str, second: str) -> bool:
    """Equal but for the order of the query and the case of the host: a launch and a list may spell one in two ways."""
    if first == second:
        return True
    try:
        return _take_apart(first) == _take_apart(second)
    except ValueError:
        return False


def _take_apart(url: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower(), parts.path, sorted(parse_qsl(parts.query, keep_blank_values=True))
