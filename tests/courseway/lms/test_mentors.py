"""Mentors see the learners named for them: by whom, how long, and that nothing tells of the others (G1, G2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from courseway.courses.access import CourseAccess
from courseway.courses.models import Course, Enrollment, Role
from courseway.learning.scoring import save_answers, set_grade, submit_attempt
from courseway.lms import platforms
from courseway.lms.access import list_learners
from courseway.lms.mentors import set_mentor_list
from courseway.lms.models import LmsIdentity, MentorScope
from courseway.orgs.models import Person
from courseway.orgs.visitor import Visitor
from tests.cast import Cast, make_account, make_cast
from tests.courseway.lms.test_launch import count, land
from tests.depth import either, one_of
from tests.test_access_sweep import Scene, fill, list_routes, read_body, send
from tests.test_access_sweep import scene as scene
from tests.visits import CLAIM, MEMBERSHIP, Lms11, make_lms11, make_lms13, open_launch

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MENTOR_ROLES = "urn:lti:role:ims/lis/Learner/NonCreditLearner,urn:lti:role:ims/lis/Mentor"


@pytest.fixture
def filtered(cast: Cast) -> Cast:
    cast.course.filter_learners_for_mentors = True
    cast.course.save()
    return cast


def see(course: Course, mentor: Person) -> set[str]:
    """The names of those whose work the mentor may see."""
    access = CourseAccess(Course.objects.get(pk=course.pk), Role.MENTOR, False, mentor)
    return {enrollment.person.name for enrollment in list_learners(access, Visitor())}


def mentor_of(platform: Any, user_id: str = "mentor-1") -> Person:
    return LmsIdentity.objects.get(platform=platform, lms_user_id=user_id).person


def come_as_mentor(client: Client, lms: Lms11, cast: Cast, **changes: Any) -> Any:
    form = {"user_id": "mentor-1", "roles": MENTOR_ROLES, "lis_person_name_full": "Max Mentor", **changes}
    response = lms.launch(client, f"/lti/a/{cast.operators.public_id}", **form)
    assert response.status_code == 303, response.content.decode()
    return response


def study(client: Client, lms: Lms11, cast: Cast, user_id: str, email: str) -> None:
    """A student of the LMS comes for the first time."""
    changes = {"user_id": user_id, "lis_person_name_full": f"Student {user_id}"}
    response = lms.launch(
        client, f"/lti/a/{cast.operators.public_id}", lis_person_contact_email_primary=email, **changes
    )
    assert response.status_code == 303


@pytest.mark.parametrize("name", ["custom_mentor_for", "codio_custom_mentor_for", "custom_codio_mentor_for"])
@pytest.mark.parametrize(
    "value",
    [
        "sam@acme.example",
        '"sam@acme.example, nobody@acme.example"',
        "'  SAM@Acme.Example  '",
        '"sam@acme.example","x@acme.example"',
        "\u201csam@acme.example\u201d , ",
    ],
)
def test_mentor_for_names_learners(client: Client, filtered: Cast, name: str, value: str) -> None:
    """Addresses count whatever quotes, blanks, case and prefixes they come with; everybody else stays unseen."""
    lms = make_lms11(filtered.acme)
    come_as_mentor(client, lms, filtered, **{name: value})
    assert see(filtered.course, mentor_of(lms.platform)) == {"Sam Student"}


@pytest.mark.quirk("C48")
@pytest.mark.parametrize("value", [None, "", " ", '""', "$Custom.mentor_for", ",", '" , "'])
def test_nobody_named_is_nobody_seen(client: Client, filtered: Cast, value: str | None) -> None:
    """Without a list, with an empty one and with a variable that the LMS did not fill in, a mentor sees nobody."""
    lms = make_lms11(filtered.acme)
    response = come_as_mentor(client, lms, filtered, custom_mentor_for=value)
    assert see(filtered.course, mentor_of(lms.platform)) == set()
    page = land(client, response).content.decode()
    assert 'data-role="mentor"' in page
    assert "Sam Student" not in page


def test_without_the_filter_a_mentor_sees_all(client: Client, cast: Cast) -> None:
    """While the switch is off, every mentor reads the work of all students, whatever list came."""
    lms = make_lms11(cast.acme)
    come_as_mentor(client, lms, cast, custom_mentor_for="sam@acme.example")
    assert see(cast.course, mentor_of(lms.platform)) == {"Sam Student", "Sue Student"}


def test_lms_ids_match_only_people_of_the_launching_platform(client: Client, filtered: Cast) -> None:
    """User id 7 of one LMS is somebody else than user id 7 of another, and an id is not compared without case."""
    here, there = make_lms11(filtered.acme), make_lms11(filtered.acme)
    study(client, here, filtered, "s7", "here@lms.example")
    study(client, there, filtered, "s7", "there@lms.example")
    study(client, here, filtered, "S7", "loud@lms.example")
    Enrollment.objects.filter(person__email="there@lms.example").update(role=Role.STUDENT)
    Person.objects.filter(email="there@lms.example").update(name="Student of the other LMS")
    come_as_mentor(client, here, filtered, role_scope_mentor="s7")
    assert see(filtered.course, mentor_of(here.platform)) == {"Student s7"}
    seen = Person.objects.get(lms_identities__lms_user_id="s7", lms_identities__platform=here.platform)
    assert seen.email == "here@lms.example"


def test_the_mentor_scope_of_lti_13_counts(client: Client, filtered: Cast) -> None:
    """The claim role_scope_mentor names LMS user ids, and mentor_for beside it adds to them."""
    lms = make_lms13(filtered.acme)
    assert lms.launch(client, filtered.operators, sub="student-9", name="Nina Nine").status_code == 303
    changes = {
        "sub": "mentor-1",
        CLAIM + "roles": [MEMBERSHIP + "Mentor"],
        CLAIM + "role_scope_mentor": ["student-9"],
    }
    assert lms.launch(client, filtered.operators, **changes).status_code == 303
    assert see(filtered.course, mentor_of(lms.platform)) == {"Nina Nine"}
    assert (
        lms.launch(
            client, filtered.operators, **changes, **{CLAIM + "custom": {"mentor_for": "sue@acme.example"}}
        ).status_code
        == 303
    )
    assert see(filtered.course, mentor_of(lms.platform)) == {"Nina Nine", "Sue Student"}


def test_people_named_before_their_first_launch_appear_once_they_come(client: Client, filtered: Cast) -> None:
    """A list may name somebody who never came, by address or id: both are seen after their own first launch."""
    lms = make_lms11(filtered.acme)
    come_as_mentor(client, lms, filtered, custom_mentor_for="later@lms.example,u-22")
    assert see(filtered.course, mentor_of(lms.platform)) == set()
    study(client, lms, filtered, "u-21", "Later@LMS.example")
    study(client, lms, filtered, "u-22", "other@lms.example")
    study(client, lms, filtered, "u-23", "third@lms.example")
    assert see(filtered.course, mentor_of(lms.platform)) == {"Student u-21", "Student u-22"}


def test_the_newest_launch_replaces_the_list(client: Client, filtered: Cast) -> None:
    """Whoever is named no longer is seen no longer; a launch without a list empties it."""
    lms = make_lms11(filtered.acme)
    come_as_mentor(client, lms, filtered, custom_mentor_for="sam@acme.example")
    come_as_mentor(client, lms, filtered, custom_mentor_for="sue@acme.example")
    assert see(filtered.course, mentor_of(lms.platform)) == {"Sue Student"}
    come_as_mentor(client, lms, filtered)
    assert see(filtered.course, mentor_of(lms.platform)) == set()


def test_links_with_different_lists_take_turns(client: Client, filtered: Cast) -> None:
    """The list of the newest launch counts also when that very launch was seen before, through another link."""
    lms = make_lms11(filtered.acme)
    lists = {"link-1": "sam@acme.example", "link-2": "sue@acme.example"}
    names = {"link-1": {"Sam Student"}, "link-2": {"Sue Student"}}
    for link in ("link-1", "link-2", "link-1", "link-1", "link-2", "link-1"):
        come_as_mentor(client, lms, filtered, resource_link_id=link, custom_mentor_for=lists[link])
        assert see(filtered.course, mentor_of(lms.platform)) == names[link], link


def test_a_list_set_here_stays_whatever_launches_bring(client: Client, filtered: Cast) -> None:
    """Learners named by a program are seen besides those of the newest launch, until the program takes them away."""
    lms = make_lms11(filtered.acme)
    come_as_mentor(client, lms, filtered, custom_mentor_for="sam@acme.example")
    mentor = mentor_of(lms.platform)
    set_mentor_list(filtered.course, mentor, [filtered.sue.public_id], now=NOW)
    assert see(filtered.course, mentor) == {"Sam Student", "Sue Student"}
    come_as_mentor(client, lms, filtered)
    assert see(filtered.course, mentor) == {"Sue Student"}
    set_mentor_list(filtered.course, mentor, [" 'SAM@acme.example' "], now=NOW)
    assert see(filtered.course, mentor) == {"Sam Student"}
    set_mentor_list(filtered.course, mentor, [], now=NOW)
    assert see(filtered.course, mentor) == set()


def test_ids_set_here_are_those_of_the_mentors_own_lms(client: Client, filtered: Cast) -> None:
    """A program's LMS user ids mean people of the LMSs that the mentor comes from, or of the one it names."""
    here, there = make_lms11(filtered.acme), make_lms11(filtered.acme)
    study(client, here, filtered, "5", "here@lms.example")
    study(client, there, filtered, "5", "there@lms.example")
    Person.objects.filter(email="there@lms.example").update(name="Student of the other LMS")
    come_as_mentor(client, here, filtered)
    mentor = mentor_of(here.platform)
    set_mentor_list(filtered.course, mentor, ["5"], now=NOW)
    assert see(filtered.course, mentor) == {"Student 5"}
    set_mentor_list(filtered.course, mentor, ["5"], platform=there.platform, now=NOW)
    assert see(filtered.course, mentor) == {"Student of the other LMS"}


