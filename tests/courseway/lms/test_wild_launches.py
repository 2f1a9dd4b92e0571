"""Rightly signed launches with anything at all in one of their fields: each lands, waits or is refused, and none fails.

A platform that is registered may still send what nobody expects; a page with a code is the worst that may come of it.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from courseway.lms.models import Launch
from tests.cast import Cast
from tests.depth import one_of
from tests.visits import CLAIM, make_lms11, make_lms13

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.deep]

LONG = "Ä" * 3000
EMOJI = "👩‍🏫 \u202e\u0301 ﷽ <b>&amp;'\""
WILD_TEXTS = [
    "",
    " ",
    LONG,
    EMOJI,
    "\ufffe\uffff",
    "$Person.sourcedId",
    "null",
    "0",
    "-1",
    "1e400",
    "a\r\nb\tc",
    "../../x",
]
WILD: list[Any] = [
    *WILD_TEXTS,
    None,
    True,
    0,
    -7,
    2**70,
    1.5,
    [],
    {},
    [None],
    [""],
    [[]],
    ["x", 7, None],
    {"id": None},
    {"id": 7},
    {"id": LONG},
    {"x": {"y": [1, {"z": None}]}},
    "lone \ud800 surrogate",
    "nul \0 character",
]
LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
FULL: dict[str, Any] = {
    "name": "Sally Learner",
    "given_name": "Sally",
    "family_name": "Learner",
    "middle_name": "Q",
    "email": "sally@lms.example",
    "locale": "de-DE",
    "picture": "https://lms.example/p.png",
    CLAIM + "resource_link": {"id": "link-1", "title": "Operators", "description": "All of them"},
    CLAIM + "context": {"id": "course-1", "title": "Programming", "label": "CS1", "type": ["CourseSection"]},
    CLAIM + "lis": {
        "person_sourcedid": "p-1",
        "course_offering_sourcedid": "o-1",
        "course_section_sourcedid": "s-1",
    },
    CLAIM + "custom": {
        "assignment_id": "x",
        "course_target_id": "y",
        "parent_course_id": "z",
        "page": "1",
        "send_grade": "always",
        "mentor_for": "a@b.example,c",
        "context_id_history": "a,b",
        "resource_link_id_history": "c,d",
        "course_offering_sourcedid": "o-2",
        "due_at": "2026-12-01T00:00:00Z",
    },
    CLAIM + "launch_presentation": {
        "return_url": "https://lms.example/back",
        "document_target": "iframe",
        "locale": "de",
        "width": 800,
    },
    CLAIM + "tool_platform": {"guid": "g", "name": "n", "product_family_code": "canvas", "version": "1"},
    CLAIM + "role_scope_mentor": ["user-2"],
    CLAIM + "lti1p1": {"oauth_consumer_key": "k", "oauth_consumer_key_sign": "s", "user_id": "u"},
    CLAIM + "lti11_legacy_user_id": "old-1",
    CLAIM + "for_user": {"user_id": "user-2", "name": "N"},
    "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
        "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
        "lineitems": "https://lms.example/items",
        "lineitem": "https://lms.example/items/1",
    },
    "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
        "context_memberships_url": "https://lms.example/members",
        "service_versions": ["2.0"],
    },
    "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice": {
        "context_groups_url": "https://lms.example/groups",
        "context_group_sets_url": "https://lms.example/sets",
        "scope": ["https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"],
        "service_versions": ["1.0"],
    },
    "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome": {
        "lis_outcome_service_url": "https://lms.example/outcomes",
        "lis_result_sourcedid": "s",
    },
    CLAIM + "platformnotificationservice": {
        "platform_notification_service_url": "https://lms.example/notices",
        "service_versions": ["1.0"],
        "scope": ["https://purl.imsglobal.org/spec/lti/scope/noticehandlers"],
        "notice_types_supported": ["LtiHelloWorldNotice"],
    },
    "http://www.brightspace.com": {"org_defined_id": "1", "Context.id.history": "a", "ResourceLink.id.history": "b"},
    "https://www.instructure.com/placement": "course_navigation",
    LINKING: {
        "deep_link_return_url": "https://lms.example/links",
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["iframe"],
        "accept_multiple": True,
        "data": "d",
    },
}
REQUIRED = ("sub", "aud", "iss", "exp", "iat", "nonce", CLAIM + "roles", CLAIM + "message_type", CLAIM + "version")


def bend(name: str, member: str, value: Any) -> dict[str, Any]:
    """All claims, one of them - or one member of it - replaced."""
    if not member:
        return {**FULL, name: value}
    return {**FULL, name: {**FULL[name], member: value}}


def places() -> list[tuple[str, str]]:
    """Every claim, and every member of those that have some."""
    found = [(name, "") for name in (*FULL, *REQUIRED, CLAIM + "deployment_id", CLAIM + "target_link_uri")]
    for name, value in FULL.items():
        found += [(name, member) for member in value] if isinstance(value, dict) else []
    return found


ROLES = ("Learner", "Instructor", "Mentor")
MESSAGES = ("LtiResourceLinkRequest", "LtiDeepLinkingRequest", "LtiSubmissionReviewRequest")


@pytest.mark.parametrize("message", MESSAGES)
def test_any_value_of_any_claim(client: Client, cast: Cast, message: str) -> None:
    """Whatever stands in one claim, the answer is a page, a redirect or a refusal with a code, and a row of the log."""
    lms = make_lms13(cast.acme)
    failed = []
    # A part each, and another one with each message, so that all values meet all kinds of claims.
    for number, (name, member) in enumerate(places(), MESSAGES.index(message)):
        for turn, value in enumerate(one_of(WILD, 30, deep=10, start=number)):
            role = [ROLES[(number + turn) % len(ROLES)]]
            claims = {CLAIM + "message_type": message, CLAIM + "roles": role, **bend(name, member, value)}
            failed += [(name, member, value)] * (not answers(lms.launch, client, cast.operators, claims))
    assert not failed


def answers(launch: Any, client: Client, target: Any, changes: dict[str, Any]) -> bool:
    """Whether the launch came to a good end, or to a refusal that says why."""
    before = Launch.objects.count()
    client.cookies.clear()
    client.raise_request_exception = False
    try:
        response = launch(client, target, **changes)
    except UnicodeEncodeError:
        return True  # a lone surrogate cannot even be sent
    is_logged = Launch.objects.count() == before + 1
    if response.status_code in (200, 303):
        return is_logged
    return is_logged and 400 <= response.status_code < 500 and b'data-code="' in response.content


FORM = (
    *("resource_link_id", "resource_link_title", "resource_link_description", "context_id", "context_title"),
    *("context_label", "context_type", "user_id", "roles", "lis_person_name_full", "lis_person_name_given"),
    *("lis_person_name_family", "lis_person_contact_email_primary", "lis_person_sourcedid", "lis_outcome_service_url"),
    *("lis_result_sourcedid", "launch_presentation_return_url", "launch_presentation_locale", "lti_version"),
    *("tool_consumer_info_product_family_code", "tool_consumer_instance_guid", "lis_course_offering_sourcedid"),
    *("lis_course_section_sourcedid", "role_scope_mentor", "ext_roles", "custom_page", "custom_send_grade"),
    *("custom_mentor_for", "custom_course_target_id", "custom_parent_course_id", "custom_assignment_id"),
    *("custom_context_memberships_url", "ext_ims_lis_memberships_url", "ext_ims_lis_memberships_id"),
    *("resource_link_id_history", "custom_context_id_history", "ext_content_return_url", "ext_content_return_types"),
    *(
        "selection_directive",
        "content_item_return_url",
        "accept_media_types",
        "lti_message_type",
        "custom_actual_user_id",
    ),
)
MESSAGES_11 = ("basic-lti-launch-request", "ContentItemSelectionRequest")


@pytest.mark.parametrize("message", MESSAGES_11)
def test_any_value_of_any_field(client: Client, cast: Cast, message: str) -> None:
    """The same for the fields of LTI 1.1, a part with each message."""
    lms = make_lms11(cast.acme)
    path = f"/lti/a/{cast.operators.public_id}"
    failed = []
    for number, name in enumerate(FORM, MESSAGES_11.index(message)):
        for turn, value in enumerate(one_of(WILD_TEXTS, 9, deep=3, start=number)):
            role = ROLES[(number + turn) % len(ROLES)]
            changes = {"lti_message_type": message, "roles": role, name: value}
            failed += [(name, value)] * (not answers(lms.launch, client, path, changes))
    assert not failed


def test_an_organization_outlives_wild_launches(client: Client, cast: Cast) -> None:
    """What wild launches left can be shown: the log, the course's page and its people."""
    lms = make_lms13(cast.acme)
    for value in (LONG, EMOJI, "\ufffe"):
        wild = dict.fromkeys(("name", "email"), value)
        changes = {**wild, CLAIM + "context": {"id": value[:255], "title": value, "label": value}}
        lms.launch(client, cast.operators, **changes, **{CLAIM + "resource_link": {"id": value[:255], "title": value}})
    owner = Client()
    owner.force_login(cast.olive)
    course = [cast.course.public_id]
    for url in (
        reverse("lms_org:launches", args=[cast.acme.slug]),
        reverse("lms_course:connections", args=course),
        reverse("learning_course:gradebook", args=course),
    ):
        response = owner.get(url, secure=True, HTTP_HOST="tool.example")
        assert response.status_code == 200, url
        assert EMOJI not in response.content.decode()  # its markup is escaped


