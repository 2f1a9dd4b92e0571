"""A verified message becomes rows: the one file that turns the specification's words into ours.

A person who returns with the same facts costs one statement (`repeat_arrival`); everything else goes the full way
(`arrive`), in one transaction of upserts, so that any number of first launches at once make each row once.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from courseway import secrets_box
from courseway.courses.models import Enrollment, Role
from courseway.lms.copies import make_child
from courseway.lms.due_dates import store_due_dates
from courseway.lms.known import Known
from courseway.lms.launch_details import MAX_URL, USER_ID, guess_course_url, read_lti_id
from courseway.lms.mentors import read_mentor_list, store_mentor_list
from courseway.lms.models import (
    Arrival,
    Context,
    ContextMembership,
    CourseContext,
    Deployment,
    LmsIdentity,
    Registration,
    ResourceLink,
)
from courseway.lms.models import Launch as LaunchRow
from courseway.lms.notice_subscriptions import want_notices
from courseway.lms.platforms import KnownPlatform
from courseway.lms.resolve import Resolution
from courseway.lms.roster_rows import roster_place
from courseway.lms.rosters import want_roster
from courseway.lms.sections import store_sections
from courseway.lms.trusted_emails import find_trusted_person
from courseway.lms.upgrades import Former, find_former, remember_former, supersede_older
from courseway.orgs.ids import new_id
from courseway.orgs.models import Person
from courseway.postgresql.statements import run_kept
from ltikit import vocabulary
from ltikit.dates import read_due_dates
from ltikit.errors import ReplayError, UnknownDeploymentError
from ltikit.launch import Launch
from ltikit.parameters import write_masked
from ltikit.sections import read_sections
from ltikit.v13.notices import read_notice_service
from ltikit.vocabulary import LTI11_MIGRATION

_OF_THE_COURSE = re.compile("section|date|due", re.IGNORECASE)
SEND_MODES = ("grade_release", "always", "changed")


class Landing(NamedTuple):
    """Where an accepted launch leads, and with whose rights."""

    reference: str
    organization_pk: int
    person_pk: int
    course_pk: int
    context_pk: int
    role: str
    assignment_public_id: str = ""
    course_public_id: str = ""  # where the link opens a course, not an assignment of it


def repeat_arrival(launch: Launch, platform: KnownPlatform, *, asked: str, now: datetime) -> Landing | None:
    """Logs the launch, guards against replay and finds the way, all in one statement.

    None when anything is new: the person, the link, a fact, a setting, the platform's keys - or the nonce, which the
    full way then finds out. Whatever may withdraw the right to land is in the statement, so a stale copy of the
    platform in memory cannot let anybody in.
    """
    reference = new_id()
    values: dict[str, Any] = {
        "reference": reference,
        "at": connection.ops.adapt_datetimefield_value(now),
        "replay_key": replay_key(platform.pk, launch.nonce),
        "version": launch.version,
        "context": launch.context.id if launch.context else "",
        "config_version": platform.config_version,
        "key": arrival_key(launch, platform.pk),
        "fingerprint": fingerprint(launch, asked, platform.lti_id_field),
    }
    rows = run_kept(_REPEAT, [values[name] for name in _REPEAT_NAMES])
    if not rows:
        return None
    ((organization_pk, person_pk, course_pk, context_pk, role, landed_on),) = rows
    kind, _, public_id = landed_on.partition("/")
    place = {"assignment_public_id": public_id} if kind == "assignment" else {"course_public_id": public_id}
    return Landing(reference, organization_pk, person_pk, course_pk, context_pk, role, **place)


_NAMED = """
INSERT INTO lms_launch (reference, at, replay_key, organization_id, platform_id, version, lms_context_id, context_id,
                        person_id, course_id, assignment_id, role, outcome, code, step, detail, rule, landed_on)
