"""The teacher's tables: students and their work, in a fixed number of statements however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from courseway.courses.models import Assignment, Course, Enrollment, Module
from courseway.grades.models import Delivery
from courseway.grades.states import delivery_states
from courseway.learning.models import Submission
from courseway.learning.progress import WorkState, delivery_word, work_state
from courseway.learning.scoring import WAITS_FOR_GRADE, WAITS_FOR_RELEASE
from courseway.lms.models import Arrival, ContextMembership, LmsIdentity
from courseway.lms.sections import in_division

STUDENTS_ON_PAGE = 50
ASSIGNMENTS_ON_PAGE = 20
PROBLEMS = (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)

FILTERS: dict[str, Promise] = {
    "to_grade": _("To be graded"),
    "to_release": _("Grade not released"),
    "problem": _("Grade not delivered"),
    "waiting": _("Grade on its way"),
    "in_progress": _("Work in progress"),
    "not_started": _("Work not started"),
    "completed": _("Work completed"),
    "to_come": _("Not come from the LMS yet"),
    "gone": _("Not in the LMS course any more"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One student's work on one assignment."""

    enrollment: Enrollment
    assignment: Assignment
    submission: Submission | None
    state: WorkState
    percent: Decimal | None
    deliveries: list[Delivery]
    attempts: int = 0

    @property
    def delivery(self) -> str:
        return delivery_word(self.deliveries)

    @property
    def is_released(self) -> bool:
        return self.submission is not None and self.submission.released_at is not None

    @property
    def waits_for_release(self) -> bool:
        """Completed and graded, and the student was not told yet."""
        return (
            self.submission is not None
            and self.submission.completed_at is not None
            and self.submission.is_graded
            and not self.is_released
        )


@dataclass(frozen=True, slots=True)
class Column:
    """One assignment, with what its buttons would do for the learners that the reader may see."""

    assignment: Assignment
    to_release: int
    to_complete: int
    undelivered: int


@dataclass(frozen=True, slots=True)
class StudentRow:
    enrollment: Enrollment
    cells: list[Cell]


def list_columns(course: Course, module: str = "") -> QuerySet[Assignment]:
    """The assignments of a course in its order, or those of one module. Work outlives publishing, so all stand here."""
    assignments = course.assignments.filter(deleted_at=None).select_related("module")
    if module.isdigit():
        assignments = assignments.filter(module=int(module))
    return assignments.order_by("module__position", "module", "position", "pk")


def list_modules(course: Course) -> list[Module]:
    return list(course.modules.filter(assignments__deleted_at=None).distinct().order_by("position", "pk"))


def find_learners(
    course: Course,
    learners: QuerySet[Enrollment],
    assignments: Sequence[Assignment],
    *,
    search: str = "",
    state: str = "",
    part: str = "",
    sort: str = "",
) -> QuerySet[Enrollment]:
    """The learners whose name or e-mail holds the words and who have work in that state on any assignment.

    `part` names a section, a group or an LMS course (`lms.sections`).
    """
    for word in search.split()[:8]:
        learners = learners.filter(
            Q(person__name__icontains=word) | Q(person__email__icontains=word) | Q(person__public_id__istartswith=word)
        )
    if (division := in_division(course, part)) is not None:
        learners = learners.filter(division)
    if state == "gone":
        learners = learners.filter(active=False)
    elif state == "to_come":
        learners = learners.filter(_is_to_come(course))
    elif state in FILTERS:
        learners = learners.filter(_has_work_in(state, assignments))
    test_identities = LmsIdentity.objects.filter(person=OuterRef("person"), is_test_user=True)
    learners = learners.annotate(is_test_user=Exists(test_identities), is_to_come=_is_to_come(course))
    backward = "-" if sort == "-name" else ""
    return learners.order_by(f"{backward}person__name", f"{backward}person__email", "pk")


def build_rows(enrollments: Sequence[Enrollment], assignments: Sequence[Assignment]) -> list[StudentRow]:
    """The cells of these students and assignments, in two statements."""
    persons = [enrollment.person_id for enrollment in enrollments]
    submissions = {
        (submission.assignment_id, submission.person_id): submission
        for submission in Submission.objects.filter(assignment__in=assignments, person__in=persons).annotate(
            handed_in=Count("attempts", filter=Q(attempts__submitted_at__isnull=False))
        )
    }
    deliveries = delivery_states([assignment.pk for assignment in assignments], persons)
    rows = []
    for enrollment in enrollments:
        cells = []
        for assignment in assignments:
            key = (assignment.pk, enrollment.person_id)
            submission = submissions.get(key)
            cells.append(
                Cell(
                    enrollment,
                    assignment,
                    submission,
                    work_state(submission, for_student=False),
                    submission.final_percent() if submission else None,
                    deliveries.get(key, []),
                    getattr(submission, "handed_in", 0),
                )
            )
        rows.append(StudentRow(enrollment, cells))
    return rows


def build_columns(assignments: Sequence[Assignment], learners: QuerySet[Enrollment]) -> list[Column]:
    """What waits in each column over all learners, not only those on the page, in two statements."""
    persons = learners.order_by().values("person")
    work = {
        row["assignment"]: row
        for row in Submission.objects.filter(assignment__in=assignments, person__in=persons)
        .order_by()
        .values("assignment")
        .annotate(
            to_release=Count("pk", filter=WAITS_FOR_RELEASE),
            to_complete=Count("pk", filter=Q(completed_at=None)),
        )
    }
    owed = {
        row["assignment"]: row
        for row in Delivery.objects.filter(assignment__in=assignments, person__in=persons)
        .order_by()
        .values("assignment")
        .annotate(undelivered=Count("pk", filter=Q(state__in=PROBLEMS)))
    }
    return [
        Column(
            assignment,
            to_release=work[assignment.pk]["to_release"] if assignment.pk in work else 0,
            to_complete=work[assignment.pk]["to_complete"] if assignment.pk in work else 0,
            undelivered=owed[assignment.pk]["undelivered"] if assignment.pk in owed else 0,
        )
        for assignment in assignments
    ]


def _is_to_come(course: Course) -> Q:
    """Known from the LMS's list of members alone: has opened no link of the course yet."""
    listed = ContextMembership.objects.filter(
        person=OuterRef("person"), context__course_contexts__course=course, active=True
    )
    return Q(Exists(listed)) & ~Q(Exists(Arrival.objects.filter(person=OuterRef("person"), course=course)))


def _has_work_in(state: str, assignments: Sequence[Assignment]) -> Q | Exists:
    work = Submission.objects.filter(person=OuterRef("person"), assignment__in=assignments)
    owed = Delivery.objects.filter(person=OuterRef("person"), assignment__in=assignments)
    if state == "to_grade":
        return Exists(work.filter(WAITS_FOR_GRADE))
    if state == "to_release":
        return Exists(work.filter(WAITS_FOR_RELEASE))
    if state == "in_progress":
        return Exists(work.filter(completed_at=None))
    if state == "completed":
        return Exists(work.filter(completed_at__isnull=False))
    if state == "problem":
        return Exists(owed.filter(state__in=PROBLEMS))
    if state == "waiting":
        return Exists(owed.filter(state=Delivery.State.WAITING))
    begun = Submission.objects.filter(person=OuterRef(OuterRef("person")), assignment=OuterRef("pk"))
    return Exists(Assignment.objects.filter(pk__in=[a.pk for a in assignments]).exclude(Exists(begun)))
