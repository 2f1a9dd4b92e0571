"""The roll-over of a term in every LMS: map a course, work, copy the LMS course, and work in the copy.

    python -m tests.end_to_end.term_rollover [--only NAME]…     (or `make term-rollover`)

starts Courseway and the practice LMS, does it for every profile and version, and prints a table. Nobody does anything
in Courseway after the master course is made: the child has to appear by itself, once, with the right assignments. At
the end the copy is copied for a third term, which has to bring a second child of the master.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.end_to_end.demo import read_answers
from tests.end_to_end.picking import SELECTION_PATH, pick_assignments
from tests.end_to_end.plain_browser import Page, PlainBrowser
from tests.end_to_end.recipes import CANVAS_CHOICE, CONSTANT_URL, LINK, OWN_TARGET, RECIPES, TOOL, Recipe
from tests.end_to_end.servers import Stand, run_stand

GRADE_SECONDS = 30
LMS_POINTS = 40
SETTINGS = ("constant_urls=true", "course_copy=true", "release_grades_automatically=true")


@dataclass
class Rollover:
    """One recipe on its way: ids of the LMS, and what was seen."""

    stand: Stand
    recipe: Recipe
    master: dict[str, Any] = field(default_factory=dict)
    course: str = ""
    copy: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # title -> id in the old LMS course
    people: dict[str, str] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)  # version -> id
    rule: str = ""
    child: dict[str, Any] = field(default_factory=dict)
    children: int = 0
    old_grade: str = ""
    new_grade: str = ""
    third_grade: str = ""
    seconds: float = 0.0

    @property
    def titles(self) -> tuple[str, str]:
        first, second = list(self.links)[:2]
        return first, second

    def find_copied_link(self, title: str) -> str:
        return str(self.copy["links"][self.links[title]])


def roll_over(stand: Stand, recipe: Recipe) -> Rollover:
    """The whole term; an AssertionError says what went wrong."""
    began = time.monotonic()
    run = Rollover(stand, recipe)
    make_master(run)
    map_course(run)
    work_in_old_term(run)
    copy_lms_course(run)
    work_in_new_term(run)
    work_late_in_old_term(run)
    check_child(run)
    work_in_third_term(run)
    run.seconds = time.monotonic() - began
    return run


def make_master(run: Rollover) -> None:
    """A course with copying switched on, and the LMS course that is to be mapped, with its people."""
    lms, recipe = run.stand.lms, run.recipe
    run.master = run.stand.import_example(*SETTINGS, teacher=find_account_email(run))
    sis = {"sourcedid": f"sis:{recipe.name}:2026"} if recipe.has_sis_ids else {"sourcedid": ""}
    title = f"Programming 2026, {recipe.name}"
    course = lms.post("courses", title=title, label="P26", profile=recipe.profile, **sis)
    run.course = str(course["id"])
    for role, name in (("teacher", "Tessa"), ("learner", "Olga"), ("learner", "Nils")):
        email = f"{name}.{recipe.name}@practice.example".lower()
        run.people[name] = lms.add_person(run.course, role, given_name=name, family_name=recipe.name, email=email)
    # Brightspace turns LTI 1.1 links into LTI 1.3 ones when it copies (D10), so that it has the tool twice.
    twins = ("1.3",) if (recipe.profile, recipe.version) == ("brightspace", "1.1") else ()
    for version in (*twins, recipe.version):
        run.tools[version] = add_tool(run, version)


def find_account_email(run: Rollover) -> str:
    """The address of the teacher's account in Courseway. The one that the LMS has is another."""
    return f"{run.recipe.name}@teachers.example"


def add_tool(run: Rollover, version: str) -> str:
    """The tool on both sides, as its owner sets it up: key and secret, or a registration."""
    recipe = run.recipe
    parameters = dict(recipe.custom) if version == recipe.version else {}
    if recipe.parameters_on == TOOL:
        parameters |= name_parameters(run)
    shared = {
        "profile": recipe.profile,
        "custom": parameters,
        "course": run.course if recipe.is_course_tool else "",
        "placements": {"link_selection": run.stand.courseway.url + SELECTION_PATH},
        "options": {"selection_method": "ext_content_return_url"} if recipe.mapped_by == CANVAS_CHOICE else {},
    }
    if version == "1.1":
        made = run.stand.add_key(f"Courseway {recipe.name}", **shared)
    else:
        made = run.stand.add_registration(f"Courseway {recipe.name}", audience=recipe.audience, **shared)
    return str(made["tool"]["id"])


