"""Why a launch whose signature was good still cannot be opened. The errors of the message itself are ltikit's."""

from __future__ import annotations

from ltikit.errors import LtiError


class LaunchMethodError(LtiError):
    code = "not_a_launch"
    status = 405
    hint = "This address is opened by an LMS, not typed into a browser. Open the link in your LMS course."


class MissingUserError(LtiError):
    code = "missing_user"
    hint = "The LMS did not say who opened the link. Its privacy settings must send the user's id."


class ForeignTargetError(LtiError):
    code = "foreign_target"
    status = 403
    hint = "The link points to another site. Copy the LTI integration URL of the assignment again."


class UnclaimedDeploymentError(LtiError):
    """A deployment of the operator's shared registration that no organization calls its own."""

    code = "deployment_not_claimed"
    status = 403
    student_hint = "Your LMS is not connected yet. Your teacher or the LMS administrator has to do it."
    hint = (
        "This LMS belongs to no organization here yet. An owner enters its deployment ID on the page LTI integrations"
        " of the organization, under Add a deployment."
    )


class PendingDeploymentError(LtiError):
    """The deployment is claimed, and no administrator of the LMS has confirmed whose it is."""

    code = "deployment_not_confirmed"
    status = 403
    student_hint = "Your LMS is not connected yet. The LMS administrator has to open one link first."
    hint = (
        "The deployment ID of this LMS was entered here, and an administrator of the LMS has to confirm it: signed in"
        " as Administrator there, by opening a link to an assignment of the organization (its LTI integration URL)."
        " A teacher's or student's launch does not confirm it."
    )


class UnknownTargetError(LtiError):
    """Never existed, or belongs to another organization: the answer does not tell which."""

    code = "unknown_target"
    status = 404
    hint = "There is no such assignment. Copy the LTI integration URL again from the course."


class UnknownParentError(LtiError):
    """The parent to copy does not exist here, or belongs to another organization."""

    code = "unknown_parent"
    status = 404
    hint = "parent_course_id names no course of this organization. Copy it again from the master's LTI/LMS tab."


class DeletedTargetError(LtiError):
    code = "deleted_target"
    status = 410
    student_hint = "This assignment was taken away. Your teacher knows what to do instead."
    hint = "This assignment was deleted. Remove the link from the LMS, or point it to another assignment."


class NotPublishedError(LtiError):
    code = "not_published"
    status = 403
    student_hint = "Your teacher has not opened this assignment yet. Come back when it is open."
    hint = "This assignment is not published yet. A teacher can publish it on the course's overview."


class LtiDisabledError(LtiError):
    code = "lti_disabled"
    status = 403
    student_hint = "Your course link is not connected yet. Your teacher has to switch it on."
    hint = "LTI is switched off for this course. A teacher can switch it on: the course's LTI/LMS tab, Enable LTI."


class CourseArchivedError(LtiError):
    code = "course_archived"
    status = 403
    student_hint = "This course is over and does not open any more. Your teacher can open it again."
    hint = "This course is archived and cannot be opened from the LMS any more."


class EnrollOnlyDisabledError(LtiError):
    code = "enroll_only_disabled"
    status = 403
    student_hint = (
        "This link is not in use at the moment. Open your assignments by their own links, or ask your teacher."
    )
    hint = "Enroll to course only is switched off for this course. A teacher can switch it on in its LTI/LMS tab."


class NotOfferedError(LtiError):
    code = "not_offered"
    status = 403
    hint = "This kind of link is not switched on. Use the LTI integration URL of an assignment."


class ActualUserNotAcceptedError(LtiError):
    """Parameters say that somebody else than the launching person sits there, and no owner believes this LMS that."""

    code = "actual_user_not_accepted"
    status = 403
    hint = (
        "The LMS opens a student's work for somebody else. An owner can allow it for this LMS on the page LTI"
        " integrations: Open students' work from the LMS."
    )


class InstructorNotApprovedError(LtiError):
    """The LMS says 'instructor', and owners asked to be asked first."""

    code = "instructor_not_approved"
    status = 403
    hint = (
        "Your LMS sends you as a teacher, and an owner of your organization has to approve that first. The request"
        " stands on the organization's page LTI integrations now. Open the link again once it is approved."
    )


class ReviewRefusedError(LtiError):
    """Somebody who does not teach there asked to see another person's work."""

    code = "review_refused"
    status = 403
    hint = "Only teachers and mentors open the work of a student from the LMS. Students see their own."


class NothingToReviewError(LtiError):
    """No single submission is meant, or none that may be seen."""

    code = "nothing_to_review"
    status = 404
    hint = "The student whose work was to be opened has not come to this assignment from this LMS yet."


class SelectionOverError(LtiError):
    """The selection was answered already, or nobody chose in time."""

    code = "selection_over"
    status = 410
    hint = "This choice was made already, or its time is over. Open the link in the LMS again to choose anew."


class TabCodeOverError(LtiError):
    """The code that carries a launch into a new tab was used before, is too old, or was not sent by our own page."""

    code = "tab_code_over"
    status = 410
    hint = "This way into a new tab is over: it is good once, for two minutes. Open the link in the LMS again."


class SessionEndedError(LtiError):
    """The cookie of a launch's session is missing, expired, or no longer what the LMS says."""

    code = "session_ended"
    status = 401
    hint = "Your visit from the LMS is over, or the browser keeps no cookies here. Open the link in the LMS again."
