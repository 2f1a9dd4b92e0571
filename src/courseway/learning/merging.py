"""Two people who are one: everything of one becomes the other's, and no grade is lost (C7).

Where both have work on the same assignment, work that counts goes before work that does not, then the better grade,
then the newer work. The attempts of both stay readable. One transaction; whatever a later room hangs on a person moves
along, or nothing does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Model, Q
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.grades import outbox
from courseway.grades.models import Delivery, DeliveryTry
from courseway.learning.attempts import owe_grades, questions_of
from courseway.learning.happenings import note_standing
from courseway.learning.marking import mark_answers
from courseway.learning.models import Attempt, Extension, Submission
from courseway.lms.models import Arrival, ContextMembership, LmsIdentity, MentorScope, SectionMember
from courseway.orgs.models import Person

_STRENGTH = {Role.STUDENT: 1, Role.MENTOR: 2, Role.TEACHER: 3}
_FAR = 1_000_000  # above every number of an attempt


class MergeError(Exception):
    """Two people who cannot be joined; the text says why."""


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What joining would mean, for the question that is asked before."""

    courses: list[Course]  # that the kept person comes into
    moved: int  # pieces of work that only the other one has
    shared: list[tuple[Assignment, Submission, Submission]]  # both have work: what counts, what becomes history
    loses_account: bool  # the other one signs in here with an account that will stand alone


def preview_merge(kept: Person, absorbed: Person) -> MergePreview:
    check_merge(kept, absorbed)
    own = {submission.assignment_id: submission for submission in kept.submissions.all()}
    others = list(absorbed.submissions.select_related("assignment").order_by("assignment__title"))
    shared = []
    for theirs in others:
        if theirs.assignment_id in own:
            counts, history = _choose(own[theirs.assignment_id], theirs)
            shared.append((theirs.assignment, counts, history))
    courses = Course.objects.filter(enrollments__person=absorbed).exclude(enrollments__person=kept)
    return MergePreview(
        courses=list(courses.distinct().order_by("title")),
        moved=len(others) - len(shared),
        shared=shared,
        loses_account=kept.account_id is not None and absorbed.account_id is not None,
    )


def check_merge(kept: Person, absorbed: Person) -> None:
    if kept.pk == absorbed.pk:
        raise MergeError(_("This is one person already."))
    if kept.organization_id != absorbed.organization_id:
        raise MergeError(_("These people belong to different organizations."))


@transaction.atomic
def merge_people(kept: Person, absorbed: Person, *, now: datetime) -> Person:
    """Everything of `absorbed` becomes that of `kept`, and `absorbed` is no more. Raises MergeError."""
    locked = {p.pk: p for p in Person.objects.select_for_update().filter(pk__in=[kept.pk, absorbed.pk]).order_by("pk")}
    if len(locked) < 2:
        raise MergeError(_("This is one person already."))
    kept, absorbed = locked[kept.pk], locked[absorbed.pk]
    check_merge(kept, absorbed)
    both = (kept.pk, absorbed.pk)
    # Locked in the order of everybody who locks several: work, then arrivals, then deliveries.
    list(Submission.objects.select_for_update().filter(person__in=both).order_by("pk").values_list("pk"))
    LmsIdentity.objects.filter(person=absorbed).update(person=kept)
    _merge_roles(ContextMembership, "context_id", kept, absorbed)
    _merge_roles(Enrollment, "course_id", kept, absorbed)
    _merge_scopes(kept, absorbed)
    _merge_sections(kept, absorbed)
    addressed = _newest_arrivals(both)
    shared_links = {link for person, link in addressed if person == absorbed.pk and (kept.pk, link) in addressed}
    Arrival.objects.filter(person=absorbed).update(person=kept, fingerprint="")
    Arrival.objects.filter(person=kept).update(fingerprint="")
    _merge_deliveries(kept, absorbed, addressed)
    _merge_extensions(kept, absorbed)
    _merge_submissions(kept, absorbed, now)
    _move_the_rest(kept, absorbed)
    _take_over(kept, absorbed)
    _owe_anew(kept, shared_links, now)
    return kept


