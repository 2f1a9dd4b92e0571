"""Custom parameters of a link, with the variables that this LMS knows put in.

A variable that is unknown stays as it was written (`$ResourceLink.submission.endDateTime`), as it does in real ones.
"""

import re
from collections.abc import Mapping

from practice_lms.courses import Course, Link
from practice_lms.people import Membership


def expand_custom(custom: Mapping[str, str], course: Course, link: Link, membership: Membership) -> dict[str, str]:
    """The custom parameters as one launch sends them."""
    person = membership.person
    known = {
        "$User.id": person.id,
        "$User.username": person.username,
        "$Person.name.full": person.name,
        "$Person.name.given": person.given_name,
        "$Person.name.family": person.family_name,
        "$Person.email.primary": person.email,
        "$Person.sourcedId": person.username,
        "$Context.id": course.id,
        "$Context.title": course.title,
        "$Context.label": course.label,
        "$Context.sourcedId": course.sourcedid,
        "$CourseOffering.sourcedId": course.sourcedid,
        "$CourseSection.sourcedId": course.section_sourcedid,
        "$ResourceLink.id": link.id,
        "$ResourceLink.title": link.title,
        "$ResourceLink.description": link.description,
        "$Membership.role": membership.role,
        "$Membership.role.scope.mentor": ",".join(membership.mentor_for),
    }
    return {name: known.get(value.strip(), value) for name, value in custom.items()}


def mangle_name(name: str) -> str:
    """A custom parameter's name as LTI 1.1 sends it: lower case, everything outside a-z and 0-9 becomes `_`."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def parse_custom(text: str) -> dict[str, str]:
    """`name=value` lines, as people type them."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}