SELECT %(reference)s, %(at)s, %(replay_key)s, p.organization_id, p.id, %(version)s, %(context)s, a.context_id,
       a.person_id, a.course_id, a.assignment_id, a.role, 'ok', '', '', '', a.rule,
       CASE WHEN s.id IS NULL THEN 'course/' || c.public_id ELSE 'assignment/' || s.public_id END
  FROM lms_arrival a
  JOIN lms_platform p ON p.id = a.platform_id AND p.config_version = %(config_version)s AND p.revoked_at IS NULL
  JOIN lms_resourcelink l ON l.id = a.resource_link_id
                         AND (a.assignment_id IS NULL OR l.assignment_id = a.assignment_id)
  JOIN lms_deployment d ON d.id = l.deployment_id AND d.approved
  JOIN courses_course c ON c.id = a.course_id AND c.lti_enabled AND c.published AND c.archived_at IS NULL
                       AND (a.rule <> 'enroll_address' OR c.enroll_only)
  LEFT JOIN courses_assignment s ON s.id = a.assignment_id AND s.published AND s.deleted_at IS NULL
  JOIN courses_enrollment e ON e.course_id = a.course_id AND e.person_id = a.person_id AND e.active AND e.role = a.role
  JOIN lms_contextmembership m ON m.context_id = a.context_id AND m.person_id = a.person_id AND m.active
                              AND m.role = a.role
 WHERE a.key = %(key)s AND a.fingerprint = %(fingerprint)s AND a.superseded_by_id IS NULL
   AND (a.assignment_id IS NULL OR s.id IS NOT NULL)
