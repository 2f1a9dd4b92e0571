"""What of a message may stand in a log."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ltikit.parameters import MASK, mask_message

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"


def test_a_form_of_lti_11() -> None:
    """The link, the course, the roles and the key are told; the person, the signature and the result id are not."""
    masked = mask_message(
        {
            "lti_message_type": "basic-lti-launch-request",
            "oauth_consumer_key": "key-1",
            "oauth_signature": "c2lnbmF0dXJl",
            "oauth_nonce": "n0nce",
            "resource_link_id": "link-1",
            "context_title": "Introduction to programming",
            "roles": "Learner",
            "user_id": "user-1",
            "lis_person_name_full": "Sally Learner",
            "lis_person_contact_email_primary": "sally@lms.example",
            "lis_result_sourcedid": "secret",
            "lis_outcome_service_url": "https://lms.example/outcomes?session=abc",
            "launch_presentation_return_url": "https://lms.example/course/1",
            "custom_course_target_id": "target",
            "custom_codio_custom_mentor_for": "sally@lms.example",
            "custom_canvas_user_login_id": "sally",
            "custom_broken": "$Canvas.user.loginId",
            "ext_user_username": "sally",
            "context_label": "",
        }
    )
    assert masked == {
        "lti_message_type": "basic-lti-launch-request",
        "oauth_consumer_key": "key-1",
        "oauth_signature": "•••• (12)",
        "oauth_nonce": "•••• (5)",
        "resource_link_id": "link-1",
        "context_title": "Introduction to programming",
        "roles": "Learner",
        "user_id": "•••• (6)",
        "lis_person_name_full": "•••• (13)",
        "lis_person_contact_email_primary": "•••• (17)",
        "lis_result_sourcedid": "•••• (6)",
        "lis_outcome_service_url": f"https://lms.example/outcomes?{MASK}",
        "launch_presentation_return_url": "https://lms.example/course/1",
        "custom_course_target_id": "target",
        "custom_codio_custom_mentor_for": "•••• (17)",
        "custom_canvas_user_login_id": "•••• (5)",
        "custom_broken": "$Canvas.user.loginId",
        "ext_user_username": "•••• (5)",
        "context_label": "",
    }


def test_claims_of_lti_13() -> None:
    """Claims keep their shape; what names the person is masked, also deep inside."""
    masked = mask_message(
        {
            "iss": "https://lms.example",
            "aud": ["client-1"],
            "iat": 1_700_000_000,
            "nonce": "n0nce",
            "sub": "user-1",
            "email": "sally@lms.example",
            CLAIM + "roles": ["membership#Learner", ""],
            CLAIM + "context": {"id": "course-1", "title": "Programming", "type": ["CourseSection"]},
            CLAIM + "resource_link": {"id": "link-1", "title": "Operators"},
            CLAIM + "lis": {"person_sourcedid": "P-1", "course_section_sourcedid": "S-1"},
            CLAIM + "custom": {"send_grade": "always", "login": "sally", "sis": "$Person.sourcedId"},
            CLAIM + "role_scope_mentor": ["user-2"],
            CLAIM + "lti1p1": {"user_id": "old", "oauth_consumer_key": "key-1", "oauth_consumer_key_sign": "x"},
            "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {"lineitem": "https://lms.example/1?type_id=1"},
            "https://vendor.example/claim": {"login": "sally"},
        }
    )
    assert "sally" not in json.dumps(masked)
    assert masked["aud"] == ["client-1"]
    assert masked["iat"] == 1_700_000_000
    assert masked["sub"] == "•••• (6)"
    assert masked[CLAIM + "roles"] == ["membership#Learner", ""]
    assert masked[CLAIM + "context"] == {"id": "course-1", "title": "Programming", "type": ["CourseSection"]}
    assert masked[CLAIM + "lis"] == {"person_sourcedid": "•••• (3)", "course_section_sourcedid": "S-1"}
    assert masked[CLAIM + "custom"] == {"send_grade": "always", "login": "•••• (5)", "sis": "$Person.sourcedId"}
    assert masked[CLAIM + "role_scope_mentor"] == ["•••• (6)"]
    assert masked[CLAIM + "lti1p1"] == {
        "user_id": "•••• (3)",
        "oauth_consumer_key": "key-1",
        "oauth_consumer_key_sign": "•••• (1)",
    }
    endpoint = masked["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert endpoint == {"lineitem": f"https://lms.example/1?{MASK}"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=30), values, max_size=8))
def test_any_message_can_be_masked(message: dict[str, Any]) -> None:
    """Whatever is sent, the result is text that any database holds, and nothing raises."""
    text = json.dumps(mask_message(message), ensure_ascii=False)
    assert text.encode()
    assert "\\u0000" not in text


@given(st.text(st.characters(categories=["Ll", "Nd"]), min_size=12, max_size=30), st.sampled_from(["name", "x", "sub"]))
def test_a_name_that_is_not_listed_tells_nothing(secret: str, name: str) -> None:
    """What a platform invents is masked: at the top, in an object, in a list."""
    masked = json.dumps(mask_message({name: secret, "vendor": {name: [secret]}}), ensure_ascii=False)
    assert secret not in masked


def test_what_a_roster_is_asked_by_is_masked() -> None:
    """The address of the members is told, the id that opens it is not; when work is due is about nobody."""
    masked = mask_message(
        {
            "ext_ims_lis_memberships_url": "https://lms.example/members",
            "ext_ims_lis_memberships_id": "a-capability",
            "custom_resource_link_submission_end_date_time": "2026-12-01T22:59:00Z",
            "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice": {
                "context_groups_url": "https://lms.example/groups"
            },
        }
    )
    text = json.dumps(masked)
    assert masked["ext_ims_lis_memberships_url"] == "https://lms.example/members"
    assert "a-capability" not in text
    assert "2026-12-01T22:59:00Z" in text
    assert "https://lms.example/groups" in text
