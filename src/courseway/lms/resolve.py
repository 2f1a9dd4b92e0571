"""Which course and assignment a launch opens: what its address asks for, then one table of rules, tried in order.

Pure: `known.py` and `detection.py` read what is known, this file decides, and the log says which rule fired. In words:

1. The address or a parameter names one assignment: that one, for ever (`assignment_address`, `assignment_parameter`).
2. The same link of the same LMS course asked for the same thing before: what it opened then (`known_link`).
3. The link is a copy of a known one, by the history that the LMS sends, newest first: its content (`link_history`) -
   in the course of this LMS course when that one has it, since a copied LMS course has a course of its own.
4. The course is known by its identity, the first that the launch carries of: offering sourcedid, section sourcedid,
   custom `course_offering_sourcedid`, `course_target_id` (`course_identity`, `course_target`). The copy that was made
   for an LMS course is its course also while an old target goes on naming the master (`known_context`).
5. The LMS course was connected before, or is a copy of one that was (`known_context`, `context_history`).
6. An identity nobody has seen, and a parent that allows copying: a new child (`course_copy`).
7. Nothing fits: a teacher is asked, and nothing is made.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from courseway.lms.refusals import (
    CourseArchivedError,
    DeletedTargetError,
    EnrollOnlyDisabledError,
    LtiDisabledError,
    NotPublishedError,
    UnknownParentError,
    UnknownTargetError,
)
from ltikit.launch import Launch, Message, Role


class Kind(enum.StrEnum):
    ANY = "any"  # /lti/launch: the launch itself must say where to
    ASSIGNMENT = "assignment"  # /lti/a/<assignment>
    CONTENT = "content"  # /lti/c/<content>: no course in it
    ENROLL = "enroll"  # /lti/e/<course>
    LINK = "link"  # /lti/link: whatever was chosen for this resource link
    SELECTION = "selection"  # /lti/resource_selection, /lti/editor_button
    NAVIGATION = "navigation"  # /lti/course_navigation


@dataclass(frozen=True, slots=True)
class Target:
    kind: Kind
    id: str = ""


_ID = re.compile(r"[a-z0-9]{16,40}")
_CANVAS_MARKS = frozenset({"ext_content_return_types", "selection_directive"})
_PATHS = (
    (re.compile(r"lti/launch/?"), Kind.ANY),
    (re.compile(r"lti/a/([a-z0-9]{16,40})/?"), Kind.ASSIGNMENT),
    (re.compile(r"lti/c/([a-z0-9]{16,40})/?"), Kind.CONTENT),
    (re.compile(r"lti/e/([a-z0-9]{16,40})/?"), Kind.ENROLL),
    (re.compile(r"lti/link/?"), Kind.LINK),
    (re.compile(r"lti/(?:resource_selection|editor_button)/?"), Kind.SELECTION),
    (re.compile(r"lti/course_navigation/?"), Kind.NAVIGATION),
    (re.compile(r""), Kind.ANY),
)


def read_target(url: str) -> Target | None:
    """The target of an absolute address of ours; None if it is not one of ours or not a launch address."""
    read = _recall_target if len(url) <= _MAX_RECALLED else _read_target
    return read(url, settings.PUBLIC_URL, settings.PUBLIC_PATH)


def _read_target(url: str, public_url: str, public_path: str) -> Target | None:
    try:
        parts, own = urlsplit(url), urlsplit(public_url)
        if (parts.scheme, parts.hostname, parts.port or _default_port(parts.scheme)) != (
            own.scheme,
            own.hostname,
            own.port or _default_port(own.scheme),
        ):
            return None
    except ValueError:
        return None
    if not (parts.path + "/").startswith(public_path + "/"):
        return None
    path = parts.path[len(public_path) :].lstrip("/")
    for pattern, kind in _PATHS:
        if match := pattern.fullmatch(path):
            return Target(kind, match.group(1) if match.groups() else "")
    return None


_MAX_RECALLED = 300  # characters: anybody may send an address, and longer ones than ours need not be kept
_recall_target = lru_cache(maxsize=4096)(_read_target)


def narrow_target(launch: Launch, target: Target) -> Target:
    """The content that a chosen link names in a parameter, for an LMS that keeps parameters and not the address."""
    content = launch.custom.get("content_id", "")
    names_more = target.kind not in (Kind.ANY, Kind.LINK) or "assignment_id" in launch.custom
    return target if names_more or not _ID.fullmatch(content) else Target(Kind.CONTENT, content)


def may_want_links(launch: Launch, target: Target) -> bool:
    """False for nearly every launch: those open something, and `selection.py` need not look at them."""
    is_old_canvas = not _CANVAS_MARKS.isdisjoint(launch.raw)
    return launch.message is Message.DEEP_LINKING or target.kind is Kind.SELECTION or is_old_canvas


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


@dataclass(frozen=True, slots=True)
class Candidate:
    """An assignment that could be opened, with what decides whether it may be."""

    assignment_pk: int
    public_id: str
    content_id: str
    course_pk: int
    organization_pk: int
    is_published: bool
    is_course_published: bool
    is_lti_enabled: bool
    deleted_at: datetime | str | None
    archived_at: datetime | str | None


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """A course that a launch may mean. `candidates` has its assignments among those whose content is asked for."""

    pk: int
    public_id: str
    organization_pk: int
    allows_copy: bool
    is_lti_enabled: bool
    is_published: bool
    archived_at: datetime | str | None
    enrolls_only: bool
    is_connected: bool  # some LMS course has opened it before
    candidates: Mapping[str, Candidate] = field(default_factory=dict)  # by content id


@dataclass(frozen=True, slots=True)
class Identity:
    """A name of the launching LMS course.

    `is_target`: it came as course_target_id, the weakest kind. `is_course_id`: it is the own id of a course here, so
    that it names that course and nothing new.
    """

    value: str
    is_target: bool = False
    is_course_id: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when neither address nor link decided. Courses are of the platform's organization only.

    `identities` are the launch's identity values in their order of precedence, blank ones left out.
    """

    content_id: str = ""  # named by the address
    history: Candidate | None = None  # what the nearest known ancestor of the link opens
    identities: tuple[Identity, ...] = ()
    bound: Mapping[str, tuple[CourseFacts, ...]] = field(default_factory=dict)  # identity value -> stored for these
    targets: tuple[CourseFacts, ...] = ()  # courses whose own id is named by course_target_id
    connected: tuple[CourseFacts, ...] = ()  # opened from this very LMS course before, newest first
    copied: frozenset[int] = frozenset()  # of these, by pk, the copy made for it and what a review settled on
    chosen: frozenset[int] = frozenset()  # of these, the ones from which a teacher chose links
    is_target_changed: bool = False  # the link named another course_target_id before
    ancestors: tuple[CourseFacts, ...] = ()  # of the link and of the LMS course this one is a copy of, nearest first
    originals: tuple[CourseFacts, ...] = ()  # these, or what replaced them, and their parents: what may be copied
    parent: CourseFacts | None = None  # named by parent_course_id, replaced where an owner said so
    is_parent_named: bool = False
    context_identity: str = ""  # names the LMS course itself; empty for a launch outside any course

    @property
    def is_new(self) -> bool:
        """Neither a source id nor the LMS course itself was seen before."""
        return not self.connected and not any(i.value in self.bound for i in self.identities if not i.is_target)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The rule that fired and what it chose.

    Either an existing assignment (`candidate`), a course without one (`course`), or a child of `copy_of` still to be
    made, in which the copy of the content `content_id` is opened. `identity` is stored for the course.
    """

    rule: str
    candidate: Candidate | None = None
    course: CourseFacts | None = None
    copy_of: CourseFacts | None = None
    content_id: str = ""
    identity: str = ""


ADDRESS = "assignment_address"
PARAMETER = "assignment_parameter"
ENROLL_ADDRESS = "enroll_address"
KNOWN_LINK = "known_link"
LINK_HISTORY = "link_history"
IDENTITY = "course_identity"
TARGET = "course_target"
KNOWN_CONTEXT = "known_context"
CONTEXT_HISTORY = "context_history"
COPY = "course_copy"
CHOSEN = "chosen"
REVIEW = "actual_user"
MOVED_LINK = "moved_link"


NAMES_ASSIGNMENT = "a:"
"""How `describe_target` begins where a link names an assignment itself."""


def name_assignment(launch: Launch, target: Target) -> tuple[str, str]:
    """The assignment that the message names itself, and the rule; two empty texts if it names none.

    An address beats a parameter: it is what the teacher placed in this very link, while a custom parameter may
    stand in the settings of the whole tool.
    """
    if target.kind is Kind.ASSIGNMENT:
        return target.id, ADDRESS
    if target.kind in (Kind.ANY, Kind.LINK) and (named := launch.custom.get("assignment_id", "")):
        return named, PARAMETER
    return "", ""


def describe_target(launch: Launch, target: Target) -> str:
    """What the link asks for, in a word that is stored with it; another one makes it be resolved anew."""
    named, _ = name_assignment(launch, target)
    if named:
        return f"{NAMES_ASSIGNMENT}{named}"[:100]
    targets = ",".join(launch.custom_lists.get("course_target_id", ()))
    mark = hashlib.sha256(targets.encode("utf-8", "surrogatepass")).hexdigest()[:16] if targets else ""
    return f"{target.kind.value}:{target.id}:{mark}"


def is_as_before(launch: Launch, target: Target, *, link_target: str, link_context: str) -> bool:
    """True if a known link stands where it stood and means the same course as when it was stored.

    Some LMSs keep a link's id in a copy of the course; and a target that is named now and was not, or was another
    one, is meant (E1). A target that is named no more changes nothing: the link was chosen once.
    """
    context = launch.context.id if launch.context else ""
    if context and link_context and context != link_context:
        return False
    mark = read_mark(describe_target(launch, target))
    return not mark or read_mark(link_target) == mark


def read_mark(target: str) -> str:
    """What stands in a stored target (`describe_target`) for the course targets that were named; empty for none."""
    return "" if target.startswith(NAMES_ASSIGNMENT) else target.rpartition(":")[2]


def resolve_named(
    launch: Launch, target: Target, *, candidate: Candidate | None, organization_pk: int, is_link_known: bool
) -> Resolution | None:
    """Rules 1 and 2. None when the launch has to be resolved by what is known about its course.

    `candidate` is the assignment that the message names or, if it names none, the one remembered for its link.
    """
    named, rule = name_assignment(launch, target)
    if named:
        if candidate is None or candidate.organization_pk != organization_pk:
            raise UnknownTargetError(f"no assignment {named} in this organization")
        check_openable(candidate, launch.role)
        return Resolution(rule, candidate=candidate)
    is_for_assignment = target.kind in (Kind.ANY, Kind.LINK, Kind.CONTENT)
    if is_link_known and candidate is not None and is_for_assignment:
        check_openable(candidate, launch.role)
        return Resolution(KNOWN_LINK, candidate=candidate)
    return None


def name_context(deployment_id: str, context_id: str) -> str:
    """The identity of an LMS course that has no other one: itself."""
    return f"context {deployment_id} {context_id}"[:255]


def resolve_moved(target: Target, candidate: Candidate | None, role: Role) -> Resolution | None:
    """What the same link opened under the LMS's other version of LTI, if it still asks for that (B7)."""
    if candidate is None or target.kind not in (Kind.ANY, Kind.LINK, Kind.CONTENT):
        return None
    if target.kind is Kind.CONTENT and target.id != candidate.content_id:
        return None
    check_openable(candidate, role)
    return Resolution(MOVED_LINK, candidate=candidate)


