"""The main job in a real browser: a click in the LMS becomes work, the work becomes a grade in the LMS's gradebook."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.demo import Demo, read_answers, run_demo

pytestmark = pytest.mark.browser
SECONDS = 1000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with run_demo(tmp_path_factory.mktemp("demo") / "data") as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(40 * SECONDS)
    yield page
    context.close()


def become(page: Page, demo: Demo, name: str) -> None:
    page.goto(demo.lms)
    page.get_by_role("button", name=re.compile(name)).click()
    # Somebody with a single course stands in it at once.
    if page.get_by_role("link", name="Introduction to programming").count():
        page.get_by_role("link", name="Introduction to programming").first.click()


def open_activity(page: Page, title: str) -> None:
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.locator("body[data-launch=ok]")).to_have_count(1)


def links_of(page: Page) -> dict[str, list[str]]:
    """The titles of the course's activities by LTI version."""
    found: dict[str, list[str]] = {"1.1": [], "1.3": []}
    for activity in page.locator("li.activity").all():
        version = "1.1" if "LTI 1.1" in activity.inner_text() else "1.3"
        found[version].append(activity.locator("a[data-link]").inner_text())
    return found


def answer(page: Page, title: str, *, wrong: int) -> Decimal:
    """Answers the assignment, `wrong` of its questions wrongly, page by page; returns the percent this earns."""
    answers = read_answers(title)
    lost = Decimal(0)
    for index, (name, right) in enumerate(answers.items()):
        is_wrong = index < wrong
        lost += right.points if is_wrong else 0
        field = page.locator(f"[name='{name}']")
        while not field.first.is_visible():
            page.get_by_role("button", name="Next").click()
        if right.kind == "choice":
            values = [choice.get_attribute("value") for choice in field.all()]
            labels = [choice.evaluate("radio => radio.closest('label').innerText.trim()") for choice in field.all()]
            fitting = [i for i, (v, shown) in enumerate(zip(values, labels, strict=True)) if right.text in (v, shown)]
            field.nth(next(i for i in range(len(values)) if i not in fitting) if is_wrong else fitting[0]).check()
        else:
            field.fill("12345.678" if is_wrong else right.text)
    total = sum((right.points for right in answers.values()), Decimal(0))
    return (total - lost) / total * 100


def hand_in(page: Page) -> None:
    next_button = page.get_by_role("button", name="Next")
    while next_button.is_visible():
        next_button.click()
    page.get_by_role("button", name="Hand in").click()


def grade_in_lms(demo: Demo, title: str, person: str) -> Decimal | None:
    """The percent that the LMS's gradebook holds."""
    for course in demo.ask_lms("/api/courses"):
        for row in demo.ask_lms(f"/api/gradebook?course={course['id']}")["grades"]:
            if (row["title"], row["person_name"]) == (title, person) and row["score"] is not None:
                return Decimal(row["score"]) / Decimal(row["score_maximum"]) * 100
    return None


def read_score(demo: Demo, title: str, person: str) -> tuple[str, str]:
    """The score that the LMS holds and its own points, as its pages write them."""
    for course in demo.ask_lms("/api/courses"):
        for row in demo.ask_lms(f"/api/gradebook?course={course['id']}")["grades"]:
            if (row["title"], row["person_name"]) == (title, person) and row["score"] is not None:
                return say(Decimal(row["score"])), say(Decimal(row["score_maximum"]))
    raise AssertionError(f"the LMS holds no grade of {person} for {title}")


def say(number: Decimal) -> str:
    return format(number.quantize(Decimal("0.01"), ROUND_HALF_UP), "f").rstrip("0").rstrip(".")


def wait_for_grade(demo: Demo, title: str, person: str, percent: Decimal, *, seconds: float = 10) -> float:
    """Waits until the LMS holds the grade; how long that took."""
    began = time.monotonic()
    while True:
        held = grade_in_lms(demo, title, person)
        if held is not None and abs(held - percent) < Decimal("0.01"):
            return time.monotonic() - began
        assert time.monotonic() - began < seconds, f"the LMS holds {held}, not {percent}"
        time.sleep(0.2)


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_students_work_becomes_a_grade(demo: Demo, page: Page, version: str) -> None:
    """A student opens a link, answers, hands in, and the LMS's gradebook shows the grade on its own scale."""
    become(page, demo, "Ada Moreau")
    title = links_of(page)[version][0]
    open_activity(page, title)
    percent = answer(page, title, wrong=1)
    hand_in(page)
    expect(page.get_by_text("Your LMS has this grade")).to_be_visible(timeout=20 * SECONDS)
    wait_for_grade(demo, title, "Ada Moreau", percent)
    page.goto(demo.lms)
    become(page, demo, "Ada Moreau")
    page.get_by_role("link", name="My grades").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=title, exact=True))
    score, _points = read_score(demo, title, "Ada Moreau")
    expect(row.locator("[data-score]")).to_have_text(score)
    expect(row.locator("[data-label=Percent]")).to_contain_text(say(percent))


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_a_teachers_change_follows(demo: Demo, chromium: Browser, page: Page, version: str) -> None:
    """The teacher sees the student's work from the LMS, changes the grade, and the LMS holds the new one."""
    become(page, demo, "Ben Carter")
    title = links_of(page)[version][1]
    open_activity(page, title)
    answer(page, title, wrong=0)
    hand_in(page)
    name = "Ben Carter"
    wait_for_grade(demo, title, name, Decimal(100))
    teacher = chromium.new_context().new_page()
    become(teacher, demo, "Tomas Lindqvist")
    open_activity(teacher, title)
    assert teacher.locator("body").get_attribute("data-role") == "teacher"
    teacher.get_by_role("link", name=name).first.click()
    expect(teacher.locator(".result-grade")).to_contain_text("100")
    # The LMS's gradebook stays open beside it, and shows the change by itself.
    gradebook = teacher.context.new_page()
    become(gradebook, demo, "Tomas Lindqvist")
    gradebook.get_by_role("link", name="Gradebook").click()
    student = gradebook.get_by_role("row").filter(has=gradebook.get_by_role("rowheader", name=name))
    cell = student.locator(f"[data-label={json.dumps(title)}]")
    expect(cell.locator("[data-score]")).to_have_text(read_score(demo, title, name)[1])
    teacher.locator("input[name=percent]").fill("40")
    teacher.get_by_role("button", name="Save", exact=True).click()
    wait_for_grade(demo, title, name, Decimal(40))
    expect(cell.locator("[data-score]")).to_have_text(read_score(demo, title, name)[0], timeout=20 * SECONDS)
    expect(cell).to_contain_text("40 %")
    teacher.context.close()
