"""Pages of a course that need nothing but the course: import, settings, publish, download."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from courseway.courses.importing import read_course_zip
from courseway.courses.models import Course, Enrollment
from courseway.courses.text_sources import ZipSource
from courseway.orgs.models import Account, Member, Person
from tests.cast import Cast, make_account
from tests.courseway.courses.test_import_export import make_zip
from tests.courseway.courses.test_text_format import EXAMPLE
from tests.visits import open_launch

BROKEN = EXAMPLE.replace('answer: "4"', "answer: five")


def sign_in(client: Client, account: Account) -> Client:
    client.force_login(account)
    return client


class TestImport:
    url = "/courses/import/"

    def test_typed_text_becomes_my_course(self, client: Client, cast: Cast) -> None:
        """The course is made in the organization, and the account that imports it teaches it."""
        sign_in(client, cast.olive)
        response = client.post(self.url, {"organization": "acme", "text": EXAMPLE.replace("Python basics", "Mine")})
        course = Course.objects.get(title="Mine")
        assert response.status_code == 302
        assert response["Location"] == reverse("courses:overview", args=[course.public_id])
        assert course.organization == cast.acme
        enrollment = Enrollment.objects.get(course=course)
        assert enrollment.person.account == cast.olive
        assert enrollment.covers_whole_course
        assert "is here with 1 assignment" in client.get(response["Location"]).content.decode()

    @pytest.mark.parametrize("name", ["course.yaml", "course.zip"])
    def test_files(self, client: Client, cast: Cast, name: str) -> None:
        """A YAML file and a zip of a folder are told apart by what they hold, not by their names."""
        text = EXAMPLE.replace("Python basics", "Mine").encode()
        content = make_zip({"folder/course.yaml": text.decode()}).getvalue() if name.endswith("zip") else text
        sign_in(client, cast.tom)
        file = SimpleUploadedFile("anything", content)
        assert client.post(self.url, {"organization": "acme", "file": file}).status_code == 302
        assert Course.objects.filter(title="Mine", organization=cast.acme).count() == 1

    def test_mistakes_are_listed_and_the_text_is_kept(self, client: Client, cast: Cast) -> None:
        """A refused text stands in the form again, below its mistakes; nothing is stored."""
        before = Course.objects.count()
        response = sign_in(client, cast.tom).post(self.url, {"organization": "acme", "text": BROKEN})
        page = response.content.decode()
        assert response.status_code == 400
        assert "modules[0].assignments[0].pages[0].questions[0].answer" in page
        assert "must be one of the options" in page
        assert "(line 14)" in page
        assert "answer: five" in page
        assert Course.objects.count() == before

    def test_the_text_of_a_refused_file_is_shown(self, client: Client, cast: Cast) -> None:
        """A browser forgets the file, so its text is there to be mended."""
        file = SimpleUploadedFile("course.yaml", BROKEN.encode())
        response = sign_in(client, cast.tom).post(self.url, {"organization": "acme", "file": file})
        assert response.status_code == 400
        assert "answer: five" in response.content.decode()

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b"PK\x03\x04nothing", b"#" * 2_100_000])
    def test_files_that_are_no_course(self, client: Client, cast: Cast, content: bytes) -> None:
        """An empty, binary, damaged or huge file gets a page that says so."""
        file = SimpleUploadedFile("x", content)
        response = sign_in(client, cast.tom).post(self.url, {"organization": "acme", "file": file})
        assert response.status_code == 400
        assert Course.objects.filter(organization=cast.acme).count() == 1

    def test_nothing_given(self, client: Client, cast: Cast) -> None:
        """An empty form says what to do."""
        response = sign_in(client, cast.tom).post(self.url, {"organization": "acme", "text": " "})
        assert "Choose a file, or paste" in response.content.decode()

    def test_not_into_another_organization(self, client: Client, cast: Cast) -> None:
        """An outsider imports into the own organization only, whatever the form says."""
        response = sign_in(client, cast.oscar).post(self.url, {"organization": "acme", "text": EXAMPLE})
        assert response.status_code == 400
        assert Course.objects.filter(organization=cast.acme).count() == 1

    def test_who_may_not(self, client: Client, cast: Cast) -> None:
        """Nobody is asked to sign in; a member without rights and the teacher of a launch are refused."""
        assert client.get(self.url).status_code == 302
        prefix = open_launch(client, cast.tom_person, cast.course, "teacher", covers_whole_course=True)
        assert client.get(prefix + self.url).status_code == 403
        max_member = make_account("max@acme.example", "Max Member")
        Member.objects.create(organization=cast.acme, account=max_member, role=Member.Role.MEMBER)
        assert sign_in(client, max_member).get(self.url).status_code == 403


def edit_urls(cast: Cast) -> list[tuple[str, str]]:
    course, assignment = cast.course.public_id, cast.operators.public_id
    return [
        ("get", reverse("courses:settings", args=[course])),
        ("post", reverse("courses:settings", args=[course])),
        ("get", reverse("courses:download", args=[course])),
        ("post", reverse("courses:publish", args=[course, assignment])),
    ]


class TestAccess:
    """Only those who may edit a course reach its settings, its text and the publish switch."""

    def statuses(self, client: Client, cast: Cast, prefix: str = "") -> set[int]:
        return {getattr(client, method)(prefix + url).status_code for method, url in edit_urls(cast)}

    def test_owner_and_teacher(self, client: Client, cast: Cast) -> None:
        """The owner of the organization and the teacher of the course come in."""
        for account in (cast.olive, cast.tom):
            assert 403 not in self.statuses(sign_in(client, account), cast)

    def test_outsider_and_nobody(self, client: Client, cast: Cast) -> None:
        """Everybody else is refused."""
        assert self.statuses(client, cast) == {403}
        assert self.statuses(sign_in(client, cast.oscar), cast) == {403}

    @pytest.mark.parametrize("role", ["student", "mentor", "teacher"])
    def test_launches_without_editing_rights(self, client: Client, cast: Cast, role: str) -> None:
        """A student, a mentor and the teacher of one LMS course change nothing."""
        prefix = open_launch(client, cast.sam, cast.course, role, cast.operators)
        assert self.statuses(client, cast, prefix) == {403}
        cast.operators.refresh_from_db()
        assert cast.operators.published

    def test_a_launched_teacher_of_the_whole_course(self, client: Client, cast: Cast) -> None:
        """A teacher from the course's first LMS course edits it from within the LMS."""
        prefix = open_launch(client, cast.tom_person, cast.course, "teacher", covers_whole_course=True)
        assert 403 not in self.statuses(client, cast, prefix)

    def test_assignments_of_other_courses(self, client: Client, cast: Cast) -> None:
        """The right in one course is none in another, also when the ids are mixed."""
        url = reverse("courses:publish", args=[cast.course.public_id, cast.foreign_assignment.public_id])
        assert sign_in(client, cast.olive).post(url).status_code == 403
        cast.foreign_assignment.refresh_from_db()
        assert cast.foreign_assignment.published