ON CONFLICT (replay_key) DO NOTHING
RETURNING organization_id, person_id, course_id, context_id, role, landed_on
"""
_REPEAT_NAMES = re.findall(r"%\((\w+)\)s", _NAMED)
_REPEAT = re.sub(r"%\(\w+\)s", "%s", _NAMED)


def arrive(
    launch: Launch,
    platform: KnownPlatform,
    known: Known,
    resolution: Resolution,
    *,
    asked: str,
    now: datetime,
    waited_as: str = "",
    former: Former | None = None,
) -> Landing:
    """Stores person, context, link, roles and where they lead, makes a copy where the rules say so, and logs the
    launch; everything or nothing. `waited_as` is the reference of a launch that is in the log already, because it
    waited for a choice.

    Raises ReplayError when the nonce was used before, UnknownDeploymentError when the deployment waits for approval
    (it is then listed, and nothing else is stored).
    """
    deployment_pk = _find_deployment(launch, platform, known, now)
    if former is None and may_have_moved(launch, platform):
        former = find_former(launch, platform)
    with transaction.atomic():
        place = _find_place(launch, platform, resolution, now)
        context_pk = _store_context(launch, deployment_pk, now, is_new=not known.is_course_connected)
        is_first = _connect_course(place, context_pk, known, launch, now)
        if not known.knows_course(place.course_pk):
            known = replace(known, enrollment_role="", enrollment_covers_course=False)
        link_pk = _store_link(launch, context_pk, deployment_pk, place, asked, now)
        identity_pk, person_pk = _store_person(launch, platform, known, now, former)
        role = launch.role.value
        _store_roles(place.course_pk, context_pk, person_pk, role, known, covers=is_first, now=now)
        if _facts_of_the_course(launch) or (launch.context and launch.context.section_sourcedid):
            store_sections(read_sections(launch), context_pk=context_pk, person_pk=person_pk, now=now)
            if place.assignment_pk is not None:
                store_due_dates(read_due_dates(launch), link_pk=link_pk, person_pk=person_pk, now=now)
        if vocabulary.NOTICE_SERVICE in launch.raw and (offered := read_notice_service(launch)) is not None:
            want_notices(deployment_pk, offered, now=now)
        if role == Role.MENTOR:
            store_mentor_list(launch, platform_pk=platform.pk, course_pk=place.course_pk, person_pk=person_pk, now=now)
        rows = (identity_pk, person_pk, link_pk, context_pk)
        mark = fingerprint(launch, asked, platform.lti_id_field)
        _store_arrival(launch, platform, place, rows=rows, mark=mark, now=now)
        if former is not None and former.platform_pk:
            remember_former(launch, platform, former, person_pk, now)
        if former is not None or platform.is_joined:
            supersede_older(person_pk, link_pk, former)
        landing = Landing(
            reference=waited_as or new_id(),
            organization_pk=platform.organization_id,
            person_pk=person_pk,
            course_pk=place.course_pk,
            context_pk=context_pk,
            role=role,
            assignment_public_id=place.assignment_public_id,
            course_public_id=place.course_public_id,
        )
        if waited_as:
            _log_choice(landing, place)
            if role == Role.TEACHER and launch.roster is not None:
                # Its place in the log is an old one, where the worker looks no more (`rosters.want_rosters`).
                want_roster(context_pk, at=now, now=now)
        else:
            _log_arrival(launch, platform, landing, place, now, detail=former.problem if former else "")
    return landing


def may_have_moved(launch: Launch, platform: KnownPlatform) -> bool:
    """True if the LMS may have come by the other version of LTI before (`upgrades.py`); false for nearly every one."""
    return platform.is_joined or LTI11_MIGRATION in launch.raw


def connect_context(
    launch: Launch, platform: KnownPlatform, known: Known, course_pks: Sequence[int], *, rule: str, now: datetime
) -> int | None:
    """Notes that the launch's LMS course belongs to these courses; its row, or None for a launch outside of one.

    Nobody has opened anything yet: no person, no link, no enrollment is made (E1). To be called in a transaction.
    """
    deployment_pk = _find_deployment(launch, platform, known, now)
    if launch.context is None:
        return None
    context_pk = _store_context(launch, deployment_pk, now)
    for course_pk in course_pks:
        place = _Place(course_pk, rule, _source_id(launch))
        _connect_course(place, context_pk, known, launch, now)
    return context_pk


def check_deployment(launch: Launch, platform: KnownPlatform, known: Known, now: datetime) -> None:
    """Raises UnknownDeploymentError for a deployment that waits for an owner's yes, and lists it (A3)."""
    may_be_new = platform.deployment_policy != Registration.DeploymentPolicy.APPROVED
    if not (known.deployment_pk is None and may_be_new):
        _find_deployment(launch, platform, known, now)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a resolution came to, with all rows made."""

    course_pk: int
    rule: str
    identity: str = ""
    assignment_pk: int | None = None
    assignment_public_id: str = ""
    course_public_id: str = ""


def _find_place(launch: Launch, platform: KnownPlatform, resolution: Resolution, now: datetime) -> _Place:
    if resolution.copy_of is not None:
        child, assignment = make_child(launch, platform.pk, resolution, resolution.copy_of, now=now)
        if assignment is None:
            return _Place(child.pk, resolution.rule, resolution.identity, course_public_id=child.public_id)
        return _Place(child.pk, resolution.rule, resolution.identity, assignment.pk, assignment.public_id)
    identity = resolution.identity or _source_id(launch)
    if resolution.candidate is not None:
        candidate = resolution.candidate
        return _Place(candidate.course_pk, resolution.rule, identity, candidate.assignment_pk, candidate.public_id)
    assert resolution.course is not None  # noqa: S101 - a resolution has one of the three
    return _Place(resolution.course.pk, resolution.rule, identity, course_public_id=resolution.course.public_id)


def _source_id(launch: Launch) -> str:
    context = launch.context
    return (context.offering_sourcedid or context.section_sourcedid)[:255] if context else ""


def replay_key(platform_pk: int, nonce: str) -> str:
    """Unique per platform and nonce; hashed, since a nonce may have any length and any characters."""
    return _digest([platform_pk, nonce])


def arrival_key(launch: Launch, platform_pk: int) -> str:
    link = launch.resource_link.id if launch.resource_link else ""
    return _digest([platform_pk, launch.person.user_id, launch.deployment_id, link])


def fingerprint(launch: Launch, asked: str, lti_id_field: str) -> str:
    """Everything of a launch that may change what is stored or where it leads. The page is not: it leads only."""
    person, context, link = launch.person, launch.context, launch.resource_link
    return _digest(
        [
            asked,
            launch.role.value,
            [person.name, person.given_name, person.family_name, person.email, person.is_test_user],
            _lti_id(launch, lti_id_field),
            context
            and [context.id, context.title, context.label, context.offering_sourcedid, context.section_sourcedid],
            link and [link.title],
            launch.ags and [sorted(launch.ags.scopes), launch.ags.lineitems_url, launch.ags.lineitem_url],
            launch.outcomes and [launch.outcomes.url, launch.outcomes.sourcedid, sorted(launch.outcomes.accepts)],
            launch.roster and [launch.roster.url, launch.roster.kind, launch.roster.id],
            str(launch.raw.get(vocabulary.NOTICE_SERVICE, "")),
            launch.groups and [launch.groups.url, launch.groups.sets_url],
            _facts_of_the_course(launch),
            launch.platform.family,
            read_mentor_list(launch) if launch.role == Role.MENTOR.value else (),
            _former_ids(launch),
            [launch.custom.get(name, "") for name in ("send_grade", "course_offering_sourcedid", "parent_course_id")],
        ]
    )


def _facts_of_the_course(launch: Launch) -> list[tuple[str, str]]:
    """The parameters that may say in which section somebody is, and when work is due; blank ones say that it is not."""
    sent = launch.raw if launch.version == "1.1" else launch.raw.get(vocabulary.CUSTOM)
    named = {**launch.custom_lists, **(sent if isinstance(sent, Mapping) else {})}
    return sorted([(name, str(value)) for name, value in named.items() if _OF_THE_COURSE.search(name)])


def _former_ids(launch: Launch) -> Any:
    """What the claim of a moved LMS says, without its signature, which is another one each time."""
    claim = launch.raw.get(LTI11_MIGRATION)
    if not isinstance(claim, dict):
        return None
    return [str(claim.get(name)) for name in ("oauth_consumer_key", "user_id", "context_id", "resource_link_id")]


def _lti_id(launch: Launch, field: str) -> str:
    """Most organizations take the user id, for which nothing has to be looked for."""
    return (launch.person.user_id or "")[:255] if field == USER_ID else read_lti_id(launch, field)


_write_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _digest(value: Any) -> str:
    text = _write_json(value)
    return urlsafe_b64encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()).decode().rstrip("=")


def _find_deployment(launch: Launch, platform: KnownPlatform, known: Known, now: datetime) -> int:
    if known.deployment_pk is None:
        is_approved = platform.deployment_policy != Registration.DeploymentPolicy.APPROVED
        values = {
            "platform_id": platform.pk,
            "deployment_id": launch.deployment_id,
            "approved": is_approved,
            "created_at": now,
        }
        unique = ("platform_id", "deployment_id")
        pk, approved = _upsert(Deployment, values, unique=unique, update=("deployment_id",), returning="id, approved")
    else:
        pk, approved = known.deployment_pk, known.is_deployment_approved
    if not approved:
        raise UnknownDeploymentError(f"deployment {launch.deployment_id!r} waits for approval")
    return int(pk)


def _store_context(launch: Launch, deployment_pk: int, now: datetime, *, is_new: bool = True) -> int:
    context = launch.context
    values: dict[str, Any] = {
        "deployment_id": deployment_pk,
        "context_id": context.id if context else "",
        "title": context.title[:500] if context else "",
        "label": context.label[:255] if context else "",
        "offering_sourcedid": context.offering_sourcedid[:255] if context else "",
        "section_sourcedid": context.section_sourcedid[:255] if context else "",
        **_roster_values(launch, deployment_pk),
        "family": launch.platform.family[:60],
        # Looked for once, when the LMS course is new to the course: it does not change.
        "guessed_url": guess_course_url(launch) if is_new else "",
        "created_at": now,
    }
    # What this launch does not say stays as an earlier one said it (LTI-wide: titles may be left out at will).
    update = [
        name for name in values if values[name] and name not in ("deployment_id", "context_id", "created_at")
    ] or ["context_id"]
    (pk,) = _upsert(Context, values, unique=("deployment_id", "context_id"), update=update, returning="id")
    return int(pk)


def _roster_values(launch: Launch, deployment_pk: int) -> dict[str, str]:
    """Where the LMS lists the members and groups of the context; the worker reads them (`rosters.py`)."""
    roster, groups = launch.roster, launch.groups
    context_id = launch.context.id if launch.context else ""
    roster_id = roster.id if roster else ""
    return {
        "roster_url": _short_url(roster.url) if roster else "",
        "roster_kind": roster.kind.value if roster else "",
        "roster_id_encrypted": secrets_box.lock(roster_id, place=roster_place(deployment_pk, context_id))
        if roster_id
        else "",
        "groups_url": _short_url(groups.url) if groups else "",
        "group_sets_url": _short_url(groups.sets_url) if groups else "",
    }


def _short_url(url: str) -> str:
    """An address that its column holds; a longer one is as good as none."""
    return url if len(url) <= MAX_URL else ""


def _connect_course(place: _Place, context_pk: int, known: Known, launch: Launch, now: datetime) -> bool:
    """Notes that the context opens the course. True if it is the course's first one.

    Launches outside any LMS course never are: whoever arrives there teaches no LMS course.
    """
    if known.knows_course(place.course_pk) and known.is_course_connected:
        if place.identity and known.connection_identity != place.identity:
            CourseContext.objects.filter(course=place.course_pk, context=context_pk).update(identity=place.identity)
        return known.is_first_context
    table = CourseContext._meta.db_table
    # All names in the statement are our own; the values are parameters.
    insert = f"""
        INSERT INTO {table} (course_id, context_id, identity, rule, created_at, is_first)
        SELECT %s, %s, %s, %s, %s, {{first}} ON CONFLICT DO NOTHING RETURNING is_first
    """
    values: list[Any] = [
        place.course_pk,
        context_pk,
        place.identity,
        place.rule,
        connection.ops.adapt_datetimefield_value(now),
    ]
    first = f"NOT EXISTS (SELECT 1 FROM {table} WHERE course_id = %s AND is_first)"  # noqa: S608
    with connection.cursor() as cursor:
        if launch.context is None:
            cursor.execute(insert.format(first="false"), values)
            return False
        cursor.execute(insert.format(first=first), [*values, place.course_pk])
        row = cursor.fetchone()
        if row is None:
            # The context is connected already, or another one became the first at this moment.
            cursor.execute(insert.format(first="false"), values)
            cursor.execute(
                f"UPDATE {table} SET identity = CASE WHEN %s = '' THEN identity ELSE %s END "  # noqa: S608
                "WHERE course_id = %s AND context_id = %s RETURNING is_first",
                [place.identity, place.identity, *values[:2]],
            )
            row = cursor.fetchone()
    return bool(row[0])


def _store_link(launch: Launch, context_pk: int, deployment_pk: int, place: _Place, asked: str, now: datetime) -> int:
    # A link that opens a course is no grade's: nothing of a grade service is kept with it (F4).
    link, ags = launch.resource_link, launch.ags if place.assignment_pk is not None else None
    assert link is not None  # noqa: S101 - a resource link launch always has one (ltikit)
    send_grade = launch.custom.get("send_grade", "").lower()
    values: dict[str, Any] = {
        "context_id": context_pk,
        "deployment_id": deployment_pk,
        "resource_link_id": link.id,
        "title": link.title[:500],
        "assignment_id": place.assignment_pk,
        "rule": place.rule,
        "target": asked,
        "send_grade": send_grade if send_grade in SEND_MODES else SEND_MODES[0],
        "lineitem_url": ags.lineitem_url if ags else "",
        "lineitems_url": ags.lineitems_url if ags else "",
        "ags_scopes": " ".join(sorted(ags.scopes)) if ags else "",
        "created_at": now,
    }
    update = ["context_id", "assignment_id", "rule", "target", "send_grade"]
    update += [name for name in ("title", "lineitem_url", "lineitems_url", "ags_scopes") if values[name]]
    (pk,) = _upsert(ResourceLink, values, unique=("deployment_id", "resource_link_id"), update=update, returning="id")
    return int(pk)


def _store_person(
    launch: Launch, platform: KnownPlatform, known: Known, now: datetime, former: Former | None
) -> tuple[int, int]:
    """The person behind the LMS identity. Names and e-mail follow the LMS (C3), and prove nothing unless an owner
    trusts the platform's addresses (C1)."""
    sent = launch.person
    name = (sent.name or " ".join(filter(None, (sent.given_name, sent.family_name))))[:255]
    email = sent.email[:255]
    lti_id = _lti_id(launch, platform.lti_id_field)
    if known.identity_pk is not None and known.person_pk is not None:
        kept_name, kept_email, was_test_user, kept_id = known.identity_facts
        name, email, lti_id = name or kept_name, email or kept_email, lti_id or kept_id
        if (name, email, sent.is_test_user, lti_id) != (kept_name, kept_email, was_test_user, kept_id):
            LmsIdentity.objects.filter(pk=known.identity_pk).update(
                name=name,
                email=email,
                folded_email=email.casefold(),
                is_test_user=sent.is_test_user,
                lti_id=lti_id,
            )
            # A joined account keeps the name it has here.
            Person.objects.filter(pk=known.person_pk, account=None).update(
                name=name, email=email, folded_email=email.casefold()
            )
        return known.identity_pk, known.person_pk
    joined = former.person_pk if former else None
    if joined is None and platform.trusts_emails and not sent.is_test_user:
        joined = find_trusted_person(platform.organization_id, email)
    assumed = joined or _make_person(platform, name, email, now)
    values = {
        "platform_id": platform.pk,
        "lms_user_id": sent.user_id,
        "person_id": assumed,
        "name": name,
        "email": email,
        "folded_email": email.casefold(),
        "is_test_user": sent.is_test_user,
        "lti_id": lti_id,
        "created_at": now,
    }
    identity_pk, person_pk = _upsert(
        LmsIdentity,
        values,
        unique=("platform_id", "lms_user_id"),
        update=("name", "email"),
        returning="id, person_id",
    )
    if joined is None and person_pk != assumed:  # another first launch of the same person was quicker
        Person.objects.filter(pk=assumed).delete()
    return int(identity_pk), int(person_pk)