def name_parameters(run: Rollover, **changes: str) -> dict[str, str]:
    """What the tab LTI/LMS shows to be copied into the LMS, under the names that the recipe uses."""
    shown = {**run.master["assignments"][0]["custom"], **changes}
    return {f"{run.recipe.prefix}{name}": value for name, value in shown.items()}


def map_course(run: Rollover) -> None:
    """The teacher places the first two assignments, and opens one: the master is connected."""
    if run.recipe.mapped_by == CONSTANT_URL:
        place_links(run)
    else:
        run.links = pick_assignments(
            run.stand,
            person=run.people["Tessa"],
            email=find_account_email(run),
            course=run.course,
            tool=run.tools[run.recipe.version],
            assignments=run.master["assignments"][:2],
            points=LMS_POINTS,
        )
    with PlainBrowser(run.stand.lms, run.people["Tessa"]) as browser:
        title = run.titles[0]
        page = browser.launch(run.links[title])
        expect_assignment(page, run.master, title, role="teacher")


def place_links(run: Rollover) -> None:
    """Each link by hand: the constant URL, and the parameters where the recipe puts them."""
    for assignment in run.master["assignments"][:2]:
        custom = name_parameters(run) if run.recipe.parameters_on == LINK else {}
        link = run.stand.lms.post(
            "links",
            course=run.course,
            tool=run.tools[run.recipe.version],
            title=assignment["title"],
            url=assignment["constant_url"],
            points=LMS_POINTS,
            custom=custom,
        )
        run.links[assignment["title"]] = str(link["id"])


def work_in_old_term(run: Rollover) -> None:
    """A student works on the first assignment, all right."""
    work(run, "Olga", run.links[run.titles[0]], run.master, run.titles[0], wrong=0)
    run.old_grade = wait_for_grade(run, run.course, "Olga", run.titles[0], Decimal(100))


def copy_lms_course(run: Rollover) -> None:
    """The school copies the LMS course; the copy has a new student, and what the recipe asks for besides."""
    run.copy = make_copy(run, run.course, "2027", ("Tessa", "Nils"))
    assert run.copy["course"]["id"] != run.course
    assert set(run.copy["links"]) == set(run.links.values())
    if run.recipe.is_target_replaced:
        replace_target(run, run.copy["tools"][run.tools[run.recipe.version]], OWN_TARGET)


def make_copy(run: Rollover, course: str, year: str, people: Sequence[str]) -> dict[str, Any]:
    recipe = run.recipe
    return dict(
        run.stand.lms.post(
            "courses/copy",
            course=course,
            title=f"Programming {year}, {recipe.name}",
            people=[run.people[name] for name in people],
            sourcedid=f"sis:{recipe.name}:{year}" if recipe.has_sis_ids else "",
        )
    )


def replace_target(run: Rollover, tool: str, target: str) -> None:
    """What a teacher does where nothing else tells the copy from its original."""
    run.stand.lms.post("tools", id=tool, custom=name_parameters(run, course_target_id=target))


def work_in_new_term(run: Rollover) -> None:
    """A new student is the first to open the copy, then the teacher; both arrive in one and the same child."""
    first, second = run.titles
    with PlainBrowser(run.stand.lms, run.people["Nils"]) as browser:
        page = browser.launch(run.find_copied_link(first))
        run.child = find_child(run, page)
        expect_assignment(page, run.child, first, role="student")
        run.rule = newest_rule(run)
    wrong = work(run, "Nils", run.find_copied_link(first), run.child, first, wrong=1)
    with PlainBrowser(run.stand.lms, run.people["Tessa"]) as browser:
        page = browser.launch(run.find_copied_link(second))
        expect_assignment(page, run.child, second, role="teacher")
    run.new_grade = wait_for_grade(run, run.copy["course"]["id"], "Nils", first, wrong)