def _choose(first: Submission, second: Submission) -> tuple[Submission, Submission]:
    """The work that counts, and the one that becomes its history."""
    return (first, second) if _rank(first) >= _rank(second) else (second, first)


def _rank(submission: Submission) -> tuple[bool, Decimal, datetime]:
    is_finished = submission.completed_at is not None or submission.reopened_at is not None
    percent = submission.final_percent() if is_finished else None
    newest = max(filter(None, (submission.started_at, submission.submitted_at, submission.completed_at)))
    return (percent is not None, Decimal(-1) if percent is None else percent, newest)


def _merge_roles(model: type[Enrollment] | type[ContextMembership], place: str, kept: Person, absorbed: Person) -> None:
    """The stronger active role in each place. Rights over a whole course stay with the teacher who has them."""
    own = {getattr(row, place): row for row in model._default_manager.filter(person=kept)}
    for row in model._default_manager.filter(person=absorbed).order_by("pk"):
        same = own.get(getattr(row, place))
        if same is None:
            model._default_manager.filter(pk=row.pk).update(person=kept)
            continue
        stronger = max(same, row, key=lambda one: (one.active, _STRENGTH[Role(one.role)], one is same))
        changes: dict[str, Any] = {"role": stronger.role, "active": stronger.active}
        if isinstance(same, Enrollment) and isinstance(row, Enrollment):
            whole = [one for one in (same, row) if one.role == Role.TEACHER and one.covers_whole_course]
            changes["covers_whole_course"] = stronger.role == Role.TEACHER and bool(whole)
            changes["created_at"] = min(same.created_at, row.created_at)
        row.delete()
        model._default_manager.filter(pk=same.pk).update(**changes)


def _merge_scopes(kept: Person, absorbed: Person) -> None:
    """A mentor's newest list of a launch counts; what programs set adds up."""
    own = {(scope.course_id, scope.source): scope for scope in MentorScope.objects.filter(mentor=kept)}
    for scope in MentorScope.objects.filter(mentor=absorbed):
        same = own.get((scope.course_id, scope.source))
        if same is None:
            MentorScope.objects.filter(pk=scope.pk).update(mentor=kept)
            continue
        newer = max(same, scope, key=lambda one: one.stated_at)
        learners = newer.learners
        if scope.source == MentorScope.Source.API:
            learners = list(dict.fromkeys((*same.learners, *scope.learners)))
        scope.delete()
        same.learners, same.platform_id, same.stated_at = learners, newer.platform_id, newer.stated_at
        same.save()


def _merge_sections(kept: Person, absorbed: Person) -> None:
    own = SectionMember.objects.filter(person=kept).values("section")
    SectionMember.objects.filter(person=absorbed, section__in=own).delete()
    SectionMember.objects.filter(person=absorbed).update(person=kept)


def _newest_arrivals(people: Iterable[int]) -> dict[tuple[int, int], datetime]:
    """When each of them came through each link last: the newest one is whom the LMS is told about."""
    found = Arrival.objects.filter(person__in=people).values_list("person", "resource_link")
    return {(person, link): at for person, link, at in found.annotate(at=Max("arrived_at"))}


def _merge_deliveries(kept: Person, absorbed: Person, addressed: dict[tuple[int, int], datetime]) -> None:
    """One delivery for each link: that of the identity which the LMS will be told about from now on."""
    both = Delivery.objects.select_for_update().filter(person__in=(kept, absorbed)).order_by("pk")
    by_link: dict[int, list[Delivery]] = {}
    for delivery in both:
        by_link.setdefault(delivery.resource_link_id, []).append(delivery)
    for link, deliveries in by_link.items():
        *older, newest = sorted(deliveries, key=lambda one: addressed.get((one.person_id, link), one.wanted_at))
        for delivery in older:
            DeliveryTry.objects.filter(delivery=delivery).update(delivery=newest)
            delivery.delete()
        Delivery.objects.filter(pk=newest.pk).update(person=kept)