def _make_person(platform: KnownPlatform, name: str, email: str, now: datetime) -> int:
    values = {
        "organization_id": platform.organization_id,
        "public_id": new_id(),
        "name": name,
        "email": email,
        "folded_email": email.casefold(),
        "created_at": now,
    }
    (pk,) = _upsert(Person, values, unique=("public_id",), update=(), returning="id")
    return int(pk)


def _store_roles(
    course_pk: int, context_pk: int, person_pk: int, role: str, known: Known, *, covers: bool, now: datetime
) -> None:
    """Roles are overwritten, never added up: whoever is no longer an instructor there is none here either."""
    if known.membership_role != role:
        _upsert(
            ContextMembership,
            {"context_id": context_pk, "person_id": person_pk, "role": role, "active": True},
            unique=("context_id", "person_id"),
            update=("role", "active"),
            returning="id",
        )
    covers = covers and role == Role.TEACHER
    if known.enrollment_role != role or (covers and not known.enrollment_covers_course):
        _upsert(
            Enrollment,
            {
                "course_id": course_pk,
                "person_id": person_pk,
                "role": role,
                "active": True,
                "covers_whole_course": covers,
                "created_at": now,
            },
            unique=("course_id", "person_id"),
            # A right over the whole course, once given by an owner, is not lost by a launch from another context.
            update=("role", "active", *(("covers_whole_course",) if covers else ())),
            returning="id",
        )