def test_a_list_counts_in_its_own_course_alone(client: Client, filtered: Cast) -> None:
    """Naming a learner in one course opens nothing in another."""
    other = Course.objects.create(organization=filtered.acme, title="Other", filter_learners_for_mentors=True)
    Enrollment.objects.create(course=other, person=filtered.sam, role=Role.STUDENT)
    lms = make_lms11(filtered.acme)
    come_as_mentor(client, lms, filtered, custom_mentor_for="sam@acme.example")
    assert see(other, mentor_of(lms.platform)) == set()
    with pytest.raises(ValueError, match="another organization"):
        set_mentor_list(filtered.foreign_course, mentor_of(lms.platform), ["sam@acme.example"], now=NOW)


def test_only_students_are_seen(client: Client, filtered: Cast) -> None:
    """A teacher's or mentor's address in the list shows nothing of theirs."""
    lms = make_lms11(filtered.acme)
    come_as_mentor(client, lms, filtered, custom_mentor_for=f"{filtered.tom.email},mia@acme.example")
    assert see(filtered.course, mentor_of(lms.platform)) == set()


def test_a_mentor_who_returns_costs_one_statement(client: Client, filtered: Cast) -> None:
    """The same list again changes nothing and is as quick as any launch."""
    lms = make_lms11(filtered.acme)
    for _ in range(2):
        with CaptureQueriesContext(connection) as statements:
            come_as_mentor(client, lms, filtered, custom_mentor_for="sam@acme.example")
    assert count(statements) == 1, [query["sql"] for query in statements]


