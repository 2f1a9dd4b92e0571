"""Our addresses as others see them. All come from the one PUBLIC_URL, never from the request that asked."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings

from courseway.courses.models import Assignment, Course
from courseway.lms.models import ConsumerKey


def absolute(path: str) -> str:
    """`path` begins with a slash and is meant below PUBLIC_URL, whose own path it does not repeat."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/{path.lstrip('/')}"


def assignment_url(assignment: Assignment) -> str:
    """The LTI integration URL: opens this assignment of this course; accepted for ever."""
    return absolute(f"/lti/a/{assignment.public_id}")


def constant_url(assignment: Assignment) -> str:
    """Opens this content in whichever course the launch names: copies of the course share the address."""
    return absolute(f"/lti/c/{assignment.content_id}")


def integration_url(assignment: Assignment, course: Course) -> str:
    """The address to place in an LMS, as the course is set. The other one keeps working."""
    return constant_url(assignment) if course.constant_urls else assignment_url(assignment)


def custom_parameters(course: Course) -> dict[str, str]:
    """What the LMS has to send with a constant URL, so that the course is found, or copied where it may be."""
    own = {"course_target_id": course.public_id}
    return {**own, "parent_course_id": course.public_id} if course.course_copy else own


def enroll_url(course: Course) -> str:
    return absolute(f"/lti/e/{course.public_id}")


def launch_url() -> str:
    return absolute("/lti/launch")


def login_url() -> str:
    return absolute("/lti/login")


def redirect_url() -> str:
    """Where an LTI 1.3 platform posts its launches: the same address as for LTI 1.1."""
    return launch_url()


def keyset_url() -> str:
    return absolute("/lti/keys")


def xml_url(consumer_key: ConsumerKey) -> str:
    return f"{absolute('/lti/config.xml')}?{urlencode({'key': consumer_key.key})}"


def deep_linking_url() -> str:
    return absolute("/lti/resource_selection")


def editor_button_url() -> str:
    return absolute("/lti/editor_button")


def course_navigation_url() -> str:
    return absolute("/lti/course_navigation")


def notices_url() -> str:
    return absolute("/lti/notices")


def canvas_json_url() -> str:
    return absolute("/lti/canvas.json")