def _store_arrival(
    launch: Launch,
    platform: KnownPlatform,
    place: _Place,
    *,
    rows: tuple[int, int, int, int],
    mark: str,
    now: datetime,
) -> None:
    identity_pk, person_pk, link_pk, context_pk = rows
    key = arrival_key(launch, platform.pk)
    outcomes = launch.outcomes if place.assignment_pk is not None else None
    values: dict[str, Any] = {
        "key": key,
        "fingerprint": mark,
        "platform_id": platform.pk,
        "identity_id": identity_pk,
        "person_id": person_pk,
        "resource_link_id": link_pk,
        "context_id": context_pk,
        "course_id": place.course_pk,
        "assignment_id": place.assignment_pk,
        "role": launch.role.value,
        "rule": place.rule,
        "outcome_url": outcomes.url if outcomes else "",
        "outcome_accepts": " ".join(sorted(outcomes.accepts)) if outcomes else "",
        "result_sourcedid_encrypted": secrets_box.lock(outcomes.sourcedid, place=sourcedid_place(key))
        if outcomes and outcomes.sourcedid
        else "",
        "arrived_at": now,
        "superseded_by_id": None,
    }
    update = [name for name in values if name != "key"]
    if not (outcomes and outcomes.sourcedid):
        # A later launch without a sourcedid (a preview, a module page) does not take the known one away (B13).
        update = [name for name in update if name not in _OF_OUTCOMES]
    _upsert(Arrival, values, unique=("key",), update=update, returning="id")