def _merge_extensions(kept: Person, absorbed: Person) -> None:
    own = {extension.assignment_id: extension for extension in Extension.objects.filter(person=kept)}
    for extension in Extension.objects.filter(person=absorbed):
        same = own.get(extension.assignment_id)
        if same is None:
            Extension.objects.filter(pk=extension.pk).update(person=kept)
        else:
            extension.delete()
            Extension.objects.filter(pk=same.pk).update(due_at=max(same.due_at, extension.due_at))


def _merge_submissions(kept: Person, absorbed: Person, now: datetime) -> None:
    own = {submission.assignment_id: submission for submission in Submission.objects.filter(person=kept)}
    for theirs in Submission.objects.filter(person=absorbed).select_related("assignment__course").order_by("pk"):
        same = own.get(theirs.assignment_id)
        if same is None:
            Submission.objects.filter(pk=theirs.pk).update(person=kept)
            continue
        same.assignment = theirs.assignment
        counts, history = _choose(same, theirs)
        _merge_work(counts, history, now)
        counts.person = kept
        counts.save()


def _merge_work(counts: Submission, history: Submission, now: datetime) -> None:
    """`history` becomes earlier attempts of `counts`, whose last attempt stays the last one."""
    for attempt in history.attempts.filter(submitted_at=None):
        if attempt.answers:
            _close(attempt, history.assignment, now)
        else:
            attempt.delete()
    used = history.attempts.aggregate(last=Max("number"))["last"] or 0
    # In two steps: no number may stand twice at any moment.
    counts.attempts.update(number=F("number") + _FAR)
    counts.attempts.update(number=F("number") - _FAR + used)
    Attempt.objects.filter(submission=history).update(submission=counts)
    history.uploads.update(submission=counts)
    counts.started_at = min(counts.started_at, history.started_at)
    counts.released_at = counts.released_at or (history.released_at if _rank(counts)[0] else None)
    counts.extra_percent = max(counts.extra_percent, history.extra_percent)
    if history.comment and history.comment not in counts.comment:
        counts.comment = "\n\n".join(filter(None, (counts.comment, history.comment)))
    history.delete()


def _close(attempt: Attempt, assignment: Assignment, now: datetime) -> None:
    """An open attempt that will not be the last one: its answers stay readable, with what they were worth."""
    marks = mark_answers(questions_of(assignment), attempt.answers, assignment.points)
    attempt.results, attempt.score, attempt.maximum = marks.as_json(), marks.score, assignment.points
    attempt.submitted_at = now
    attempt.save()


def _move_the_rest(kept: Person, absorbed: Person) -> None:
    """Events, the launch log, and whatever hangs on a person that this file does not know: moved, never deleted."""
    for relation in Person._meta.related_objects:
        model: type[Model] = relation.related_model
        name = relation.field.name
        model._default_manager.filter(Q(**{name: absorbed.pk})).update(**{name: kept.pk})


def _take_over(kept: Person, absorbed: Person) -> None:
    account_id, name, email = absorbed.account_id, absorbed.name, absorbed.email
    absorbed.delete()
    kept.account_id = kept.account_id or account_id
    kept.name, kept.email = kept.name or name, kept.email or email
    kept.save()


def _owe_anew(kept: Person, shared_links: set[int], now: datetime) -> None:
    """What each link has to be told now. Where both came through one, the newer LMS account gets the grade too."""
    for submission in Submission.objects.filter(person=kept).select_related("assignment__course").order_by("pk"):
        note_standing(submission)
        owe_grades(submission.assignment, [submission], now)
    if shared_links:
        outbox.resend(Delivery.objects.filter(person=kept, resource_link__in=shared_links), now=now)
