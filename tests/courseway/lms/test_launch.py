"""A launch from the signed message to the landing page, for both versions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from courseway.courses.models import Enrollment
from courseway.lms import platforms
from courseway.lms.models import Arrival, Context, Launch, LmsIdentity, ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.visits import CLAIM, MEMBERSHIP, Lms11, Lms13, make_lms11, make_lms13, post_form


@pytest.fixture(autouse=True)
def _forget_platforms() -> None:
    platforms.forget_all()


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


def land(client: Client, response: Any) -> Any:
    assert response.status_code == 303, response.content.decode()
    return client.get(response["Location"], secure=True, HTTP_HOST="tool.example")


def test_a_student_lands_in_the_assignment_by_lti_11(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A signed LTI 1.1 launch at an assignment's address ends on a page that says which assignment and which role."""
    page = land(client, lms11.launch(client, f"/lti/a/{cast.operators.public_id}"))
    assert page.status_code == 200
    html = page.content.decode()
    assert 'data-launch="ok"' in html
    assert f'data-assignment="{cast.operators.public_id}"' in html
    assert 'data-role="student"' in html


def test_a_student_lands_in_the_assignment_by_lti_13(client: Client, cast: Cast, lms13: Lms13) -> None:
    """An LTI 1.3 launch follows the verified target_link_uri to the assignment."""
    page = land(client, lms13.launch(client, cast.loops))
    assert page.status_code == 200
    assert f'data-assignment="{cast.loops.public_id}"' in page.content.decode()


