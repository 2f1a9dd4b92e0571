"""LTI 1.1 certification of tools, through real HTTP: the refusals of part 1, the odd but good launches of part 4."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.ltikit.v11.signed_forms import RETURN_URL, STUDENT_LAUNCH, change, sign
from tests.spec.certification.conftest import Answer, Browser, Stand

NAMES = ("lis_person_name_given", "lis_person_name_family", "lis_person_name_full")
CONTEXT = ("context_id", "context_title", "context_label", "context_type")


def launch(stand: Stand, *without: str, secret: str = "", **changes: str | None) -> Answer:
    """Signs a student's launch of the assignment, with these changes, and posts it."""
    form = change(STUDENT_LAUNCH, **{**changes, **dict.fromkeys(without)})
    url, key = stand.assignment["url"], stand.key
    credentials = {"key": key["key"], "secret": secret or key["secret"]}
    signed = sign(form, url=url, now=datetime.now(UTC), nonce=secrets.token_hex(8), **credentials)
    with Browser() as browser:
        return browser.send("POST", url, signed)


def way_back(answer: Answer) -> str:
    """The link of the page that leads back to the LMS."""
    found = answer.document.xpath("//a[@target='_top']/@href")
    return str(found[0]) if found else ""


@pytest.mark.quirk("G4")
@pytest.mark.parametrize(
    ("number", "name", "changes", "code"),
    [
        ("1.1", "No resource_link_id, with return URL", {"resource_link_id": None}, "missing_resource_link"),
        (
            "1.2",
            "No resource_link_id, no return URL",
            {"resource_link_id": None, "launch_presentation_return_url": None},
            "missing_resource_link",
        ),
        ("1.4", "Invalid OAuth signature", {"secret": "another secret"}, "bad_signature"),
        ("1.5", "Invalid LTI version", {"lti_version": "LTI-9p0"}, "unsupported_version"),
        ("1.6", "Wrong LTI version", {"lti_version": "LTI-2p0"}, "unsupported_version"),
        ("1.7", "No LTI version", {"lti_version": None}, "missing_parameter"),
        ("1.8", "Invalid message type", {"lti_message_type": "invalid-message"}, "unsupported_message"),
        ("1.9", "No message type", {"lti_message_type": None}, "missing_parameter"),
    ],
)
def test_refused(stand: Stand, number: str, name: str, changes: dict[str, Any], code: str, row: Any) -> None:
    """It is refused on a page, and the way back, if a rightly signed message gave one, carries the reason."""
    before = stand.count_rows()
    answer = launch(stand, **changes)
    back = way_back(answer)
    has_way = "launch_presentation_return_url" not in changes and "secret" not in changes
    row(
        number, name, f"refused: {code}", f"HTTP {answer.status}, {answer.marks.get('code')}{', way back' * bool(back)}"
    )
    assert (answer.status // 100, answer.marks["launch"], answer.marks["code"]) == (4, "refused", code)
    assert answer.way == [answer.status]
    assert stand.count_rows() == before
    assert stand.log(answer.marks["reference"])["code"] == code
    if not has_way:
        assert back == ""
        return
    assert back.startswith(RETURN_URL)
    (said,) = parse_qs(urlsplit(back).query)["lti_errormsg"]
    assert answer.marks["reference"] in said


@pytest.mark.quirk("G3", "G5")
@pytest.mark.parametrize(
    ("number", "name", "without", "changes", "role"),
    [
        ("4.1", "Full launch", (), {}, "student"),
        ("4.2", "No context_title", ("context_title",), {}, "student"),
        ("4.3", "No names", NAMES, {}, "student"),
        ("4.4", "No e-mail", ("lis_person_contact_email_primary",), {}, "student"),
        ("4.5", "Odd roles", (), {"roles": "urn:lti:sysrole:ims/lis/SysAdmin, Other ,Instructor"}, "teacher"),
        ("4.6", "No context", CONTEXT, {}, "student"),
    ],
)
def test_accepted(
    stand: Stand, number: str, name: str, without: tuple[str, ...], changes: dict[str, str], role: str, row: Any
) -> None:
    """It lands on its work, whatever is only recommended may be left out."""
    answer = launch(stand, *without, **changes, user_id=f"person-of-{number}")
    row(number, name, f"lands as {role}", f"HTTP {answer.way[0]}, then {answer.status}, {answer.marks.get('role')}")
    assert answer.way == [303, 200]
    assert (answer.marks["launch"], answer.marks["role"]) == ("ok", role)
