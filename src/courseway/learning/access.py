"""The only ways to somebody's work: each getter checks the permission that its name says."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from courseway.courses.access import (
    CourseAccess,
    check_assignment,
    get_assignment,
    get_course_of,
    get_course_to_oversee,
    get_course_to_see,
    get_course_to_teach,
)
from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.learning.models import Submission, Upload
from courseway.learning.own_standing import Standing, find_standing
from courseway.learning.progress import starts_in_lms
from courseway.lms.access import list_learners
from courseway.lms.connections import find_lms_url
from courseway.orgs.models import Person
from courseway.orgs.visitor import visitor_of


class ClosedError(PermissionDenied):
    """The student is in the course, but the course or the assignment is closed; says which and links back."""

    def __init__(self, text: str, course: Course) -> None:
        super().__init__(text)
        self.course = course


@dataclass(frozen=True, slots=True)
class Work:
    """A student at an assignment of their own."""

    access: CourseAccess
    assignment: Assignment
    person: Person
    standing: Standing
    can_start: bool

    @property
    def submission(self) -> Submission | None:
        return self.standing.submission

    @property
    def course(self) -> Course:
        return self.access.course

    @property
    def lms_url(self) -> str:
        """Where this student starts new work; asks the database."""
        return find_lms_url(self.course, self.person)


def get_assignment_to_see(request: HttpRequest, public_id: str) -> tuple[CourseAccess, Assignment]:
    """The assignment for anybody in its course; students find published ones in open courses only."""
    access, assignment, _standing = see_assignment(request, public_id)
    return access, assignment


def see_assignment(request: HttpRequest, public_id: str) -> tuple[CourseAccess, Assignment, Standing]:
    """The same, with how the person of the launch stands with it, which is read in the same statement."""
    person = visitor_of(request).person
    found = find_standing(request, public_id, person.pk if person else 0)
    if found is None:
        raise PermissionDenied(_("This assignment does not exist, or you are not in its course."))
    assignment, standing = found
    access = get_course_of(request, assignment)
    if access.role == Role.STUDENT:
        check_course_is_open(access.course)
        if not assignment.published or assignment.deleted_at is not None:
            raise ClosedError(_("This assignment is not available at the moment."), access.course)
    check_assignment(access, assignment)
    assignment.course = access.course
    return access, assignment, standing


def get_own_work(request: HttpRequest, public_id: str) -> Work:
    """The visitor's own work on an assignment, for students only."""
    access, assignment, standing = see_assignment(request, public_id)
    return own_work(request, access, assignment, standing)


def own_work(request: HttpRequest, access: CourseAccess, assignment: Assignment, standing: Standing) -> Work:
    if access.role != Role.STUDENT or access.person is None:
        raise PermissionDenied(_("Only students of the course work on its assignments."))
    if standing.person_pk != access.person.pk:  # somebody who signed in: who they are there is known only now
        found = find_standing(request, assignment.public_id, access.person.pk)
        if found is None:
            raise PermissionDenied(_("This assignment does not exist, or you are not in its course."))
        standing = found[1]
    launch = visitor_of(request).launch
    is_launched_here = launch is not None and launch.assignment_public_id == assignment.public_id
    return Work(
        access=access,
        assignment=assignment,
        person=access.person,
        standing=standing,
        can_start=is_launched_here or not starts_in_lms(access.course),
    )


def check_course_is_open(course: Course) -> None:
    if course.archived_at is not None:
        raise ClosedError(_("This course is over. Your teacher can open it again."), course)
    if not course.published:
        raise ClosedError(_("This course is not published yet. Your teacher decides when it opens."), course)


def list_my_courses(request: HttpRequest) -> list[tuple[Course, Person]]:
    """The courses in which the visitor is a student, archived ones too, with the person they are there."""
    visitor = visitor_of(request)
    enrollments = Enrollment.objects.filter(role=Role.STUDENT, active=True, course__published=True)
    if visitor.launch is not None:
        if visitor.launch.role != Role.STUDENT:
            return []
        enrollments = enrollments.filter(course=visitor.launch.course_id, person=visitor.person)
    elif visitor.account is not None:
        enrollments = enrollments.filter(person__account=visitor.account)
    else:
        return []
    found = enrollments.select_related("course", "person").order_by("course__title", "course")
    return [(enrollment.course, enrollment.person) for enrollment in found]


def get_learner_to_oversee(
    request: HttpRequest, course_id: str, assignment_id: str, person_id: str
) -> tuple[CourseAccess, Assignment, Enrollment]:
    """A student's work on an assignment, for teachers and mentors who may see that student."""
    access, assignment = get_results_to_oversee(request, course_id, assignment_id)
    return access, assignment, _learner(request, access, person_id)


def get_learner_to_grade(
    request: HttpRequest, course_id: str, assignment_id: str, person_id: str
) -> tuple[CourseAccess, Assignment, Enrollment]:
    """A student's work on an assignment, for teachers who may grade that student."""
    access, assignment = get_results_to_grade(request, course_id, assignment_id)
    return access, assignment, _learner(request, access, person_id)


def get_results_to_oversee(request: HttpRequest, course_id: str, assignment_id: str) -> tuple[CourseAccess, Assignment]:
    return _with_assignment(get_course_to_oversee(request, course_id), assignment_id)


def get_results_to_grade(request: HttpRequest, course_id: str, assignment_id: str) -> tuple[CourseAccess, Assignment]:
    return _with_assignment(get_course_to_teach(request, course_id), assignment_id)


def get_upload_to_read(request: HttpRequest, public_id: str) -> Upload:
    """A file that was handed in: for its student, and for those who may see the student's work."""
    refusal = PermissionDenied(_("This file does not exist, or is not one that you may see."))
    uploads = Upload.objects.select_related("submission__assignment__course", "submission__person")
    upload = uploads.filter(public_id=public_id).first()
    if upload is None:
        raise refusal
    submission = upload.submission
    launch = visitor_of(request).launch
    if launch is not None and launch.reviewed_person_id:  # the one submission that the LMS opened for a teacher
        if (launch.reviewed_person_id, launch.assignment_public_id) == (
            submission.person_id,
            submission.assignment.public_id,
        ):
            return upload
        raise refusal
    access = get_course_to_see(request, submission.assignment.course.public_id)
    if access.person is not None and access.person.pk == submission.person_id:
        return upload
    if access.can_see_learners and list_learners(access, visitor_of(request)).filter(person=submission.person).exists():
        return upload
    raise refusal


def _with_assignment(access: CourseAccess, assignment_id: str) -> tuple[CourseAccess, Assignment]:
    assignment = get_assignment(access, assignment_id)
    assignment.course = access.course
    return access, assignment


def _learner(request: HttpRequest, access: CourseAccess, person_id: str) -> Enrollment:
    learner = list_learners(access, visitor_of(request)).filter(person__public_id=person_id).first()
    if learner is None:
        raise PermissionDenied(_("This student does not exist, or is not one whose work you may see."))
    return learner