def test_hmac_sha256_is_accepted(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A launch signed with HMAC-SHA256 opens like one signed with HMAC-SHA1."""
    response = lms11.launch(client, f"/lti/a/{cast.operators.public_id}", signing={"method": "HMAC-SHA256"})
    assert response.status_code == 303


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ("Instructor", "teacher"),
        ("urn:lti:role:ims/lis/TeachingAssistant", "teacher"),
        ("urn:lti:role:ims/lis/Mentor,urn:lti:role:ims/lis/Learner/NonCreditLearner", "mentor"),
        ("urn:lti:instrole:ims/lis/Administrator", "student"),
        ("Something/Else", "student"),
    ],
)
def test_the_role_is_the_contexts(client: Client, cast: Cast, lms11: Lms11, roles: str, role: str) -> None:
    """Only context roles count, and an unknown role gives the least rights."""
    page = land(client, lms11.launch(client, f"/lti/a/{cast.operators.public_id}", roles=roles))
    assert f'data-role="{role}"' in page.content.decode()


def test_a_returning_person_costs_one_statement(client: Client, cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """The second launch with the same facts is one statement, and the LTI 1.3 login costs none at all."""
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as statements:
            response = lms11.launch(client, f"/lti/a/{cast.operators.public_id}")
        assert response.status_code == 303
    assert count(statements) == 1, [query["sql"] for query in statements]
    lms13.launch(client, cast.operators)
    with CaptureQueriesContext(connection) as statements:
        lms13.begin(client)
    assert count(statements) == 0
    with CaptureQueriesContext(connection) as statements:
        assert lms13.launch(client, cast.operators).status_code == 303
    assert count(statements) == 1


def test_a_first_launch_costs_at_most_twelve_statements(client: Client, cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """Everything new - person, context, link, enrollment - and nothing in memory: twelve statements at most."""
    with CaptureQueriesContext(connection) as statements:
        assert lms11.launch(client, f"/lti/a/{cast.operators.public_id}").status_code == 303
    assert count(statements) <= 12, [query["sql"] for query in statements]
    with CaptureQueriesContext(connection) as statements:
        assert lms13.launch(client, cast.operators, sub="newcomer").status_code == 303
    assert count(statements) <= 12, [query["sql"] for query in statements]


def count(statements: CaptureQueriesContext) -> int:
    """Statements without those that only begin or end a transaction."""
    bookkeeping = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
    return sum(not query["sql"].startswith(bookkeeping) for query in statements.captured_queries)


def test_names_and_email_follow_the_lms(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A new name in the LMS is the person's name here after the next launch, and stays one person."""
    path = f"/lti/a/{cast.operators.public_id}"
    lms11.launch(client, path)
    lms11.launch(client, path, lis_person_name_full="Sally Married")
    identity = LmsIdentity.objects.get(platform=lms11.platform)
    assert (identity.name, identity.person.name) == ("Sally Married", "Sally Married")


@pytest.mark.quirk("G33", "G34")
def test_an_equal_email_makes_a_second_person(client: Client, cast: Cast, lms11: Lms11) -> None:
    """An e-mail that the LMS sends proves nothing: it never joins somebody who is known already (C1)."""
    lms11.launch(client, f"/lti/a/{cast.operators.public_id}", lis_person_contact_email_primary=cast.sam.email)
    assert LmsIdentity.objects.get(platform=lms11.platform).person != cast.sam


@pytest.mark.quirk("G3")
def test_an_anonymous_learner_has_a_name_that_can_be_read(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Without name and e-mail the launch works and the person shows as 'Learner …' (C4)."""
    changes = {"lis_person_name_full": None, "lis_person_contact_email_primary": None}
    assert lms11.launch(client, f"/lti/a/{cast.operators.public_id}", **changes).status_code == 303
    assert LmsIdentity.objects.get(platform=lms11.platform).person.shown_name.startswith("Learner ")


def test_roles_are_overwritten_never_added_up(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Whoever comes as Instructor and later as Learner is a student, and the old teacher's session is over."""
    path = f"/lti/a/{cast.operators.public_id}"
    teacher_page = lms11.launch(client, path, roles="Instructor")["Location"]
    lms11.launch(client, path, roles="Learner")
    person = LmsIdentity.objects.get(platform=lms11.platform).person
    assert Enrollment.objects.get(course=cast.course, person=person).role == "student"
    response = client.get(teacher_page, secure=True, HTTP_HOST="tool.example")
    assert response.status_code == 401
    assert 'data-code="session_ended"' in response.content.decode()


def test_the_first_contexts_instructor_teaches_the_whole_course(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Instructors of the course's first LMS context may edit it; those of later contexts only see their own people."""
    path = f"/lti/a/{cast.operators.public_id}"
    lms11.launch(client, path, roles="Learner", user_id="student")
    lms11.launch(client, path, roles="Instructor", user_id="first")
    lms11.launch(
        client, path, roles="Instructor", user_id="second", context_id="course-2", resource_link_id="link-of-2"
    )
    by_user = {
        identity.lms_user_id: Enrollment.objects.get(course=cast.course, person=identity.person).covers_whole_course
        for identity in LmsIdentity.objects.filter(platform=lms11.platform)
    }
    assert by_user == {"student": False, "first": True, "second": False}


@pytest.mark.quirk("G35")
def test_two_launches_in_one_browser_do_not_disturb_each_other(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A teacher's and a student's launch in one browser both stay open, each with its own role (B6)."""
    teacher = lms11.launch(client, f"/lti/a/{cast.operators.public_id}", roles="Instructor", user_id="t")["Location"]
    student = lms11.launch(client, f"/lti/a/{cast.loops.public_id}", resource_link_id="link-2")["Location"]
    for url, role in ((teacher, "teacher"), (student, "student"), (teacher, "teacher")):
        html = client.get(url, secure=True, HTTP_HOST="tool.example").content.decode()
        assert f'data-role="{role}"' in html


def test_a_launch_never_opens_owner_pages(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Not even when the same browser is signed in as the owner: below the launch's path only its course exists."""
    client.force_login(cast.olive)
    landing = lms11.launch(client, f"/lti/a/{cast.operators.public_id}", roles="Instructor")["Location"]
    prefix = "/".join(landing.split("/")[:3])
    response = client.get(f"{prefix}/o/acme/lti", secure=True, HTTP_HOST="tool.example", follow=True)
    assert response.status_code == 403


def test_a_link_remembers_its_assignment(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A launch at the general address opens what the same link opened before."""
    lms11.launch(client, f"/lti/a/{cast.loops.public_id}")
    page = land(client, lms11.launch(client, "/lti/launch"))
    assert f'data-assignment="{cast.loops.public_id}"' in page.content.decode()
    assert Launch.objects.latest("pk").rule == "known_link"


def test_a_link_that_names_another_assignment_is_resolved_anew(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A link pointed to another assignment in the LMS opens that one, and remembers it."""
    lms11.launch(client, f"/lti/a/{cast.loops.public_id}")
    lms11.launch(client, f"/lti/a/{cast.operators.public_id}")
    assert ResourceLink.objects.get().assignment == cast.operators


def test_a_custom_parameter_names_the_assignment(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The parameter assignment_id, in any of its spellings, leads to the assignment."""
    custom = {"CUSTOM_Codio_assignment_id": f' "{cast.loops.public_id}" '}
    page = land(client, lms13.launch(client, None, **{CLAIM + "custom": custom}))
    assert f'data-assignment="{cast.loops.public_id}"' in page.content.decode()


def test_an_unknown_link_waits(client: Client, cast: Cast, lms11: Lms11) -> None:
    """No rule fires: a notice, a row in the log that says 'waiting', and nobody and nothing is made."""
    people = Person.objects.count()
    response = lms11.launch(client, "/lti/launch")
    html = response.content.decode()
    assert response.status_code == 200
    assert 'data-launch="waiting"' in html
    assert "data-assignment" not in html
    assert Launch.objects.get().outcome == "waiting"
    assert (Person.objects.count(), Context.objects.count()) == (people, 0)


def test_a_launch_without_a_context_opens(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The context is optional (LTI core 5.4.1): an account-level launch at an assignment opens it."""
    response = lms13.launch(client, cast.operators, **{CLAIM + "context": None})
    assert land(client, response).status_code == 200


@pytest.mark.quirk("G29")
def test_an_instructor_outside_any_lms_course_teaches_nobody(client: Client, cast: Cast, lms13: Lms13) -> None:
    """An account-level Instructor is not the teacher of the whole course, even if first to come."""
    lms13.launch(client, cast.operators, **{CLAIM + "context": None, CLAIM + "roles": [MEMBERSHIP + "Instructor"]})
    assert not Enrollment.objects.get(person__lms_identities__platform=lms13.platform).covers_whole_course


def test_a_withdrawn_enrollment_comes_back_only_through_the_full_way(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The fast statement does not let anybody in whose enrollment was ended; the full way renews it."""
    path = f"/lti/a/{cast.operators.public_id}"
    lms11.launch(client, path)
    Enrollment.objects.filter(person__lms_identities__platform=lms11.platform).update(active=False)
    assert lms11.launch(client, path).status_code == 303
    assert Enrollment.objects.get(person__lms_identities__platform=lms11.platform).active


def test_sourcedids_are_not_kept_in_clear(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Whoever reads the database cannot write grades into the LMS."""
    lms11.launch(client, f"/lti/a/{cast.operators.public_id}", lis_result_sourcedid="very-secret-sourcedid")
    stored = Arrival.objects.get().result_sourcedid_encrypted
    assert stored
    assert "very-secret" not in stored


def test_unpublished_opens_for_teachers_alone(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A student gets an explanation, the teacher gets in to publish it."""
    cast.operators.published = False
    cast.operators.save()
    path = f"/lti/a/{cast.operators.public_id}"
    assert refusal(lms11.launch(client, path)) == (403, "not_published")
    assert lms11.launch(client, path, roles="Instructor", user_id="teacher").status_code == 303


def refusal(response: Any) -> tuple[int, str]:
    html = response.content.decode()
    assert 'data-launch="refused"' in html, html
    return response.status_code, html.partition('data-code="')[2].partition('"')[0]


def files_run_by(act: Callable[[], Any]) -> set[str]:
    """The product's own files in which code runs during `act`, relative to src; how Django reaches PostgreSQL aside."""
    import courseway

    source = str(Path(courseway.__file__).parents[1])
    seen: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(source):
            seen.add(frame.f_code.co_filename[len(source) + 1 :])

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return {file for file in seen if not file.startswith("courseway/postgresql/")}


def test_a_launch_runs_through_few_files(client: Client, cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """A launch can be read: whichever version, first or repeated, it runs through at most 14 of our files."""
    path = f"/lti/a/{cast.operators.public_id}"
    # What a process does only once - loading modules, middleware, addresses - belongs to no launch.
    lms11.launch(client, path, user_id="the-first-ever")
    lms13.launch(client, cast.operators, sub="the-first-ever")
    for _ in range(2):
        files = files_run_by(lambda: lms11.launch(client, path))
        assert len(files) <= 14, "\n".join(sorted(files))
        asked = lms13.begin(client)
        token = lms13.token(lms13.claims(cast.operators, asked["nonce"]))
        form = [("id_token", token), ("state", asked["state"])]
        files = files_run_by(lambda form=form: post_form(client, "/lti/launch", form))
        assert len(files) <= 14, "\n".join(sorted(files))
