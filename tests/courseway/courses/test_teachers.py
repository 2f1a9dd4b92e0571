"""Who teaches a course: an instructor of one LMS course sees its people, and edits after somebody's yes."""

from __future__ import annotations

import pytest
from django.test import Client

from courseway.courses.models import Enrollment, Role
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.visits import make_lms11, open_launch


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def launch_as_instructor(cast: Cast) -> tuple[Client, str, Person]:
    """From a second LMS course: the first one was Sally's."""
    lms, client = make_lms11(cast.acme), Client()
    first = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}")
    assert first.status_code == 303
    response = lms.launch(
        client,
        f"/lti/a/{cast.operators.public_id}",
        context_id="course-2",
        resource_link_id="link-2",
        user_id="teacher-2",
        roles="Instructor",
        lis_person_name_full="Ines Instructor",
        lis_person_contact_email_primary="ines@lms.example",
    )
    assert response.status_code == 303
    prefix = "/at/" + response["Location"].split("/at/")[1].split("/")[0]
    return client, prefix, Person.objects.get(name="Ines Instructor")


def test_an_instructor_edits_after_a_yes(cast: Cast, owner: Client) -> None:
    """Before it the course's settings are refused and only the own students seen; after it all is open; and back."""
    client, prefix, ines = launch_as_instructor(cast)
    teachers, settings = f"/courses/{cast.course.public_id}/teachers/", f"/courses/{cast.course.public_id}/settings/"
    gradebook = f"{prefix}/courses/{cast.course.public_id}/gradebook/"
    refused = client.get(prefix + settings)
    assert refused.status_code == 403
    assert "can let you edit it" in refused.content.decode()
    assert "Sam Student" not in client.get(gradebook).content.decode()
    page = owner.get(teachers).content.decode()
    assert "Ines Instructor" in page
    assert "own LMS courses" in page
    assert owner.post(f"{teachers}{ines.public_id}/", {"whole": "true"}).status_code == 302
    assert client.get(prefix + settings).status_code == 200
    assert "Sam Student" in client.get(gradebook).content.decode()
    # A further launch does not take it back.
    assert Enrollment.objects.get(person=ines).covers_whole_course
    owner.post(f"{teachers}{ines.public_id}/", {"whole": "false"})
    assert client.get(prefix + settings).status_code == 403


def test_a_teacher_of_the_course_says_yes_too(cast: Cast) -> None:
    """It does not take an owner; but nobody changes the own rights, and a student is no teacher."""
    _client, _prefix, ines = launch_as_instructor(cast)
    tom = Client()
    tom.force_login(cast.tom)
    teachers = f"/courses/{cast.course.public_id}/teachers/"
    tom.post(f"{teachers}{ines.public_id}/", {"whole": "true"})
    assert Enrollment.objects.get(person=ines).covers_whole_course
    assert tom.post(f"{teachers}{cast.tom_person.public_id}/", {"whole": "false"}).status_code == 403
    assert tom.post(f"{teachers}{cast.sam.public_id}/", {"whole": "true"}).status_code == 403
    assert not Enrollment.objects.get(person=cast.sam).covers_whole_course


def test_teachers_are_shown_to_those_who_edit(cast: Cast) -> None:
    """Neither a teacher of one LMS course, nor a mentor or student, sees the page or says yes to anybody."""
    client, prefix, ines = launch_as_instructor(cast)
    teachers = f"/courses/{cast.course.public_id}/teachers/"
    visits = [(client, prefix)]
    for person, role in ((cast.mia, Role.MENTOR), (cast.sam, Role.STUDENT)):
        visits.append((other := Client(), open_launch(other, person, cast.course, role)))
    for visitor, place in visits:
        assert visitor.get(place + teachers).status_code == 403
        assert visitor.post(f"{place}{teachers}{ines.public_id}/", {"whole": "true"}).status_code == 403
    assert not Enrollment.objects.get(person=ines).covers_whole_course
