"""How far somebody is: one function for the state of a submission, and the rows of a student's course."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from courseway.courses.models import Assignment, Course, Module
from courseway.grades.models import Delivery
from courseway.grades.states import delivery_states, worst_state
from courseway.learning.lateness import Due, Dues
from courseway.learning.models import Submission
from courseway.lms.connections import list_own_lms_urls
from courseway.lms.due_dates import LmsDate
from courseway.orgs.models import Person

WorkState = Literal["not_started", "in_progress", "completed", "graded"]


def work_state(submission: Submission | None, *, for_student: bool) -> WorkState:
    """The state of a person's work. For the student 'graded' begins with the release, not with the grade."""
    if submission is None:
        return "not_started"
    if submission.completed_at is None:
        return "in_progress"
    is_graded = submission.is_grade_visible if for_student else submission.is_graded
    return "graded" if is_graded else "completed"


@dataclass(slots=True)
class WorkRow:
    """One assignment as its student sees it."""

    assignment: Assignment
    submission: Submission | None
    state: WorkState
    can_open: bool
    is_late: bool
    due_at: datetime | None = None  # with the student's own extension
    lms_date: LmsDate | None = None  # where the date comes from the LMS
    percent: Decimal | None = None
    score: Decimal | None = None
    delivery: str = ""  # of the released grade: sent, waiting, failed, …; empty where the LMS is owed nothing


@dataclass(slots=True)
class ModuleRows:
    module: Module
    rows: list[WorkRow] = field(default_factory=list)


@dataclass(slots=True)
class CourseWork:
    """A course as its student sees it."""

    course: Course
    modules: list[ModuleRows]
    starts_in_lms: bool
    lms_url: str = ""  # where this student starts new work
    hidden: int = 0

    @property
    def sends_grades(self) -> bool:
        """Whether grades go to an LMS at all; a course that only enrolls keeps them here (F4)."""
        return self.course.lti_enabled and not self.course.enroll_only

    @property
    def rows(self) -> list[WorkRow]:
        return [row for module in self.modules for row in module.rows]

    @property
    def begun_rows(self) -> list[WorkRow]:
        return [row for row in self.rows if row.submission is not None]

    @property
    def finished(self) -> int:
        return sum(row.state in ("completed", "graded") for row in self.rows)

    @property
    def next_row(self) -> WorkRow | None:
        """What to do next: what was begun first, then what is not started; by due date, then in the course's order."""
        todo = [row for row in self.rows if row.state in ("in_progress", "not_started")]
        todo.sort(
            key=lambda row: (
                row.state != "in_progress",
                row.due_at is None,
                row.due_at.timestamp() if row.due_at else 0.0,
            )
        )
        return todo[0] if todo else None


def starts_in_lms(course: Course) -> bool:
    """Whether new work begins with a launch only (F3). A course that is only enrolled into starts here (F4)."""
    return course.lti_enabled and not course.enroll_only


def list_course_work(
    courses: list[tuple[Course, Person]], *, launched_assignment: str = "", now: datetime
) -> list[CourseWork]:
    """The work of one human in all these courses, in six statements however many there are."""
    persons = {person.pk for _, person in courses}
    course_pks = [course.pk for course, _ in courses]
    assignments = list(
        Assignment.objects.filter(course__in=course_pks, published=True, deleted_at=None)
        .select_related("module")
        .order_by("module__position", "module", "position", "pk")
    )
    submissions = {
        (submission.assignment_id, submission.person_id): submission
        for submission in Submission.objects.filter(person__in=persons, assignment__course__in=course_pks)
    }
    dues = Dues(assignments, persons)
    visible = {key for key, submission in submissions.items() if submission.is_grade_visible}
    deliveries = delivery_states({a for a, _ in visible}, {p for _, p in visible}) if visible else {}
    own_lms_urls = list_own_lms_urls(persons, course_pks)
    result = []
    for course, person in courses:
        lms_url = own_lms_urls.get((course.pk, person.pk), course.lms_url)
        work = CourseWork(course, [], starts_in_lms(course), lms_url)
        for assignment in assignments:
            if assignment.course_id != course.pk:
                continue
            submission = submissions.get((assignment.pk, person.pk))
            is_launched = assignment.public_id == launched_assignment
            can_open = submission is not None or is_launched or not work.starts_in_lms
            if submission is None and course.lti_enabled and course.hide_not_started and not is_launched:
                work.hidden += 1
                continue
            row = _row(assignment, submission, can_open, dues.of(assignment, person.pk), now)
            if work.sends_grades:
                row.delivery = delivery_word(deliveries.get((assignment.pk, person.pk), []))
            if not work.modules or work.modules[-1].module.pk != assignment.module_id:
                work.modules.append(ModuleRows(assignment.module))
            work.modules[-1].rows.append(row)
        result.append(work)
    return result


def delivery_word(deliveries: list[Delivery]) -> str:
    """One word for where a grade is on its way to the LMS; empty where none is owed."""
    return worst_state(deliveries) if deliveries else ""


def _row(assignment: Assignment, submission: Submission | None, can_open: bool, due: Due, now: datetime) -> WorkRow:
    state = work_state(submission, for_student=True)
    is_late = due.at is not None and due.at < now and state in ("not_started", "in_progress")
    row = WorkRow(assignment, submission, state, can_open, is_late, due.at, due.lms)
    if submission is not None and submission.is_grade_visible:
        row.percent, row.score = submission.final_percent(), submission.final_score(assignment.points)
    return row
