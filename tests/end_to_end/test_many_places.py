"""One assignment in many places (D10): several LMS courses, both versions of LTI; each gradebook gets each grade."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

from tests.end_to_end.demo import read_answers
from tests.end_to_end.plain_browser import PlainBrowser
from tests.end_to_end.servers import Stand

pytestmark = pytest.mark.skipif(
    os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
)


def test_grades_go_to_each_place(stand: Stand) -> None:
    """Work done once counts in both LMS courses of its student, scaled to each one's points, and so does a later grade;
    another LMS's student of the same assignment gets the own grade alone."""
    master = stand.import_example("release_grades_automatically=true")
    assignment, lms = master["assignments"][0], stand.lms
    tools = {"1.1": stand.add_key("Places 1.1"), "1.3": stand.add_registration("Places 1.3")}
    courses = [lms.add_course() for _ in range(3)]
    places = [(courses[0], "1.3", 40), (courses[1], "1.3", 7), (courses[2], "1.1", 10)]
    links = [
        lms.post(
            "links",
            course=course,
            tool=tools[version]["tool"]["id"],
            title=f"Operators {version}",
            url=assignment["url"],
            points=points,
        )["id"]
        for course, version, points in places
    ]
    otto, olga = lms.add_person(courses[0], email=""), lms.add_person(courses[2], email="")
    lms.post("people", id=otto, course=courses[1], role="learner")
    answers = {name: right.text for name, right in read_answers(assignment["title"]).items()}
    with PlainBrowser(lms, otto) as browser:
        browser.hand_in(browser.launch(links[0]), answers)
        # The same work opens from the other LMS course; nothing is asked for twice.
        assert browser.launch(links[1]).marks["assignment"] == assignment["id"]
    for course, version, _points in places[:2]:
        stand.wait_for_percent(course, otto, f"Operators {version}", Decimal(100))
    with PlainBrowser(lms, olga) as browser:
        browser.hand_in(browser.launch(links[2]), dict.fromkeys(answers, "0"))
    stand.wait_for_percent(courses[2], olga, "Operators 1.1", Decimal(0))
    stand.courseway.run("grade", "set", "--assignment", assignment["id"], "--person", otto, "--percent", "62.5")
    for course, version, _points in places[:2]:
        stand.wait_for_percent(course, otto, f"Operators {version}", Decimal("62.5"))
    all_owed = stand.courseway.run("deliveries", "--org", stand.org)
    owed = [one for one in all_owed if one["platform"].startswith("Places")]
    assert sorted(one["platform"] for one in owed) == ["Places 1.1", "Places 1.3", "Places 1.3"]
    assert {one["sent_percent"] for one in owed if one["platform"] == "Places 1.3"} == {62.5}
    shown = stand.courseway.run("course", "show", master["id"])
    assert sorted(one["context_id"] for one in shown["contexts"]) == sorted(courses)
    assert stand.read_percent(courses[2], olga, "Operators 1.1") == Decimal(0)
