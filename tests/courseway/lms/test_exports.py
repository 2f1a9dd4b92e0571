"""What a course gives to an LMS: the table of URLs, cartridges, and URLs that carry no course."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from lxml import etree

from courseway.courses.models import Assignment, Course, Module
from courseway.lms.assignment_urls import HEADS, list_linkable_assignments
from courseway.lms.cartridges import (
    IMPORT_STEPS,
    LINK_FORMATS,
    PROFILES,
    CartridgeChoiceError,
    export_cartridge,
)
from tests.cast import Cast, make_assignment
from tests.ltikit.schemas import check_schema
from tests.visits import make_lms11, make_lms13, open_launch

EVIL = '=HYPERLINK("https://evil.example","click")'


@pytest.fixture
def teacher(client: Client, cast: Cast) -> Client:
    client.force_login(cast.tom)
    return client


def urls(course: Course) -> str:
    return reverse("lms_course:assignment_urls", args=[course.public_id])


def cartridge(course: Course) -> str:
    return reverse("lms_course:cartridge", args=[course.public_id])


def read_table(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"), newline="")))


def read_links(content: bytes) -> list[dict[str, Any]]:
    """Each link of a cartridge in the order of the manifest: title, address, custom parameters, points for Canvas."""
    links = []
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        manifest = etree.fromstring(package.read("imsmanifest.xml"))
        files = {r.get("identifier"): r[0].get("href") for r in manifest.iter("{*}resource")}
        for item in manifest.iter("{*}item"):
            if item.get("identifierref"):
                link = etree.fromstring(package.read(files[item.get("identifierref")]))
                custom = link.find("{*}custom")
                outcome = [p.text for p in link.iter("{*}property") if p.get("name") == "outcome"]
                links.append(
                    {
                        "title": link.findtext("{*}title"),
                        "url": link.findtext("{*}launch_url"),
                        "custom": {p.get("name"): p.text for p in custom} if custom is not None else {},
                        "points": outcome[0] if outcome else None,
                        "module": item.getparent().findtext("{*}title"),
                    }
                )
    return links


def with_constant_urls(course: Course, *, course_copy: bool = False) -> Course:
    Course.objects.filter(pk=course.pk).update(constant_urls=True, course_copy=course_copy)
    course.refresh_from_db()
    return course


class TestAccess:
    def test_teachers_of_the_course_alone(self, client: Client, cast: Cast) -> None:
        """Owners and teachers of the course export it, also a teacher of one LMS course; nobody else does."""
        addresses = (urls(cast.course), cartridge(cast.course))
        for account, status in ((cast.olive, 200), (cast.tom, 200), (cast.oscar, 403)):
            client.force_login(account)
            assert [client.get(address).status_code for address in addresses] == [status, status]
        assert [Client().get(address).status_code for address in addresses] == [403, 403]
        for role, status in (("student", 403), ("mentor", 403), ("teacher", 200)):
            visitor = Client()
            prefix = open_launch(visitor, cast.mia, cast.course, role)
            assert [visitor.get(prefix + address).status_code for address in addresses] == [status, status]


class TestAssignmentUrls:
    def test_columns_and_rows(self, teacher: Client, cast: Cast) -> None:
        """One line for each published assignment in the order of the course, with all that an LMS asks for."""
        Assignment.objects.filter(pk=cast.loops.pk).update(published=False)
        second = Module.objects.create(course=cast.course, title="Week 2", position=1)
        last = make_assignment(second, "Recursion", "recursion")
        rows = read_table(teacher.get(urls(cast.course)))
        assert list(rows[0]) == [str(head) for head in HEADS]
        assert [(row["module"], row["assignment"], row["id"], row["points"]) for row in rows] == [
            ("Week 1", "Operators", cast.operators.public_id, "10"),
            ("Week 2", "Recursion", last.public_id, "10"),
        ]
        assert rows[0]["URL"] == f"https://tool.example/lti/a/{cast.operators.public_id}"
        assert {row["custom parameters"] for row in rows} == {""}

    def test_constant_urls_come_with_their_parameters(self, teacher: Client, cast: Cast) -> None:
        """URLs without a course are listed with the parameters that say which one is meant, one a line."""
        course = with_constant_urls(cast.course)
        (first, _second) = read_table(teacher.get(urls(course)))
        assert first["URL"] == f"https://tool.example/lti/c/{cast.operators.content_id}"
        assert first["custom parameters"] == f"course_target_id={course.public_id}"
        with_constant_urls(course, course_copy=True)
        (first, _second) = read_table(teacher.get(urls(course)))
        assert first["custom parameters"].split("\n") == [
            f"course_target_id={course.public_id}",
            f"parent_course_id={course.public_id}",
        ]

    def test_no_title_becomes_a_formula(self, teacher: Client, cast: Cast) -> None:
        """A title that a spreadsheet would compute is text; the addresses stay as they are."""
        Assignment.objects.filter(pk=cast.operators.pk).update(title=EVIL)
        Module.objects.filter(course=cast.course).update(title="+cmd|' /C calc'!A0")
        (first, _second) = read_table(teacher.get(urls(cast.course)))
        assert first["assignment"] == "'" + EVIL
        assert first["module"].startswith("'+")
        assert first["URL"].startswith("https://")

    def test_each_url_opens_its_assignment(self, teacher: Client, cast: Cast) -> None:
        """What the table says works: launched as it stands there, each line opens the assignment that it names."""
        lms = make_lms11(cast.acme)
        for is_constant in (False, True):
            if is_constant:
                with_constant_urls(cast.course)
            for number, row in enumerate(read_table(teacher.get(urls(cast.course)))):
                custom = dict(line.split("=") for line in row["custom parameters"].splitlines())
                response = lms.launch(
                    Client(),
                    row["URL"].removeprefix("https://tool.example"),
                    resource_link_id=f"l-{is_constant}-{number}",
                    **{f"custom_{name}": value for name, value in custom.items()},
                )
                assert row["id"] in response["Location"]


class TestCartridge:
    def test_links_modules_points(self, teacher: Client, cast: Cast) -> None:
        """Each published assignment is a link under its module, with its points, and no other thing is in the file."""
        Assignment.objects.filter(pk=cast.loops.pk).update(published=False)
        response = teacher.get(cartridge(cast.course))
        assert response["Content-Disposition"].endswith('.imscc"')
        assert read_links(response.content) == [
            {
                "title": "Operators",
                "url": f"https://tool.example/lti/a/{cast.operators.public_id}",
                "custom": {},
                "points": "10",
                "module": "Week 1",
            }
        ]

    @pytest.mark.quirk("C20")
    @pytest.mark.parametrize("profile", PROFILES)
    def test_constant_urls_carry_what_finds_the_course(self, cast: Cast, profile: str) -> None:
        """With constant URLs the parameters go along; for Moodle, which drops them, they are in the address."""
        course = with_constant_urls(cast.course, course_copy=True)
        link = read_links(export_cartridge(course, profile=profile).content)[0]
        wanted = {"course_target_id": course.public_id, "parent_course_id": course.public_id}
        assert link["custom"] == wanted
        plain = f"https://tool.example/lti/c/{cast.operators.content_id}"
        assert link["url"].partition("?")[0] == plain
        in_url = dict(pair.split("=") for pair in link["url"].partition("?")[2].split("&") if pair)
        assert in_url == ({f"custom_{name}": value for name, value in wanted.items()} if profile == "1.1" else {})

    def test_a_moodle_import_opens_its_assignment(self, cast: Cast) -> None:
        """The address alone, without any custom parameter, finds course and assignment from LTI 1.1 and 1.3."""
        course = with_constant_urls(cast.course)
        link = read_links(export_cartridge(course, profile="1.1").content)[1]
        assert link["title"] == "Loops"
        path = link["url"].removeprefix("https://tool.example")
        response = make_lms11(cast.acme).launch(Client(), path, context_id="new", resource_link_id="new")
        assert cast.loops.public_id in response["Location"]
        claim = {"https://purl.imsglobal.org/spec/lti/claim/target_link_uri": link["url"]}
        response = make_lms13(cast.acme).launch(Client(), **claim)
        assert cast.loops.public_id in response["Location"]

    def test_no_secret_and_the_same_bytes(self, cast: Cast) -> None:
        """Exported twice it is the same file; no key, secret, name or e-mail is in any of its parts."""
        lms = make_lms11(cast.acme)
        assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}").status_code == 303
        first, second = export_cartridge(cast.course), export_cartridge(cast.course)
        assert first.content == second.content
        with zipfile.ZipFile(io.BytesIO(first.content)) as package:
            parts = "".join(package.read(name).decode() for name in package.namelist())
        for told in (lms.key, lms.secret, "Sally", "sally@lms.example", "Tom", "secret", "consumer_key"):
            assert told not in parts

    def test_identifiers_survive_a_change(self, cast: Cast) -> None:
        """A renamed assignment keeps its identifier, so that a second import updates the first."""

        def identifiers() -> set[str]:
            with zipfile.ZipFile(io.BytesIO(export_cartridge(cast.course).content)) as package:
                manifest = etree.fromstring(package.read("imsmanifest.xml"))
            return {str(element.get("identifier")) for element in manifest.iter() if element.get("identifier")}

        before = identifiers()
        Assignment.objects.filter(pk=cast.operators.pk).update(title="Operators, second edition", points=20)
        assert identifiers() == before

    def test_every_choice(self, teacher: Client, cast: Cast) -> None:
        """All versions and links that the page offers are made; what the formats do not have is refused with words."""
        for profile in PROFILES:
            for links in LINK_FORMATS:
                response = teacher.get(cartridge(cast.course), {"profile": profile, "links": links})
                assert response.status_code == (302 if (profile, links) == ("1.1", "1.3") else 200)
        response = teacher.get(cartridge(cast.course), {"profile": "1.1", "links": "1.3"}, follow=True)
        assert "knows links of the LTI 1.0 format only" in response.content.decode()
        for bad in ({"profile": "9"}, {"links": "x\x00"}):
            assert teacher.get(cartridge(cast.course), bad).status_code == 302
        with pytest.raises(CartridgeChoiceError):
            export_cartridge(cast.course, profile="9")

    @pytest.mark.quirk("C24")
    def test_the_page_says_what_remains_to_be_done(self, teacher: Client, cast: Cast) -> None:
        """For each LMS the tab names the steps after the export; every version that they name is offered."""
        shown = teacher.get(reverse("lms_course:lti", args=[cast.course.public_id])).content.decode()
        for one in IMPORT_STEPS:
            assert f"<summary>{one.lms}</summary>" in shown
            assert one.profile in PROFILES
        assert "Restore; upload the file" in shown
        assert "Install this tool first, so that the links find it." in shown

    @pytest.mark.parametrize("links", LINK_FORMATS)
    def test_valid_as_it_is_exported(self, cast: Cast, links: str) -> None:
        """What a real course gives is valid against the schemas of Common Cartridge and LTI links."""
        course = with_constant_urls(cast.course, course_copy=True)
        Assignment.objects.filter(pk=cast.operators.pk).update(title="Ünïcode 🎓 & <tags>", points="2.5")
        with zipfile.ZipFile(io.BytesIO(export_cartridge(course, link_format=links).content)) as package:
            for name in package.namelist():
                check_schema(etree.fromstring(package.read(name)))

    def test_odd_courses(self, cast: Cast) -> None:
        """A course without assignments, and one with titles of every kind, give files that can be read."""
        empty = Course.objects.create(organization=cast.acme, title="Empty")
        assert export_cartridge(empty).link_count == 0
        assert read_links(export_cartridge(empty).content) == []
        Assignment.objects.filter(pk=cast.operators.pk).update(title='<b>Ünïcode 🎓 & "quotes"\x0b', points="0.5")
        link = read_links(export_cartridge(cast.course).content)[0]
        assert link["title"].startswith('<b>Ünïcode 🎓 & "quotes"')
        assert link["points"] == "0.5"


class TestIntegrationUrl:
    def overview(self, client: Client, course: Course) -> str:
        return str(client.get(reverse("courses:overview", args=[course.public_id])).content.decode())

    def test_the_menu_shows_the_one_that_counts(self, teacher: Client, cast: Cast) -> None:
        """With constant URLs the menu of an assignment offers that URL and the parameter that belongs to it."""
        plain, constant = f"/lti/a/{cast.operators.public_id}", f"/lti/c/{cast.operators.content_id}"
        shown = self.overview(teacher, cast.course)
        assert plain in shown
        assert constant not in shown
        assert "course_target_id" not in shown
        shown = self.overview(teacher, with_constant_urls(cast.course))
        assert constant in shown
        assert plain not in shown
        assert shown.count(f'value="course_target_id={cast.course.public_id}"') == 2

    def test_the_same_rows_everywhere(self, teacher: Client, cast: Cast) -> None:
        """Table, cartridge and menu name the same addresses."""
        course = with_constant_urls(cast.course)
        listed = [one.url for one in list_linkable_assignments(course)]
        assert [row["URL"] for row in read_table(teacher.get(urls(course)))] == listed
        assert [link["url"] for link in read_links(export_cartridge(course).content)] == listed
        shown = self.overview(teacher, course)
        assert all(url in shown for url in listed)
