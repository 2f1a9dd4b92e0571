"""Many first launches at the same moment make each row once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from courseway.courses.models import Enrollment
from courseway.lms import platforms
from courseway.lms.models import Arrival, Context, ContextMembership, CourseContext, Launch, LmsIdentity, ResourceLink
from courseway.orgs.models import Person
from tests.cast import make_cast
from tests.visits import CLAIM, make_lms11, make_lms13

AT_ONCE = 20
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


def launch_at_once(launches: list[Any]) -> Counter[int]:
    """Runs the launches in threads that start together; the status of each answer."""
    barrier = Barrier(len(launches))

    def run(launch: Any) -> int:
        barrier.wait()
        try:
            return int(launch(Client(raise_request_exception=False)).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(launches)) as pool:
        return Counter(pool.map(run, launches))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_twenty_first_launches_of_one_person(version: str) -> None:
    """One new person who clicks twenty times at once is one person, with one context, link, enrollment, arrival."""
    platforms.forget_all()
    cast = make_cast()
    people = Person.objects.count()
    if version == "1.1":
        lms11 = make_lms11(cast.acme)
        launches = [lambda client: lms11.launch(client, f"/lti/a/{cast.operators.public_id}")] * AT_ONCE
    else:
        lms13 = make_lms13(cast.acme)
        launches = [lambda client: lms13.launch(client, cast.operators)] * AT_ONCE
    assert launch_at_once(launches) == {303: AT_ONCE}
    assert Person.objects.count() == people + 1
    for model in (LmsIdentity, Context, ResourceLink, CourseContext, ContextMembership, Arrival):
        assert model._default_manager.count() == 1, model
    assert Enrollment.objects.filter(person__lms_identities__isnull=False).count() == 1
    assert Launch.objects.filter(outcome="ok").count() == AT_ONCE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_twenty_people_in_a_new_context(version: str) -> None:
    """Twenty new people who open a new context at once share it, and one context is the course's first."""
    platforms.forget_all()
    cast = make_cast()
    people = Person.objects.count()
    if version == "1.1":
        lms11 = make_lms11(cast.acme)
        path = f"/lti/a/{cast.operators.public_id}"
        launches = [
            lambda client, number=number: lms11.launch(
                client, path, user_id=f"user-{number}", roles="Instructor" if number % 2 else "Learner"
            )
            for number in range(AT_ONCE)
        ]
    else:
        lms13 = make_lms13(cast.acme)
        launches = [
            lambda client, number=number: lms13.launch(
                client,
                cast.operators,
                sub=f"user-{number}",
                **{CLAIM + "roles": [MEMBERSHIP + ("Instructor" if number % 2 else "Learner")]},
            )
            for number in range(AT_ONCE)
        ]
    assert launch_at_once(launches) == {303: AT_ONCE}
    assert Person.objects.count() == people + AT_ONCE
    assert Context.objects.count() == 1
    assert ResourceLink.objects.count() == 1
    assert CourseContext.objects.filter(is_first=True).count() == 1
    assert Enrollment.objects.filter(person__lms_identities__isnull=False).count() == AT_ONCE
    assert Enrollment.objects.filter(covers_whole_course=True, person__lms_identities__isnull=False).count() == 10


@pytest.mark.django_db(transaction=True)
def test_first_contexts_at_once() -> None:
    """Of ten contexts that open the course for the first time at once, exactly one becomes the first."""
    platforms.forget_all()
    cast = make_cast()
    lms = make_lms11(cast.acme)
    path = f"/lti/a/{cast.operators.public_id}"
    launches = [
        lambda client, number=number: lms.launch(
            client, path, user_id=f"u{number}", context_id=f"c{number}", resource_link_id=f"l{number}"
        )
        for number in range(10)
    ]
    assert launch_at_once(launches) == {303: 10}
    assert CourseContext.objects.count() == 10
    assert CourseContext.objects.filter(is_first=True).count() == 1


@pytest.mark.quirk("G19")
@pytest.mark.django_db(transaction=True)
def test_one_message_replayed_at_once() -> None:
    """One signed form posted twenty times at once opens exactly once."""
    platforms.forget_all()
    cast = make_cast()
    lms = make_lms11(cast.acme)
    path = f"/lti/a/{cast.operators.public_id}"
    from tests.visits import TOOL, post_form

    form = lms.sign(TOOL + path, lms.form())
    assert launch_at_once([lambda client: post_form(client, path, form)] * AT_ONCE) == {303: 1, 401: AT_ONCE - 1}
    assert Launch.objects.filter(outcome="ok").count() == 1
