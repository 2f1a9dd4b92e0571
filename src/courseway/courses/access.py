"""The only ways to a course's rows: each getter checks the permission that its name says.

Two kinds of visitors come here. A signed-in account has rights as owner of the organization or through the person it
is joined to. A launch has the rights of its one course, and no others, whatever else the same human may own.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.orgs.models import Member, Organization, Person
from courseway.orgs.visitor import visitor_of


@dataclass(frozen=True, slots=True)
class CourseAccess:
    """A course and what the visitor may do in it.

    `person` is None for an owner who is not enrolled. `covers_whole_course` False limits a teacher to the people of
    the LMS contexts in which the LMS says 'teacher' (C5); `lms.access.list_learners` applies it.
    """

    course: Course
    role: str
    covers_whole_course: bool
    person: Person | None

    @property
    def can_edit(self) -> bool:
        return self.role == Role.TEACHER and self.covers_whole_course

    @property
    def can_grade(self) -> bool:
        return self.role == Role.TEACHER

    @property
    def can_see_learners(self) -> bool:
        return self.role in (Role.TEACHER, Role.MENTOR)


def remember_course(request: HttpRequest, course: Course) -> None:
    """Notes the course of the request's launch, as it was just read, so that nothing has to read it again."""
    request.launch_course = course  # type: ignore[attr-defined]


def get_course_to_see(request: HttpRequest, public_id: str) -> CourseAccess:
    """The course for anybody who is in it, with the role they have there."""
    course = getattr(request, "launch_course", None)
    if course is None or course.public_id != public_id:
        course = Course.objects.select_related("organization").filter(public_id=public_id).first()
    return _check_is_in(request, course)


def get_course_of(request: HttpRequest, assignment: Assignment) -> CourseAccess:
    """The same by an assignment, whatever has become of it."""
    course = getattr(request, "launch_course", None)
    if course is None or course.pk != assignment.course_id:
        course = Course.objects.select_related("organization").filter(pk=assignment.course_id).first()
    return _check_is_in(request, course)


def _check_is_in(request: HttpRequest, course: Course | None) -> CourseAccess:
    visitor = visitor_of(request)
    if course is not None:
        if visitor.launch is not None:
            if visitor.launch.course_id == course.pk:
                return CourseAccess(course, visitor.launch.role, visitor.launch.covers_whole_course, visitor.person)
        elif visitor.account is not None:
            access = _access_of_account(visitor.account.pk, course)
            if access is not None:
                return access
    raise PermissionDenied(_("This course does not exist, or you are not in it."))


def get_course_to_teach(request: HttpRequest, public_id: str) -> CourseAccess:
    """The course for its teachers: grades, results, release."""
    access = get_course_to_see(request, public_id)
    if not access.can_grade:
        raise PermissionDenied(_("Only teachers of the course may do this."))
    return access


def get_course_to_oversee(request: HttpRequest, public_id: str) -> CourseAccess:
    """The course for teachers and mentors: they read learners' work; what they see of it is limited elsewhere."""
    access = get_course_to_see(request, public_id)
    if not access.can_see_learners:
        raise PermissionDenied(_("Only teachers and mentors of the course may open this page."))
    return access


def get_course_to_edit(request: HttpRequest, public_id: str) -> CourseAccess:
    """The course for teachers of the whole course: content, LTI/LMS settings, URLs."""
    access = get_course_to_teach(request, public_id)
    if not access.covers_whole_course:
        raise PermissionDenied(
            _("You teach one LMS course of this course. Its first teacher or an owner can let you edit it.")
        )
    return access


def get_assignment(access: CourseAccess, public_id: str) -> Assignment:
    """An assignment of a course that was already fetched with permission. Students see published ones only."""
    return check_assignment(access, Assignment.objects.select_related("module").filter(public_id=public_id).first())


def check_assignment(access: CourseAccess, assignment: Assignment | None) -> Assignment:
    """The assignment, if it is there for whoever has this access to its course."""
    if (
        assignment is None
        or assignment.course_id != access.course.pk
        or assignment.deleted_at is not None
        or not (assignment.published or access.can_grade)
    ):
        raise PermissionDenied(_("This assignment does not exist, or is not published."))
    return assignment


def list_courses_to_teach(request: HttpRequest) -> QuerySet[Course]:
    """The courses in which the signed-in account may grade; in a launch, that launch's course alone."""
    visitor = visitor_of(request)
    if visitor.launch is not None:
        teaches = visitor.launch.role == Role.TEACHER
        return Course.objects.filter(pk=visitor.launch.course_id) if teaches else Course.objects.none()
    if visitor.account is None:
        return Course.objects.none()
    owned = Q(
        organization__members__account=visitor.account,
        organization__members__role=Member.Role.OWNER,
    )
    taught = Q(enrollments__person__account=visitor.account, enrollments__role=Role.TEACHER, enrollments__active=True)
    return Course.objects.filter(owned | taught).distinct()


def list_courses_to_edit(request: HttpRequest) -> QuerySet[Course]:
    """The courses that the visitor may edit: an owner's, and those taught as a whole; of a launch, its own at most."""
    visitor = visitor_of(request)
    if visitor.launch is not None:
        is_editor = visitor.launch.role == Role.TEACHER and visitor.launch.covers_whole_course
        return Course.objects.filter(pk=visitor.launch.course_id) if is_editor else Course.objects.none()
    if visitor.account is None:
        return Course.objects.none()
    owned = Member.objects.filter(account=visitor.account, role=Member.Role.OWNER).values("organization")
    taught = Enrollment.objects.filter(
        person__account=visitor.account, role=Role.TEACHER, active=True, covers_whole_course=True
    ).values("course")
    return Course.objects.filter(Q(organization__in=owned) | Q(pk__in=taught))


def list_organizations_to_teach(request: HttpRequest) -> QuerySet[Organization]:
    """The organizations in which the signed-in account may make courses."""
    account = visitor_of(request).account
    if account is None:
        return Organization.objects.none()
    # One filter, so that both conditions are about the same membership.
    roles = (Member.Role.OWNER, Member.Role.TEACHER)
    return Organization.objects.filter(members__account=account, members__role__in=roles).order_by("name")


def _access_of_account(account_id: int, course: Course) -> CourseAccess | None:
    enrollment = (
        Enrollment.objects.select_related("person")
        .filter(course=course, person__account=account_id, active=True)
        .first()
    )
    is_owner = Member.objects.filter(
        organization=course.organization_id, account=account_id, role=Member.Role.OWNER
    ).exists()
    if is_owner:
        return CourseAccess(course, Role.TEACHER, True, enrollment.person if enrollment else None)
    if enrollment is None:
        return None
    return CourseAccess(course, enrollment.role, enrollment.covers_whole_course, enrollment.person)