def resolve_enroll(course: CourseFacts | None, role: Role) -> Resolution:
    """The enroll-only address opens its course while the course's switch is on (F4)."""
    if course is None:
        raise UnknownTargetError("no such course in this organization")
    check_course_openable(course, role)
    if not course.enrolls_only:
        raise EnrollOnlyDisabledError
    return Resolution(ENROLL_ADDRESS, course=course)


def resolve_course(facts: Facts) -> Resolution | None:
    """Rules 3 to 6 for a link that wants an assignment; None when nothing fits and a teacher has to choose.

    Raises UnknownParentError when only a copy could help and the parent is not a course of this organization.
    """
    content = facts.content_id or (facts.history.content_id if facts.history else "")
    if not content:
        return None
    identity = _identity_to_store(facts)
    for course, rule in _list_own_courses(facts):
        if found := course.candidates.get(content):
            is_own_link = facts.history is not None and facts.history.course_pk == course.pk
            return Resolution(LINK_HISTORY if is_own_link else rule, candidate=found, identity=identity)
    parent = _find_parent(facts)
    if parent is not None and (original := parent.candidates.get(content)):
        if original.deleted_at is not None:
            raise DeletedTargetError
        return Resolution(COPY, copy_of=parent, content_id=content, identity=_identity_of_copy(facts))
    if facts.history is not None:
        return Resolution(LINK_HISTORY, candidate=facts.history, identity=identity)
    for ancestor in facts.ancestors:
        if found := ancestor.candidates.get(content):
            return Resolution(CONTEXT_HISTORY, candidate=found, identity=identity)
    _refuse_foreign_parent(facts)
    return None


