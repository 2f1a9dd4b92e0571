"""An LMS opens a student's work for somebody else: read, one submission, and nobody is signed in (B9). And named pages
of an assignment (B8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from courseway.courses.models import Course, Enrollment
from courseway.learning.models import Submission
from courseway.learning.scoring import submit_attempt
from courseway.lms.models import Arrival, Launch, LmsIdentity, Platform
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.lms.test_launch import land
from tests.test_access_sweep import fill, list_routes, read_body, send
from tests.visits import CLAIM, make_lms11, make_lms13

HOST = {"secure": True, "HTTP_HOST": "tool.example"}
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Visit:
    """An LMS of either version, and a launch of its student user-1."""

    platform: Platform
    launch: Callable[..., Any]
    names: dict[str, str]

    def review(self, client: Client, **changes: str | None) -> Any:
        """As a teacher opens the student's work there."""
        actual = {"id": "teacher-1", "role": "Instructor", "email": "tina@lms.example", "full": "Tina Teacher"}
        actual.update({name: value for name, value in changes.items() if value is not None})
        for name in [name for name, value in changes.items() if value is None]:
            del actual[name]
        return self.launch(client, {self.names[name]: value for name, value in actual.items()})


@pytest.fixture(params=["1.1", "1.3"])
def lms(request: pytest.FixtureRequest, cast: Cast) -> Iterator[Visit]:
    if request.param == "1.1":
        lms11 = make_lms11(cast.acme)
        names = {"id": "custom_actual_user_id", "role": "custom_actual_user_role", "email": "custom_actual_user_email"}
        names["full"] = "custom_actual_user_name_full"

        def launch(client: Client, custom: dict[str, str] | None = None, **changes: Any) -> Any:
            return lms11.launch(client, f"/lti/a/{cast.operators.public_id}", **(custom or {}), **changes)

        yield Visit(lms11.platform, launch, names)
    else:
        lms13 = make_lms13(cast.acme)
        names = {"id": "actual_user_id", "role": "actual_user_role", "email": "actual_user_email"}
        names["full"] = "actual_user_full_name"

        def launch13(client: Client, custom: dict[str, str] | None = None, **changes: Any) -> Any:
            return lms13.launch(client, cast.operators, **{CLAIM + "custom": custom or {}, **changes})

        yield Visit(lms13.platform, launch13, names)


def sessions(client: Client) -> list[str]:
    """The launches that the browser is in; beginning a sign-in of LTI 1.3 leaves a cookie too."""
    return [name for name in client.cookies if not name.startswith("cw-login")]


@pytest.fixture
def sally(client: Client, cast: Cast, lms: Visit) -> Person:
    """The student, who came and handed in."""
    assert lms.launch(client).status_code == 303
    person = LmsIdentity.objects.get(platform=lms.platform).person
    submit_attempt(assignment=cast.operators, person=person, answers={"maker": "Guido van R."}, now=NOW)
    return person


def accept(platform: Platform) -> None:
    platform.accepts_actual_user = True
    platform.config_version += 1
    platform.save()


def test_it_is_off_by_default(cast: Cast, lms: Visit, sally: Person) -> None:
    """Without an owner's yes the launch is refused with what to do: nobody sits down in the student's session."""
    client = Client()
    response = lms.review(client)
    assert response.status_code == 403
    page = response.content.decode()
    assert 'data-code="actual_user_not_accepted"' in page
    assert "LTI integrations" in page
    assert not sessions(client)


def test_a_teacher_reads_the_one_submission(cast: Cast, lms: Visit, sally: Person) -> None:
    """Allowed, the launch opens that student's answers, to be read; nothing is stored but the line in the log."""
    accept(lms.platform)
    before = (Person.objects.count(), Enrollment.objects.count(), LmsIdentity.objects.count(), Arrival.objects.count())
    client = Client()
    response = lms.review(client)
    page = land(client, response)
    html = page.content.decode()
    assert page.status_code == 200
    assert "Guido van R." in html
    assert "Sally Learner" in html
    assert 'data-launch="ok"' in html
    assert f'data-assignment="{cast.operators.public_id}"' in html
    assert 'data-role="teacher"' in html
    assert "<form" not in html
    after = (Person.objects.count(), Enrollment.objects.count(), LmsIdentity.objects.count(), Arrival.objects.count())
    assert after == before
    row = Launch.objects.order_by("-pk").first()
    assert row is not None
    assert (row.outcome, row.rule, row.person, row.role) == ("ok", "actual_user", sally, "teacher")
    assert "teacher-1" in row.detail


