"""Several choice, ordering, and files: handing them in, who may have a file, and a teacher's points for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.urls import reverse, set_script_prefix

from courseway.courses.models import Assignment, Enrollment, Page, Question, Role
from courseway.grades.models import Delivery
from courseway.learning import uploads
from courseway.learning.hand_grading import grade_by_hand
from courseway.learning.merging import merge_people
from courseway.learning.models import Attempt, Submission, Upload
from courseway.learning.scoring import begin_next_attempt, save_answers, set_grade, submit_attempt
from courseway.lms.mentors import set_mentor_list
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.grades.links import place_v11
from tests.visits import open_launch

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
REPORT = b"%PDF-1.7 <script>alert(1)</script>"


@pytest.fixture
def essay(cast: Cast) -> Assignment:
    """Ten points: four for a choice, one each for several choice and an order, four for a file."""
    Question.objects.filter(page__assignment=cast.operators).exclude(key="sum").delete()
    page = Page.objects.get(assignment=cast.operators, key="finish")
    bodies: list[tuple[str, str, dict[str, Any], int]] = [
        ("even", "choices", {"options": ["2", "3", "4"], "answers": ["2", "4"]}, 1),
        ("sizes", "ordering", {"items": ["byte", "kilobyte", "megabyte"]}, 1),
        ("report", "file", {"file_types": ["pdf", "txt"]}, 4),
    ]
    for position, (key, kind, body, points) in enumerate(bodies):
        Question.objects.create(
            page=page, key=key, kind=kind, text=f"{key}?", body=body, points=Decimal(points), position=position
        )
    return Assignment.objects.select_related("course").get(pk=cast.operators.pk)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path) -> Iterator[None]:
    storages = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path}}}
    with override_settings(STORAGES=storages):
        yield


def report(name: str = "report.pdf", content: bytes = REPORT) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/html")


def hand_in(essay: Assignment, person: Person, now: datetime = NOW, **answers: str) -> Submission:
    files = {"report": report()}
    save_answers(assignment=essay, person=person, answers={"sum": "4", **answers}, files=files, now=now)
    submit_attempt(assignment=essay, person=person, answers={}, now=now)
    return Submission.objects.get(assignment=essay, person=person)


def work_url(name: str, essay: Assignment) -> str:
    set_script_prefix("/")
    return reverse(f"learning:{name}", args=[essay.public_id])


def result_url(name: str, cast: Cast, person: Person) -> str:
    set_script_prefix("/")
    args = [cast.course.public_id, cast.operators.public_id, person.public_id]
    return reverse(f"learning_course:{name}", args=args)


def student(cast: Cast) -> tuple[Client, str]:
    client = Client()
    return client, open_launch(client, cast.sam, cast.course, Role.STUDENT, cast.operators)


def test_a_student_answers_each_kind(cast: Cast, essay: Assignment) -> None:
    """By a plain form: boxes, places and a file are kept as answers, and shown again as they were given."""
    client, prefix = student(cast)
    form = {"q-even": ["", "2", "4"], "q-sizes": ["byte", "kilobyte", "megabyte"], "q-report": report()}
    answer = client.post(prefix + work_url("submit", essay), form)
    assert "1 question is not answered yet" in answer.content.decode()  # the sum
    attempt = Attempt.objects.get()
    upload = Upload.objects.get()
    assert attempt.answers == {"even": "2\n4", "sizes": "byte\nkilobyte\nmegabyte", "report": upload.public_id}
    assert (upload.name, upload.size) == ("report.pdf", len(REPORT))
    page = client.get(prefix + work_url("assignment", essay)).content.decode()
    assert page.count(" checked>") == 2
    assert page.count(" selected>") == 3
    assert f'href="{prefix}/learn/files/{upload.public_id}/"' in page
    client.post(prefix + work_url("submit", essay), {"attempt": "1", "confirmed": "yes"})
    attempt.refresh_from_db()
    marks = {key: (result["points"], result.get("waits", False)) for key, result in attempt.results.items()}
    assert marks == {"sum": ("0", False), "even": ("1.00", False), "sizes": ("1.00", False), "report": ("0", True)}
    result = client.get(prefix + work_url("assignment", essay)).content.decode()
    assert "report.pdf" in result


def test_choosing_nothing_after_all(cast: Cast, essay: Assignment) -> None:
    """The last box that is cleared is cleared in what was saved, and so is the last place of an order."""
    client, prefix = student(cast)
    save = prefix + work_url("save", essay)
    client.post(save, {"q-even": ["", "2"], "q-sizes": ["byte", "", ""]})
    assert Attempt.objects.get().answers == {"even": "2", "sizes": "byte\n\n"}
    client.post(save, {"q-even": [""], "q-sizes": ["", "", ""]})
    assert Attempt.objects.get().answers == {"even": "", "sizes": ""}


def test_the_right_order_is_not_on_the_page(cast: Cast, essay: Assignment) -> None:
    """Items are shown in another order than the right one, always the same."""
    client, prefix = student(cast)
    pages = [client.get(prefix + work_url("assignment", essay)).content.decode() for _ in range(2)]
    places = [pages[0].index(f'<option value="{item}">') for item in ("byte", "kilobyte", "megabyte")]
    assert places != sorted(places)
    assert places == [pages[1].index(f'<option value="{item}">') for item in ("byte", "kilobyte", "megabyte")]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (report("report.exe"), "hand in a file of the type pdf, txt"),
        (report("report.pdf", b""), "it is empty"),
        (report("report.pdf", b"x" * 2000), "at most 1000"),
    ],
)
def test_a_file_that_is_not_taken(
    cast: Cast, essay: Assignment, monkeypatch: pytest.MonkeyPatch, file: SimpleUploadedFile, words: str
) -> None:
    """It is said why, what was typed beside it is saved, and nothing is stored."""
    monkeypatch.setattr(uploads, "LARGEST", 1000)
    client, prefix = student(cast)
    refused = client.post(prefix + work_url("submit", essay), {"q-sum": "4", "q-report": file})
    page = refused.content.decode().replace("\xa0", " ")
    assert refused.status_code == 422
    assert words in page
    assert 'value="4" checked' in page
    file.seek(0)
    by_script = client.post(prefix + work_url("save", essay), {"q-report": file})
    assert by_script.status_code == 422
    assert words in json.loads(by_script.content)["error"].replace("\xa0", " ")
    assert not Upload.objects.exists()
    assert Attempt.objects.get().answers == {"sum": "4"}


def test_an_answer_names_no_foreign_file(cast: Cast, essay: Assignment) -> None:
    """The id of somebody else's file, typed into the field, is no answer; nor is a name that climbs out of a folder."""
    foreign = hand_in(essay, cast.sue).uploads.get()
    client, prefix = student(cast)
    client.post(prefix + work_url("save", essay), {"q-report": foreign.public_id})
    assert Attempt.objects.get(submission__person=cast.sam).answers == {}
    stored = uploads.store_file(SimpleUploadedFile("../../etc/pass\u202ewd.pdf", b"x"))
    assert stored.name == "passwd.pdf"
    assert default_storage.path(stored.path).startswith(default_storage.path("uploads"))