_OF_OUTCOMES = ("outcome_url", "outcome_accepts", "result_sourcedid_encrypted")


def sourcedid_place(key: str) -> str:
    """The place that an arrival's sourcedid is locked to (`secrets_box`)."""
    return f"arrival:{key}"


def _log_choice(landing: Landing, place: _Place) -> None:
    """What became of a launch that waited. Its row is the guard: it can be answered once."""
    found = LaunchRow.objects.filter(reference=landing.reference, outcome=LaunchRow.Outcome.WAITING).update(
        context=landing.context_pk,
        person=landing.person_pk,
        course=landing.course_pk,
        assignment=place.assignment_pk,
        outcome=LaunchRow.Outcome.OK,
        code="",
        step="",
        rule=place.rule,
        landed_on=_say_place(place),
    )
    if not found:
        raise ReplayError


def _say_place(place: _Place) -> str:
    public_id = place.assignment_public_id
    return f"assignment/{public_id}" if public_id else f"course/{place.course_public_id}"


def _log_arrival(
    launch: Launch, platform: KnownPlatform, landing: Landing, place: _Place, now: datetime, *, detail: str
) -> None:
    values: dict[str, Any] = {
        "reference": landing.reference,
        "at": now,
        "replay_key": replay_key(platform.pk, launch.nonce),
        "organization_id": platform.organization_id,
        "platform_id": platform.pk,
        "version": launch.version,
        "lms_context_id": launch.context.id if launch.context else "",
        "context_id": landing.context_pk,
        "person_id": landing.person_pk,
        "course_id": landing.course_pk,
        "assignment_id": place.assignment_pk,
        "role": landing.role,
        "outcome": LaunchRow.Outcome.OK.value,
        "code": "",
        "step": "",
        "detail": detail,
        "rule": place.rule,
        "landed_on": _say_place(place),
        "message": write_masked(launch.raw),
    }
    if not _upsert(LaunchRow, values, unique=("replay_key",), update=(), returning="id"):
        raise ReplayError


def _upsert(
    model: type[Any], values: Mapping[str, Any], *, unique: Sequence[str], update: Sequence[str], returning: str
) -> tuple[Any, ...]:
    """INSERT … ON CONFLICT, the same on both databases. Without `update` a conflict does nothing and returns ().

    All names come from this file; values are parameters.
    """
    columns = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    changes = ", ".join(f"{name} = excluded.{name}" for name in update)
    action = f"DO UPDATE SET {changes}" if update else "DO NOTHING"
    statement = (
        f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({marks}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(unique)}) {action} RETURNING {returning}"
    )
    parameters = [
        connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
        for value in values.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return tuple(cursor.fetchone() or ())
