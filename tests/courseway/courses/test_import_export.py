"""A course comes in as text, becomes rows, and goes out as the same text."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import courseway.courses
from courseway.courses.exporting import export_course, export_course_to_folder, export_course_to_zip
from courseway.courses.importing import import_course, import_course_from_path, read_course_path, read_course_zip
from courseway.courses.models import Assignment, Course, Enrollment, Question
from courseway.courses.teachers import TeacherError
from courseway.courses.text_format import (
    CourseFormatError,
    ParsedAssignment,
    ParsedCourse,
    ParsedLate,
    ParsedModule,
    ParsedPage,
    ParsedQuestion,
    parse_course,
)
from courseway.courses.text_sources import SourceError, ZipSource
from courseway.orgs.models import Account, Member, Person
from tests.cast import Cast
from tests.courseway.courses.test_text_format import EXAMPLE

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
EXAMPLE_FOLDER = Path(courseway.courses.__file__).parent / "example"


def large_course(assignments: int) -> ParsedCourse:
    question = ParsedQuestion("q", "text", "Who?", {"answers": ["me"]}, Decimal(1))
    page = ParsedPage("p", "Page", "Text", (question,))
    rows = tuple(ParsedAssignment(f"a-{n}", f"A {n}", Decimal(10), pages=(page,)) for n in range(assignments))
    return ParsedCourse("Large", True, (ParsedModule("M", rows),))


def test_an_imported_course_is_what_the_text_says(cast: Cast) -> None:
    """Rows hold the text's values exactly, in its order, with all switches off."""
    course = import_course(parse_course(EXAMPLE), organization=cast.acme, teacher=cast.tom_person, now=NOW)
    course.refresh_from_db()
    assert (course.title, course.organization, course.lti_enabled, course.published) == (
        "Python basics",
        cast.acme,
        False,
        True,
    )
    operators = Assignment.objects.get(course=course)
    assert (operators.title, operators.points, operators.attempts) == ("Operators", Decimal("10.00"), 1)
    questions = Question.objects.filter(page__assignment=operators)
    assert [question.kind for question in questions] == ["choice", "number", "text"]
    enrollment = Enrollment.objects.get(course=course)
    assert (enrollment.person, enrollment.role, enrollment.covers_whole_course) == (cast.tom_person, "teacher", True)


def test_importing_twice_makes_two_courses(cast: Cast) -> None:
    """An import never changes a course that is there; no id is shared."""
    parsed = parse_course(EXAMPLE)
    first, second = (import_course(parsed, organization=cast.acme, teacher=None, now=NOW) for _ in range(2))
    ids = Assignment.objects.filter(course__in=[first, second]).values_list("public_id", "content_id")
    assert len({one for pair in ids for one in pair}) == 4