def test_a_long_list_is_read(client: Client, filtered: Cast) -> None:
    """A list as long as a launch can carry works, and is asked for in a fixed number of statements."""
    lms = make_lms11(filtered.acme)
    entries = ",".join(f"s{number}" for number in range(4000))
    come_as_mentor(client, lms, filtered, custom_mentor_for=entries + ",sam@acme.example")
    assert see(filtered.course, mentor_of(lms.platform)) == {"Sam Student"}


# No page tells

SECRET_OF_SUE = "Sue wrote this and nobody else may read it"


def visit_by_launch(cast: Cast) -> Callable[[str, str], Any]:
    client = Client(raise_request_exception=False)
    prefix = open_launch(client, cast.mia, cast.course, Role.MENTOR, cast.operators)
    return lambda method, path: send(client, method, prefix + path)


def visit_by_account(cast: Cast) -> Callable[[str, str], Any]:
    cast.mia.account = make_account("mia@acme.example", "Mia Mentor")
    cast.mia.save()

    client = Client(raise_request_exception=False)
    client.force_login(cast.mia.account)
    return lambda method, path: send(client, method, path)


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("make_visit", [visit_by_launch, visit_by_account])
def test_no_page_tells_of_a_learner_who_is_not_named(
    scene: Scene, make_visit: Callable[[Cast], Callable[[str, str], Any]]
) -> None:
    """At every address, also with searches, filters and exports, a mentor reads of Sam and never of Sue or Sally."""
    cast = scene.cast
    for row in Person.objects.filter(name__in=["Sue Student", "Sally Learner"]):
        Person.objects.filter(pk=row.pk).update(
            name=row.name.replace("Student", "Unnamed").replace("Learner", "Hidden")
        )
    cast.course.filter_learners_for_mentors = cast.course.provide_feedback_link = True
    cast.course.save()
    set_mentor_list(cast.course, cast.mia, ["sam@acme.example"], now=NOW)
    now = datetime.now(UTC)
    save_answers(assignment=cast.loops, person=cast.sue, answers={"maker": SECRET_OF_SUE}, now=now)
    submit_attempt(assignment=cast.loops, person=cast.sam, answers={"maker": "Guido"}, now=now)
    set_grade(
        assignment=cast.operators,
        person=cast.sue,
        percent=Decimal("41.25"),
        comment=SECRET_OF_SUE,
        release=True,
        now=now,
    )
    sally = Person.objects.get(lms_identities__lms_user_id="user-1")
    told = ["Sue Unnamed", "sue@acme.example", "Sally Hidden", "sally@lms.example", SECRET_OF_SUE, "41.25", "41.3"]
    told += [sally.public_id, cast.sue.public_id]
    visit, wrong, saw_sam = make_visit(cast), [], 0
    questions = ("", "?q=Sue", "?q=Sally", "?state=in_progress", "?format=csv", f"?person={cast.sue.public_id}")
    scene.values["assignment_id"] = [cast.operators.public_id, cast.loops.public_id]
    paths = itertools.chain.from_iterable(fill(route, scene.values) for route in list_routes())
    for number, path in enumerate(paths):
        asked = one_of(questions, 3, deep=1, start=number) if "/courses/" in path else questions[:1]
        for question in asked:
            response = visit("get", path + question)
            body = read_body(response)
            # What the address itself says is no news.
            leaked = [secret for secret in told if secret in body.replace(path, "").replace(question, "")]
            leaked = [secret for secret in leaked if secret not in path + question]
            if response.status_code >= 500 or leaked:
                wrong.append(f"{path}{question} answered {response.status_code} and told {leaked}")
            saw_sam += "Sam Student" in body
    assert not wrong, "\n".join(wrong)
    assert saw_sam >= 3, "the sweep went where learners are shown"


