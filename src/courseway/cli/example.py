"""The example that the demo shows: an organization, its people, a course, and the practice LMS connected twice."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from courseway.courses.importing import import_course_from_path
from courseway.courses.models import Course
from courseway.courses.settings_change import set_course_settings
from courseway.lms import addresses
from courseway.lms.course_json import assignments_as_json
from courseway.lms.keys import create_consumer_key, reveal_secret
from courseway.lms.models import ConsumerKey, Platform, Registration
from courseway.lms.registrations import create_registration, update_registration
from courseway.orgs.models import Account, Organization
from courseway.orgs.organizations import create_organization, get_or_create_account

OWNER = ("owner@university.example", "Olivia Brandt")
TEACHER = ("teacher@university.example", "Theo Nakamura")
PLATFORM_NAME = "Practice LMS"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the demo has to remember from one start to the next: the passwords that it shows."""

    owner_password: str
    teacher_password: str
    course_id: str


def load_example(notes_file: Path, lms: dict[str, str], *, now: datetime) -> Notes:
    """The example, made on the first start. `lms` is what `practice-lms info --json` says."""
    notes = Notes(**json.loads(notes_file.read_text())) if notes_file.exists() else None
    course = find_course(notes) if notes else None
    if notes is None or course is None:
        with transaction.atomic():
            course, notes = _make_course(now)
            # Written before the rows count: notes without rows are made anew, rows without notes would be in the way.
            with open(os.open(notes_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(asdict(notes), file, indent=2)
    _connect(course.organization, lms)
    return notes


def find_course(notes: Notes) -> Course | None:
    return Course.objects.select_related("organization").filter(public_id=notes.course_id).first()


def describe_for_lms(notes: Notes, lms: dict[str, str]) -> dict[str, Any]:
    """What `practice-lms seed` needs: both tools, and one link for each assignment."""
    course = find_course(notes)
    consumer_key = _find_key(course.organization) if course else None
    if course is None or consumer_key is None:
        raise AssertionError("load_example makes both.")
    return {
        "key": consumer_key.key,
        "secret": reveal_secret(consumer_key),
        "launch_url": addresses.launch_url(),
        "login_url": addresses.login_url(),
        "redirect_url": addresses.redirect_url(),
        "keyset_url": addresses.keyset_url(),
        "client_id": lms["client_id"],
        "deployment_id": lms["deployment_id"],
        "links": [
            {"title": one["title"], "url": one["url"], "points": one["points"], "key": one["key"]}
            for one in assignments_as_json(course)
            if one["published"]
        ],
    }


def _make_course(now: datetime) -> tuple[Course, Notes]:
    owner_password = os.environ.get("COURSEWAY_OWNER_PASSWORD") or secrets.token_urlsafe(9)
    teacher_password = secrets.token_urlsafe(9)
    organization, _owner, _link = create_organization("Example University", OWNER[0], password=owner_password, now=now)
    get_or_create_account(TEACHER[0], password=teacher_password)
    for email, name in (OWNER, TEACHER):
        Account.objects.filter(email=email).update(name=name)
    course = import_course_from_path(
        settings.BASE_DIR / "courses" / "example", organization=organization, teacher_email=TEACHER[0], now=now
    )
    set_course_settings(course, {"lti_enabled": True, "release_grades_automatically": True})
    return course, Notes(owner_password, teacher_password, course.public_id)


def _connect(organization: Organization, lms: dict[str, str]) -> None:
    """The practice LMS by LTI 1.1 and by LTI 1.3. Its addresses change when it is started on another port."""
    if _find_key(organization) is None:
        key, _secret = create_consumer_key(organization, name=f"{PLATFORM_NAME}, LTI 1.1")
        _trust_emails(key.platform)
    values = {
        "issuer": lms["issuer"],
        "client_id": lms["client_id"],
        "authentication_url": lms["auth_url"],
        "token_url": lms["token_url"],
        "keyset_url": lms["keyset_url"],
        "name": f"{PLATFORM_NAME}, LTI 1.3",
    }
    registration = Registration.objects.filter(platform__organization=organization, client_id=lms["client_id"]).first()
    if registration is None:
        _trust_emails(create_registration(organization, **values).platform)
    elif registration.issuer != lms["issuer"]:
        update_registration(registration, **values)


def _trust_emails(platform: Platform) -> None:
    """Both are the same LMS with the same people, who shall be one person each, whichever link they open."""
    platform.trusts_emails = True
    platform.save(update_fields=["trusts_emails"])


def _find_key(organization: Organization) -> ConsumerKey | None:
    keys = ConsumerKey.objects.select_related("platform").filter(platform__organization=organization)
    return keys.filter(platform__revoked_at=None).order_by("pk").first()
