"""What is known already about a message's platform, context, link, person and assignment: one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from courseway.lms.resolve import Candidate, Kind, Target, describe_target, name_assignment
from ltikit.launch import Launch


@dataclass(frozen=True, slots=True)
class Known:
    """Rows that exist; None or empty where nothing is known yet. Read before a transaction, so only a first guess:
    every write that follows is an upsert."""

    config_version: int
    is_revoked: bool
    deployment_pk: int | None
    is_deployment_approved: bool
    context_pk: int | None
    link_assignment_pk: int | None
    link_target: str  # what the link asked for (`resolve.describe_target`)
    link_context: str  # the LMS course that it stood in, as the LMS calls it
    identity_pk: int | None
    person_pk: int | None
    identity_facts: tuple[str, str, bool, str]  # name, e-mail, is a test user, LTI ID
    is_course_connected: bool
    is_first_context: bool
    connection_identity: str
    membership_role: str
    enrollment_role: str
    enrollment_covers_course: bool
    candidate: Candidate | None

    def knows_course(self, course_pk: int) -> bool:
        """True if the rows about a course are about this one."""
        return self.candidate is not None and self.candidate.course_pk == course_pk


_QUERY = """
SELECT p.config_version, p.revoked_at, d.id, d.approved, x.id, l.assignment_id, l.target, lx.context_id,
       i.id, i.person_id, i.name, i.email, i.is_test_user,
       cc.id, cc.is_first, cc.identity,
       CASE WHEN m.active THEN m.role ELSE '' END, CASE WHEN e.active THEN e.role ELSE '' END, e.covers_whole_course,
       a.id, a.public_id, a.content_id, a.course_id, c.organization_id, a.published, c.published, c.lti_enabled,
       a.deleted_at, c.archived_at, i.lti_id
  FROM lms_platform p
  LEFT JOIN lms_deployment d ON d.platform_id = p.id AND d.deployment_id = %(deployment)s
  LEFT JOIN lms_context x ON x.deployment_id = d.id AND x.context_id = %(context)s
  LEFT JOIN lms_resourcelink l ON l.deployment_id = d.id AND l.resource_link_id = %(link)s
  LEFT JOIN lms_context lx ON lx.id = l.context_id
  LEFT JOIN lms_lmsidentity i ON i.platform_id = p.id AND i.lms_user_id = %(user)s
  LEFT JOIN courses_assignment a ON {assignment}
  LEFT JOIN courses_course c ON c.id = a.course_id
  LEFT JOIN lms_coursecontext cc ON cc.course_id = c.id AND cc.context_id = x.id
  LEFT JOIN lms_contextmembership m ON m.context_id = x.id AND m.person_id = i.person_id
  LEFT JOIN courses_enrollment e ON e.course_id = c.id AND e.person_id = i.person_id
 WHERE p.id = %(platform)s
"""
_QUERY_NAMED = _QUERY.format(assignment="a.public_id = %(assignment)s")
# A link that only says "me" opens what it opened before; one that names content has to name the same as before.
_QUERY_LINKED = _QUERY.format(assignment="a.id = l.assignment_id")
_QUERY_SAME_TARGET = _QUERY.format(assignment="a.id = l.assignment_id AND l.target = %(target)s")


def read_known(launch: Launch, platform_pk: int, target: Target) -> Known | None:
    """None only if the platform itself is gone."""
    named_assignment, _ = name_assignment(launch, target)
    unnamed = _QUERY_LINKED if target.kind in (Kind.ANY, Kind.LINK) else _QUERY_SAME_TARGET
    with connection.cursor() as cursor:
        cursor.execute(
            _QUERY_NAMED if named_assignment else unnamed,
            {
                "platform": platform_pk,
                "deployment": launch.deployment_id,
                "context": launch.context.id if launch.context else "",
                "link": launch.resource_link.id if launch.resource_link else "",
                "user": launch.person.user_id or "",
                "assignment": named_assignment,
                "target": describe_target(launch, target),
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    assignment: tuple[int, str, str, int, int, bool, bool, bool, datetime | None, datetime | None] = row[19:29]
    return Known(
        config_version=row[0],
        is_revoked=row[1] is not None,
        deployment_pk=row[2],
        is_deployment_approved=bool(row[3]),
        context_pk=row[4],
        link_assignment_pk=row[5],
        link_target=row[6] or "",
        link_context=row[7] or "",
        identity_pk=row[8],
        person_pk=row[9],
        identity_facts=(row[10] or "", row[11] or "", bool(row[12]), row[29] or ""),
        is_course_connected=row[13] is not None,
        is_first_context=bool(row[14]),
        connection_identity=row[15] or "",
        membership_role=row[16] or "",
        enrollment_role=row[17] or "",
        enrollment_covers_course=bool(row[18]),
        candidate=_read_candidate(assignment) if assignment[0] is not None else None,
    )


def _read_candidate(
    row: tuple[int, str, str, int, int, bool, bool, bool, datetime | None, datetime | None],
) -> Candidate:
    return Candidate(
        assignment_pk=row[0],
        public_id=row[1],
        content_id=row[2],
        course_pk=row[3],
        organization_pk=row[4],
        is_published=bool(row[5]),
        is_course_published=bool(row[6]),
        is_lti_enabled=bool(row[7]),
        deleted_at=row[8],
        archived_at=row[9],
    )
