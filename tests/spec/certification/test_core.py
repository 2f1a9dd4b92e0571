"""LTI Advantage certification 6.1, through real HTTP: login, redirect, the platform's answer, and where it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.spec.certification.cases import BAD_PAYLOADS, BEYOND, REQUIRED, VALID, Case
from tests.spec.certification.conftest import Answer, Browser, Stand


def play(stand: Stand, case: Case) -> Answer:
    """Sends the platform's answer the way the case says; the last answer of the tool."""
    with Browser() as browser, Browser() as other:
        form = stand.begin(browser, case.message)
        url = stand.platform["redirect_url"]
        if case.send == "without its cookie":
            browser.http.cookies.clear()
        if case.send == "from another browser":
            stand.begin(other, case.message)
            return other.send("POST", url, form)
        if case.send == "twice":
            assert browser.send("POST", url, form).marks["launch"] == "ok"
        return browser.send("POST", url, form)


@pytest.mark.quirk("G7", "G43", "G4")
@pytest.mark.parametrize("case", [*BAD_PAYLOADS, *BEYOND], ids=lambda case: case.id)
def test_known_bad_payload(stand: Stand, case: Case, row: Any) -> None:
    """It is refused on a page with a code and a reference, logged under it, and leaves no other row behind."""
    before, reads = stand.count_rows(), stand.validator.keyset_reads
    answer = play(stand, case)
    code, reference = answer.marks.get("code", ""), answer.marks.get("reference", "")
    row(case.id, case.name, f"refused: {case.expect}", f"HTTP {answer.status}, {code}")
    assert (answer.status // 100, answer.marks.get("launch"), code) == (4, "refused", case.expect)
    assert len(answer.way) == 1
    logged = stand.log(reference)
    assert (logged["outcome"], logged["code"]) == ("refused", case.expect)
    made = {name: count - before[name] for name, count in stand.count_rows().items() if count != before[name]}
    assert made == ({"lms_deployment": 1} if case.id == "x-15" else {})  # it is listed, for an owner to approve
    assert stand.validator.keyset_reads - reads <= 1
    assert "eyJ" not in answer.text
    assert "Lovelace" not in answer.text


@pytest.mark.quirk("B6", "G5", "O3", "C40")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("case", VALID, ids=lambda case: case.id)
def test_valid_launch(stand: Stand, case: Case, method: str, row: Any) -> None:
    """It lands on the work that its link names, in the role of the strongest course role, or in the least."""
    with Browser() as browser:
        answer = stand.launch(browser, case.message, method=method)
    seen = f"HTTP {answer.way[0]}, then {answer.status}, {answer.marks.get('role')}"
    row(case.id, case.name, f"lands as {case.expect}", seen)
    expected = {"launch": "ok", "assignment": stand.assignment["id"], "role": case.expect}
    assert expected.items() <= answer.marks.items()
    assert answer.way == [303, 200]
    shown = stand.courseway.run("course", "show", stand.course["id"])
    (enrollment,) = [one for one in shown["enrollments"] if case.sub in one["lms_user_ids"]]
    assert enrollment["role"] == case.expect
    assert enrollment["active"] is True


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.id)
def test_valid_launch_of_an_address_that_names_no_work(stand: Stand, case: Case) -> None:
    """The suite has one launch URL for everything: it ends on a page that says how to go on, not on an error."""
    message = case.message
    changed = {**message.changes, "resource_link": {"id": "link-of-no-work"}}
    bent = replace(message, changes=changed)
    with Browser() as browser:
        answer = stand.launch(browser, bent, target=stand.platform["launch_url"])
    assert (answer.status, answer.marks["launch"]) == (200, "waiting")


def test_the_cases_are_those_of_the_guide() -> None:
    """No case is missing, none is there twice."""
    numbers = [case.id for case in (*BAD_PAYLOADS, *BEYOND, *VALID)]
    assert sorted(numbers) == sorted(one for one in REQUIRED if one[0] in "BTSx")


def test_every_authentication_request_was_as_the_specification_says(stand: Stand) -> None:
    """The platform, which refuses whatever breaks a MUST, had nothing to refuse."""
    with Browser() as browser:
        assert stand.launch(browser, VALID[0].message).marks["launch"] == "ok"
    assert stand.validator.violations == []