def test_a_file_is_saved_and_never_shown(cast: Cast, essay: Assignment) -> None:
    """The student gets the file as an attachment that no browser takes for a page, whatever it holds."""
    upload = hand_in(essay, cast.sam).uploads.get()
    client, prefix = student(cast)
    answer = client.get(f"{prefix}/learn/files/{upload.public_id}/")
    assert b"".join(answer) == REPORT  # type: ignore[call-overload]
    assert answer["Content-Disposition"] == 'attachment; filename="report.pdf"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_file_that_the_storage_lost(cast: Cast, essay: Assignment) -> None:
    """A file that is not there, after a restore without it for example, is said to be missing: no error page."""
    upload = hand_in(essay, cast.sam).uploads.get()
    default_storage.delete(upload.path)
    client, prefix = student(cast)
    assert client.get(f"{prefix}/learn/files/{upload.public_id}/").status_code == 404
    assert client.get(prefix + work_url("assignment", essay)).status_code == 200


def test_who_may_have_a_file(cast: Cast, essay: Assignment) -> None:
    """Teachers and mentors who may see the student, and nobody else: no fellow student, no other course, nobody."""
    upload = hand_in(essay, cast.sam).uploads.get()
    path = f"/learn/files/{upload.public_id}/"
    cast.course.filter_learners_for_mentors = True
    cast.course.save()
    set_mentor_list(cast.course, cast.mia, [cast.sue.public_id], now=NOW)
    sue, tom, olive, oscar = Client(), Client(), Client(), Client()
    fellow = open_launch(sue, cast.sue, cast.course, Role.STUDENT, cast.operators)
    mia = Client()
    mentor = open_launch(mia, cast.mia, cast.course, Role.MENTOR, cast.operators)
    for client, account in ((tom, cast.tom), (olive, cast.olive), (oscar, cast.oscar)):
        client.force_login(account)
    answers = {
        "fellow": sue.get(fellow + path),
        "mentor of another": mia.get(mentor + path),
        "outsider": oscar.get(path),
        "nobody": Client().get(path),
        "teacher": tom.get(path),
        "owner": olive.get(path),
    }
    set_mentor_list(cast.course, cast.mia, [cast.sam.public_id], now=NOW)
    answers["mentor"] = mia.get(mentor + path)
    may = {who for who, answer in answers.items() if answer.status_code == 200}
    assert may == {"teacher", "owner", "mentor"}
    assert {answers[who].status_code for who in answers.keys() - may} <= {302, 403}