def work_late_in_old_term(run: Rollover) -> None:
    """The old LMS course still opens the master, and its grades still go to its own gradebook."""
    second = run.titles[1]
    percent = work(run, "Olga", run.links[second], run.master, second, wrong=1)
    late = wait_for_grade(run, run.course, "Olga", second, percent)
    run.old_grade = f"{run.old_grade} {late}"
    with PlainBrowser(run.stand.lms, run.people["Tessa"]) as browser:
        expect_assignment(browser.launch(run.links[second]), run.master, second, role="teacher")


def work_in_third_term(run: Rollover) -> None:
    """The school copies last term's copy: the master, which nobody names any more, gets a second child."""
    lms, first = run.stand.lms, run.titles[0]
    third = make_copy(run, run.copy["course"]["id"], "2028", ("Tessa",))
    if run.recipe.is_target_replaced:
        last = run.copy["tools"][run.tools[run.recipe.version]]
        replace_target(run, third["tools"][last], f"{OWN_TARGET} once more")
    course = str(third["course"]["id"])
    run.people["Petra"] = lms.add_person(course, given_name="Petra", family_name=run.recipe.name, email="")
    link = third["links"][run.find_copied_link(first)]
    with PlainBrowser(lms, run.people["Petra"]) as browser:
        page = browser.launch(link)
    children = run.stand.courseway.run("course", "show", run.master["id"])["children"]
    (newest,) = set(children) - {run.child["id"]}
    run.children = len(children)
    child = run.stand.courseway.run("course", "show", newest)
    expect_assignment(page, child, first, role="student")
    assert [one["context_id"] for one in child["contexts"]] == [course]
    run.third_grade = wait_for_grade(run, course, "Petra", first, work(run, "Petra", link, child, first, wrong=1))
    assert len(list_grades(run, run.copy["course"]["id"])) == 1, "a grade went to the last term"


def check_child(run: Rollover) -> None:
    """Exactly one child, with all assignments and none of the people of the master; grades in no other place."""
    courseway = run.stand.courseway
    master = courseway.run("course", "show", run.master["id"])
    child = courseway.run("course", "show", run.child["id"])
    run.children = len(master["children"])
    assert master["children"] == [child["id"]]
    assert child["parent"] == master["id"]
    assert [one["title"] for one in child["assignments"]] == [one["title"] for one in master["assignments"]]
    assert [one["constant_url"] for one in child["assignments"]] == [
        one["constant_url"] for one in master["assignments"]
    ]
    assert not {one["id"] for one in child["assignments"]} & {one["id"] for one in master["assignments"]}
    assert child["settings"]["course_copy"] is False
    assert child["settings"]["lms_url"] == ""
    assert [one["context_id"] for one in child["contexts"]] == [run.copy["course"]["id"]]
    assert [one["context_id"] for one in master["contexts"]] == [run.course]
    assert sorted(one["role"] for one in child["enrollments"]) == ["student", "teacher"]
    students = [one["lms_user_ids"] for one in child["enrollments"] if one["role"] == "student"]
    assert students == [[run.people["Nils"]]]
    old = {(one["person"], one["title"]) for one in list_grades(run, run.course)}
    new = {(one["person"], one["title"]) for one in list_grades(run, run.copy["course"]["id"])}
    assert old == {(run.people["Olga"], title) for title in run.titles}
    assert new == {(run.people["Nils"], run.titles[0])}
    for course in (run.course, run.copy["course"]["id"]):
        columns = [one["label"] for one in run.stand.lms.get("gradebook", course=course)["columns"]]
        assert sorted(columns) == sorted(set(columns)), "a column was made twice"


def work(run: Rollover, name: str, link: str, course: dict[str, Any], title: str, *, wrong: int) -> Decimal:
    """Opens a link as a student, answers `wrong` of the questions wrongly and hands in; the percent this earns."""
    answers = read_answers(title)
    given, lost = {}, Decimal(0)
    with PlainBrowser(run.stand.lms, run.people[name]) as browser:
        page = browser.launch(link)
        expect_assignment(page, course, title, role="student")
        for index, (field_name, right) in enumerate(answers.items()):
            is_wrong = index < wrong
            lost += right.points if is_wrong else 0
            given[field_name] = pick_wrong_answer(page, field_name, right.text) if is_wrong else right.text
        browser.hand_in(page, given)
    total = sum((right.points for right in answers.values()), Decimal(0))
    return (total - lost) / total * 100