LOGIN = (
    *("iss", "client_id", "login_hint", "lti_message_hint", "target_link_uri", "lti_deployment_id", "deployment_id"),
    *("lti_storage_target", "canvas_region", "canvas_environment", "anything"),
)


@pytest.mark.parametrize("method", ["get", "post"])
def test_any_value_of_any_field_of_a_login(client: Client, cast: Cast, method: str) -> None:
    """A login goes to the platform that is registered, to a page on the way there, or is refused with a code."""
    lms = make_lms13(cast.acme)
    client.raise_request_exception = False
    good = {
        "iss": lms.issuer,
        "client_id": lms.client_id,
        "login_hint": "hint",
        "target_link_uri": "https://tool.example/",
    }
    failed = []
    for name in LOGIN:
        for value in (*WILD_TEXTS, "nul \0 character"):
            response = getattr(client, method)(
                "/lti/login", {**good, name: value}, secure=True, HTTP_HOST="tool.example"
            )
            goes_on = response.status_code == 302 and response["Location"].startswith("https://lms.example/auth?")
            is_refused = 400 <= response.status_code < 500 and b'data-code="' in response.content
            is_page = response.status_code == 200 and b"data-opening" in response.content
            failed += [(name, value)] * (not (goes_on or is_refused or is_page))
    assert not failed


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", ""]
)
def test_any_bytes_at_any_address(client: Client, cast: Cast, kind: str) -> None:
    """Whatever bytes are posted to an address of LTI, the answer is no failure of ours."""
    client.raise_request_exception = False
    bodies = [
        b"",
        b"\0",
        b"\xff\xfe",
        b"id_token=%ZZ&state=1",
        b"a" * 70_000,
        b"--x\r\n\r\n--x--",
        b"=&=&=",
        b"[" * 5000,
        b'{"notices": [{"jwt": 7}, null, {"jwt": "a.b.c"}]}',
        b'{"notices": {"\\ud800": "\\u0000"}}',
    ]
    failed = []
    for path in (
        "/lti/launch",
        "/lti/login",
        f"/lti/a/{cast.operators.public_id}",
        "/lti/resource_selection",
        "/lti/link",
        "/lti/notices",
    ):
        for body in bodies:
            response = client.post(path, body, content_type=kind, secure=True, HTTP_HOST="tool.example")
            failed += [(path, body[:20])] * (not 400 <= response.status_code < 500)
    assert not failed
