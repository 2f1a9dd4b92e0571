"""LTI Advantage certification 6.4: a learner's launch offers only `lineitems`; columns, scores and results are ours."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.end_to_end.demo import read_answers
from tests.spec.certification.cases import STUDENT
from tests.spec.certification.conftest import Answer, Browser, Stand
from tests.spec.certification.validator import AGS, Message

ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
SCOPES = [AGS + one for one in ("lineitem", "result.readonly", "score")]
LINK = "link-without-a-column"
SECONDS = 30


def launch(stand: Stand, browser: Browser, user_id: str) -> Answer:
    """A learner's launch with a grade service that names no column."""
    claim = {"scope": SCOPES, "lineitems": f"{stand.validator.url}/lineitems"}
    changes = {"roles": [STUDENT], "sub": user_id, "resource_link": {"id": LINK, "title": "Quiz"}, ENDPOINT: claim}
    return stand.launch(browser, Message(changes=changes))


def submit(browser: Browser, answer: Answer, kind: str, values: dict[str, str]) -> Answer:
    """Sends the form with this `data-form`."""
    form = next(one for one in answer.document.forms if one.get("data-form") == kind)
    fields = [(name, value) for name, value in form.form_values() if name not in values]
    return browser.send("POST", urljoin(answer.url, form.action), [*fields, *values.items()])


def wait_for_scores(stand: Stand, user_id: str) -> list[dict[str, Any]]:
    """The scores that the platform got for a person."""
    give_up_at = time.monotonic() + SECONDS
    while time.monotonic() < give_up_at:
        found = [one for scores in stand.validator.scores.values() for one in scores if one["userId"] == user_id]
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no score came: {stand.courseway.run('deliveries', '--org', stand.org)}")


@pytest.fixture(scope="module")
def worked(stand: Stand) -> Stand:
    """A learner launched, answered everything right and handed in; the grade is with the platform."""
    with Browser() as browser:
        page = launch(stand, browser, "learner-1")
        assert page.marks["launch"] == "ok"
        if any(form.get("data-form") == "start" for form in page.document.forms):
            page = submit(browser, page, "start", {})
        answers = {name: answer.text for name, answer in read_answers(stand.assignment["title"]).items()}
        page = submit(browser, page, "submit", answers)
        if any(form.get("data-form") == "confirm" for form in page.document.forms):
            page = submit(browser, page, "confirm", {})
        assert page.status == 200
    wait_for_scores(stand, "learner-1")
    return stand


def columns_of(stand: Stand, **members: str) -> list[dict[str, Any]]:
    """The line items with these members."""
    items = stand.validator.line_items.values()
    return [one for one in items if all(one.get(name) == value for name, value in members.items())]


def test_launch_with_lineitems_alone(stand: Stand, row: Any) -> None:
    """A claim without `lineitem` is a good one."""
    with Browser() as browser:
        answer = launch(stand, browser, "learner-0")
    row("AG1", "Learner launch with only lineitems", "lands as student", f"HTTP {answer.way[0]}, then {answer.status}")
    assert (answer.marks["launch"], answer.marks["role"]) == ("ok", "student")


def test_line_item_created(worked: Stand, row: Any) -> None:
    """The tool makes one column for the link, with label, maximum, resource id and tag."""
    found = columns_of(worked, resourceLinkId=LINK)
    row("AG2", "Line item created by the tool", "one, with resourceId and tag", f"{len(found)} made")
    (item,) = found
    assert (item["label"], item["scoreMaximum"]) == (worked.assignment["title"], float(worked.assignment["points"]))
    assert item["resourceId"]
    assert item["tag"]


def test_score_posted(worked: Stand, row: Any) -> None:
    """The score is complete, and says when the work was handed in."""
    (score,) = wait_for_scores(worked, "learner-1")
    row("AG3", "Score posted", "all of it, FullyGraded", f"{score['scoreGiven']} of {score['scoreMaximum']}")
    assert score["scoreGiven"] == score["scoreMaximum"] == Decimal(str(worked.assignment["points"]))
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")
    assert score["submission"]["submittedAt"]


def test_token(worked: Stand, row: Any) -> None:
    """Tokens were asked for with no more scopes than were offered, by a signed assertion that was good."""
    asked = set().union(*worked.validator.granted.values())
    row("AG4", "Access token", "scopes that were offered", f"{len(worked.validator.granted)} granted")
    assert asked <= set(SCOPES)
    assert {AGS + "score", AGS + "lineitem"} <= asked


def test_operator_sends_a_test_score(worked: Stand, row: Any) -> None:
    """Somebody who runs the suite makes a column by resource id and tag, and posts a score, by one command."""
    words = (
        "grade",
        "try",
        "--platform",
        worked.platform["id"],
        "--person",
        "learner-2",
        "--percent",
        "62.5",
        "--keep",
    )
    said = worked.courseway.run(*words)
    row("AG5", "Operator sends a test score", "62.5 of 100", f"{said['score']} of {said['maximum']}")
    (score,) = wait_for_scores(worked, "learner-2")
    assert (score["scoreGiven"], score["scoreMaximum"]) == (Decimal("62.5"), 100)
    assert (said["made"], said["removed"]) == (True, False)
    assert len(columns_of(worked, resourceId="courseway-test-score", tag="test")) == 1


def test_result_read(worked: Stand, row: Any) -> None:
    """The result of the score is read back; a second test uses the column that is there."""
    words = ("grade", "try", "--platform", worked.platform["id"], "--person", "learner-3", "--percent", "40")
    said = worked.courseway.run(*words)
    row("AG6", "Result read", "40 of 100", f"{said['result']['score']} of {said['result']['maximum']}")
    assert said["result"] == {"score": 40, "maximum": 100}
    assert (said["made"], said["removed"]) == (False, False)
    assert len(columns_of(worked, resourceId="courseway-test-score")) == 1


def test_nothing_broke_a_must(worked: Stand, row: Any) -> None:
    """Media types, members, times and scopes: the platform had nothing to refuse."""
    row("AG7", "No request broke a MUST", "none", ", ".join(worked.validator.violations) or "none")
    assert worked.validator.violations == []


def test_a_test_score_leaves_no_trace(worked: Stand) -> None:
    """Without --keep, a column that was made for the test is removed again."""
    items = worked.validator.line_items
    for name in [name for name, item in items.items() if item.get("tag") == "test"]:
        del items[name]
    said = worked.courseway.run("grade", "try", "--platform", worked.platform["id"], "--person", "learner-4")
    assert (said["made"], said["removed"], said["result"]["score"]) == (True, True, 50)
    assert columns_of(worked, tag="test") == []
