"""Whose choice it is, and what there is to choose from: the only ways to a selection and to rows within it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db.models import (
    BooleanField,
    Count,
    Exists,
    ExpressionWrapper,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.lms.models import CourseContext, LmsIdentity, PendingSelection, Platform
from courseway.lms.resolve import Target
from courseway.lms.selection import Wanted, Wish, open_selection, read_wish
from courseway.lms.sessions import selection_ticket_of
from courseway.orgs.models import Account, Member, Person
from ltikit.launch import Launch

_WORDS = 8
_IN_ORDER = ("course__title", "course", "module__position", "module", "position", "pk")


@dataclass(frozen=True, slots=True)
class Selection:
    """An open selection: the message, what it waits for, and whose rights count.

    `person` is whom the platform's user is here, None before anything of that user was stored. `account_pks` are the
    accounts proven to be the same human's: the person's own, and one proven in this selection.
    """

    row: PendingSelection
    platform: Platform
    launch: Launch
    target: Target
    wish: Wish
    person: Person | None
    account_pks: frozenset[int]


def get_selection(request: HttpRequest, *, now: datetime) -> Selection:
    """The selection that the browser's ticket opens. Raises SelectionOverError when its time is over."""
    ticket = selection_ticket_of(request)
    rows = PendingSelection.objects.select_related("platform__organization", "account")
    row = rows.filter(reference=ticket.reference, platform__revoked_at=None).first() if ticket else None
    if row is None:
        raise PermissionDenied(_("Choosing begins in the LMS: open the link there."))
    launch, target = open_selection(row, now=now)
    person = find_person(row.platform, launch)
    accounts = (row.account, person.account if person else None)
    return Selection(
        row=row,
        platform=row.platform,
        launch=launch,
        target=target,
        wish=read_wish(launch, target),
        person=person,
        account_pks=frozenset(account.pk for account in accounts if account is not None and account.is_active),
    )


def find_person(platform: Platform, launch: Launch) -> Person | None:
    identities = LmsIdentity.objects.select_related("person__account")
    identity = identities.filter(platform=platform, lms_user_id=launch.person.user_id or "").first()
    return identity.person if identity else None


def list_courses(selection: Selection) -> QuerySet[Course]:
    """The courses of the platform's organization that these people teach as a whole, and that links may open."""
    courses = Course.objects.filter(
        organization=selection.platform.organization_id, lti_enabled=True, published=True, archived_at=None
    )
    if selection.person is None and not selection.account_pks:
        return courses.none()
    whose = Q(person__account__in=selection.account_pks)
    if selection.person is not None:
        whose |= Q(person=selection.person)
    taught = Enrollment.objects.filter(whose, role=Role.TEACHER, active=True, covers_whole_course=True)
    owned = Member.objects.filter(account__in=selection.account_pks, role=Member.Role.OWNER)
    return courses.filter(Q(pk__in=taught.values("course")) | Q(organization__in=owned.values("organization")))


def list_assignments(selection: Selection) -> QuerySet[Assignment]:
    """What can be chosen, in the order of the courses."""
    assignments = Assignment.objects.filter(course__in=list_courses(selection), published=True, deleted_at=None)
    return assignments.select_related("course", "module").order_by(*_IN_ORDER)


def list_courses_with_counts(selection: Selection) -> QuerySet[Course]:
    """With `choosable_count`, and `is_connected` for the courses that this LMS course opened before: these first."""
    launch, courses = selection.launch, list_courses(selection)
    counts = Assignment.objects.filter(course=OuterRef("pk"), published=True, deleted_at=None).order_by()
    context_id = launch.context.id if launch.context else ""
    connected = CourseContext.objects.filter(
        course=OuterRef("pk"),
        context__context_id=context_id,
        context__deployment__platform=selection.platform,
        context__deployment__deployment_id=launch.deployment_id,
    )
    return courses.annotate(
        choosable_count=Coalesce(
            Subquery(counts.values("course").annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0
        ),
        is_connected=Exists(connected.exclude(context__context_id="")),
    ).order_by("-is_connected", "title", "pk")


def search_assignments(assignments: QuerySet[Assignment], text: str) -> QuerySet[Assignment]:
    """Each word has to be in the title of the assignment, its module or its course; own titles come first."""
    has_all = Q()
    for word in text.split()[:_WORDS]:
        has_all &= Q(title__icontains=word)
        in_course = Q(course__title__icontains=word) | Q(module__title__icontains=word)
        assignments = assignments.filter(Q(title__icontains=word) | in_course)
    return assignments.annotate(is_elsewhere=ExpressionWrapper(~has_all, output_field=BooleanField())).order_by(
        "is_elsewhere", *_IN_ORDER
    )


def get_assignments(selection: Selection, public_ids: list[str]) -> list[Assignment]:
    """All of these, or nothing: PermissionDenied if one of them is not the teacher's to choose."""
    wanted = list(dict.fromkeys(public_ids))
    if selection.wish.wanted is Wanted.COURSE or not wanted:
        raise PermissionDenied(_("Nothing was chosen."))
    found = list(list_assignments(selection).filter(public_id__in=wanted))
    if len(found) != len(wanted):
        raise PermissionDenied(_("This assignment does not exist, is not published, or is not yours to choose."))
    return found


def get_course(selection: Selection, public_id: str) -> Course:
    course = list_courses(selection).filter(public_id=public_id).first()
    if course is None:
        raise PermissionDenied(_("This course does not exist, has LTI switched off, or is not yours to choose."))
    return course


def find_account(email: str) -> Account | None:
    """The account of a proven address."""
    return Account.objects.filter(email__iexact=email, is_active=True).first()
