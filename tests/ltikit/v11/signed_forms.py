"""LTI 1.1 launch forms for tests, signed by oauthlib's client and not by the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_TYPE_BODY, Client

from ltikit.launch import Launch
from ltikit.v11.launch import verify_launch

Form = list[tuple[str, str]]

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
URL = "https://tool.example.org/lti/launch"
KEY = "campus-key"
SECRET = "a secret & more"
RETURN_URL = "https://lms.example.edu/back?course=7"

STUDENT_LAUNCH: Form = [
    ("lti_message_type", "basic-lti-launch-request"),
    ("lti_version", "LTI-1p0"),
    ("resource_link_id", "link-1"),
    ("resource_link_title", "Loops & lists"),
    ("resource_link_description", ""),
    ("user_id", "user-9"),
    ("roles", "Learner"),
    ("lis_person_name_full", "Zoë Ångström"),
    ("lis_person_name_given", "Zoë"),
    ("lis_person_name_family", "Ångström"),
    ("lis_person_contact_email_primary", "Zoe@example.edu"),
    ("lis_person_sourcedid", "sis:zoe"),
    ("context_id", "course-7"),
    ("context_title", "Programming"),
    ("context_label", "CS1"),
    ("context_type", "CourseSection"),
    ("lis_course_offering_sourcedid", "CS1-2026"),
    ("lis_course_section_sourcedid", "CS1-2026-A"),
    ("lis_outcome_service_url", "https://lms.example.edu/outcomes"),
    ("lis_result_sourcedid", '{"data":{"userid":"9"},"hash":"<ab&c>"}'),
    ("launch_presentation_return_url", RETURN_URL),
    ("launch_presentation_document_target", "iframe"),
    ("launch_presentation_locale", "en-US"),
    ("tool_consumer_instance_guid", "lms.example.edu"),
    ("tool_consumer_instance_name", "Example University"),
    ("tool_consumer_info_product_family_code", "moodle"),
    ("tool_consumer_info_version", "2024100706"),
    ("custom_codio_page", "Warm-up"),
    ("ext_submit", "Press to launch"),
]


def change(form: Form, /, **changes: str | None) -> Form:
    """The form with some fields replaced, or left out where the new value is None."""
    kept = [(name, value) for name, value in form if name not in changes]
    return kept + [(name, value) for name, value in changes.items() if value is not None]


def sign(
    form: Sequence[tuple[str, str]],
    *,
    url: str = URL,
    key: str = KEY,
    secret: str = SECRET,
    now: datetime = NOW,
    nonce: str = "nonce-1",
    method: str = SIGNATURE_HMAC_SHA1,
) -> Form:
    """The form as a platform with these credentials would post it."""
    client = Client(
        key,
        client_secret=secret,
        signature_method=method,
        signature_type=SIGNATURE_TYPE_BODY,
        timestamp=str(int(now.timestamp())),
        nonce=nonce,
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, body = client.sign(url, "POST", body=urlencode(form), headers=headers)
    return parse_qsl(body, keep_blank_values=True)


def launch(form: Form = STUDENT_LAUNCH, /, **changes: str | None) -> Launch:
    """Sign the changed form and verify it as the tool does."""
    return launch_at(URL, change(form, **changes))


def launch_at(url: str, form: Form = STUDENT_LAUNCH) -> Launch:
    """Sign the form for an address and verify it there."""
    return verify_launch(sign(form, url=url), url=url, secret=SECRET, now=NOW)