def pick_wrong_answer(page: Page, name: str, right: str) -> str:
    """Another choice where there are choices, else a number that is never right."""
    choices = page.document.xpath(f"//input[@type='radio'][@name='{name}']/@value")
    return next((str(one) for one in choices if one != right), "12345.678")


def expect_assignment(page: Page, course: dict[str, Any], title: str, *, role: str) -> None:
    """The launch landed at this course's assignment of this title, in this role."""
    wanted = next(one["id"] for one in course["assignments"] if one["title"] == title)
    marks = page.marks
    assert (page.status, marks.get("launch")) == (200, "ok"), f"{page.status} {marks} {page.heading}\n{page.text}"
    assert marks.get("assignment") == wanted, f"landed at {marks.get('assignment')}, not at {title!r} of {course['id']}"
    assert marks.get("role") == role


def find_child(run: Rollover, page: Page) -> dict[str, Any]:
    """The only child of the master."""
    children = run.stand.courseway.run("course", "show", run.master["id"])["children"]
    assert len(children) == 1, f"{len(children)} children after the first launch: {page.status} {page.heading}"
    return dict(run.stand.courseway.run("course", "show", children[0]))


def newest_rule(run: Rollover) -> str:
    rule: str = run.stand.courseway.run("launches", "--org", run.stand.org, "--limit", "1")[0]["rule"]
    assert rule == "course_copy"
    return rule


def list_grades(run: Rollover, course: str) -> list[dict[str, Any]]:
    return [one for one in run.stand.lms.get("gradebook", course=course)["grades"] if one["score"] is not None]


def wait_for_grade(run: Rollover, course: str, name: str, title: str, percent: Decimal) -> str:
    """Waits until the gradebook of this LMS course holds the percent; the score as the LMS shows it."""
    person = run.people[name]
    run.stand.wait_for_percent(course, person, title, percent, seconds=GRADE_SECONDS)
    held = next(one for one in list_grades(run, course) if (one["person"], one["title"]) == (person, title))
    return f"{Decimal(held['score']):.4g}/{Decimal(held['score_maximum']):.4g}"


HEADS = (
    "profile",
    "version",
    "mapped by",
    "told by",
    "rule",
    "children",
    "old grades",
    "new grade",
    "third",
    "seconds",
)


def describe(run: Rollover) -> tuple[str, ...]:
    recipe = run.recipe
    return (
        *(recipe.profile, recipe.version, recipe.mapped_by, recipe.identity, run.rule, str(run.children)),
        *(run.old_grade, run.new_grade, run.third_grade, f"{run.seconds:.1f}"),
    )


def draw_table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(prog="term_rollover", description="The roll-over of a term in every LMS.")
    names = [recipe.name for recipe in RECIPES]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    wish = parser.parse_args()
    chosen = [recipe for recipe in RECIPES if not wish.only or recipe.name in wish.only]
    rows: list[Sequence[str]] = [HEADS]
    failures: list[str] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="term-rollover-") as folder, run_stand(Path(folder)) as stand:
        print(f"Courseway {stand.courseway.url}, practice LMS {stand.lms.url}", file=sys.stderr)
        for recipe in chosen:
            try:
                rows.append(describe(roll_over(stand, recipe)))
            except AssertionError as failure:
                lines = str(failure).splitlines() or ["a check failed"]
                failures.append(f"{recipe.name}: {failure}")
                rows.append((recipe.profile, recipe.version, recipe.mapped_by, recipe.identity, *("✕",) * 6))
                print(f"{recipe.name}: {lines[0]}", file=sys.stderr)
    print(draw_table(rows))
    print(f"\n{len(chosen) - len(failures)} of {len(chosen)} in {time.monotonic() - began:.0f} s")
    for said in failures:
        print(f"\n{said[:3000]}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
