"""Sections and groups of the LMS as filters, and people whom the LMS lists before they come or after they left."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse, set_script_prefix

from courseway.courses.models import Enrollment, Role
from courseway.lms.keys import create_consumer_key
from courseway.lms.models import Context, ContextRoster, CourseContext, Deployment, Section
from courseway.lms.rosters import read_due_rosters, want_rosters
from tests.cast import Cast
from tests.courseway.practice_school import School, make_school11, make_school13
from tests.practice_lms.running import PracticeLms


@pytest.fixture
def tom(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.tom)
    return client


def read_roster(client: Client, school: School, cast: Cast) -> None:
    teacher = school.add_person("Tea Cher", "teacher")
    link = school.links.get(cast.operators.pk) or school.place(cast.operators)
    assert school.launch(client, teacher, link).status_code == 303
    want_rosters(now=datetime.now(UTC))
    ContextRoster.objects.update(next_try_at=datetime.now(UTC))
    read_due_rosters()


def names_on(tom: Client, cast: Cast, page: str = "gradebook", **query: str) -> dict[str, str]:
    """The students on a page of the course, each with what stands below the name."""
    set_script_prefix("/")
    targets = [cast.course.public_id] + ([cast.operators.public_id] if page == "results" else [])
    response = tom.get(reverse(f"learning_course:{page}", args=targets), query)
    assert response.status_code == 200
    heads = re.findall(r'<th scope="row"[^>]*>(.*?)</th>', response.content.decode(), re.DOTALL)
    texts = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", head)).strip() for head in heads]
    return {text.partition("@")[0]: text for text in texts}


def parts_on(tom: Client, cast: Cast) -> dict[str, str]:
    """The sections and groups that the gradebook offers: value by name."""
    html = tom.get(reverse("learning_course:gradebook", args=[cast.course.public_id])).content.decode()
    found = re.search(r'<select id="part".*?</select>', html, re.DOTALL)
    options = re.findall(r'value="([^"]+)"[^>]*>([^<]+)', found[0]) if found else []
    return {name: value for value, name in options}


def test_people_who_have_not_come_and_people_who_left(client: Client, cast: Cast, tom: Client, school: School) -> None:
    """Gradebook and results say 'not yet launched' of whoever is only listed, and who is not in the LMS course any
    more; both can be found."""
    ada, bob = school.add_person("Ada One"), school.add_person("Bob Two")
    read_roster(client, school, cast)
    assert school.launch(Client(), bob, school.links[cast.operators.pk]).status_code == 303
    for page in ("gradebook", "results"):
        shown = names_on(tom, cast, page)
        assert "not yet launched" in next(text for text in shown.values() if text.startswith("Ada One"))
        assert "not yet launched" not in next(text for text in shown.values() if text.startswith("Bob Two"))
        assert "not yet launched" not in next(text for text in shown.values() if text.startswith("Sam Student"))
    (found,) = names_on(tom, cast, state="to_come").values()
    assert found.startswith("Ada One")
    assert names_on(tom, cast, state="gone") == {}
    school.change(ada, leaves=True)
    read_roster(client, school, cast)
    (found,) = names_on(tom, cast, state="gone").values()
    assert found.startswith("Ada One")
    assert "no longer in the LMS course" in found


def test_groups_filter_the_gradebook(client: Client, cast: Cast, tom: Client, school: School) -> None:
    """The groups of the LMS course stand under the name of their set, and one of them can be chosen."""
    ada, bob = school.add_person("Ada One"), school.add_person("Bob Two")
    school.lms.post("groups", course=school.course, name="Red", set="Teams", people=[ada])
    school.lms.post("groups", course=school.course, name="Blue", set="Teams", people=[bob])
    read_roster(client, school, cast)
    parts = parts_on(tom, cast)
    assert set(parts) == {"Red", "Blue"}
    (found,) = names_on(tom, cast, part=parts["Red"]).values()
    assert found.startswith("Ada One")
    csv = tom.get(reverse("learning_course:gradebook_csv", args=[cast.course.public_id]), {"part": parts["Red"]})
    text = b"".join(csv.streaming_content).decode() if csv.streaming else csv.content.decode()
    assert "Ada One" in text
    assert "Bob Two" not in text


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_sections_of_launches_filter_the_gradebook(
    client: Client, practice_lms: PracticeLms, cast: Cast, tom: Client, version: str
) -> None:
    """A Canvas names the sections of whoever launches; by either version they are filters, and follow a change."""
    custom = {"section_names": "$com.instructure.User.sectionNames"}
    if version == "1.1":
        school = make_school11(practice_lms, cast.acme, profile="canvas")
        practice_lms.post("tools", id=school.tool["id"], custom=custom)
        _use_sections(school, cast, tom)
    else:
        with make_school13(practice_lms, cast.acme, profile="canvas", custom=custom) as school:
            _use_sections(school, cast, tom)


def _use_sections(school: School, cast: Cast, tom: Client) -> None:
    ada = school.add_person("Ada One", sections=["Monday", 'Lab "A", second'])
    bob = school.add_person("Bob Two", sections=["Tuesday"])
    link = school.place(cast.operators)
    for person in (ada, bob):
        assert school.launch(Client(), person, link).status_code == 303
    parts = {name: value for name, value in parts_on(tom, cast).items() if not value.startswith("lms-")}
    assert len(parts) == 3
    (found,) = names_on(tom, cast, part=parts["Monday"]).values()
    assert found.startswith("Ada One")
    school.change(ada, role="learner", sections=["Tuesday"])
    assert school.launch(Client(), ada, link).status_code == 303
    assert len(names_on(tom, cast, part=parts["Tuesday"])) == 2
    assert set(parts_on(tom, cast)) == set()


def test_lms_courses_filter_the_gradebook(client: Client, cast: Cast, tom: Client, school: School) -> None:
    """A course that is taught in two LMS courses can be looked at by each."""
    school.add_person("Ada One")
    read_roster(client, school, cast)
    other = Context.objects.create(deployment=school.context.deployment, context_id="another", title="Evening class")
    CourseContext.objects.create(course=cast.course, context=other, rule="test")
    other.memberships.create(person=cast.sam, role=Role.STUDENT)
    parts = parts_on(tom, cast)
    assert "Evening class" in parts
    (found,) = names_on(tom, cast, part=parts["Evening class"]).values()
    assert found.startswith("Sam Student")


def test_parts_of_another_course_show_nobody(client: Client, cast: Cast, tom: Client, school: School) -> None:
    """A section of somebody else's course, or nonsense, finds nobody: it is no way to look into another course."""
    foreign = Section.objects.create(
        context=Context.objects.create(deployment=_foreign_deployment(cast), context_id="x"),
        kind="group",
        lms_id="g",
        name="Foreign",
    )
    foreign.section_members.create(person=cast.sam)
    for part in (foreign.public_id, f"lms-{foreign.context_id}", "lms-999999", "nonsense", "lms-x"):
        assert names_on(tom, cast, part=part) == {}
    assert Enrollment.objects.filter(course=cast.course, role=Role.STUDENT).count() == 2


def _foreign_deployment(cast: Cast) -> Deployment:
    platform = create_consumer_key(cast.umbrella, name="Foreign")[0].platform
    return platform.deployments.get()