def test_points_by_hand_make_the_grade(cast: Cast, essay: Assignment) -> None:
    """Handed in, nothing is graded or sent yet; with the teacher's points the grade is there, released and owed."""
    link = place_v11(essay)
    link.let_in(cast.sam)
    submission = hand_in(essay, cast.sam, even="2\n4", sizes="byte\nkilobyte\nmegabyte")
    assert (submission.is_graded, submission.released_at, submission.awaits_grading) == (False, None, True)
    assert not Delivery.objects.filter(state=Delivery.State.WAITING).exists()
    client = Client()
    client.force_login(cast.tom)
    page = client.get(result_url("result", cast, cast.sam)).content.decode()
    assert 'name="points-report"' in page
    client.post(result_url("points", cast, cast.sam), {"attempt": "1", "points-report": "2,5"})
    submission.refresh_from_db()
    assert (submission.final_percent(), submission.awaits_grading) == (Decimal(85), False)
    assert submission.released_at is not None
    assert Delivery.objects.get().wanted_percent == Decimal(85)


def test_points_that_cannot_be(cast: Cast, essay: Assignment) -> None:
    """Too many points are refused at their field, what was typed stays, and nothing changes."""
    hand_in(essay, cast.sam)
    client = Client()
    client.force_login(cast.tom)
    answer = client.post(result_url("points", cast, cast.sam), {"attempt": "1", "points-report": "4.5"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Enter points from 0 to 4." in page
    assert 'value="4.5"' in page
    assert Submission.objects.get().awaits_grading
    assert client.post(result_url("points", cast, cast.sam), {"attempt": "7"}).status_code == 404


def test_points_are_taken_back(cast: Cast, essay: Assignment) -> None:
    """Without points the attempt has no score again, and stands among what is to be graded."""
    hand_in(essay, cast.sam)
    grade = {"assignment": essay, "person": cast.sam, "number": 1, "now": NOW}
    grade_by_hand(points={"report": Decimal(4)}, **grade)  # type: ignore[arg-type]
    assert Submission.objects.get().final_percent() == Decimal(80)
    grade_by_hand(points={"report": None}, **grade)  # type: ignore[arg-type]
    submission = Submission.objects.get()
    assert (submission.is_graded, submission.awaits_grading) == (False, True)


def test_an_earlier_grade_stays_until_the_new_attempt_is_graded(cast: Cast, essay: Assignment) -> None:
    """A second attempt does not take the first one's grade away while a teacher still has to look at it."""
    essay.attempts = 2
    essay.save()
    hand_in(essay, cast.sam)
    grade = {"assignment": essay, "person": cast.sam, "now": NOW}
    grade_by_hand(number=1, points={"report": Decimal(1)}, **grade)  # type: ignore[arg-type]
    begin_next_attempt(**grade)  # type: ignore[arg-type]
    submit_attempt(answers={"even": "2\n4"}, **grade)  # type: ignore[arg-type]
    submission = Submission.objects.get()
    assert (submission.final_percent(), submission.awaits_grading) == (Decimal(50), True)
    # Points for an attempt that does not count any more change nothing of the grade.
    grade_by_hand(number=1, points={"report": Decimal(4)}, **grade)  # type: ignore[arg-type]
    assert Submission.objects.get().final_percent() == Decimal(50)
    grade_by_hand(number=2, points={"report": Decimal(4)}, **grade)  # type: ignore[arg-type]
    assert Submission.objects.get().final_percent() == Decimal(90)


def test_late_is_when_it_was_handed_in(cast: Cast, essay: Assignment) -> None:
    """A penalty counts the time of the student's handing in, not of the teacher's grading; none for a due date's."""
    essay.due_at, essay.late_percent = NOW - timedelta(hours=1), Decimal(10)
    essay.save()
    hand_in(essay, cast.sam)
    later = NOW + timedelta(days=9)
    grade_by_hand(assignment=essay, person=cast.sam, number=1, points={"report": Decimal(4)}, now=later)
    assert Submission.objects.get(person=cast.sam).final_percent() == Decimal(70)
    save_answers(assignment=essay, person=cast.sue, answers={"sum": "4"}, files={"report": report()}, now=NOW)
    set_grade(assignment=essay, person=cast.sue, percent=None, complete=True, now=later)
    grade_by_hand(assignment=essay, person=cast.sue, number=1, points={"report": Decimal(4)}, now=later)
    assert Submission.objects.get(person=cast.sue).final_percent() == Decimal(80)


def test_a_grade_by_hand_ends_the_waiting(cast: Cast, essay: Assignment) -> None:
    """A teacher's own grade for the whole work needs no points for its questions."""
    hand_in(essay, cast.sam)
    set_grade(assignment=essay, person=cast.sam, percent=Decimal(60), now=NOW)
    submission = Submission.objects.get()
    assert (submission.final_percent(), submission.awaits_grading) == (Decimal(60), False)


def test_the_next_to_be_graded(cast: Cast, essay: Assignment) -> None:
    """From one student the page leads to the next whose work is to be graded, then from the top."""
    for person in (cast.sam, cast.sue):
        hand_in(essay, person)
    ann = Person.objects.create(organization=cast.acme, name="Ann Early")
    Enrollment.objects.create(course=cast.course, person=ann, role=Role.STUDENT)
    client = Client()
    client.force_login(cast.tom)

    def next_of(person: Person) -> str:
        page = client.get(result_url("result", cast, person)).content.decode()
        found = [one for one in (cast.sam, cast.sue, ann) if f'{result_url("result", cast, one)}" data-key="n"' in page]
        return found[0].name if found else ""

    assert [next_of(one) for one in (ann, cast.sam, cast.sue)] == ["Sam Student", "Sue Student", "Sam Student"]
    found = client.get(result_url("result", cast, ann).rsplit("/", 2)[0] + "/?state=to_grade").content.decode()
    assert ("Sam Student" in found, "Ann Early" in found) == (True, False)
    grade_by_hand(assignment=essay, person=cast.sue, number=1, points={"report": Decimal(4)}, now=NOW)
    assert [next_of(one) for one in (cast.sam, cast.sue)] == ["", "Sam Student"]


def test_mentors_grade_nothing(cast: Cast, essay: Assignment) -> None:
    """A mentor reads the file's name and points, has no form for them, and is refused when sending one."""
    hand_in(essay, cast.sam)
    client = Client()
    prefix = open_launch(client, cast.mia, cast.course, Role.MENTOR, cast.operators)
    page = client.get(prefix + result_url("result", cast, cast.sam)).content.decode()
    assert "report.pdf" in page
    assert "points-report" not in page
    sent = client.post(prefix + result_url("points", cast, cast.sam), {"attempt": "1", "points-report": "4"})
    assert sent.status_code == 403
    assert Submission.objects.get().awaits_grading


def test_files_of_merged_people_stay(cast: Cast, essay: Assignment) -> None:
    """Two people become one: the files of both attempts can still be had."""
    for person in (cast.sam, cast.sue):
        hand_in(essay, person)
    merge_people(cast.sam, cast.sue, now=NOW)
    submission = Submission.objects.get()
    held = {attempt.answers["report"] for attempt in submission.attempts.all()}
    assert held == set(submission.uploads.values_list("public_id", flat=True))
    assert len(held) == 2


def test_nothing_is_left_behind_when_saving_fails(cast: Cast, essay: Assignment, tmp_path: Path) -> None:
    """A file whose attempt was handed in meanwhile is taken away from the storage again."""
    hand_in(essay, cast.sam)
    before = list((tmp_path / "uploads").iterdir())
    client, prefix = student(cast)
    refused = client.post(prefix + work_url("save", essay), {"attempt": "1", "q-report": report()})
    assert refused.status_code == 409
    assert list((tmp_path / "uploads").iterdir()) == before
    assert Upload.objects.count() == 1


def test_where_files_lie() -> None:
    """Without a setting they lie in the data folder."""
    assert settings.STORAGE_DIR == settings.DATA_DIR / "files"