def test_statements_do_not_grow_with_the_course(cast: Cast) -> None:
    """A course of 300 assignments is stored by batches of many rows, not row by row."""

    def count(assignments: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            import_course(large_course(assignments), organization=cast.acme, teacher=cast.tom_person, now=NOW)
        kinds = Counter(query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"])
        return kinds["INSERT"] + kinds["SELECT"]

    few, many = count(3), count(300)
    assert few == 6
    # SQLite takes 999 values in a statement, so Django sends such a course in some batches there.
    assert many == few if connection.vendor == "postgresql" else many <= few + 15


def test_a_refused_text_leaves_nothing(cast: Cast, tmp_path: Path) -> None:
    """A course with one mistake is not half there."""
    path = tmp_path / "course.yaml"
    path.write_text(EXAMPLE.replace('answer: "4"', "answer: five"))
    before = Course.objects.count()
    with pytest.raises(CourseFormatError, match=r"questions\[0\].answer"):
        import_course_from_path(path, organization=cast.acme, teacher_email="new@acme.example", now=NOW)
    assert Course.objects.count() == before
    assert not Account.objects.filter(email="new@acme.example").exists()


class TestTeacher:
    """The teacher of an import is named by e-mail."""

    def load(self, cast: Cast, tmp_path: Path, email: str) -> Enrollment:
        path = tmp_path / "any.yaml"
        path.write_text(EXAMPLE)
        course = import_course_from_path(path, organization=cast.acme, teacher_email=email, now=NOW)
        return Enrollment.objects.select_related("person__account").get(course=course)

    def test_an_account_that_is_there(self, cast: Cast, tmp_path: Path) -> None:
        """A known account teaches as the person it already is, in any case of its e-mail."""
        assert self.load(cast, tmp_path, "TOM@acme.example").person == cast.tom_person

    def test_a_new_account(self, cast: Cast, tmp_path: Path) -> None:
        """An unknown e-mail becomes an account without a password and a teacher of the organization."""
        person = self.load(cast, tmp_path, "nina@acme.example").person
        assert person.account is not None
        assert not person.account.has_usable_password()
        assert Member.objects.get(organization=cast.acme, account=person.account).role == "teacher"

    def test_somebody_whom_an_lms_brought_stays_apart(self, cast: Cast, tmp_path: Path) -> None:
        """The student with that e-mail is not made the teacher: an LMS's e-mail proves nothing."""
        person = self.load(cast, tmp_path, cast.sam.email).person
        assert person != cast.sam
        assert Person.objects.get(pk=cast.sam.pk).account is None

    def test_no_address(self, cast: Cast, tmp_path: Path) -> None:
        """What is no e-mail is refused, and no course is made."""
        before = Course.objects.count()
        with pytest.raises(TeacherError, match="not an e-mail"):
            self.load(cast, tmp_path, "nobody")
        assert Course.objects.count() == before


class TestPaths:
    def test_what_is_not_there(self, tmp_path: Path) -> None:
        """A path without a course says so."""
        with pytest.raises(CourseFormatError, match="is not there"):
            read_course_path(tmp_path / "gone.yaml")
        with pytest.raises(CourseFormatError, match=r"has no course\.yaml"):
            read_course_path(tmp_path)

    def test_a_single_file_reads_no_neighbours(self, tmp_path: Path) -> None:
        """Only a course.yaml may name files beside it; any other file is a whole course by itself."""
        (tmp_path / "page.md").write_text("Text")
        text = "title: T\nmodules: [{title: M, assignments: [{title: A, pages: [{title: P, text_file: page.md}]}]}]"
        (tmp_path / "course.yaml").write_text(text)
        (tmp_path / "other.yaml").write_text(text)
        assert read_course_path(tmp_path) == read_course_path(tmp_path / "course.yaml")
        with pytest.raises(CourseFormatError, match="works only in a folder"):
            read_course_path(tmp_path / "other.yaml")


def make_zip(files: dict[str, str]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    buffer.seek(0)
    return buffer


class TestZip:
    PAGE = "title: T\nmodules: [{title: M, assignments: [{title: A, pages: [{title: P, text_file: %s}]}]}]"

    @pytest.mark.parametrize("folder", ["", "my course/"])
    def test_a_folder_as_a_zip(self, folder: str) -> None:
        """course.yaml may lie at the top of the zip or in its one folder."""
        files = make_zip({f"{folder}course.yaml": self.PAGE % "p/a.md", f"{folder}p/a.md": "Text"})
        assert read_course_zip(ZipSource(files)).modules[0].assignments[0].pages[0].text == "Text"

    def test_what_is_no_course(self) -> None:
        """Broken archives, archives without a course and paths that lead out are refused."""
        with pytest.raises(SourceError, match="not a zip"):
            ZipSource(io.BytesIO(b"PK\x03\x04 not really"))
        with pytest.raises(SourceError, match=r"no course\.yaml"):
            ZipSource(make_zip({"a/b/course.yaml": ""}))
        with pytest.raises(CourseFormatError, match="outside the folder"):
            read_course_zip(ZipSource(make_zip({"c/course.yaml": self.PAGE % "../x.md", "x.md": "secret"})))

    def test_a_bomb(self) -> None:
        """A small archive that unpacks into something huge is stopped at the limit."""
        with pytest.raises(CourseFormatError, match="larger than"):
            read_course_zip(ZipSource(make_zip({"course.yaml": "#" * 50_000_000})))

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.integers(0, 200))
    @example(b"\x00\x02", 28)  # a length beyond the end
    def test_damaged_archives(self, noise: bytes, at: int) -> None:
        """Whatever bytes come, only our own two errors come out."""
        whole = make_zip({"course.yaml": EXAMPLE}).getvalue()
        for content in (noise, whole[:at] + noise + whole[at + len(noise) :]):
            refusal = "none"
            try:
                read_course_zip(ZipSource(io.BytesIO(content)))
            except (SourceError, CourseFormatError) as error:
                refusal = str(error)
            assert refusal


class TestRoundTrip:
    def again(self, course: Course, folder: Path) -> ParsedCourse:
        export_course_to_folder(course, folder)
        return read_course_path(folder)

    def test_the_shipped_example(self, cast: Cast, tmp_path: Path) -> None:
        """The example course that we ship goes through rows and back unchanged."""
        parsed = read_course_path(EXAMPLE_FOLDER)
        course = import_course(parsed, organization=cast.acme, teacher=None, now=NOW)
        assert self.again(course, tmp_path) == parsed
        assert self.again(course, tmp_path) == parsed, "exporting over an export changes nothing"

    def test_as_a_zip(self, cast: Cast) -> None:
        """A zip export imports as the same course, and is the same bytes each time."""
        parsed = read_course_path(EXAMPLE_FOLDER)
        course = import_course(parsed, organization=cast.acme, teacher=None, now=NOW)
        first, second = io.BytesIO(), io.BytesIO()
        assert export_course_to_zip(course, first) == export_course_to_zip(course, second)
        assert first.getvalue() == second.getvalue()
        assert read_course_zip(ZipSource(first)) == parsed

    def test_deleted_assignments_stay_behind(self, cast: Cast) -> None:
        """An export holds what the course shows, not what was deleted from it."""
        cast.loops.deleted_at = NOW
        cast.loops.save()
        assert "loops" not in export_course(cast.course)["course.yaml"]

    def test_statements_do_not_grow(self, cast: Cast) -> None:
        """An export reads a course of any length with the same statements."""

        def count(assignments: int) -> int:
            course = import_course(large_course(assignments), organization=cast.acme, teacher=None, now=NOW)
            with CaptureQueriesContext(connection) as queries:
                export_course(course)
            return len(queries)

        assert count(3) == count(300)


letters = st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, [*range(32), 127])))
lines = st.text(letters, min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(bool)
texts = st.text(st.one_of(letters, st.sampled_from("\n\t #:-|>'\"&*!%@`\\")), max_size=40).map(
    lambda text: text.removeprefix("\ufeff")
)
question_texts = texts.map(str.strip).filter(bool)
points = st.decimals("0.01", "9999", places=2)
numbers = st.decimals("-1000000", "1000000", places=4).map(lambda number: format(number or abs(number), "f"))


def as_question(
    kind: str, text: str, choices: list[str], answer: str, tolerance: Decimal, worth: Decimal
) -> ParsedQuestion:
    body: dict[str, object] = {
        "choice": {"options": choices, "answer": choices[-1]},
        "number": {"answer": answer, "tolerance": format(tolerance, "f")},
        "text": {"answers": choices},
        "choices": {"options": choices, "answers": choices[1:]},
        "ordering": {"items": choices},
        "file": {"file_types": ["pdf", "tar.gz"]} if worth > 1 else {},
    }[kind]  # type: ignore[assignment]
    return ParsedQuestion("", kind, text, body, worth)


questions = st.builds(
    as_question,
    st.sampled_from(["choice", "number", "text", "choices", "ordering", "file"]),
    question_texts,
    st.lists(lines, min_size=2, max_size=4, unique=True),
    numbers,
    st.decimals(0, 5, places=3),
    points,
)


def with_keys(pages: list[tuple[str, str, list[ParsedQuestion]]]) -> tuple[ParsedPage, ...]:
    return tuple(
        ParsedPage(f"p{n}", title, text, tuple(replace(q, key=f"q{n}-{m}") for m, q in enumerate(asked)))
        for n, (title, text, asked) in enumerate(pages)
    )


courses = st.builds(
    lambda title, published, assignment_title, worth, due, attempts, shown, pages, late: ParsedCourse(
        title,
        published,
        (
            ParsedModule(
                title,
                (ParsedAssignment("only", assignment_title, worth, due, attempts, shown, with_keys(pages), late),),
            ),
            ParsedModule("Empty"),
        ),
    ),
    lines,
    st.booleans(),
    lines,
    points,
    st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 50),
    st.booleans(),
    st.lists(st.tuples(lines, texts, st.lists(questions, max_size=3)), max_size=3),
    st.builds(
        lambda percent, per, floor: ParsedLate(percent, per, floor) if percent else ParsedLate(),
        st.decimals(0, 100, places=2),
        st.sampled_from(["day", "hour"]),
        st.decimals(0, 100, places=2),
    ),
)


@settings(max_examples=80, deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parsed=courses)
def test_any_course_comes_back_as_it_went(
    cast: Cast, tmp_path_factory: pytest.TempPathFactory, parsed: ParsedCourse
) -> None:
    """Import, export and import again give the same course, whatever its texts hold."""
    course = import_course(parsed, organization=cast.acme, teacher=None, now=NOW)
    folder = tmp_path_factory.mktemp("course")
    export_course_to_folder(Course.objects.get(pk=course.pk), folder)
    assert read_course_path(folder) == parsed
