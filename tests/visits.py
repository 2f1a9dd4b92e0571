"""Visits of the tests: a person inside the session of a launch, and signed messages from platforms."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey
from oauthlib.oauth1 import Client as OAuthClient

from courseway.courses.models import Assignment, Course, Enrollment
from courseway.lms.arrivals import Landing
from courseway.lms.keys import create_consumer_key
from courseway.lms.models import Context, ContextMembership, Deployment, Platform, Registration
from courseway.lms.sessions import open_session
from courseway.orgs.ids import new_id
from courseway.orgs.models import Account, Organization, Person
from ltikit.v13.keys import parse_keyset

M = TypeVar("M", bound=Model)

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
TOOL = "https://tool.example"


def sign_in(client: Client, account: Account, backend: str | None = None) -> None:
    """What `Client.force_login` leaves behind, in one statement instead of a dozen."""
    kept = {
        SESSION_KEY: str(account.pk),
        BACKEND_SESSION_KEY: backend or settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: account.get_session_auth_hash(),
    }
    key, until = secrets.token_hex(16), datetime.now(UTC) + timedelta(days=1)
    Session(session_key=key, session_data=SessionStore().encode(kept), expire_date=until).save(force_insert=True)
    client.cookies[settings.SESSION_COOKIE_NAME] = key


def find_or_create(model: type[M], names: dict[str, Any], values: dict[str, Any] | None = None) -> M:
    """Nobody else is at work here, so that no savepoint is needed."""
    found = model._default_manager.filter(**names).first()
    if found is None:
        return model._default_manager.create(**names, **(values or {}))
    if values:
        model._default_manager.filter(pk=found.pk).update(**values)
    return found


def open_launch(
    client: Client,
    person: Person,
    course: Course,
    role: str,
    assignment: Assignment | None = None,
    *,
    covers_whole_course: bool = False,
    page: str = "",
    return_url: str = "https://lms.example/back",
) -> str:
    """Puts `client` into the session of a launch, as if `person` had just come from an LMS course.

    Returns the path prefix of that session, without a slash at the end: `client.get(prefix + "/learn/")`.
    """
    platform = Platform.objects.filter(organization=course.organization).first()
    if platform is None:
        platform = create_consumer_key(course.organization, name="LMS of the tests")[0].platform
    deployment = find_or_create(Deployment, {"platform": platform, "deployment_id": ""})
    context = find_or_create(Context, {"deployment": deployment, "context_id": f"context-of-{course.public_id}"})
    is_in = {"role": role, "active": True}
    find_or_create(ContextMembership, {"context": context, "person": person}, is_in)
    find_or_create(
        Enrollment, {"course": course, "person": person}, {**is_in, "covers_whole_course": covers_whole_course}
    )
    landing = Landing(
        reference=new_id(),
        organization_pk=course.organization_id,
        person_pk=person.pk,
        course_pk=course.pk,
        context_pk=context.pk,
        role=role,
        assignment_public_id=assignment.public_id if assignment else "",
    )
    response = HttpResponse()
    open_session(response, landing, return_url=return_url, page=page, now=datetime.now(UTC))
    for name, morsel in response.cookies.items():
        client.cookies[name] = morsel.value
    return f"/at/{landing.reference}"


@dataclass
class Lms11:
    """An LMS that launches by LTI 1.1, signing with oauthlib."""

    key: str
    secret: str
    platform: Platform

    def form(self, **changes: Any) -> dict[str, str]:
        """An unsigned launch of a student. A value of None removes the parameter."""
        form = {
            "lti_message_type": "basic-lti-launch-request",
            "lti_version": "LTI-1p0",
            "resource_link_id": "link-1",
            "resource_link_title": "Operators",
            "context_id": "course-1",
            "context_title": "Introduction to programming",
            "user_id": "user-1",
            "roles": "Learner",
            "lis_person_name_full": "Sally Learner",
            "lis_person_contact_email_primary": "sally@lms.example",
            "lis_outcome_service_url": "https://lms.example/outcomes",
            "lis_result_sourcedid": '{"data":"<1>&2"}',
            "launch_presentation_return_url": "https://lms.example/course/1?tab=2",
            "tool_consumer_info_product_family_code": "moodle",
        }
        form.update(changes)
        return {name: value for name, value in form.items() if value is not None}

    def sign(
        self,
        url: str,
        form: dict[str, str],
        *,
        secret: str = "",
        key: str = "",
        method: str = "HMAC-SHA1",
        **oauth: str,
    ) -> list[tuple[str, str]]:
        client = OAuthClient(
            key or self.key,
            client_secret=secret or self.secret,
            signature_method=method,
            signature_type="BODY",
            timestamp=oauth.get("timestamp"),
            nonce=oauth.get("nonce"),
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        _, _, body = client.sign(url, "POST", body=urlencode(form), headers=headers)
        return [(name, value) for name, values in parse_qs(body, keep_blank_values=True).items() for value in values]

    def launch(self, client: Client, path: str, *, signing: dict[str, Any] | None = None, **changes: Any) -> Any:
        url = TOOL + path
        return post_form(client, path, self.sign(url, self.form(**changes), **(signing or {})))


def post_form(client: Client, path: str, pairs: list[tuple[str, str]]) -> Any:
    return client.post(
        path, urlencode(pairs), content_type="application/x-www-form-urlencoded", secure=True, HTTP_HOST="tool.example"
    )


@dataclass
class Lms13:
    """An LMS that launches by LTI 1.3, signing with joserfc."""

    issuer: str
    client_id: str
    platform: Platform
    key: RSAKey = field(repr=False)

    def claims(self, assignment: Assignment | None, nonce: str, /, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "user-1",
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            "name": "Sally Learner",
            "email": "sally@lms.example",
            CLAIM + "version": "1.3.0",
            CLAIM + "message_type": "LtiResourceLinkRequest",
            CLAIM + "deployment_id": "1",
            CLAIM + "roles": [MEMBERSHIP + "Learner"],
            CLAIM + "resource_link": {"id": "link-1", "title": "Operators"},
            CLAIM + "context": {"id": "course-1", "title": "Introduction to programming"},
            CLAIM + "target_link_uri": f"{TOOL}/lti/a/{assignment.public_id}" if assignment else f"{TOOL}/lti/launch",
            CLAIM + "launch_presentation": {"return_url": "https://lms.example/course/1?tab=2"},
            "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
                "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
                "lineitems": "https://lms.example/lineitems?type_id=1",
                "lineitem": "https://lms.example/lineitems/1?type_id=1",
            },
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def begin(self, client: Client, target: str = TOOL + "/lti/launch", **changes: Any) -> dict[str, str]:
        """The sign-in: what the tool asks of the platform's authorization endpoint."""
        parameters = {
            "iss": self.issuer,
            "client_id": self.client_id,
            "login_hint": "hint",
            "lti_message_hint": '{"launch":1}',
            "target_link_uri": target,
            **changes,
        }
        response = client.get("/lti/login", parameters, secure=True, HTTP_HOST="tool.example")
        assert response.status_code == 302, response.content
        return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}

    def token(self, claims: dict[str, Any], *, key: RSAKey | None = None, **header: Any) -> str:
        signer = key or self.key
        full = {"alg": "RS256", "kid": signer.kid, **header}
        return jwt.encode({name: value for name, value in full.items() if value is not None}, claims, signer)

    def launch(self, client: Client, assignment: Assignment | None = None, **changes: Any) -> Any:
        asked = self.begin(client)
        token = self.token(self.claims(assignment, asked["nonce"], **changes))
        return post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])


def make_lms11(organization: Organization) -> Lms11:
    consumer_key, secret = create_consumer_key(organization, name="Moodle")
    return Lms11(consumer_key.key, secret, consumer_key.platform)


_keys: dict[str, RSAKey] = {}


def make_key(name: str) -> RSAKey:
    if name not in _keys:
        _keys[name] = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    return _keys[name]


def make_lms13(organization: Organization | None, *, client_id: str = "client-1", policy: str = "any") -> Lms13:
    """A registration whose keyset was read a moment ago, so that no request leaves the test."""
    key = make_key(client_id)
    platform = Platform.objects.create(organization=organization, version="1.3", name="Canvas")
    Deployment.objects.create(platform=platform, deployment_id="1")
    document = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
    now = datetime.now(UTC)
    Registration.objects.create(
        platform=platform,
        issuer="https://lms.example",
        client_id=client_id,
        authentication_url="https://lms.example/auth",
        token_url="https://lms.example/token",
        keyset_url="https://lms.example/keys",
        deployment_policy=policy,
        keyset=parse_keyset(document).to_json(),
        keyset_read_at=now,
        keyset_expires_at=now.replace(year=now.year + 1),
    )
    return Lms13("https://lms.example", client_id, platform, key)
