"""The address that goes with a grade: private, or a link that shows one submission to whoever has it (H6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from courseway.courses.models import Course, Role
from courseway.grades.models import Delivery
from courseway.learning.feedback_links import feedback_url
from courseway.learning.models import Submission
from courseway.learning.scoring import release, set_grade, submit_attempt
from courseway.orgs.models import Person
from tests.cast import Cast, make_account
from tests.courseway.grades.links import place_v13
from tests.visits import open_launch

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOST = "https://tool.example"


@pytest.fixture
def sharing(cast: Cast) -> Cast:
    cast.course.provide_feedback_link = True
    cast.course.save()
    return cast


def work_of(person: Person) -> Submission:
    return Submission.objects.get(person=person)


def hand_in(cast: Cast, person: Person) -> Submission:
    submit_attempt(assignment=cast.operators, person=person, answers={"sum": "4", "maker": "Mr. Wrong"}, now=NOW)
    return work_of(person)


def path_of(submission: Submission, cast: Cast) -> str:
    url = feedback_url(submission, Course.objects.get(pk=cast.course.pk))
    assert url.startswith(HOST + "/")
    return url.removeprefix(HOST)


def test_the_link_shows_one_submission_to_whoever_has_it(sharing: Cast) -> None:
    """Without signing in: grade, comment and answers of that one submission, and no way to anything else."""
    hand_in(sharing, sharing.sue)
    hand_in(sharing, sharing.sam)
    set_grade(assignment=sharing.operators, person=sharing.sam, percent=None, comment="Well begun", now=NOW)
    response = Client().get(path_of(work_of(sharing.sam), sharing))
    page = response.content.decode()
    assert response.status_code == 200
    for words in ("Sam Student", "Operators", "Well begun", "Mr. Wrong", "40"):
        assert words in page
    assert "Sue Student" not in page
    links = [link for link in re.findall(r'<(?:a|form)\b[^>]*(?:href|action)="([^"]*)"', page) if link != "#main"]
    assert links == []
    assert "<nav" not in page
    assert "<form" not in page


def test_the_page_is_found_by_nobody_and_tells_nobody(sharing: Cast) -> None:
    """No search engine keeps it, no referrer carries its address, no cache holds it."""
    response = Client().get(path_of(hand_in(sharing, sharing.sam), sharing))
    assert "noindex" in response["X-Robots-Tag"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert '<meta name="robots" content="noindex, nofollow">' in response.content.decode()


def test_the_link_cannot_be_guessed(sharing: Cast) -> None:
    """It holds 192 random bits of its own, not an id that stands elsewhere; others open nothing."""
    submission = hand_in(sharing, sharing.sam)
    assert len(submission.feedback_token) == 32
    assert submission.public_id not in path_of(submission, sharing)
    for token in (submission.public_id, str(submission.pk), submission.feedback_token[:-1] + "!", ""):
        assert Client().get(f"/learn/shared/{token}/").status_code == 404


def test_a_grade_is_seen_only_once_it_is_released(sharing: Cast) -> None:
    """Before the release the link shows neither grade nor what was right and wrong nor the comment."""
    sharing.course.release_grades_automatically = False
    sharing.course.save()
    hand_in(sharing, sharing.sam)
    set_grade(assignment=sharing.operators, person=sharing.sam, percent=None, comment="Not yet", now=NOW)
    path = path_of(work_of(sharing.sam), sharing)
    page = Client().get(path).content.decode()
    assert "Not yet" not in page
    assert "data-correct" not in page
    assert "data-percent" not in page
    release(sharing.operators, now=NOW)
    assert "Not yet" in Client().get(path).content.decode()


def test_switched_off_no_link_works(sharing: Cast) -> None:
    """The course's switch ends all its links at once."""
    path = path_of(hand_in(sharing, sharing.sam), sharing)
    sharing.course.provide_feedback_link = False
    sharing.course.save()
    response = Client().get(path)
    assert response.status_code == 404
    assert "Sam" not in response.content.decode()


def test_a_teacher_withdraws_one_link(sharing: Cast) -> None:
    """The old link is dead at once, a new one works, and the LMS is told the new one with the grade."""
    place_v13(sharing.operators).let_in(sharing.sam)
    old = path_of(hand_in(sharing, sharing.sam), sharing)
    assert old in Delivery.objects.get().wanted_comment
    tom = Client()
    tom.force_login(sharing.tom)
    base = f"/courses/{sharing.course.public_id}/assignments/{sharing.operators.public_id}/results/"
    base += f"{sharing.sam.public_id}/"
    assert HOST + old in tom.get(base).content.decode()
    tom.post(base + "act/", {"action": "renew_link"})
    new = path_of(work_of(sharing.sam), sharing)
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200
    comment = Delivery.objects.get().wanted_comment
    assert new in comment
    assert old not in comment


def test_by_default_the_address_is_private(cast: Cast) -> None:
    """It goes with the grade, opens the own feedback for the student and the result for teachers, and nothing for
    anybody else."""
    place_v13(cast.operators).let_in(cast.sam)
    submission = hand_in(cast, cast.sam)
    set_grade(assignment=cast.operators, person=cast.sam, percent=Decimal(80), comment="Fine", now=NOW)
    path = path_of(submission, cast)
    assert Delivery.objects.get().wanted_comment == f"Fine\n\n{HOST}{path}"
    nobody = Client().get(path)
    assert nobody.status_code == 302
    assert nobody["Location"].startswith("/account/login")
    cast.sam.account = make_account("sam@acme.example", "Sam")
    cast.sam.save()
    cast.sue.account = make_account("sue@acme.example", "Sue")
    cast.sue.save()
    seen = {}
    for account in (cast.sam.account, cast.tom, cast.sue.account, cast.oscar):
        client = Client()
        client.force_login(account)
        response = client.get(path)
        seen[account.email] = (response.status_code, response.headers.get("Location", ""))
    result = f"/courses/{cast.course.public_id}/assignments/{cast.operators.public_id}/results/{cast.sam.public_id}/"
    assert seen == {
        "sam@acme.example": (302, f"/learn/assignments/{cast.operators.public_id}/feedback/"),
        "tom@acme.example": (302, result),
        "sue@acme.example": (403, ""),
        "oscar@umbrella.example": (403, ""),
    }


def test_mentors_never_get_the_link_of_others(sharing: Cast) -> None:
    """A mentor opens the private address of named learners only, and is shown no shared link at all (G2)."""
    sharing.course.filter_learners_for_mentors = True
    sharing.course.save()
    submission = hand_in(sharing, sharing.sam)
    client = Client()
    prefix = open_launch(client, sharing.mia, sharing.course, Role.MENTOR, sharing.operators)
    assert client.get(f"{prefix}/learn/feedback/{submission.public_id}/").status_code == 403
    for path in ("gradebook/", f"assignments/{sharing.operators.public_id}/results/"):
        page = client.get(f"{prefix}/courses/{sharing.course.public_id}/{path}").content.decode()
        assert submission.feedback_token not in page