@pytest.mark.quirk("G2")
def test_a_mentor_changes_nothing(filtered: Cast) -> None:
    """A mentor opens the work of a named learner, reads answers and grade, and every button of a teacher refuses."""
    cast, client = filtered, Client()
    set_mentor_list(cast.course, cast.mia, ["sam@acme.example"], now=NOW)
    submit_attempt(assignment=cast.operators, person=cast.sam, answers={"maker": "Guido"}, now=NOW)
    prefix = open_launch(client, cast.mia, cast.course, Role.MENTOR, cast.operators)
    base = f"{prefix}/courses/{cast.course.public_id}/assignments/{cast.operators.public_id}/results/"
    page = client.get(f"{base}{cast.sam.public_id}/")
    assert page.status_code == 200
    assert "Guido" in page.content.decode()
    assert client.get(f"{base}{cast.sue.public_id}/").status_code == 403
    for address in ("act/", f"{cast.sam.public_id}/act/", f"{cast.sam.public_id}/grade/"):
        assert client.post(base + address, {"action": "complete", "percent": "1"}).status_code == 403


class ListsTakeTurns(HypothesisTestCase):
    """Whatever order launches and programs come in, exactly the newest lists count."""

    @settings(max_examples=either(10, deep=25))
    @given(
        st.lists(
            st.tuples(st.sampled_from(["launch", "api"]), st.sets(st.sampled_from(["sam", "sue", "x"]))), max_size=6
        )
    )
    def test_exactly_the_newest_lists_count(self, steps: list[tuple[str, set[str]]]) -> None:
        """Seen is who stands in the newest launch's list or in the newest program's, and nobody else."""
        platforms.forget_all()
        cast = make_cast()
        cast.course.filter_learners_for_mentors = True
        cast.course.save()
        lms, client = make_lms11(cast.acme), Client()
        come_as_mentor(client, lms, cast)
        mentor = mentor_of(lms.platform)
        newest: dict[str, set[str]] = {"launch": set(), "api": set()}
        for number, (source, names) in enumerate(steps):
            addresses = sorted(f"{name}@acme.example" for name in names)
            if source == "launch":
                link = f"link-{number % 2}"
                come_as_mentor(client, lms, cast, resource_link_id=link, custom_mentor_for=",".join(addresses) or None)
            else:
                set_mentor_list(cast.course, mentor, addresses, now=NOW)
            newest[source] = names
            wanted = (newest["launch"] | newest["api"]) - {"x"}
            assert see(cast.course, mentor) == {f"{name.title()} Student" for name in wanted}
        assert MentorScope.objects.count() <= 2