def resolve_navigation(facts: Facts) -> Resolution | None:
    """Rules 4 to 6 for a link that wants a course and no assignment of it."""
    for course, rule in _list_own_courses(facts):
        return Resolution(rule, course=course, identity=_identity_to_store(facts))
    if (parent := _find_parent(facts)) is not None:
        return Resolution(COPY, copy_of=parent, identity=_identity_of_copy(facts))
    if facts.ancestors:
        return Resolution(CONTEXT_HISTORY, course=facts.ancestors[0], identity=_identity_to_store(facts))
    _refuse_foreign_parent(facts)
    return None


def _list_own_courses(facts: Facts) -> list[tuple[CourseFacts, str]]:
    """The courses that belong to the launching LMS course without making one, best first.

    A source id of the LMS beats an explicit target, and so does the copy that was made for this LMS course: there the
    target may still be the master's. A target counts before all else once somebody changed it, or chose links of that
    course here. An unseen source id from an LMS course that is connected already is that course's.
    """
    sources = [i.value for i in facts.identities if not i.is_target]
    own = [(course, IDENTITY) for value in sources for course in facts.bound.get(value, ())]
    targets = [] if _find_parent(facts) is not None else _list_targets(facts)
    own += [(course, TARGET) for course in targets if facts.is_target_changed or course.pk in facts.chosen]
    own += [(course, KNOWN_CONTEXT) for course in facts.connected if course.pk in facts.copied]
    own += [(course, TARGET) for course in targets]
    own += [(course, KNOWN_CONTEXT) for course in facts.connected]
    return own