def test_title_and_published(client: Client, cast: Cast) -> None:
    """The settings page saves both, and keeps what was typed when the title is missing."""
    url = reverse("courses:settings", args=[cast.course.public_id])
    sign_in(client, cast.tom)
    assert client.post(url, {"title": " Snakes ", "published": ""}).status_code == 302
    cast.course.refresh_from_db()
    assert (cast.course.title, cast.course.published) == ("Snakes", False)
    assert client.post(url, {"title": " "}).status_code == 400
    cast.course.refresh_from_db()
    assert cast.course.title == "Snakes"


def test_unpublish_and_publish(client: Client, cast: Cast) -> None:
    """The menu's switch hides an assignment and shows it again; a GET changes nothing."""
    url = reverse("courses:publish", args=[cast.course.public_id, cast.operators.public_id])
    sign_in(client, cast.tom)
    for published in (False, True):
        response = client.post(url, {"published": str(published).lower()})
        assert response["Location"].endswith(f"#{cast.operators.public_id}")
        cast.operators.refresh_from_db()
        assert cast.operators.published is published
    assert client.get(url).status_code == 405


def test_download_holds_the_course(client: Client, cast: Cast, tmp_path: Path) -> None:
    """The downloaded zip reads as the same course, and names nobody."""
    response = sign_in(client, cast.tom).get(reverse("courses:download", args=[cast.course.public_id]))
    assert response["Content-Disposition"] == f'attachment; filename="course-{cast.course.public_id}.zip"'
    parsed = read_course_zip(ZipSource(io.BytesIO(response.content)))
    assert [assignment.key for assignment in parsed.modules[0].assignments] == ["operators", "loops"]
    names = [person.name.encode() for person in Person.objects.all()]
    assert not any(name in response.content for name in names)