@pytest.mark.parametrize("role", ["Learner", "urn:lti:role:ims/lis/Learner", "", "Guest", None])
def test_a_student_like_or_missing_role_is_refused(lms: Visit, sally: Person, role: str | None) -> None:
    """Whoever is no teacher there opens nobody's work."""
    accept(lms.platform)
    client = Client()
    response = lms.review(client, role=role)
    assert response.status_code == 403
    assert 'data-code="actual_user_refused"' in response.content.decode()
    assert not sessions(client)


def test_a_student_who_launches_for_themselves_just_works(lms: Visit, sally: Person) -> None:
    """Platforms that fill the parameters in for everybody disturb nobody: the own id names nobody else."""
    client = Client()
    page = land(client, lms.review(client, id="user-1", role="Learner"))
    assert 'data-role="student"' in page.content.decode()


def test_the_review_opens_nothing_else(cast: Cast, lms: Visit, sally: Person) -> None:
    """From the session of a review every other address refuses or is public, and nothing of anybody is told or
    changed: not the student's own pages, not those of teachers."""
    accept(lms.platform)
    client = Client(raise_request_exception=False)
    response = lms.review(client)
    prefix = response["Location"].removesuffix("/learn/review/")
    values = {name: [cast.course.public_id] for name in ("course_id", "course")} | {
        name: [cast.operators.public_id] for name in ("assignment_id", "assignment")
    }
    values |= {name: [sally.public_id] for name in ("person_id", "person")}
    values |= {"slug": [cast.acme.slug], "organization": [cast.acme.slug], "content": [cast.operators.content_id]}
    values |= {"public_id": [Submission.objects.get().public_id], "platform": [lms.platform.public_id]}
    values |= {name: ["1"] for name in ("pk", "delivery")} | {"reference": ["x"], "page": ["warm-up"]}
    routes = [route for route in list_routes() if route != "learn/review/"]
    before = list(Submission.objects.values())
    for route in routes:
        for path in fill(route, {**{name: ["1"] for name in _names(route)}, **values}):
            for method in ("get", "post"):
                body = read_body(answer := send(client, method, prefix + path))
                assert answer.status_code < 500, (method, path)
                assert "Sally" not in body, (method, path)
                assert "Guido van R." not in body, (method, path)
    assert list(Submission.objects.values()) == before


def _names(route: str) -> list[str]:
    import re

    return [name.rpartition(":")[2] for name in re.findall(r"<([\w:]+)>", route)]


def test_the_yes_can_be_taken_back(lms: Visit, sally: Person) -> None:
    """A review that is open ends when the owner switches it off, and when the student leaves the course."""
    accept(lms.platform)
    client = Client()
    response = lms.review(client)
    address = response["Location"]
    assert client.get(address, **HOST).status_code == 200
    Platform.objects.filter(pk=lms.platform.pk).update(accepts_actual_user=False)
    assert client.get(address, **HOST).status_code == 401
    Platform.objects.filter(pk=lms.platform.pk).update(accepts_actual_user=True)
    Enrollment.objects.filter(person=sally).delete()
    assert client.get(address, **HOST).status_code == 401


def test_an_unknown_student_has_nothing_to_be_read(cast: Cast, lms: Visit) -> None:
    """A student who never came is not made by somebody looking for their work."""
    accept(lms.platform)
    response = lms.review(Client())
    assert response.status_code == 404
    assert 'data-code="nothing_to_review"' in response.content.decode()
    assert not LmsIdentity.objects.filter(platform=lms.platform).exists()


def test_a_mentor_opens_nobodys_work_this_way_where_learners_are_filtered(
    cast: Cast, lms: Visit, sally: Person
) -> None:
    """Nobody proves which mentor sits there, so the filter holds (G2)."""
    accept(lms.platform)
    assert lms.review(Client(), role="Mentor").status_code == 303
    Course.objects.filter(pk=cast.course.pk).update(filter_learners_for_mentors=True)
    assert lms.review(Client(), role="Mentor").status_code == 403
    assert lms.review(Client()).status_code == 303


@pytest.mark.parametrize(
    ("wanted", "opened"),
    [
        ("Finish", "finish"),
        (" finish ", "finish"),
        ('"FINISH"', "finish"),
        ("No such page", "warm-up"),
        ("", "warm-up"),
    ],
)
def test_a_launch_opens_the_named_page(cast: Cast, lms: Visit, wanted: str, opened: str) -> None:
    """`page` opens a page by title or key, in quotes or any case; an unknown one opens the start (B8)."""
    client = Client()
    name = "custom_page" if lms.names["id"].startswith("custom_") else "page"
    page = land(client, lms.launch(client, {name: wanted}))
    assert f'data-opened="{opened}"' in page.content.decode()