def _list_targets(facts: Facts) -> list[CourseFacts]:
    named = [i.value for i in facts.identities if i.is_target]
    return [*(course for value in named for course in facts.bound.get(value, ())), *facts.targets]


def _find_parent(facts: Facts) -> CourseFacts | None:
    """The parent of a child that is to be made; None if none is.

    It is the named one, else the nearest of the courses whose link or LMS course was copied that allows copying - if
    nothing of the launching LMS course was seen before, and if the child will be found again.
    """
    if not facts.is_new or not _identity_of_copy(facts):
        return None
    if facts.is_parent_named:
        parent = facts.parent
    else:
        parent = next((one for one in facts.originals if one.allows_copy), None)
    if parent is None or not parent.allows_copy:
        return None
    is_own_target = any(target.pk == parent.pk for target in facts.targets)
    # A master that no LMS course has opened yet, and that is named as the target too, is being connected (E3).
    return None if is_own_target and not parent.is_connected else parent


def _identity_of_copy(facts: Facts) -> str:
    """The name under which the second launch finds the child; empty if the launch has none of its own.

    A blank source id must never make stray copies. Where the LMS itself says that its course is a copy of a known
    one, the LMS course is identity enough.
    """
    for identity in facts.identities:
        if not identity.is_target:
            return identity.value
    if facts.ancestors and facts.context_identity:
        return facts.context_identity
    unseen = (i.value for i in facts.identities if not i.is_course_id and i.value not in facts.bound)
    return next(unseen, "")


def _identity_to_store(facts: Facts) -> str:
    """The source id that the launching LMS course shall be known by from now on, if nobody has it yet."""
    return next((i.value for i in facts.identities if not i.is_target and i.value not in facts.bound), "")


def _refuse_foreign_parent(facts: Facts) -> None:
    if facts.is_parent_named and facts.parent is None and facts.is_new:
        raise UnknownParentError("parent_course_id names no course of this organization")


def check_openable(candidate: Candidate, role: Role) -> None:
    """Refuses what cannot be opened. A teacher may open what is not published, to see and to publish it."""
    if candidate.deleted_at is not None:
        raise DeletedTargetError
    check_course_openable(candidate, role)
    if role is not Role.TEACHER and not (candidate.is_published and candidate.is_course_published):
        raise NotPublishedError


def check_course_openable(course: Candidate | CourseFacts | None, role: Role) -> None:
    if course is None:
        raise UnknownTargetError
    if course.archived_at is not None:
        raise CourseArchivedError
    if not course.is_lti_enabled:
        raise LtiDisabledError
    if isinstance(course, CourseFacts) and role is not Role.TEACHER and not course.is_published:
        raise NotPublishedError
